"""Attention for all regions at once, with a third of the operators.

The network itself processes one region after the other, as the paper describes it. An exported
graph pays for each operator, however small its tensors, so here thetas, samples, submodels and the
mapping back to the picture are computed for all regions at once. Results agree up to rounding.
"""

from typing import TypeGuard

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.deploy.network.regions import JointMesh, JointRegions
from amesh.geometry import region
from amesh.geometry.coordinates import normalise, pixel_centres
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade, RegionNetwork
from amesh.nn.config import SHARED_STRIDE, MeshConfig
from amesh.nn.region_submodel import RegionSubmodel

# With this many channels or more, each pixel is read separately; with fewer, four are read as one.
_MANY = 16


class JointThetas(nn.Module):
    """Computes the thetas of all regions by the `box` rule."""

    indices: Tensor
    anchors: Tensor

    def __init__(self, config: MeshConfig) -> None:
        """Looks up the mesh rows of the regions' points."""
        super().__init__()
        self.input_size = config.input_size
        rows = {landmark: row for row, landmark in enumerate(config.mesh_indices)}
        regions = config.refined_regions
        most = max(len(r.indices) for r in regions)
        # Repeating a point does not change the box, so shorter regions repeat their first.
        padded = [[*r.indices, *r.indices[:1] * (most - len(r.indices))] for r in regions]
        self.shape = (len(regions), most)
        indices = torch.tensor([rows[i] for points in padded for i in points])
        anchors = torch.tensor([rows[i] for r in regions for i in r.anchors])
        self.register_buffer("indices", indices, persistent=False)
        self.register_buffer("anchors", anchors, persistent=False)

    def forward(self, mesh: Float[Tensor, "b m 3"]) -> Float[Tensor, "b r 2 3"]:
        """Computes thetas in region order."""
        regions, most = self.shape
        points = normalise(mesh[..., :2], self.input_size)
        boxes = points.index_select(1, self.indices).reshape(-1, most, 2)  # b*r k 2
        anchors = points.index_select(1, self.anchors).reshape(-1, 2, 2)
        return region.theta_from_box(boxes, anchors).reshape(-1, regions, 2, 3)


def gather_jointly(
    features: Float[Tensor, "b c h w"], thetas: Float[Tensor, "b r 2 3"], size: int
) -> Float[Tensor, "b rc k k"]:
    """Samples the crops of all thetas: `geometry.sampling.gather` with a single read.

    Args:
        features: The map to sample.
        thetas: The regions' crops.
        size: Side of a crop [px].

    Returns:
        The channels of all crops, one crop after the other.
    """
    b, c, h, w = features.shape
    regions = thetas.shape[1]
    # Directly from the crop to pixel indices of the map: (extent / 2) (A p + t + 1) - 1 / 2.
    extent = thetas.new_tensor([[w], [h]])
    shift = torch.cat([thetas.new_zeros(2, 2), extent / 2 - 0.5], dim=1)
    grid = pixel_centres(size, thetas).reshape(-1, 2)  # k*k 2
    grid = torch.cat([grid, torch.ones_like(grid[:, :1])], dim=1).T
    position = (thetas * (extent / 2) + shift) @ grid  # b r 2 k*k
    lowest = torch.zeros_like(extent)
    above = torch.maximum(position, lowest)
    within = (torch.minimum(above, extent - 1) == position).to(position.dtype)  # b r 2 k*k
    inside = (within.sum(2) == 2).to(position.dtype)  # both x and y
    corner = torch.minimum(above, extent - 2).floor()
    along, down = (position - corner).unbind(2)  # b r k*k
    down, up = down * inside, (1 - down) * inside
    weights = [up * (1 - along), up * along, down * (1 - along), down * along]
    # A NaN theta becomes an arbitrary integer, which must still index within the map: that face's
    # landmarks are NaN, but those of the other faces in the batch stay correct.
    whole = torch.minimum(torch.maximum(corner.int(), lowest.int()), (extent - 2).int())
    left, top = whole.unbind(2)
    start = torch.arange(b, device=features.device, dtype=torch.int32)[:, None, None] * (h * w)
    cell = top * w + left + start  # b r k*k
    rows = features.permute(0, 2, 3, 1).reshape(-1, c)  # b c h w -> b*h*w c
    shares = torch.stack(weights, dim=-1).to(features.dtype).reshape(-1, 4)  # b*r*k*k 4
    taps = (0, 1, w, w + 1)
    if c < _MANY:
        # The four pixels of each cell in one row, channel by channel.
        last = b * h * w - w - 1
        cells = torch.stack([rows[tap : last + tap] for tap in taps], dim=-1).flatten(1)
        read = cells.index_select(0, cell.reshape(-1)).T.reshape(c, 4, -1)
        mixed = (read * shares.T).sum(1)  # c b*r*k*k
        crops = mixed.reshape(c, -1, regions, size * size).permute(1, 2, 0, 3)
    else:
        offsets = torch.tensor(taps, dtype=torch.int32, device=features.device)
        read = rows.index_select(0, (cell[..., None] + offsets).reshape(-1)).reshape(-1, 4, c)
        mixed = shares[:, None] @ read  # b*r*k*k 1 c
        crops = mixed.reshape(-1, regions, size * size, c).transpose(2, 3)
    return crops.reshape(-1, regions * c, size, size)


