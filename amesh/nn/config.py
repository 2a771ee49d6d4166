"""The architecture as data: one frozen dataclass for the whole family."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args, get_type_hints

from amesh.errors import UserError
from amesh.topology import Iris, Region, Topology, load

# The shared map is the input at a quarter: stem and first stage halve it once each.
SHARED_STRIDE = 4
# The mesh head sees the input at 1/64, a region's head its crop at 1/8.
MESH_STRIDE = 64
REGION_STRIDE = 8
# Outputs and losses of other parts of a network, whose names no region may take.
_RESERVED = frozenset(["mesh", "landmarks", "face_flag", "z", "theta", "face"])


@dataclass(frozen=True)
class RegionConfig:
    """One region: the landmarks that it refines, and the capacity of its submodel.

    Where the topology has a region of the same name, `points`, `anchors` and `iris` default to
    that region's; a region of another name has to give points and anchors.

    Attributes:
        widths: Channels after each of its three halvings; the branches split after the second.
        depth: Residual blocks before each halving and after the last.
        head_width: Channels in front of the points.
        points: Landmarks in the order of the output, or the name of one of the topology's parts;
            see `Topology.indices`.
        anchors: Two landmarks whose line is horizontal in the crop, image-left one first.
        iris: A second output on the same features, for points that move within the region.
    """

    widths: tuple[int, int, int] = (64, 128, 128)
    depth: int = 2
    head_width: int = 32
    points: str | tuple[int, ...] | None = None
    anchors: tuple[int, int] | None = None
    iris: Iris | None = None

    @property
    def capacity(self) -> tuple[tuple[int, int, int], int, int]:
        """What submodels of equal structure have in common, whatever they look at."""
        return self.widths, self.depth, self.head_width

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "RegionConfig":
        """The config of a region from plain JSON types."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        if isinstance(iris := fields.get("iris"), Mapping):
            fields["iris"] = Iris(iris["name"], tuple(iris["indices"]), tuple(iris["z_from"]))
        return cls(**fields)


@dataclass(frozen=True)
class MeshConfig:
    """A member of the family. Defaults are the paper's sizes at the released widths.

    Attributes:
        name: What the network is called: a member of the family here; weights that were trained get
            a name of their own.
        topology: Name or path of the landmark scheme.
        input_size: Side of the input [px]; the shared map has a quarter of it.
        crop_size: Side of a region's crop of the shared map [map px].
        widths: Channels of the backbone after each of its six halvings.
        depth: Residual blocks at each size of the backbone.
        head_width: Channels in front of the mesh head's points.
        mesh_irises: Whether the mesh head predicts the irises too (paper), or leaves them to the
            regions (released).
        regions: Changes to the topology's regions, by name: another capacity or other points, a
            region to add, or None for one to leave out.
        crop_source: Theta computed from the mesh's landmarks, or regressed (under supervision).
            Ideal crops are no third network: pass `thetas` to its forward.
        theta_rule: How theta follows from landmarks; see `amesh.geometry.region`.
        sampler: How a crop is read from the shared map; see `amesh.geometry.sampling`.
        batch_norm: BatchNorm after each pointwise convolution, folded for export.
        detach_theta: Keep the regions' gradients from moving the mesh through theta.

    Examples:
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
        UserError: The sizes do not divide, or a region does not fit the topology.
    """

    name: str = "paper-256"
    topology: str = "face478"
    input_size: int = 256
    crop_size: int = 24
    widths: tuple[int, int, int, int, int, int] = (16, 32, 64, 128, 128, 128)
    depth: int = 2
    head_width: int = 32
    mesh_irises: bool = True
    regions: Mapping[str, RegionConfig | None] = field(default_factory=dict)
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
            if part is None:
                continue
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
        self._check_regions()

    def load_topology(self) -> Topology:
        """The landmark scheme that `topology` names."""
        return load(self.topology)

    @property
    def refined_regions(self) -> tuple[Region, ...]:
        """The regions that the network refines, in the order of its outputs.

        Those of the topology come first, then those that the config adds.
        """
        topology = self.load_topology()
        known = {region.name: region for region in topology.regions}
        return tuple(
            self._refined(name, known.get(name), topology)
            for name in dict.fromkeys([*known, *self.regions])
            if self.regions.get(name, RegionConfig()) is not None
        )

    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Landmarks of each output of the regions' submodels by name, in their order."""
        return {name: points for r in self.refined_regions for name, points in r.outputs.items()}

    @property
    def mesh_indices(self) -> tuple[int, ...]:
        """Landmarks that the mesh head predicts, in its order."""
        irises = [r.iris for r in self.refined_regions if r.iris and not self.mesh_irises]
        skipped = {i for iris in irises for i in iris.indices}
        return tuple(i for i in range(self.load_topology().points) if i not in skipped)

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
        """What the config says of a region; defaults where it says nothing."""
        return self.regions.get(name) or RegionConfig()

    def _refined(self, name: str, default: Region | None, topology: Topology) -> Region:
        """A region as the config changes it.

        Raises:
            UserError: It is neither in the topology nor described, or names an unknown part.
        """
        config, where = self.region(name), f"{self.name}: region {name!r}"
        points = config.points if config.points is not None or not default else default.indices
        anchors = config.anchors or (default.anchors if default else None)
        if points is None or anchors is None:
            raise UserError(
                f"{where} is not in topology {topology.name} (which has: "
                f"{', '.join(r.name for r in topology.regions)}): give its points and anchors"
            )
        if isinstance(points, str):
            points = topology.indices(points)
        iris = config.iris or (default.iris if default else None)
        return Region(name, points, anchors, iris)

    def _check_regions(self) -> None:
        """Refuses regions whose points or names cannot be."""
        topology, regions = self.load_topology(), self.refined_regions
        count, known = topology.points, [region.name for region in topology.regions]
        for name, part in self.regions.items():
            if part is None and name not in known:
                raise UserError(
                    f"{self.name}: no region {name!r} to leave out of topology {topology.name}; "
                    f"it has: {', '.join(known)}"
                )
        names = [name for region in regions for name in region.outputs]
        for name in names:
            if not name.isidentifier() or name in _RESERVED or names.count(name) > 1:
                raise UserError(
                    f"{self.name}: region name {name!r} is taken or not a plain word; "
                    "it names an output"
                )
        in_mesh = set(self.mesh_indices)
        for region in regions:
            where = f"{self.name}: region {region.name!r}"
            for output, points in region.outputs.items():
                if len(set(points)) < len(points) or not points:
                    raise UserError(f"{where}: {output} names a point twice, or none")
                if outside := [i for i in points if not 0 <= i < count]:
                    raise UserError(f"{where}: no point {outside[0]}; there are 0 to {count - 1}")
            z_from = region.iris.z_from if region.iris else ()
            placing = [*region.indices, *region.anchors, *z_from]
            if missing := [i for i in placing if i not in in_mesh]:
                raise UserError(f"{where}: the mesh head does not predict point {missing[0]}")
            if region.anchors[0] == region.anchors[1]:
                raise UserError(f"{where}: its anchors are one point; give two")

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "MeshConfig":
        """The config that `to_dict` wrote.

        Raises:
            UserError: A field is unknown, or the network cannot be built.
        """
        fields = dict(data)
        try:
            fields["regions"] = {
                name: None if region is None else RegionConfig.from_dict(region)
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
