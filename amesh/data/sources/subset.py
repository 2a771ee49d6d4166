"""Some faces of a source: chosen by lists of keys, held out, or repeated."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from amesh.data.sources.records import Entry, Record, Source
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
