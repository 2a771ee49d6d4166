"""Corrections of a teacher's landmarks: a shift of each, measured on human annotations.

A network that labels pictures makes systematic errors: it may place the lids too far apart, or the
mouth corners too far inwards, on every face. Averaging many predictions does not remove them.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.topology.scheme import Topology

_VERSION = 1
# Contour that gives the head's vertical axis, from the top of the forehead to the tip of the chin.
_OVAL = "face_oval"


@dataclass(frozen=True, eq=False)
class Correction:
    """Shifts from a network's landmarks to human annotations.

    Attributes:
        topology: Name of the landmark scheme.
        shifts: For each landmark, along the face's own axes (from the right outer eye corner to
            the left one, and down the face), in 3-D distances of the outer eye corners.
        about: A description of the faces on which it was measured.
    """

    topology: str
    shifts: Float[np.ndarray, "n 2"]
    about: dict[str, Any] = field(default_factory=dict)

    def __call__(
        self, landmarks: Float[np.ndarray, "n 3"], topology: Topology
    ) -> Float[np.ndarray, "n 3"]:
        """Corrects x and y of landmarks; z is unchanged.

        Raises:
            UserError: The topology is not that of the correction.
        """
        return self._shifted(landmarks, topology, 1.0)

    def taken_off(
        self, annotated: Float[np.ndarray, "n 3"], topology: Topology
    ) -> Float[np.ndarray, "n 3"]:
        """Where the network would put what people annotated, if it made no other errors.

        Raises:
            UserError: The topology is not that of the correction.
        """
        return self._shifted(annotated, topology, -1.0)

    def check(self, topology: Topology) -> None:
        """Checks that a topology is that of the correction.

        Raises:
            UserError: It is not; the message names both.
        """
        if topology.name != self.topology or topology.points != len(self.shifts):
            raise UserError(
                f"a correction for {self.topology} does not fit landmarks of {topology.name}"
            )

    def _shifted(
        self, landmarks: Float[np.ndarray, "n 3"], topology: Topology, times: float
    ) -> Float[np.ndarray, "n 3"]:
        self.check(topology)
        shifted = landmarks.copy()
        shifted[:, :2] += times * self.shifts @ face_axes(landmarks, topology)
        return shifted

    @property
    def terms(self) -> list[str | None]:
        """Licences of the faces on which it was measured; None stands for an unknown one."""
        return list(self.about.get("licences", [None]))

    @property
    def digest(self) -> str:
        """A hash of the shifts."""
        return hashlib.sha256(self.shifts.round(6).tobytes()).hexdigest()[:16]

    def save(self, path: Path) -> None:
        """Writes the correction as JSON, without landmarks that are not shifted."""
        rows = {
            str(i): [round(float(v), 6) for v in shift]
            for i, shift in enumerate(self.shifts)
            if np.abs(shift).max() >= 1e-6
        }
        content = {
            "version": _VERSION,
            "topology": self.topology,
            "landmarks": len(self.shifts),
            "about": self.about,
            "shifts": rows,
        }
        write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())


def load_correction(path: Path) -> Correction:
    """Reads what `Correction.save` wrote.

    Raises:
        UserError: The file is missing, damaged or of another version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != _VERSION:
            raise UserError(f"{path}: version {content['version']}, expected {_VERSION}")
        shifts = np.zeros((content["landmarks"], 2))
        for landmark, shift in content["shifts"].items():
            shifts[int(landmark)] = shift
        return Correction(content["topology"], shifts, content["about"])
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; `amesh correct` writes it") from None
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise UserError(f"{path}: not a correction ({error})") from error


def face_axes(landmarks: Float[np.ndarray, "n 3"], topology: Topology) -> Float[np.ndarray, "2 2"]:
    """Returns the face's axes projected into the picture.

    In 3-D, the axes are orthogonal, and each is as long as the distance of the outer eye corners.

    Returns:
        Two rows: the axis from the right to the left outer eye corner, and that down the face [px].
    """
    right, left = topology.normalisers["outer_eye_corners"]
    oval = topology.contours[_OVAL][0]
    along = landmarks[left] - landmarks[right]
    length = np.linalg.norm(along)
    along = along / length
    down = landmarks[oval[(len(oval) - 1) // 2]] - landmarks[oval[0]]
    down = down - (down @ along) * along
    down = down / np.linalg.norm(down)
    return np.asarray(length * np.stack([along[:2], down[:2]]))
