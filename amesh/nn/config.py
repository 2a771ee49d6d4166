"""The architecture as data: one frozen dataclass describes every network of the family."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args, get_type_hints

from amesh.errors import UserError
from amesh.json_lines import convert
from amesh.topology import Iris, Region, Topology, load

# The shared map has a quarter of the input's size: stem and first stage halve it once each.
SHARED_STRIDE = 4
# The mesh head sees the input at 1/64, a region's head its crop at 1/8.
MESH_STRIDE = 64
REGION_STRIDE = 8
# Far above what is of use, and far below what would fill the memory: a config may come from a file.
_WIDEST, _DEEPEST, _LARGEST, _MOST_REGIONS = 512, 16, 1024, 32
# Names of other outputs and losses, which no region may use.
_RESERVED = frozenset(["mesh", "landmarks", "face_flag", "z", "theta", "face"])


@dataclass(frozen=True)
class RegionConfig:
    """One region: the landmarks that it refines, and the capacity of its submodel.

    `points`, `anchors` and `iris` default to those of the topology's region of the same name. A
    region that the topology does not have must specify points and anchors.

    Attributes:
        widths: Channels after each of the three halvings; the branches split after the second.
        depth: Residual blocks before each halving and after the last.
        head_width: Channels before the last convolution.
        points: Landmarks in output order, or the name of one of the topology's parts; see
            `Topology.indices`.
        anchors: Two landmarks, image-left first; the line through them is horizontal in the crop.
        iris: A second output from the same features, for points that move within the region.
    """

    widths: tuple[int, int, int] = (64, 128, 128)
    depth: int = 2
    head_width: int = 32
    points: str | tuple[int, ...] | None = None
    anchors: tuple[int, int] | None = None
    iris: Iris | None = None

    @property
    def capacity(self) -> tuple[tuple[int, int, int], int, int]:
        """The sizes that define a submodel's structure, regardless of its landmarks."""
        return self.widths, self.depth, self.head_width


