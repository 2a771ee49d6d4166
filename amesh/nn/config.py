"""The architecture as data: one frozen dataclass for the whole family."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args, get_type_hints

from amesh.errors import UserError
from amesh.topology import Topology, load

# The shared map is the input at a quarter: stem and first stage halve it once each.
SHARED_STRIDE = 4
# The mesh head sees the input at 1/64, a region's head its crop at 1/8.
MESH_STRIDE = 64
REGION_STRIDE = 8


@dataclass(frozen=True)
class RegionConfig:
    """Capacity of one region submodel.

    Attributes:
        widths: Channels after each of its three halvings; the branches split after the second.
        depth: Residual blocks before each halving and after the last.
        head_width: Channels in front of the points.
    """

    widths: tuple[int, int, int] = (64, 128, 128)
    depth: int = 2
    head_width: int = 32


@dataclass(frozen=True)
class MeshConfig:
    """A member of the family. Defaults are the paper's sizes at the released widths.

    Attributes:
        name: What the member is called.
        topology: Name or path of the landmark scheme.
        input_size: Side of the input [px]; the shared map has a quarter of it.
        crop_size: Side of a region's crop of the shared map [map px].
        widths: Channels of the backbone after each of its six halvings.
        depth: Residual blocks at each size of the backbone.
        head_width: Channels in front of the mesh head's points.
        mesh_irises: Whether the mesh head predicts the irises too (paper) or not (released).
        regions: Capacity by region name; a region that is not named has the default.
        crop_source: Theta computed from the mesh's landmarks, or regressed (under supervision).
            Ideal crops are no third network: pass `thetas` to its forward.
        theta_rule: How theta follows from landmarks; see `amesh.geometry.region`.
        sampler: How a crop is read from the shared map; see `amesh.geometry.sampling`.
        batch_norm: BatchNorm after each pointwise convolution, folded for export.
        detach_theta: Keep the regions' gradients from moving the mesh through theta.

    Example:
        >>> config = MeshConfig(name="mine", input_size=192, crop_size=16)
        >>> config.widths
        (16, 32, 64, 128, 128, 128)
        >>> MeshConfig.from_dict(config.to_dict()) == config
        True
        >>> MeshConfig(input_size=200)
        Traceback (most recent call last):
        ...
        amesh.errors.UserError: paper-256: input_size 200 is not a multiple of 64

    Raises:
        UserError: The sizes do not divide, or a region is not in the topology.
    """

    name: str = "paper-256"
    topology: str = "face478"
    input_size: int = 256
    crop_size: int = 24
    widths: tuple[int, int, int, int, int, int] = (16, 32, 64, 128, 128, 128)
    depth: int = 2
    head_width: int = 32
    mesh_irises: bool = True
    regions: Mapping[str, RegionConfig] = field(default_factory=dict)
    crop_source: Literal["predicted", "regressed"] = "predicted"
    theta_rule: Literal["box", "corners"] = "box"
    sampler: Literal["affine", "gather", "gaussian"] = "affine"
    batch_norm: bool = False
    detach_theta: bool = False

    def __post_init__(self) -> None:
        """Refuses what cannot be built."""
        for choice in ("crop_source", "theta_rule", "sampler"):
            allowed = get_args(get_type_hints(type(self))[choice])
            if getattr(self, choice) not in allowed:
                raise UserError(
                    f"{self.name}: {choice} {getattr(self, choice)!r} is none of "
                    f"{', '.join(allowed)}"
                )
        _check_capacity(self.name, self.widths, 6, self.depth, self.head_width)
        for name, part in self.regions.items():
            shared = (self.widths[1], *part.widths)  # a region starts from the shared map
            _check_capacity(f"{self.name}, {name}", shared, 4, part.depth, part.head_width)
        for field_name, size, stride in (
            ("input_size", self.input_size, MESH_STRIDE),
            ("crop_size", self.crop_size, REGION_STRIDE),
        ):
            if size < stride or size % stride:
                raise UserError(f"{self.name}: {field_name} {size} is not a multiple of {stride}")
        if self.crop_size > self.input_size // SHARED_STRIDE:
            raise UserError(
                f"{self.name}: crop_size {self.crop_size} exceeds the shared map's "
                f"{self.input_size // SHARED_STRIDE}"
            )
        known = [region.name for region in self.scheme.regions]
        for region in self.regions:
            if region not in known:
                raise UserError(
                    f"{self.name}: region {region!r} is not in topology {self.topology}; "
                    f"it has: {', '.join(known)}"
                )

    @property
    def scheme(self) -> Topology:
        """The topology itself."""
        return load(self.topology)

    @property
    def mesh_indices(self) -> tuple[int, ...]:
        """Landmarks that the mesh head predicts, in its order."""
        irises = {i for iris in self.scheme.irises for i in iris.indices}
        skipped = set() if self.mesh_irises else irises
        return tuple(i for i in range(self.scheme.points) if i not in skipped)

    def check_image(self, shape: Sequence[int]) -> None:
        """Checks that the network can take images of this shape.

        Raises:
            UserError: They are not (b, 3, s, s) with s the network's input size.
        """
        size = self.input_size
        if len(shape) != 4 or tuple(shape[1:]) != (3, size, size):
            raise UserError(
                f"{self.name} takes images of shape (b, 3, {size}, {size}), found {tuple(shape)}; "
                f"resize the crops to {size} x {size} px"
            )

    def region(self, name: str) -> RegionConfig:
        """Capacity of one region's submodel."""
        return self.regions.get(name, RegionConfig())

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "MeshConfig":
        """The config that `to_dict` wrote.

        Raises:
            UserError: A field is unknown.
        """
        fields = dict(data)
        try:
            fields["regions"] = {
                name: RegionConfig(**{**region, "widths": tuple(region["widths"])})
                for name, region in fields.get("regions", {}).items()
            }
            if "widths" in fields:
                fields["widths"] = tuple(fields["widths"])
            return cls(**fields)
        except (TypeError, KeyError) as error:
            raise UserError(f"network config: {error}") from error


def _check_capacity(
    where: str, widths: Sequence[int], count: int, depth: int, head_width: int
) -> None:
    if len(widths) != count or widths[0] < 1 or any(a > b for a, b in pairwise(widths)):
        raise UserError(f"{where}: widths {list(widths)} are not {count} that never shrink")
    if depth < 0 or head_width < 1:
        raise UserError(f"{where}: depth {depth}, head_width {head_width}; expected 0, 1 or more")


NAMED = {
    config.name: config
    for config in (
        MeshConfig(),
        MeshConfig(name="released-192", input_size=192, crop_size=16, mesh_irises=False),
        MeshConfig(name="tiny-128", input_size=128, crop_size=16, widths=(8, 16, 32, 64, 64, 64)),
    )
}
