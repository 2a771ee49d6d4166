"""A data set, opened: labelled faces by number."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems


class Entry(NamedTuple):
    """What is known of a face without reading it.

    Attributes:
        key: Identifies the face within its source.
        person: Who it is, if known.
        licence: Terms of the picture, if known.
    """

    key: str
    person: str | None
    licence: str | None


@runtime_checkable
class Source(Protocol):
    """Labelled faces, by number."""

    @property
    def name(self) -> str:
        """Where they come from, for messages."""
        ...

    @property
    def schemes(self) -> frozenset[str]:
        """The label schemes of their points."""
        ...

    @property
    def entries(self) -> Sequence[Entry]:
        """What is known of the faces, in order."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> LabelledFace:
        """One face; raises UserError if only reading it shows that it is damaged."""
        ...


@dataclass
class ListSource:
    """Labels in memory; pictures stay on disk.

    Attributes:
        name: Where they come from, for messages.
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
        """What is known of the faces, in order."""
        return [Entry(face.key, face.person, face.licence) for face in self.faces]

    def __len__(self) -> int:
        return len(self.faces)

    def __getitem__(self, index: int) -> LabelledFace:
        return self.faces[index]


def finish(name: str, faces: list[LabelledFace], problems: Problems) -> ListSource:
    """The source made of these faces.

    Raises:
        UserError: There are none.
    """
    if not faces:
        raise problems.nothing_left(name)
    return ListSource(name, faces)
