"""An open data set: labelled faces by index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems


class Entry(NamedTuple):
    """The metadata of a face that are available without reading it.

    Attributes:
        key: Identifies the face within its source.
        person: Identifies the person, if known.
        licence: Licence of the picture, if known.
        labelled: Whether it has landmarks; a region without a face has none.
    """

    key: str
    person: str | None
    licence: str | None
    labelled: bool


@runtime_checkable
class Source(Protocol):
    """Labelled faces by index."""

    @property
    def name(self) -> str:
        """Their origin, for messages."""
        ...

    @property
    def schemes(self) -> frozenset[str]:
        """The label schemes of their points."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """The metadata of the faces, in order."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> LabelledFace:
        """Reads one face.

        Raises:
            UserError: The face is damaged.
        """
        ...


@dataclass
class ListSource:
    """A source with labels in memory and pictures on disk.

    Attributes:
        name: Their origin, for messages.
        faces: The faces.
    """

    name: str
    faces: list[LabelledFace]

    @property
    def schemes(self) -> frozenset[str]:
        """The label schemes of their points."""
        return frozenset(face.scheme for face in self.faces if face.scheme is not None)

    @property
    def entries(self) -> list[Entry]:
        """The metadata of the faces, in order."""
        return [
            Entry(face.key, face.person, face.licence, face.scheme is not None)
            for face in self.faces
        ]

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: int) -> LabelledFace:
        return self.faces[index]


def has_negatives(source: Source) -> bool:
    """Whether a source has a region that shows no face.

    Reads faces without landmarks until it finds one.

    Raises:
        UserError: A face that it reads is damaged.
    """
    unlabelled = (i for i, entry in enumerate(source.entries) if not entry.labelled)
    return any(not source[i].face for i in unlabelled)


def finish(name: str, faces: list[LabelledFace], problems: Problems) -> ListSource:
    """Makes a source of these faces.

    Raises:
        UserError: There are none.
    """
    if not faces:
        raise problems.nothing_left(name)
    return ListSource(name, faces)
