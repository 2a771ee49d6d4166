"""How much each network of a teacher counts: for which parts of the face, and turned how far."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from amesh.errors import UserError
from amesh.topology.scheme import Topology

# Yaw [degrees] up to which a face counts as not turned, and from which as turned.
_FRONTAL, _TURNED = 30.0, 60.0
_SIDES = ("", "left_", "right_")


@dataclass(frozen=True)
class Vote:
    """The weight of a network's answers, relative to 1 for those of other networks.

    Attributes:
        parts: Weight of parts of the face, by their names in the topology. A name without a side,
            such as `iris`, stands for both. Where parts overlap, the last one given counts.
        turned: Factor for faces turned by 60 degrees and more; up to 30 degrees it has no effect,
            and in between, it grows.
        flag: Weight of the face flag.
    """

    parts: Mapping[str, float] = field(default_factory=dict)
    turned: float = 1.0
    flag: float = 1.0

    def __post_init__(self) -> None:
        """Validates the weights.

        Raises:
            UserError: A weight is negative or not finite.
        """
        for name, value in {**self.parts, "turned": self.turned, "flag": self.flag}.items():
            if not 0 <= value < math.inf:
                raise UserError(f"weight of {name}: expected 0 or more, found {value:g}")

    def of_parts(self, topology: Topology) -> Float[np.ndarray, " n"]:
        """Weight of each landmark of a frontal face.

        Raises:
            UserError: The topology has no such part.
        """
        weights = np.ones(topology.points)
        for part, value in self.parts.items():
            found = [side + part for side in _SIDES if side + part in topology.names]
            for name in found or [part]:  # an unknown one raises
                weights[list(topology.indices(name))] = value
        return weights

    def at(self, yaw: float) -> float:
        """Factor for a face turned to the side by so many degrees."""
        share = np.clip((yaw - _FRONTAL) / (_TURNED - _FRONTAL), 0.0, 1.0)
        return float(1.0 + (self.turned - 1.0) * share)


def parse_member(words: str) -> tuple[str, Vote]:
    """Reads a network and its weights, such as `face-landmarker-v2,iris=0,turned=2,flag=0`.

    The path of a weights file may contain commas.

    Raises:
        UserError: A weight is not a number, or is out of range.
    """
    pieces = words.split(",")
    lengths = range(len(pieces), 0, -1)
    length = next((n for n in lengths if Path(",".join(pieces[:n])).is_file()), 1)
    model, settings = ",".join(pieces[:length]), pieces[length:]
    parts: dict[str, float] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            parts[name] = float(value)
        except ValueError:
            raise UserError(f"{words}: expected MODEL,PART=WEIGHT,..., found {setting!r}") from None
    return model, Vote(turned=parts.pop("turned", 1.0), flag=parts.pop("flag", 1.0), parts=parts)


def yaw(landmarks: Float[np.ndarray, "n 3"], topology: Topology) -> float:
    """How far a face is turned to the side, 0 to 90 [degrees]: how deep the line of its eyes is."""
    right, left = topology.normalisers["outer_eye_corners"]
    line = landmarks[left] - landmarks[right]
    return math.degrees(math.asin(min(abs(line[2]) / max(float(np.linalg.norm(line)), 1e-9), 1.0)))
