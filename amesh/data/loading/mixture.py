"""The data set of an epoch: faces read from disk, and synthetic faces by number."""

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
    """A batch from the data loader.

    Attributes:
        canvas: Samples that were read; None if there are none.
        made: (k,) numbers of synthetic faces, which are generated on the device.
    """

    canvas: Canvas | None
    made: Int64[Tensor, " k"]


class Mixture(Dataset[Sample | int]):
    """Faces by consecutive number: number n is face n modulo the number of faces.

    A face that occurs twice in an epoch thus has two numbers, and is augmented differently each
    time. Faces read from disk come first, then synthetic faces, which are only numbers here.
    """

    def __init__(self, faces: FaceDataset | None, made: int = 0) -> None:
        """Combines the two kinds of faces.

        Args:
            faces: Faces that are read from disk.
            made: Number of synthetic faces.
        """
        self.faces, self.read = faces, 0 if faces is None else len(faces)
        self.made = made

    def __len__(self) -> int:
        return self.read + self.made

    def __getitem__(self, number: int) -> Sample | int:
        """Returns a sample, or the number of a synthetic face; ~n is padding that does not count.

        Padding is face n again, so that the batch has its full size.
        """
        at = (~number if number < 0 else number) % len(self)
        if at >= self.read:
            return number
        assert self.faces is not None
        sample = self.faces[~at if number < 0 else at]
        # A damaged record may have become padding and must remain so.
        return sample if sample.index < 0 else replace(sample, index=number)


def side_by_side(parts: Sequence[Sample | int]) -> Loaded:
    """Collates a batch of samples and numbers of synthetic faces."""
    samples = [part for part in parts if isinstance(part, Sample)]
    numbers = [part for part in parts if not isinstance(part, Sample)]
    made = torch.tensor(numbers, dtype=torch.int64)
    return Loaded(collate(samples) if samples else None, made)
