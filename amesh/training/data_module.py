"""The LightningDataModule: sources to batches of samples, augmented once they are on the device."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from amesh.data.augment.config import NO_AUGMENTATION, AugmentConfig
from amesh.data.augment.geometric import Augment
from amesh.data.licences import faces_by_terms
from amesh.data.loading.dataset import FaceDataset
from amesh.data.loading.mixture import Loaded, Mixture, side_by_side
from amesh.data.loading.sample import Batch
from amesh.data.loading.sampler import EpochBatchSampler
from amesh.data.sources.key_list import key_list
from amesh.data.sources.opening import SourceConfig, open_source
from amesh.data.sources.problems import OnBad, Problems, named
from amesh.data.sources.source import Source, has_negatives
from amesh.data.sources.subset import held_out, times
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.nn.network_config import NetworkConfig
from amesh.synth.faces import SyntheticFaces
from amesh.synth.write import LICENCE
from amesh.training.lightning import place
from amesh.training.memory import keep_memory
from amesh.training.stopping import ignore_signals
from amesh.training.synthetic import TRAIN_SEED, VAL_SEED, SyntheticData, maker, pool

Split = Literal["train", "val", "test"]
# Labelled sets: one by its path, or several, each by its path or with what its format leaves open.
Sets = str | Sequence[str | SourceConfig]
# With fewer faces, the smallest of several validation errors is mostly luck.
_FEW = 10
_log = logging.getLogger("pytorch_lightning.amesh")


class FaceData(pl.LightningDataModule):
    """The data: labelled sets, and synthetic faces.

    Every batch is addressed by seed, epoch and number, so that a checkpoint goes on exactly where
    it was made.
    """

    trainer: Any  # Lightning says Trainer | None; here it is always there

    def __init__(
        self,
        train: Sets = (),
        val: Sets = (),
        test: Sets = (),
        hold_out: float = 0.0,
        synthetic: SyntheticData = SyntheticData(),  # noqa: B008 - frozen
        batch_size: int = 16,
        workers: int = 1,
        augment: AugmentConfig = AugmentConfig(),  # noqa: B008
        on_bad: OnBad = "skip",
        seed: int = 0,
    ) -> None:
        """Opens nothing yet.

        Args:
            train: Sets to train on: a path, or a list of paths or of mappings with a path and what
                the format leaves open.
            val: Sets to validate on, in the same form.
            test: Sets to test on, in the same form; the validation data by default.
            hold_out: Share of the training faces, by whole persons, to validate on instead.
            synthetic: Synthetic faces.
            batch_size: Faces per batch and training process.
            workers: Processes that read pictures, per training process; 0 reads in it.
            augment: Augmentation of the training pictures; others are not augmented.
            on_bad: What to do with a record that cannot be used: count, name and skip it, or stop.
            seed: Seed of the order, the augmentation and the synthetic faces.

        Raises:
            UserError: A number without meaning.
        """
        super().__init__()
        for name, value, least in (("batch_size", batch_size, 1), ("workers", workers, 0)):
            if value < least:
                raise UserError(f"data: {name} is {value}, expected at least {least}")
        if not 0 <= hold_out < 1:
            raise UserError(f"data: hold_out is {hold_out}; a share is from 0 to below 1")
        self.configs: dict[Split, Sequence[SourceConfig]]
        self.configs = {"train": _listed(train), "val": _listed(val), "test": _listed(test)}
        self.hold_out, self.synthetic, self.on_bad, self.seed = hold_out, synthetic, on_bad, seed
        self.batch_size, self.workers, self.augment = batch_size, workers, augment
        self.skipped: list[str] = []
        self.sources: dict[Split, list[Source]] = {}
        self._taken: list[int] = []
        self._augments: dict[bool, Augment] = {}
        self._maker: SyntheticFaces | None = None
        self._sampler: EpochBatchSampler | None = None
        self._resumed: dict[str, Any] | None = None

    @property
    def licences(self) -> dict[str, int]:
        """Training faces by the terms of their pictures."""
        count = faces_by_terms(self.sources.get("train", []))
        if self._maker is not None:
            count[LICENCE] += self.synthetic.faces
        return dict(sorted(count.items()))

    @property
    def has_negatives(self) -> bool:
        """Whether training shows regions without a face."""
        made = self.synthetic
        if made.faces and made.fresh and made.ranges.behind:
            return True
        return any(map(has_negatives, self.sources.get("train", [])))

    def setup(self, stage: str) -> None:
        """Opens the sources.

        Raises:
            UserError: One of them cannot be opened.
        """
        if self.sources:
            return
        network = self._network()
        for training, config in ((True, self.augment), (False, NO_AUGMENTATION)):
            self._augments[training] = Augment(network.load_topology(), network.input_size, config)
        opened = {split: self._open(configs) for split, configs in self.configs.items()}
        pairs = [held_out(source, self.hold_out) for source in opened["train"]]
        rests = [rest for _, rest in pairs if len(rest)]
        train, val = [pair[0] for pair in pairs], [*opened["val"], *rests]
        repeats = [config.repeat for config in self.configs["train"]]
        made = self.synthetic
        if made.faces and made.fresh:
            self._maker = maker(network, made.ranges)
        elif made.faces and stage == "fit":
            train.append(pool(network, made.ranges, made.faces, self.seed + TRAIN_SEED))
            repeats.append(1.0)
        if made.val:
            val.append(pool(network, made.ranges, made.val, self.seed + VAL_SEED))
        self._taken = [times(len(s), r) for s, r in zip(train, repeats, strict=True)]
        self.sources = {"train": train, "val": val, "test": opened["test"] or val}
        if self.trainer.state.fn == "fit":
            self._order()  # refuses too few faces before anything is written or said
            if rests and not self.trainer.fast_dev_run:
                self._name_held_out(rests)
        if stage == "fit" and self.trainer.is_global_zero:
            for line in too_few(sum(entry.labelled for source in val for entry in source.entries)):
                _log.warning(line)

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled batches; the epoch's number and the rank decide which.

        Raises:
            UserError: No face to train on, or fewer than the ranks need.
        """
        self._sampler = self._order()
        if self._resumed is not None:
            self._sampler.load_state_dict(self._resumed)
            self._resumed = None
        faces = self._faces("train", self.augment) if any(map(len, self.sources["train"])) else None
        return self._loader(Mixture(faces, self._fresh), self._sampler)

    def val_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Every face once, in order; nothing where there is nothing to validate on."""
        return self._once("val")

    def test_dataloader(self) -> DataLoader[Any] | list[DataLoader[Any]]:
        """Every face once, in order.

        Raises:
            UserError: There is nothing to test on.
        """
        if not self.sources["test"]:
            raise UserError("no faces to test on: set data.test, data.val or data.hold_out")
        return self._once("test")

    def on_after_batch_transfer(self, batch: Loaded, dataloader_idx: int) -> Batch:
        """Makes the synthetic faces, cuts and changes all, on the device."""
        training = bool(self.trainer.training)
        epoch = data_epoch(self.trainer) if training else 0
        augment = self._augments[training].to(batch.made.device)
        canvases = [] if batch.canvas is None else [batch.canvas]
        for canvas in canvases:
            self._note(canvas.problems)
        if self._maker is not None and len(batch.made):
            make = self._maker.to(batch.made.device)
            canvases.append(make(self.seed + TRAIN_SEED, epoch, batch.made))
        parts = [augment(canvas, self.seed, epoch) for canvas in canvases]
        return parts[0] if len(parts) == 1 else Batch(*map(torch.cat, zip(*parts, strict=True)))

    def state_dict(self) -> dict[str, Any]:
        """Where the training data is, for a checkpoint."""
        if self._sampler is None:
            return {}
        return self._sampler.state_dict(*place(self.trainer))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on there, once the loader is made."""
        self._resumed = state or None

    def teardown(self, stage: str) -> None:
        """Says which records could not be used; each rank names those that it met."""
        if self.skipped:
            rank = f"rank {self.trainer.global_rank}: " if self.trainer.world_size > 1 else ""
            _log.info(rank + named(self.skipped))

    @property
    def _fresh(self) -> int:
        """Synthetic faces that each epoch makes."""
        return self.synthetic.faces * self.synthetic.fresh

    def _order(self) -> EpochBatchSampler:
        """The order of the training faces.

        Raises:
            UserError: There is none, or fewer than the ranks need.
        """
        if not sum(self._taken) + self._fresh:
            if self.configs["train"]:
                raise UserError(
                    f"no faces to train on: data.hold_out={self.hold_out} and `repeat` leave none "
                    "of those in data.train; give more faces, or hold none out"
                )
            raise UserError(
                "no faces to train on: give sets in data.train, or ask for synthetic faces with "
                "data.synthetic.faces"
            )
        lengths = map(len, self.sources["train"])
        groups = [*zip(lengths, self._taken, strict=True), (self._fresh, self._fresh)]
        place, same = self._place(), bool(self.trainer.overfit_batches)
        return EpochBatchSampler(groups, self.batch_size, self.seed, *place, repeat=same)

    def _name_held_out(self, sources: Sequence[Source]) -> None:
        """Lists them in the run's folder, so that they can be scored apart afterwards."""
        folder = self.trainer.log_dir  # the ranks agree on it: every one of them has to ask
        if self.trainer.is_global_zero:
            keys = (entry.key for source in sources for entry in source.entries)
            write_atomically(Path(folder or ".") / "held_out.txt", key_list(keys))

    def _network(self) -> NetworkConfig:
        network: NetworkConfig = self.trainer.lightning_module.network
        return network

    def _place(self) -> tuple[int, int]:
        """This rank, and how many there are."""
        return self.trainer.global_rank, self.trainer.world_size

    def _open(self, configs: Sequence[SourceConfig]) -> list[Source]:
        problems = Problems(self.on_bad)
        sources = [open_source(config, problems) for config in configs]
        if self.trainer.is_global_zero:  # every rank meets the same ones here
            self._note(problems.messages)
        return sources

    def _note(self, lines: Sequence[str]) -> None:
        known = set(self.skipped)
        self.skipped += [line for line in dict.fromkeys(lines) if line not in known]

    def _faces(self, split: Split, config: AugmentConfig) -> FaceDataset:
        network, sources = self._network(), self.sources[split]
        size, training = network.input_size, split == "train"
        return FaceDataset(
            sources, network.load_topology(), size, config.reach, self.on_bad, training
        )

    def _once(self, split: Split) -> DataLoader[Any] | list[DataLoader[Any]]:
        if not self.sources[split]:
            return []
        faces = self._faces(split, NO_AUGMENTATION)
        order = EpochBatchSampler(
            len(faces), self.batch_size, 0, *self._place(), shuffle=False, drop_last=False
        )
        return self._loader(Mixture(faces), order)

    def _loader(self, data: Mixture, order: EpochBatchSampler) -> DataLoader[Any]:
        return DataLoader(
            data,
            batch_sampler=order,
            collate_fn=side_by_side,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=_start_worker,
            pin_memory=self.trainer.strategy.root_device.type == "cuda",
        )


def _listed(sets: Sets) -> list[SourceConfig]:
    """A configuration for each set."""
    every = [sets] if isinstance(sets, str) else sets
    return [SourceConfig(Path(one)) if isinstance(one, str) else one for one in every]


def too_few(faces: int) -> list[str]:
    """What is to be said of a validation set of that many faces."""
    if not faces:
        return [
            "nothing to validate on: the last network is kept, whether or not it is better than "
            "the first; set data.val or data.hold_out"
        ]
    if faces < _FEW:
        return [
            f"only {faces} {'face' if faces == 1 else 'faces'} to validate on: their errors, and "
            "the choice of the best network by them, mean little; give at least "
            f"{_FEW} in data.val, or raise data.hold_out"
        ]
    return []


def _start_worker(number: int) -> None:
    ignore_signals()
    keep_memory()


def data_epoch(trainer: Any) -> int:
    """The trainer's epoch; always 0 under `trainer.overfit_batches`, which repeats its batches."""
    repeated = getattr(trainer, "overfit_batches", 0)
    return 0 if repeated else int(trainer.current_epoch)
