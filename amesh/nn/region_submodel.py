"""The region submodels: from a crop of the features to the landmarks of lips, eyes and irises."""

from jaxtyping import Float
from torch import Tensor, nn

from amesh.geometry import affine
from amesh.geometry.coordinates import denormalise, normalise
from amesh.nn.blocks import DownBlock, PointHead, residuals
from amesh.nn.config import REGION_STRIDE, SHARED_STRIDE, MeshConfig, RegionConfig
from amesh.nn.spatial_transformer import RegionNormaliser
from amesh.nn.template import start_at, template_in_crop
from amesh.topology import Region


class Branch(nn.Module):
    """Predicts points from a quarter of the crop: residuals, a halving, residuals, head."""

    def __init__(self, capacity: RegionConfig, kernel: int, points: int, batch_norm: bool) -> None:
        """Builds a branch that predicts `points` 2-D points from a last map `kernel` px wide."""
        super().__init__()
        _, inputs, width = capacity.widths
        self.blocks = nn.Sequential(
            residuals(inputs, capacity.depth, batch_norm),
            DownBlock(inputs, width, batch_norm),
            residuals(width, capacity.depth, batch_norm),
        )
        self.head = PointHead(width, capacity.head_width, kernel, 2 * points, batch_norm)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b k 2"]:
        """Predicts points in the branch's own unit; see `RegionSubmodel`."""
        out: Tensor = self.head(self.blocks(x)).unflatten(1, (-1, 2))
        return out


class RegionSubmodel(nn.Module):
    """One region: two halvings, then a branch for its landmarks and one for its iris, if any.

    An eye and its iris share features up to the split (paper: 6 x 6) and have separate branches
    after it, so the moving iris stays independent of the static eye landmarks. A branch predicts
    points in pixels of the crop at the picture's resolution (crop size x stride of the shared
    map); theta maps them to the picture.
    """

    def __init__(self, region: Region, config: MeshConfig) -> None:
        """Builds the submodel of `region`."""
        super().__init__()
        capacity = config.region(region.name)
        shared = config.widths[1]
        first, second, _ = capacity.widths
        norm = config.batch_norm
        self.input_size = config.input_size
        self.crop_extent = config.crop_size * SHARED_STRIDE
        self.trunk = nn.Sequential(
            residuals(shared, capacity.depth, norm),
            DownBlock(shared, first, norm),
            residuals(first, capacity.depth, norm),
            DownBlock(first, second, norm),
        )
        kernel = config.crop_size // REGION_STRIDE
        branches = {
            name: Branch(capacity, kernel, len(points), norm)
            for name, points in region.outputs.items()
        }
        self.branches = nn.ModuleDict(branches)
        template = template_in_crop(config)
        theta = RegionNormaliser(config)(template)[:, config.refined_regions.index(region)]
        in_crop = affine.apply(
            affine.invert(theta), normalise(template[..., :2], config.input_size)
        )
        for name, indices in region.outputs.items():
            points = denormalise(in_crop[0, list(indices)], self.crop_extent)
            start_at(branches[name].head.points, points)

    def forward(
        self, crop: Float[Tensor, "b c k k"], theta: Float[Tensor, "b 2 3"]
    ) -> dict[str, Float[Tensor, "b p 2"]]:
        """Predicts landmarks by output name, in pixels of the network's input."""
        split = self.trunk(crop)
        return {
            name: denormalise(
                affine.apply(theta, normalise(branch(split), self.crop_extent)), self.input_size
            )
            for name, branch in self.branches.items()
        }
