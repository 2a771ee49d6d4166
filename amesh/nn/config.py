"""The architecture as data: one frozen dataclass describes every network of the family."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args, get_type_hints

from amesh.errors import UserError
from amesh.nn.network_config import (
    NetworkConfig,
    check_depth,
    check_head_width,
    check_size,
    check_widths,
)
from amesh.topology import Iris, Region, Topology

# The shared map has a quarter of the input's size: stem and first stage halve it once each.
SHARED_STRIDE = 4
# The mesh head sees the input at 1/64, a region's head its crop at 1/8.
MESH_STRIDE = 64
REGION_STRIDE = 8
_MOST_REGIONS = 32
# Terms of the loss that belong to no region; `amesh.losses.config.LossConfig` weighs each.
TERMS = ("mesh", "z", "theta", "face", "consistency", "expected_error")
# Names of these terms and of other outputs, which no region may use.
_RESERVED = frozenset([*TERMS, "landmarks", "face_flag"])


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
class MeshConfig(NetworkConfig):
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
        error_width: Hidden channels of the head that predicts each landmark's error; 0 for none.

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
    error_width: int = 0

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
        check_widths(self.name, self.widths, 6)
        check_depth(self.name, self.depth)
        check_head_width(self.name, self.head_width)
        if self.predicts_errors:
            check_head_width(self.name, self.error_width, "error_width")
        for name, part in self.regions.items():
            if part is None:
                continue
            where = f"{self.name}, {name}"
            check_widths(where, (self.widths[1], *part.widths), 4)  # it starts from the shared map
            check_depth(where, part.depth)
            check_head_width(where, part.head_width)
        check_size(self.name, "input_size", self.input_size, MESH_STRIDE)
        check_size(self.name, "crop_size", self.crop_size, REGION_STRIDE)
        if self.crop_size > self.input_size // SHARED_STRIDE:
            raise UserError(
                f"{self.name}: crop_size {self.crop_size} exceeds the shared map's "
                f"{self.input_size // SHARED_STRIDE}"
            )
        self._check_regions()

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
    def mesh_indices(self) -> tuple[int, ...]:
        """Landmarks that the mesh head predicts, in output order."""
        irises = [r.iris for r in self.refined_regions if r.iris and not self.mesh_irises]
        skipped = {i for iris in irises for i in iris.indices}
        return tuple(i for i in range(self.load_topology().points) if i not in skipped)

    @property
    def predicts_errors(self) -> bool:
        """Whether the network predicts the error of each landmark."""
        return self.error_width != 0

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


NAMED = {
    config.name: config
    for config in (
        MeshConfig(),
        MeshConfig(name="released-192", input_size=192, crop_size=16, mesh_irises=False),
        MeshConfig(name="tiny-128", input_size=128, crop_size=16, widths=(8, 16, 32, 64, 64, 64)),
    )
}
