"""Facts about the two face detectors, apart from the networks so that reading them is cheap."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from amesh.errors import UserError
from amesh.json_lines import convert

BOX_VALUES = 16  # centre x, centre y, width, height, then x and y of six keypoints


class _Facts(NamedTuple):
    input_size: int
    grids: tuple[tuple[int, int], ...]


_DETECTORS = {"short": _Facts(128, ((16, 2), (8, 6))), "full": _Facts(192, ((48, 1),))}


@dataclass(frozen=True)
class DetectorConfig:
    """Which of the two detectors a network is.

    Attributes:
        name: `short` for faces within about 2 m of a phone's camera, `full` for smaller ones too.
    """

    name: Literal["short", "full"]

    def __post_init__(self) -> None:
        if self.name not in _DETECTORS:
            known = ", ".join(_DETECTORS)
            raise UserError(f"face detector {self.name!r} does not exist: choose one of {known}")

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DetectorConfig":
        """The config of a weights file's header.

        Raises:
            UserError: A field is unknown or missing.
        """
        return convert(data, cls, "detector config")

    @property
    def model(self) -> str:
        """Name of the installed weights."""
        return f"detector-{self.name}"

    @property
    def input_size(self) -> int:
        """Side of the square input [px]."""
        return _DETECTORS[self.name].input_size

    @property
    def grids(self) -> tuple[tuple[int, int], ...]:
        """(cells along a side, anchors at each cell) of each grid, in the order of the output."""
        return _DETECTORS[self.name].grids

    @property
    def anchors(self) -> int:
        """Number of anchors."""
        return sum(cells**2 * repeats for cells, repeats in self.grids)


SHORT, FULL = DetectorConfig("short"), DetectorConfig("full")
