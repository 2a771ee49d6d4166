"""Which faces are turned to the side, and how far."""

import math
from dataclasses import dataclass, fields

from amesh.errors import UserError

# A head is turned at least this much further than it is [degrees].
FURTHER = 10.0


@dataclass(frozen=True)
class ProfileConfig:
    """Which faces are turned, and how far.

    Attributes:
        min_face: Smallest side of a face (longer side of its landmarks' box) [px].
        min_weight: Smallest mean weight of a face's landmarks, which falls as labels disagree.
        max_yaw: Faces that are turned further to the side already are left out [degrees].
        least: Smallest yaw of a profile [degrees].
        most: Largest yaw of a profile [degrees]; faces that are nearer to it than 10 are left out.
        pitch: Largest nod of a profile, up or down [degrees].
    """

    min_face: float = 120.0
    min_weight: float = 0.25
    max_yaw: float = 60.0
    least: float = 30.0
    most: float = 95.0
    pitch: float = 15.0

    @property
    def changes(self) -> str:
        """What differs from the default views, as in `least=60.0,pitch=5.0`; often nothing."""
        views = (field for field in fields(self) if field.name in ("least", "most", "pitch"))
        mine = ((field, getattr(self, field.name)) for field in views)
        return ",".join(f"{field.name}={value}" for field, value in mine if value != field.default)

    def __post_init__(self) -> None:
        """Checks the angles.

        Raises:
            UserError: One is out of range.
        """
        if not 0 <= self.least < self.most <= 100:
            raise UserError(
                f"profiles: yaw from {self.least:g} to {self.most:g}; expected two angles from 0 "
                "to 100, the smaller first"
            )
        for name in ("min_face", "min_weight"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"profiles: {name} is {getattr(self, name):g}, expected 0 or more")
        if not 0 <= self.max_yaw <= 70:
            raise UserError(f"profiles: max_yaw is {self.max_yaw:g}, expected 0 to 70")
        if not 0 <= self.pitch <= 40:
            raise UserError(f"profiles: pitch is {self.pitch:g}, expected 0 to 40")
