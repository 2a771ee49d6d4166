"""Sources derived from others: subsets, and several sources joined."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amesh.data.sources.key_list import read_keys
from amesh.data.sources.keys import picture_of
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import Entry, Source
from amesh.errors import UserError


@dataclass(frozen=True)
class Subset:
    """Some faces of a source.

    Attributes:
        source: The whole source.
        numbers: Indices of its faces, in their order.
    """

    source: Source
    numbers: Sequence[int]

    @property
    def name(self) -> str:
        """Their origin, for messages."""
        return self.source.name

    @property
    def schemes(self) -> frozenset[str]:
        """The label schemes of the whole source."""
        return self.source.schemes

    @property
    def entries(self) -> list[Entry]:
        """The metadata of its faces, in their order."""
        entries = self.source.entries
        return [entries[number] for number in self.numbers]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> LabelledFace:
        return self.source[self.numbers[index]]


class Joined:
    """Several sources concatenated, so that one list of keys may name faces of any of them."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Concatenates the sources."""
        self.name = ", ".join(source.name for source in sources)
        self.schemes = frozenset(scheme for source in sources for scheme in source.schemes)
        self.entries = [entry for source in sources for entry in source.entries]
        self._places = [(source, i) for source in sources for i in range(len(source))]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> LabelledFace:
        source, i = self._places[index]
        return source[i]


def listed(source: Source, only: Path | None, without: Path | None) -> Source:
    """Selects faces of a source by lists of keys; see `amesh.data.sources.key_list`.

    Args:
        source: All faces.
        only: List of the only faces to use.
        without: List of faces to leave out.

    Raises:
        UserError: A list cannot be read, `only` has a key that is not in the source, or no face
            is left.
    """
    if only is None and without is None:
        return source
    keys = [entry.key for entry in source.entries]
    chosen = set(keys)
    if only is not None:
        chosen &= _known_keys(only, chosen, source.name)
    if without is not None:
        # Keys of other sources are allowed, so that one list can exclude a whole test set.
        chosen -= set(read_keys(without))
    if not chosen:
        raise UserError(f"{source.name}: its lists of keys leave no face")
    return Subset(source, [number for number, key in enumerate(keys) if key in chosen])


def held_out(source: Source, share: float) -> tuple[Source, Source]:
    """Splits a source into faces to train on and faces to validate on.

    Faces of one person, or of one picture or clip if the person is unknown, are never split. The
    choice is a hash of the name, so it does not change when faces are added.

    Args:
        source: All faces.
        share: Share to hold out, 0 to 1.
    """
    if not share:
        return source, Subset(source, [])
    train: list[int] = []
    rest: list[int] = []
    for number, entry in enumerate(source.entries):
        unit = entry.person if entry.person is not None else picture_of(entry.key)
        (
            rest if zlib.crc32(unit.encode(errors="surrogatepass")) < share * 2.0**32 else train
        ).append(number)
    return Subset(source, train), Subset(source, rest)


def times(faces: int, repeat: float) -> int:
    """Returns the number of a source's faces in an epoch; at least one."""
    return max(round(faces * repeat), min(faces, 1))


def _known_keys(path: Path, known: set[str], source: str) -> set[str]:
    keys = set(read_keys(path))
    missing = sorted(keys - known)
    if missing:
        comment = " (comments are not possible)" if missing[0].startswith("# ") else ""
        raise UserError(
            f"{path}: {len(missing)} keys are not in {source}, the first {missing[0]}{comment}; "
            "remove them from the list, or use another set"
        )
    return keys
