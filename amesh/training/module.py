"""The LightningModule: thin steps around a pure network of `amesh.nn`. No maths here."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor, nn

from amesh.data.augment.region_jitter import jitter_thetas
from amesh.data.augment.second_view import second_view
from amesh.data.loading.sample import Batch
from amesh.data.random import keys
from amesh.errors import UserError
from amesh.losses.config import LossConfig
from amesh.losses.consistency import consistency_term
from amesh.losses.errors import face_errors, normalised_errors
from amesh.losses.reduction import Weighted, averaged, combined, means, summed
from amesh.losses.terms import batch_terms
from amesh.nn.config import MeshConfig
from amesh.nn.network_config import NetworkConfig
from amesh.nn.output import MeshOutput
from amesh.nn.plain_config import PlainConfig
from amesh.nn.spatial_transformer import RegionNormaliser
from amesh.training import parts, phases
from amesh.training.checkpoint import check_fits, checked, describe, read
from amesh.training.data_module import data_epoch
from amesh.training.optimiser import OptimiserConfig, build
from amesh.training.origin import started_from
from amesh.training.run_log import RunLog
from amesh.training.tracking import Tracker
from amesh.training.warm_start import warm_start as fill
from amesh.weights import store
from amesh.weights.architectures import ARCHITECTURES, LandmarkArchitecture

FaceFlag = Literal["auto", "train", "keep"]
# Settings that are restored with the optimiser's state.
_OF_THE_OPTIMISER = ("learning_rate", "weight_decay", "betas")
# Every how many faces are shown twice. Counted by place in the batch of all ranks, so that two of
# them see what one would.
_TWICE = 4
_log = logging.getLogger("pytorch_lightning.amesh")


class LandmarkTraining(pl.LightningModule):
    """The network to train: the Attention Mesh, a baseline of the paper's tables, or a plain mesh.

    It expects batches of `amesh.data.loading.sample.Batch`, already augmented, on the device.
    """

    def __init__(
        self,
        architecture: LandmarkArchitecture = "AttentionMesh",
        network: MeshConfig = MeshConfig(),  # noqa: B008 - frozen
        plain: PlainConfig = PlainConfig(),  # noqa: B008
        losses: LossConfig = LossConfig(),  # noqa: B008
        optimiser: OptimiserConfig = OptimiserConfig(),  # noqa: B008
        schedule: phases.PhaseConfig = phases.PhaseConfig(),  # noqa: B008
        warm_start: str | None = None,
        freeze: Sequence[str] = (),
        face_flag: FaceFlag = "train",
        bf16: bool = False,
        compile_network: bool = False,
        seed: int = 0,
    ) -> None:
        """Builds the network.

        Args:
            architecture: Network to train: one of the paper's family, or `PlainMesh`.
            network: Sizes and options of a network of the family.
            plain: Sizes of a `PlainMesh`, which has these instead.
            losses: Weights and shape of the loss.
            optimiser: Optimiser and learning rate.
            schedule: The two phases of training: on ideal crops, then on predicted ones.
            warm_start: Installed weights, or a weights file, to start from; the parts that fit are
                used.
            freeze: Parts that are not trained: `shared`, `mesh`, `regions.lips`, ...
            face_flag: `train` learns it; from faces alone it learns that everything is a face.
                `keep` freezes all that it is computed from, so that it stays exactly as it is, and
                trains the last layer of the mesh and the regions. `auto` keeps the flag of the
                weights to start from if no training sample shows a region without a face, and
                otherwise learns it.
            bf16: Compute the trunks in bfloat16; heads and geometry stay in float32.
            compile_network: Compile the network, which is faster on a GPU.
            seed: Seed of the jitter of ideal crops.

        Raises:
            UserError: The sizes cannot be built, a region to weigh or a part to freeze does not
                exist, or nothing of the weights to start from fits.
        """
        super().__init__()
        self.architecture = architecture
        self.network: NetworkConfig = plain if architecture == "PlainMesh" else network
        self.losses = losses
        self.optimiser, self.schedule, self.seed = optimiser, schedule, seed
        self.net = ARCHITECTURES[architecture].build(self.network)
        outputs = self.network.outputs if hasattr(self.net, "regions") else {}
        if unknown := [name for name in losses.regions if name not in outputs]:
            there = f"there are: {', '.join(outputs)}" if outputs else "leave out losses.regions"
            raise UserError(
                f"losses.regions: {architecture} has no region output {unknown[0]!r}; {there}"
            )
        # For the header of the weights file: the origin of what it started from, and the number of
        # faces it was trained on, by the terms of their pictures. A resumed run adds to them.
        self.started_from: dict[str, Any] | None = None
        self.licences: dict[str, int] = {}
        if warm_start is not None:
            transfer = fill(self.net, store.load(warm_start))
            self.started_from = started_from(warm_start)
            rank_zero_info(f"warm start from {warm_start}: {transfer}")
        self.frozen = tuple(freeze)
        parts.freeze(self.net, self.frozen)
        self.face_flag = face_flag
        if bf16:
            parts.half_trunks(self.net)
        if compile_network:
            # The network, not this module: compiling that breaks Lightning's hooks.
            self.net.compile()
        self.steps = 0
        self._plan_before: dict[str, Any] | None = None
        self._sums: dict[str, Tensor] = {}

    def train(self, mode: bool = True) -> "LandmarkTraining":
        """Frozen parts also keep their norms' statistics."""
        super().train(mode)
        for part in self.frozen:
            parts.module(self.net, part).eval()
        return self

    def setup(self, stage: str) -> None:
        """Settles whether the face flag is trained, now that the data are known."""
        if stage == "fit":
            self._settle_face_flag()

    def configure_optimizers(self) -> Any:
        """AdamW, its rate set after every step."""
        steps = self.trainer.estimated_stepping_batches
        if steps == float("inf"):
            raise UserError("no end of training: set trainer.max_epochs or trainer.max_steps")
        self.steps = int(steps)
        optimiser, schedule = build(self.net.parameters(), self.optimiser, self.steps)
        return [optimiser], [{"scheduler": schedule, "interval": "step"}]

    def on_fit_start(self) -> None:
        """Notes the terms of the pictures that it is about to see."""
        data = getattr(self.trainer, "datamodule", None)
        self.licences = self.licences | dict(getattr(data, "licences", {}))
        for line in changes(self._plan_before or self._plan(), self._plan()):
            _log.warning(line)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step of the phase that the number of steps so far belongs to."""
        ideal = self.schedule.is_ideal(self.global_step, self.steps)
        loss, logged, _ = self._losses(batch, ideal)
        values = averaged({"loss": loss, **logged})
        self.log("train/loss", values.pop("loss"), prog_bar=True)
        self.log_dict({f"train/{name}": value for name, value in values.items()})
        self.log("train/phase", 1.0 if ideal else 2.0)
        return loss

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Asks for an end after the last step: Lightning validates what is told to stop.

        Otherwise the steps after the last interval of validation could never be the best.
        """
        if 0 < self.trainer.max_steps <= self.trainer.global_step:
            self.trainer.should_stop = True

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Losses and errors of the network as it is used: on its own crops.

        Returns:
            `landmarks` (b n 3) [crop px] and the `errors` (b,) [%] of the faces.
        """
        return self._measure(batch)

    def on_validation_epoch_end(self) -> None:
        """Logs what the steps added up."""
        self._report("val")

    def test_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """The same, on the test set."""
        return self._measure(batch)

    def on_test_epoch_end(self) -> None:
        """Logs what the steps added up."""
        self._report("test")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Says in the checkpoint which network it holds."""
        ids = [one.run_id for one in self.trainer.loggers if isinstance(one, Tracker)]
        logs = [one.log_dir for one in self.trainer.loggers if isinstance(one, RunLog)]
        checkpoint["amesh"] = describe(self.architecture, self.network) | {
            "losses": asdict(self.losses),
            "wandb": next(iter(ids), None),
            "folder": str(Path(logs[0]).absolute()) if logs else None,
            "warm_start": self.started_from,
            "licences": self.licences,
            "plan": self._plan(),
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses the checkpoint of another network.

        Raises:
            UserError: Naming what differs.
        """
        check_fits(checkpoint, self.architecture, self.network)
        about = checkpoint["amesh"]
        self.started_from = about.get("warm_start")
        self.licences = dict(about.get("licences", {}))
        self._plan_before = about.get("plan")
        if self.trainer.state.fn == "fit":
            self._settle_face_flag()  # only now it is known that the run started from weights

    def _settle_face_flag(self) -> None:
        """Keeps the face flag where it is to be kept."""
        computed_from = parts.of_the_face_flag(self.net)
        if self.face_flag == "train" or set(computed_from) <= set(self.frozen):
            return
        if self.face_flag == "auto":
            data = getattr(self.trainer, "datamodule", None)
            if self.started_from is None or getattr(data, "has_negatives", True):
                return
            rank_zero_info(
                "no training sample shows a region without a face: the face flag, and all that it "
                "is computed from, is kept as it is; `amesh negatives` finds such regions"
            )
        self.frozen += computed_from
        parts.freeze(self.net, computed_from)
        self.losses = replace(self.losses, face=0.0)

    def _plan(self) -> dict[str, Any]:
        """What the learning rate and the phase of a step depend on."""
        return {"steps": self.steps, **asdict(self.optimiser), **asdict(self.schedule)}

    def _losses(self, batch: Batch, ideal: bool) -> tuple[Tensor, Mapping[str, Tensor], MeshOutput]:
        """The loss, its parts as means over all ranks, and the output that they judge."""
        terms, output = self._terms(batch, ideal)
        if self.losses.consistency and not ideal:
            terms = {**terms, "consistency": self._consistency(batch, output)}
        logged = means(terms)
        return combined(logged, self.losses.weight), logged, output

    def _terms(self, batch: Batch, ideal: bool) -> tuple[Mapping[str, Weighted], MeshOutput]:
        """The sums of the loss's terms over this batch, and the output that they judge."""
        with torch.no_grad():
            labelled = phases.labelled_regions(batch.weight_xy, self.network)
            thetas = self._true_thetas(batch)
        given = None
        if ideal and thetas is not None:
            key = keys(self.seed, data_epoch(self.trainer), batch.index)
            given = jitter_thetas(thetas, self.schedule.jitter, key)
        output = phases.forward(self.net, batch.image, given)
        if thetas is None:
            thetas, labelled = output.thetas, labelled[:, :0]
        elif given is not None and getattr(self.network, "crop_source", "") == "predicted":
            labelled = torch.zeros_like(labelled)  # it did not choose where to look
        return batch_terms(output, batch, thetas, labelled, self.network, self.losses), output

    def _consistency(self, batch: Batch, output: MeshOutput) -> Weighted:
        """Shows some faces again, and compares the landmarks."""
        size = len(batch.index)
        twice = slice(-self.global_rank * size % _TWICE, None, _TWICE)
        some = Batch(*(values[twice] for values in batch))
        if not len(some.index):  # a small batch, whose turn it is not
            return Weighted(0.0 * output.landmarks.sum(), output.landmarks.new_zeros(()))
        key = keys(self.seed, data_epoch(self.trainer), some.index)
        view = second_view(some.image, key)
        first, second = output.landmarks[twice], phases.forward(self.net, view.image, None)
        return consistency_term(
            *(first, second.landmarks, view.first_from_second, some), self.network, self.losses
        )

    def _true_thetas(self, batch: Batch) -> Tensor | None:
        """Where the regions should look; None for a network without regions."""
        if not hasattr(self.net, "normaliser"):
            return None
        points = phases.completed(batch.landmarks, batch.weight_xy, self.network)
        thetas: Tensor = cast("RegionNormaliser", self.net.normaliser)(points)
        return thetas

    def _measure(self, batch: Batch) -> dict[str, Tensor]:
        """Adds this rank's batch to the sums of what is watched; `_report` adds up the ranks."""
        terms, output = self._terms(batch, ideal=False)
        sums = {name: (term.total, term.weight) for name, term in terms.items()}
        for name, (mean, weight) in normalised_errors(output, batch, self.network).items():
            sums[name] = (mean * weight, weight)
        for name, pair in sums.items():
            row = torch.stack(pair)
            self._sums[name] = self._sums[name] + row if name in self._sums else row
        errors = face_errors(output, batch, self.network)
        return {"landmarks": output.landmarks, "errors": errors}

    def _report(self, split: str) -> None:
        """Logs the means over all batches of all ranks."""
        if not self._sums:
            return
        sums = summed(torch.stack(list(self._sums.values())))
        for name, (total, weight) in zip(self._sums, sums, strict=True):
            if weight > 0:  # else nothing is labelled: no error is not an error of 0
                # The ranks agree already; sync_dist only keeps Lightning from advising it.
                self.log(f"{split}/{name}", total / weight, prog_bar=name == "nme", sync_dist=True)
        self._sums = {}


def changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What a resumed run has to say about settings of its schedule that are no longer the same.

    Args:
        before: The settings in the checkpoint.
        now: Those of this run.
    """
    differ = {
        name: f"{name} {value} (before: {before[name]})"
        for name, value in now.items()
        if name in before and before[name] != value
    }
    kept = [text for name, text in differ.items() if name in _OF_THE_OPTIMISER]
    moved = [text for name, text in differ.items() if name not in _OF_THE_OPTIMISER]
    lines = []
    if moved:
        lines.append(
            f"resumed with {', '.join(moved)}: from here on the learning rate and the phase are "
            "those of the new schedule, not those that the run was going to have"
        )
    if kept:
        lines.append(f"resumed with {', '.join(kept)}: ignored, the checkpoint's optimiser goes on")
    return lines


def network_of(path: Path) -> nn.Module:
    """The network in a checkpoint, in evaluation mode; its averaged weights where there are some.

    Raises:
        UserError: It cannot be read, or was not written by `amesh fit`.
    """
    checkpoint = read(path)
    held = checked(checkpoint, path, resumes=False)
    net = ARCHITECTURES[held["architecture"]].build(held["network"])
    state = {
        name.removeprefix("net."): tensor
        for name, tensor in checkpoint["state_dict"].items()
        if name.startswith("net.")
    }
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise UserError(f"{path}: weights do not fit their own config: {first}") from error
    return net.eval()