class JointAttention(nn.Module):
    """An `AttentionMesh` or a `Cascade` with hard attention that processes its regions jointly."""

    columns: Tensor
    iris_means: Tensor
    xy_rows: Tensor
    z_rows: Tensor

    def __init__(self, net: AttentionMesh | Cascade) -> None:
        """Builds the joint form from a network's parts; see `can_join`."""
        super().__init__()
        config = net.config
        self.input_size = config.input_size
        self.extent = config.crop_size * SHARED_STRIDE
        self.shared, self.mesh, self.thetas = net.shared, JointMesh(net.mesh), JointThetas(config)
        networks = [n for n in net.regions.values() if isinstance(n, RegionNetwork)]
        submodels = [n for n in net.regions.values() if isinstance(n, RegionSubmodel)]
        # A cascade's networks crop the picture, and each has its own stem.
        self.cascaded = bool(networks)
        self.stems = nn.ModuleList(network.shared for network in networks)
        self.crop_size = self.extent if self.cascaded else config.crop_size
        self.regions = JointRegions(submodels or [network.submodel for network in networks])
        mesh_points = len(config.mesh_indices)
        rows = [mesh_points + row for branch in self.regions.rows() for row in branch]
        xy_rows = torch.tensor([*range(mesh_points), *rows])[net.assembly.xy_rows]
        columns = torch.tensor(self.regions.sources).repeat_interleave(self.regions.most)
        means = _iris_means(net.assembly.z_sources, mesh_points)
        for name, values in (
            ("columns", columns),
            ("xy_rows", xy_rows),
            ("z_rows", net.assembly.z_rows),
            ("iris_means", means),
        ):
            self.register_buffer(name, values, persistent=False)

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> tuple[Float[Tensor, "b ..."], ...]:
        """Predicts landmarks [crop px], the face flag's logit and the expected errors."""
        shared = self.shared(image)
        mesh, *others = self.mesh(shared)
        thetas = self.thetas(mesh)
        crops = gather_jointly(image if self.cascaded else shared, thetas, self.crop_size)
        if self.cascaded:
            pieces = zip(self.stems, crops.chunk(len(self.stems), dim=1), strict=True)
            crops = torch.cat([stem(crop) for stem, crop in pieces], dim=1)
        refined = self._to_image(self.regions(crops), thetas)
        xy = torch.cat([mesh[..., :2], refined], dim=1).index_select(1, self.xy_rows)
        z = mesh[..., 2:]
        if len(self.iris_means):
            z = torch.cat([z, self.iris_means @ z], dim=1)
        return torch.cat([xy, z.index_select(1, self.z_rows)], dim=-1), *others

    def _to_image(
        self, points: Float[Tensor, "b p 2"], thetas: Float[Tensor, "b r 2 3"]
    ) -> Float[Tensor, "b p 2"]:
        """Maps px of the crop's extent to px of the network's input through the thetas."""
        linear = thetas[..., :2]
        shift = (thetas[..., 2:] - linear.sum(-1, keepdim=True) + 1.0) * (self.input_size / 2)
        affine = torch.cat([linear * (self.input_size / self.extent), shift], dim=-1)
        along, down, shift = affine.index_select(1, self.columns).unbind(-1)  # b p 2
        return points[..., :1] * along + points[..., 1:] * down + shift


def can_join(net: nn.Module) -> TypeGuard[AttentionMesh | Cascade]:
    """Whether a network's regions can be processed jointly."""
    if not isinstance(net, AttentionMesh | Cascade):
        return False
    config = net.config
    capacities = {config.region(r.name).capacity for r in config.refined_regions}
    hard = config.sampler != "gaussian" and config.theta_rule == "box"
    return hard and config.crop_source == "predicted" and len(capacities) == 1


def _iris_means(sources: list[list[int]], points: int) -> Float[Tensor, "i m"]:
    """Rows that average the mesh's z for each iris that the mesh does not predict."""
    means = torch.zeros(len(sources), points)
    for mean, source in zip(means, sources, strict=True):
        mean[source] = 1 / len(source)
    return means
