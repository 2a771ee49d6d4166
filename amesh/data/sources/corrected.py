"""Annotations in a network's own habit: without the mean shift between annotators and network.

Annotators of a scheme put a point where its guidelines say, and a network where its training data
did: lids by their lashes, or by their edge. Trained on such annotations, a network first learns the
other place, and is then farther from everything that is annotated in another way. With the shift
taken off, it only learns to be more precise.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from amesh.data.correction import Correction
from amesh.data.schemes import label_map, to_landmarks
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import Entry, Source
from amesh.errors import UserError
from amesh.topology import load


@dataclass(frozen=True)
class Corrected:
    """A source as landmarks, without the shifts that a correction adds to a network's landmarks.

    Attributes:
        source: The annotations.
        correction: What `amesh correct` measured on annotations like these.
    """

    source: Source
    correction: Correction

    @property
    def name(self) -> str:
        """Their origin, for messages."""
        return self.source.name

    @property
    def schemes(self) -> frozenset[str]:
        """The topology of the correction."""
        return frozenset([self.correction.topology]) if self.source.schemes else frozenset()

    @property
    def entries(self) -> Sequence[Entry]:
        """The metadata of its faces, in their order."""
        return self.source.entries

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> LabelledFace:
        """Reads one face.

        Raises:
            UserError: The face is damaged, or its points are not those of its scheme.
        """
        face = self.source[index]
        if face.scheme is None:
            return face
        topology = load(self.correction.topology)
        try:
            known = label_map(face.scheme, topology)
            found = to_landmarks(face.points, known, topology, *face.weights(), face.visibility)
        except UserError as error:
            raise UserError(f"{face.where}: {error}") from None
        return replace(
            face,
            scheme=topology.name,
            points=self.correction.taken_off(found.landmarks, topology),
            weight_xy=found.weight_xy,
            weight_z=found.weight_z,
            visibility=found.visibility,
        )
