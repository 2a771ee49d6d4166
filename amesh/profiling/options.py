"""Which faces are turned to the side, and how far."""

from dataclasses import dataclass

from amesh.errors import UserError


@dataclass(frozen=True)
class ProfileConfig:
    """Which faces are turned, and how far.

    Attributes:
        min_face: Smallest side of a face (longer side of its landmarks' box) [px].
        min_weight: Smallest mean weight of a face's landmarks, which falls as labels disagree.
        max_yaw: Faces that are turned further to the side already are left out [degrees].
        least: Smallest yaw of a profile [degrees].
        most: Largest yaw of a profile [degrees].
        pitch: Largest nod of a profile, up or down [degrees].
    """

    min_face: float = 120.0
    min_weight: float = 0.25
    max_yaw: float = 60.0
    least: float = 30.0
    most: float = 95.0
    pitch: float = 15.0

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
        if not 0 <= self.max_yaw <= 70:
            raise UserError(f"profiles: max_yaw is {self.max_yaw:g}, expected 0 to 70")
        if not 0 <= self.pitch <= 40:
            raise UserError(f"profiles: pitch is {self.pitch:g}, expected 0 to 40")
