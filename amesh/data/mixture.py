"""Which faces of which sources an epoch is made of: subsets, shares held out, repetitions."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int64
from torch import Tensor
from torch.utils.data import Dataset

from amesh.data.dataset import FaceDataset, collate
from amesh.data.records import Entry, Record, Source
from amesh.data.sample import Canvas, Sample
from amesh.errors import UserError


@dataclass(frozen=True)
class Subset:
    """Some faces of a source.

    Attributes:
        source: The whole.
        numbers: Which of its faces, in their order.
    """

    source: Source
    numbers: Sequence[int]

    @property
    def name(self) -> str:
        """Where they come from, for messages."""
        return self.source.name

    @property
    def schemes(self) -> frozenset[str]:
        """The schemes that the source's points are in."""
        return self.source.schemes

    @property
    def entries(self) -> list[Entry]:
        """What is known of its faces, in their order."""
        entries = self.source.entries
        return [entries[number] for number in self.numbers]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Record:
        return self.source[self.numbers[index]]


def listed(source: Source, only: Path | None, without: Path | None) -> Source:
    """The faces that lists of keys leave.

    Args:
        source: The whole.
        only: A text file with a key on each line: no other face is taken.
        without: Another one: none of these faces is taken.

    Raises:
        UserError: A list cannot be read, holds a key that the source does not, or leaves no face.
    """
    if only is None and without is None:
        return source
    keys = [entry.key for entry in source.entries]
    chosen = set(keys)
    if only is not None:
        chosen &= _keys(only, chosen, source.name)
    if without is not None:
        # Keys of other sources may stand in it: one list then keeps a whole test set out.
        chosen -= _lines(without)
    if not chosen:
        raise UserError(f"{source.name}: its lists of keys leave no face")
    return Subset(source, [number for number, key in enumerate(keys) if key in chosen])


def held_out(source: Source, share: float) -> tuple[Source, Source]:
    """Splits a source: what to train on, and what to validate on.

    A person is on one side only; where nobody said who it is, all faces of a file are (frames of
    a clip too). The choice is a hash of the name: it stays when faces are added.

    Args:
        source: The whole.
        share: How much to hold out, 0 to 1.
    """
    if not share:
        return source, Subset(source, [])
    train: list[int] = []
    rest: list[int] = []
    for number, entry in enumerate(source.entries):
        unit = entry.person if entry.person is not None else entry.key.split("#")[0]
        (rest if zlib.crc32(unit.encode()) < share * 2.0**32 else train).append(number)
    return Subset(source, train), Subset(source, rest)


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


def times(faces: int, repeat: float) -> int:
    """How many of a source's faces an epoch takes: of each source at least one."""
    return max(round(faces * repeat), min(faces, 1))


def key_list(sources: Sequence[Source]) -> str:
    """The keys of all sources as `listed` reads them, one a line; comments name the sources."""
    lines: list[str] = []
    for source in sources:
        lines += [f"# {source.name}", *(entry.key for entry in source.entries)]
    return "".join(f"{line}\n" for line in lines)


def _keys(path: Path, known: set[str], source: str) -> set[str]:
    keys = _lines(path)
    missing = sorted(keys - known)
    if missing:
        raise UserError(
            f"{path}: {len(missing)} keys are not in {source}, the first {missing[0]}; take them "
            "out of the list, or name another set"
        )
    return keys


def _lines(path: Path) -> set[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as a list of keys ({error})") from error
    return {line.strip() for line in lines if line.strip() and not line.startswith("#")}
