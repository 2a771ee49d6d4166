"""The worst faces of each validation, drawn: what the network still gets wrong."""

from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import pytorch_lightning as pl
from jaxtyping import Float, UInt8
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from amesh.data.loading.sample import Batch
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.nn.network_config import NetworkConfig
from amesh.pipeline.draw import Style, draw_faces
from amesh.topology.scheme import Topology
from amesh.training.callbacks import is_trial, run_folder
from amesh.training.tracking import Tracker

_LABEL = (255, 255, 255)
_COLUMNS = 4
_TILE = 320  # [px]
_DRAWN = 480  # [px] smallest side of a drawing, before it is shrunk to a tile


class Face(NamedTuple):
    """A face that was validated on.

    Attributes:
        error: Mean distance by the face's size [%].
        number: Its place in the validation data.
        image: The crop.
        labels: (k, 2) labelled points [crop px].
        landmarks: (n, 3) what the network said [crop px].
    """

    error: float
    number: int
    image: UInt8[np.ndarray, "s s 3"]
    labels: Float[np.ndarray, "k 2"]
    landmarks: Float[np.ndarray, "n 3"]


class WorstFaces(Callback):
    """Draws the faces with the largest validation errors, of the first rank's share.

    Nothing is drawn unless it is asked for, and nothing leaves the machine unless that is asked
    for, too: they are pictures of people.
    """

    def __init__(self, count: int = 0, upload: bool = False) -> None:
        """Chooses how many.

        Args:
            count: Number of faces on the sheet `worst-STEP.png` in the run's folder; 0 draws none.
            upload: Also send the sheet to W&B.

        Raises:
            UserError: A count below 0.
        """
        if count < 0:
            raise UserError(f"worst: count is {count}; expected 0 or more faces")
        self.count, self.upload = count, upload
        self._worst: list[Face] = []

    def on_validation_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keeps the worst so far."""
        if self.count and trainer.is_global_zero and not trainer.sanity_checking:
            found = faces(batch, outputs["errors"], outputs["landmarks"], self.count)
            ranked = sorted([*self._worst, *found], key=lambda face: -face.error)
            self._worst = ranked[: self.count]

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draws them."""
        worst, self._worst = self._worst, []
        if not self.count or is_trial(trainer):
            return
        folder = run_folder(trainer, None).parent  # the ranks agree on it: all of them have to ask
        if not worst:
            return
        network = cast("NetworkConfig", pl_module.network)
        picture = sheet(worst, network.load_topology())
        path = folder / f"worst-{trainer.global_step:07d}.png"
        write_atomically(path, cv2.imencode(".png", picture[..., ::-1])[1].tobytes())
        for logger in trainer.loggers:
            if self.upload and isinstance(logger, Tracker):
                logger.log_pictures("worst", [picture], [f"step {trainer.global_step}"])


def faces(
    batch: Batch, errors: Float[Tensor, " b"], landmarks: Float[Tensor, "b n 3"], count: int
) -> list[Face]:
    """The worst faces of a batch."""
    found = []
    for row in errors.argsort(descending=True)[:count].tolist():
        known = batch.weight_xy[row] > 0
        if batch.index[row] < 0 or not known.any():
            continue
        image = (batch.image[row].permute(1, 2, 0) * 255).round().byte()
        found.append(
            Face(
                float(errors[row]),
                int(batch.index[row]),
                image.cpu().numpy(),
                batch.landmarks[row][known][:, :2].float().cpu().numpy(),
                landmarks[row].float().cpu().numpy(),
            )
        )
    return found


def sheet(worst: list[Face], topology: Topology) -> UInt8[np.ndarray, "h w 3"]:
    """Faces in rows: contours as the network has them, white dots where the labels are."""
    tiles = [_tile(face, topology) for face in worst]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS if len(tiles) > _COLUMNS else 0)
    rows = [np.hstack(tiles[i : i + _COLUMNS]) for i in range(0, len(tiles), _COLUMNS)]
    return np.vstack(rows)


def _tile(face: Face, topology: Topology) -> UInt8[np.ndarray, "t t 3"]:
    scale = max(1, -(-_DRAWN // max(face.image.shape)))
    drawn = draw_faces(face.image, [face.landmarks], topology, Style(mesh=False), scale)
    for x, y in face.labels * scale:
        cv2.circle(drawn, (round(x * 16), round(y * 16)), 24, _LABEL, -1, cv2.LINE_AA, 4)
    tile = cv2.resize(drawn, (_TILE, _TILE), interpolation=cv2.INTER_AREA)
    text = f"{face.number}: {face.error:.1f} %"
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(tile, text, (6, 18), font, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.putText(tile, text, (6, 18), font, 0.5, _LABEL, 1, cv2.LINE_AA)
    return np.asarray(tile, np.uint8)
