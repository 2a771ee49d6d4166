from pathlib import Path

import cv2
import pytest
import pytorch_lightning as pl
import torch

from amesh.data.loading.sample import Batch
from amesh.errors import UserError
from amesh.nn.config import NAMED
from amesh.nn.template import template_in_crop
from amesh.training.module import LandmarkTraining
from amesh.training.tracking import Tracker
from amesh.training.worst_faces import WorstFaces, faces

TINY = NAMED["tiny-128"]


def batch(*numbers: int) -> Batch:
    b = len(numbers)
    return Batch(
        image=torch.rand(b, 3, 128, 128),
        landmarks=template_in_crop(TINY).expand(b, -1, -1),
        weight_xy=torch.ones(b, 478),
        weight_z=torch.ones(b, 478),
        face=torch.ones(b),
        index=torch.tensor(numbers),
    )


class Recorder(Tracker):
    """Notes what would be sent."""

    def __init__(self) -> None:
        super().__init__(offline=True)
        self.sent: list = []

    def log_pictures(self, key, pictures, captions) -> None:
        self.sent.append((key, len(pictures)))


class Rank(pl.Trainer):
    """A trainer as this callback sees it; ranks agree on the folder, so each has to ask."""

    fast_dev_run = sanity_checking = False
    is_global_zero, global_step, loggers = True, 7, ()

    def __init__(self, folder: Path) -> None:
        self.folder, self.asked = folder, 0

    @property
    def log_dir(self) -> str:
        self.asked += 1
        return str(self.folder)


class SecondRank(Rank):
    is_global_zero = False


def validated(callback: WorstFaces, trainer: Rank) -> tuple[Path, list]:
    """One validation of four faces: where the sheet would be, and what was sent."""
    module, recorder = LandmarkTraining(network=TINY), Recorder()
    type(trainer).loggers = [recorder]
    found = batch(0, 1, 2, 3)
    outputs = {"errors": torch.tensor([1.0, 9.0, 3.0, 2.0]), "landmarks": found.landmarks}
    callback.on_validation_batch_end(trainer, module, outputs, found, 0)
    callback.on_validation_epoch_end(trainer, module)
    return trainer.folder / "worst-0000007.png", recorder.sent


def test_the_worst_are_found_and_fillers_are_not():
    found = faces(batch(0, 1, -1, 3), torch.tensor([1.0, 2.0, 9.0, 3.0]), torch.rand(4, 478, 3), 3)
    assert [(face.number, face.error) for face in found] == [(3, 3.0), (1, 2.0)]


def test_a_sheet_is_drawn_and_nothing_is_uploaded_by_default(tmp_path):
    path, sent = validated(WorstFaces(count=2), Rank(tmp_path))
    assert cv2.imread(str(path)).shape == (320, 640, 3)
    assert sent == []


def test_the_sheet_is_uploaded_on_request(tmp_path):
    _, sent = validated(WorstFaces(count=2, upload=True), Rank(tmp_path))
    assert sent == [("worst", 1)]


def test_every_rank_asks_for_the_folder_and_the_first_draws(tmp_path):
    trainer = SecondRank(tmp_path)
    path, sent = validated(WorstFaces(count=2, upload=True), trainer)
    assert trainer.asked == 1
    assert not path.exists()
    assert sent == []


def test_by_default_nothing_is_drawn(tmp_path):
    trainer = Rank(tmp_path)
    path, _ = validated(WorstFaces(), trainer)
    assert not path.exists()
    assert trainer.asked == 0


def test_a_count_below_0_is_refused():
    with pytest.raises(UserError, match=r"worst: count is -1; expected 0 or more"):
        WorstFaces(count=-1)
