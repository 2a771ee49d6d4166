"""A DataModule of drawn faces: enough for a network to learn from, and nothing to download.

Found by class path, `drawn_faces.DrawnFaces`, with this folder on the path.
"""

import os
from typing import Any

import cv2
import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from amesh.data.sample import Batch
from amesh.data.sampler import EpochBatchSampler
from amesh.nn.config import NAMED, MeshConfig
from amesh.nn.template import template_in_crop


def draw(index: int, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """The mean face at a random place, drawn from its contours: picture (h w 3), landmarks."""
    random = np.random.default_rng(index)
    config = MeshConfig(input_size=size, crop_size=8)
    points = template_in_crop(config)[0].numpy().astype(np.float64)
    angle, scale = random.normal(0, 0.15), np.exp(random.normal(0, 0.1))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points[:, :2] = (points[:, :2] - size / 2) @ turn.T + size / 2 + random.normal(0, size / 40, 2)
    points[:, 2] *= scale
    picture = np.full((size, size, 3), random.uniform(40, 90, 3), np.uint8)
    picture = np.ascontiguousarray(picture)
    colours = {"face_oval": (200, 160, 130), "lips_outer": (170, 60, 60)}
    colours |= {"lips_inner": (90, 20, 20), "right_eye": (240, 240, 240)}
    colours |= {"left_eye": (240, 240, 240), "right_iris": (60, 40, 20), "left_iris": (60, 40, 20)}
    for name, colour in colours.items():
        for line in config.scheme.contours[name]:
            shape = np.round(points[list(line), :2] * 16).astype(np.int32)
            cv2.fillPoly(picture, [shape], colour, cv2.LINE_AA, shift=4)
    for name in ("right_eyebrow", "left_eyebrow"):
        for line in config.scheme.contours[name]:
            shape = np.round(points[list(line), :2] * 16).astype(np.int32)
            cv2.polylines(picture, [shape], False, (60, 40, 30), 2, cv2.LINE_AA, shift=4)
    return picture, points.astype(np.float32)


class Drawings(Dataset):
    """Drawn faces by index; of every `negatives` one is noise instead."""

    def __init__(self, length: int, size: int, negatives: int) -> None:
        self.length, self.size, self.negatives = length, size, negatives

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Batch:
        face = not (self.negatives and index % self.negatives == self.negatives - 1)
        picture, points = draw(index, self.size)
        if not face:
            picture = np.random.default_rng(index).integers(0, 255, picture.shape, np.uint8)
        weight = torch.full((len(points),), float(face))
        image = torch.from_numpy(picture).permute(2, 0, 1).float() / 255
        landmarks = torch.from_numpy(points)
        return Batch(image, landmarks, weight, weight, torch.tensor(float(face)), index)


def together(samples: list[Batch]) -> Batch:
    columns = list(zip(*samples, strict=True))
    return Batch(*(torch.stack(column) for column in columns[:-1]), torch.tensor(columns[-1]))


class DrawnFaces(pl.LightningDataModule):
    """Drawn faces, in batches that a checkpoint can go on from."""

    def __init__(
        self,
        length: int = 8,
        batch_size: int = 4,
        input_size: int = NAMED["tiny-128"].input_size,
        negatives: int = 0,
    ) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.faces = Drawings(length, input_size, negatives)
        self.waiting: dict[str, Any] | None = None
        self.sampler: EpochBatchSampler | None = None

    def train_dataloader(self) -> DataLoader:
        trainer = self.trainer
        self.sampler = EpochBatchSampler(
            len(self.faces), self.batch_size, 0, trainer.global_rank, trainer.world_size
        )
        if self.waiting is not None:
            self.sampler.load_state_dict(self.waiting)
            self.waiting = None
        return DataLoader(self.faces, batch_sampler=self.sampler, collate_fn=together)

    def val_dataloader(self) -> DataLoader:
        return DataLoader(self.faces, batch_size=self.batch_size, collate_fn=together)

    def test_dataloader(self) -> DataLoader:
        return self.val_dataloader()

    def state_dict(self) -> dict[str, Any]:
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.processed
        return self.sampler.state_dict(self.trainer.current_epoch, done)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.waiting = state


class KillAt(pl.Callback):
    """Sends this process a signal after so many steps, as a scheduler or a crash would."""

    def __init__(self, step: int, signal: int) -> None:
        self.step, self.signal = step, signal

    def on_train_batch_end(self, trainer: pl.Trainer, *rest: Any) -> None:
        if trainer.global_step == self.step:
            os.kill(os.getpid(), self.signal)
