"""Settings of the loss that the paper does not specify: weights of the terms, and their shape."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from amesh.errors import UserError
from amesh.nn.config import TERMS


@dataclass(frozen=True)
class LossConfig:
    """Weights and shape of the loss.

    Distances are measured in percent of the face's size (`amesh.losses.points.face_size`), so
    that large and small faces count equally and the terms are comparable to the metrics.

    Attributes:
        mesh: Weight of x and y of the mesh submodel's points.
        region: Weight of x and y of each region's output.
        regions: Weights of individual outputs (`lips`, `right_iris`, ...) that differ from
            `region`.
        z: Weight of the mesh's z. Half by default, because its labels come from models, not from
            people.
        theta: Weight of the crops' positions, for networks that predict them.
        face: Weight of the face flag.
        consistency: Weight of the difference between the landmarks of two views of a face, against
            jitter on clips. Unless it is 0, a quarter of the faces are shown twice, in phase 2.
        expected_error: Weight of the expected errors of the landmarks, for networks that predict
            them. They learn from the landmarks' errors, and nothing else learns from them.
        label_spreads: How far a label is from the truth on average, in spreads of the predictions
            that it is made of; for the expected errors.
        shape: How a distance becomes a loss. `wing` emphasises small errors, which matter once
            landmarks fit to within a percent or two; `l1` is the distance, `l2` its square.
        wing_width: Distance below which `wing` is logarithmic [% of the face's size].
        wing_curvature: Smaller values make `wing` steeper near zero [% of the face's size].
        relative_z: Whether to subtract the mean error of z over the face, because sources place
            the zero of z differently.
    """

    mesh: float = 1.0
    region: float = 1.0
    regions: Mapping[str, float] = field(default_factory=dict)
    z: float = 0.5
    theta: float = 0.25
    face: float = 0.25
    consistency: float = 0.0
    expected_error: float = 0.25
    label_spreads: float = 2.0
    shape: Literal["wing", "l1", "l2"] = "wing"
    wing_width: float = 5.0
    wing_curvature: float = 1.0
    relative_z: bool = True

    def __post_init__(self) -> None:
        """Checks the weights and widths.

        Raises:
            UserError: A weight or label_spreads is negative, or a width is not positive.
        """
        named = {
            **{name: getattr(self, name) for name in ("region", *TERMS)},
            **{f"regions.{name}": weight for name, weight in self.regions.items()},
        }
        for name, weight in named.items():
            if not weight >= 0:  # this also catches NaN
                raise UserError(f"losses: {name} is {weight}; a weight must be 0 or more")
        if not self.label_spreads >= 0:
            raise UserError(f"losses: label_spreads is {self.label_spreads}; it must be 0 or more")
        if not (self.wing_width > 0 and self.wing_curvature > 0):
            raise UserError("losses: wing_width and wing_curvature must be above 0")

    def weight(self, term: str) -> float:
        """Returns the weight of a term by its name in the logs, such as `mesh`, `z` or `lips`."""
        own: float | None = getattr(self, term) if term in TERMS else None
        return self.regions.get(term, self.region) if own is None else own
