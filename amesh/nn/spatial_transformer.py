"""The network's attention: where each region's crop lies, and how it is sampled."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.errors import UserError
from amesh.geometry import region, sampling
from amesh.geometry.coordinates import normalise
from amesh.geometry.picking import pick
from amesh.nn.config import MeshConfig


class RegionNormaliser(nn.Module):
    """Computes all regions' thetas from landmarks (paper: "Attention mechanism").

    The rules are those of `amesh.geometry.region`.
    """

    def __init__(self, config: MeshConfig) -> None:
        """Looks up the regions' points.

        Raises:
            UserError: The config has no regions.
        """
        super().__init__()
        self.input_size = config.input_size
        self.rule = config.theta_rule
        self.regions = config.refined_regions
        if not self.regions:
            raise UserError(f"{config.name}: no regions left; use MeshOnly instead")
        template = torch.from_numpy(config.load_topology().template[:, :2].copy()).float()
        self.frames = [
            region.corner_frame(template[list(r.indices)], template[list(r.anchors)])
            for r in self.regions
        ]

    def forward(self, landmarks: Float[Tensor, "b n d"]) -> Float[Tensor, "b r 2 3"]:
        """Computes thetas from landmarks in pixels of the network's input, in region order."""
        points = normalise(landmarks[..., :2], self.input_size)
        thetas = []
        for r, frame in zip(self.regions, self.frames, strict=True):
            anchors = pick(points, r.anchors)
            if self.rule == "corners":
                thetas.append(region.theta_from_corners(anchors, frame))
            else:
                thetas.append(region.theta_from_box(pick(points, r.indices), anchors))
        return torch.stack(thetas, dim=1)


class SpatialTransformer(nn.Module):
    """Crops one region from a map."""

    def __init__(self, config: MeshConfig, size: int) -> None:
        """Chooses the sampler.

        Args:
            config: Specifies the sampler.
            size: Side of the crop [px of the map it is taken from].
        """
        super().__init__()
        self.size = size
        self.sampler = config.sampler
        # The soft kernel's width [map px] is learned as a logarithm, so it stays positive.
        self.log_sigma = (
            nn.Parameter(torch.tensor(0.5).log()) if config.sampler == "gaussian" else None
        )

    def forward(
        self, features: Float[Tensor, "b c h w"], theta: Float[Tensor, "b 2 3"]
    ) -> Float[Tensor, "b c k k"]:
        """Samples the crop that theta describes."""
        if self.log_sigma is not None:
            return sampling.gaussian(features, theta, self.size, self.log_sigma.exp())
        if self.sampler == "gather":
            return sampling.gather(features, theta, self.size)
        return sampling.affine(features, theta, self.size)
