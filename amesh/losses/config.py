"""The choices that the paper leaves open, in one place: which terms, how heavy, which shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from amesh.errors import UserError


@dataclass(frozen=True)
class LossConfig:
    """Weights and shape of the loss.

    Every distance is measured in percent of the face's size (`amesh.losses.points.face_size`), so
    that large and small faces count alike and the terms compare with the metrics.

    Attributes:
        mesh: Weight of x and y of the mesh submodel's points.
        region: Weight of x and y of each region's output.
        regions: Weights of single outputs (`lips`, `right_iris`, ...) where they differ.
        z: Weight of the mesh's z. Half: its labels come from models, not from people.
        theta: Weight of the crops' places, where the network places them itself.
        face: Weight of the face flag.
        shape: How a distance becomes a loss. `wing` weighs small errors up, which matter where
            landmarks already fit to a percent or two; `l1` is the distance, `l2` its square.
        wing_width: Distance below which `wing` is a logarithm [% of the face's size].
        wing_curvature: How sharply: the smaller, the steeper near zero [% of the face's size].
        relative_z: Compare z without its mean in the face: sources put its zero at different
            places.
    """

    mesh: float = 1.0
    region: float = 1.0
    regions: Mapping[str, float] = field(default_factory=dict)
    z: float = 0.5
    theta: float = 0.25
    face: float = 0.25
    shape: Literal["wing", "l1", "l2"] = "wing"
    wing_width: float = 5.0
    wing_curvature: float = 1.0
    relative_z: bool = True

    def __post_init__(self) -> None:
        """Refuses weights and widths without meaning."""
        named = {
            **{name: getattr(self, name) for name in ("mesh", "region", "z", "theta", "face")},
            **{f"regions.{name}": weight for name, weight in self.regions.items()},
        }
        for name, weight in named.items():
            if not weight >= 0:  # also not a number
                raise UserError(f"losses: {name} is {weight}; a weight is 0 or more")
        if not (self.wing_width > 0 and self.wing_curvature > 0):
            raise UserError("losses: wing_width and wing_curvature have to be above 0")

    def weight(self, term: str) -> float:
        """Weight of a term by its name in the logs: `mesh`, `z`, `face`, or a region's output."""
        fixed = {"mesh": self.mesh, "z": self.z, "theta": self.theta, "face": self.face}
        return fixed[term] if term in fixed else self.regions.get(term, self.region)
