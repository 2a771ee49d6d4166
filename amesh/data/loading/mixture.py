"""Which faces of which sources an epoch is made of: subsets, shares held out, repetitions."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import Dataset

from amesh.data.loading.dataset import FaceDataset, collate
from amesh.data.loading.sample import Canvas, Sample


class Loaded(NamedTuple):
    """What the loader hands over.

    Attributes:
        canvas: Samples that were read; None where the batch has none.
        made: (k,) numbers of faces that are still to be made, on the device.
    """

    canvas: Canvas | None
    made: Int64[Tensor, " k"]


class Mixture(Dataset[Sample | int]):
    """Faces by running number: number n is face n modulo their count.

    A face that an epoch holds twice so has two numbers, and is augmented in two ways. After the
    faces that are read come those that are made on the device: here they are only numbers.
    """

    def __init__(self, faces: FaceDataset | None, made: int = 0) -> None:
        """Puts the two kinds one after the other.

        Args:
            faces: Those that are read.
            made: How many are made.
        """
        self.faces, self.read = faces, 0 if faces is None else len(faces)
        self.made = made

    def __len__(self) -> int:
        return self.read + self.made

    def __getitem__(self, number: int) -> Sample | int:
        """A sample, or the number; a negative number ~n is a filler that counts nothing."""
        at = (~number if number < 0 else number) % len(self)
        if at >= self.read:
            return number
        assert self.faces is not None
        sample = self.faces[~at if number < 0 else at]
        # A damaged record may have become a filler, which stays one.
        return sample if sample.index < 0 else replace(sample, index=number)


def side_by_side(parts: Sequence[Sample | int]) -> Loaded:
    """A batch of both kinds."""
    samples = [part for part in parts if isinstance(part, Sample)]
    numbers = [part for part in parts if not isinstance(part, Sample)]
    made = torch.tensor(numbers, dtype=torch.int64)
    return Loaded(collate(samples) if samples else None, made)