@dataclass(frozen=True)
class MeshConfig:
    """A member of the family. Defaults are the paper's sizes at the released widths.

    Attributes:
        name: Name of the network. Here it is that of a family member; trained weights get their
            own.
        topology: Name or path of the landmark scheme.
        input_size: Side of the input [px]; the shared map has a quarter of it.
        crop_size: Side of a region's crop of the shared map [map px].
        widths: Channels of the backbone after each of its six halvings.
        depth: Residual blocks at each size of the backbone.
        head_width: Channels before the mesh head's last convolution.
        mesh_irises: Whether the mesh head also predicts the irises (paper), or leaves them to the
            regions (released).
        regions: Changes to the topology's regions, by name: a different capacity or different
            points, a region to add, or None to leave one out.
        crop_source: Whether theta is computed from the mesh's landmarks or regressed (supervised).
            For ideal crops, pass `thetas` to `forward`.
        theta_rule: How theta is computed from landmarks; see `amesh.geometry.region`.
        sampler: How a crop is read from the shared map; see `amesh.geometry.sampling`.
        batch_norm: BatchNorm after each pointwise convolution, folded for export.
        detach_theta: Stop the regions' gradients from reaching the mesh through theta.

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
        UserError: A size is not divisible as required, or a region does not fit the topology.
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
        """Rejects configurations that cannot be built."""
        for choice in ("crop_source", "theta_rule", "sampler"):
            allowed = get_args(get_type_hints(type(self))[choice])
            if getattr(self, choice) not in allowed:
                raise UserError(
                    f"{self.name}: {choice} {getattr(self, choice)!r} is none of "
                    f"{', '.join(allowed)}"
                )
        if len(self.regions) > _MOST_REGIONS:
            raise UserError(f"{self.name}: {len(self.regions)} regions; at most {_MOST_REGIONS}")
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
            if size > _LARGEST:
                raise UserError(f"{self.name}: {field_name} {size} is above {_LARGEST}")
            if size < stride or size % stride:
                raise UserError(f"{self.name}: {field_name} {size} is not a multiple of {stride}")
        if self.crop_size > self.input_size // SHARED_STRIDE:
            raise UserError(
                f"{self.name}: crop_size {self.crop_size} exceeds the shared map's "
                f"{self.input_size // SHARED_STRIDE}"
            )
        self._check_regions()

    def load_topology(self) -> Topology:
        """Loads the landmark scheme named by `topology`."""
        return load(self.topology)

    @property
    def refined_regions(self) -> tuple[Region, ...]:
        """The regions that the network refines, in the order of its outputs.

        The topology's regions come first, then those that the config adds.
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
        """Landmarks of each output of the region submodels, by name, in output order."""
        return {name: points for r in self.refined_regions for name, points in r.outputs.items()}

    @property
    def mesh_indices(self) -> tuple[int, ...]:
        """Landmarks that the mesh head predicts, in output order."""
        irises = [r.iris for r in self.refined_regions if r.iris and not self.mesh_irises]
        skipped = {i for iris in irises for i in iris.indices}
        return tuple(i for i in range(self.load_topology().points) if i not in skipped)

    def check_image(self, shape: Sequence[int]) -> None:
        """Checks that the network can take images of this shape.

        Raises:
            UserError: The shape is not (b, 3, s, s), where s is the network's input size.
        """
        size = self.input_size
        if len(shape) != 4 or tuple(shape[1:]) != (3, size, size):
            raise UserError(
                f"{self.name} takes images of shape (b, 3, {size}, {size}), found {tuple(shape)}; "
                f"resize the crops to {size} x {size} px"
            )

    def region(self, name: str) -> RegionConfig:
        """The config of a region; defaults if there is none."""
        return self.regions.get(name) or RegionConfig()

    def _refined(self, name: str, default: Region | None, topology: Topology) -> Region:
        """Applies the config's changes to a region.

        Raises:
            UserError: The region is neither in the topology nor fully described, or it names an
                unknown part.
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
        """Rejects regions with invalid points or names."""
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
                    raise UserError(f"{where}: {output} lists a point twice, or has no points")
                if outside := [i for i in points if not 0 <= i < count]:
                    raise UserError(f"{where}: no point {outside[0]}; expected 0 to {count - 1}")
            z_from = region.iris.z_from if region.iris else ()
            placing = [*region.indices, *region.anchors, *z_from]
            if missing := [i for i in placing if i not in in_mesh]:
                raise UserError(f"{where}: the mesh head does not predict point {missing[0]}")
            if region.anchors[0] == region.anchors[1]:
                raise UserError(f"{where}: both anchors are the same point; give two")

    def to_dict(self) -> dict[str, Any]:
        """Converts the config to plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "MeshConfig":
        """Restores the config that `to_dict` wrote.

        Raises:
            UserError: A field is unknown or of another type, or the network cannot be built.
        """
        return convert(data, cls, "network config")


def _check_capacity(
    where: str, widths: Sequence[int], count: int, depth: int, head_width: int
) -> None:
    if len(widths) != count or widths[0] < 1 or any(a > b for a, b in pairwise(widths)):
        raise UserError(f"{where}: widths {list(widths)}; expected {count} that never decrease")
    if depth < 0 or head_width < 1:
        raise UserError(f"{where}: depth {depth}, head_width {head_width}; expected 0, 1 or more")
    if widths[-1] > _WIDEST or head_width > _WIDEST or depth > _DEEPEST:
        raise UserError(
            f"{where}: widths {list(widths)}, head_width {head_width}, depth {depth}; at most "
            f"{_WIDEST} channels and {_DEEPEST} blocks can be built"
        )


NAMED = {
    config.name: config
    for config in (
        MeshConfig(),
        MeshConfig(name="released-192", input_size=192, crop_size=16, mesh_irises=False),
        MeshConfig(name="tiny-128", input_size=128, crop_size=16, widths=(8, 16, 32, 64, 64, 64)),
    )
}
