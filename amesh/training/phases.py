"""The two phases of training: ideal crops first, then the network's own.

Paper, "Training": in the first phase the submodels are independent, on ideal crops from the ground
truth, slightly augmented; in the second the crops come from the network, and the region submodels
adapt to them. The paper does not say when to switch; here it is a share of the steps.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.errors import UserError
from amesh.geometry import affine
from amesh.geometry.picking import pick
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.network_config import NetworkConfig
from amesh.nn.output import MeshOutput
from amesh.nn.template import template_in_crop

# Keeps a fit to no points finite [px^2].
_TINY = 1e-6


@dataclass(frozen=True)
class PhaseConfig:
    """The two phases of training: on ideal crops, then on predicted ones.

    Attributes:
        ideal: Share of the steps in phase 1, which uses ideal crops; 0 for fine-tuning.
        jitter: Size of the random errors of ideal crops, in each of theta's six numbers; see
            `amesh.data.augment.region_jitter.jitter_thetas`.
    """

    ideal: float = 0.5
    jitter: float = 0.1

    def __post_init__(self) -> None:
        """Refuses shares outside 0 to 1."""
        if not 0 <= self.ideal <= 1:
            raise UserError(f"phases: ideal is {self.ideal}; a share of the steps is from 0 to 1")
        if not self.jitter >= 0:
            raise UserError(f"phases: jitter is {self.jitter}; it has to be 0 or more")

    def is_ideal(self, step: int, steps: int) -> bool:
        """Whether optimiser step `step` of `steps` belongs to the first phase."""
        return step < round(self.ideal * steps)


def completed(
    landmarks: Float[Tensor, "b n 3"], weight: Float[Tensor, "b n"], network: NetworkConfig
) -> Float[Tensor, "b n 2"]:
    """All landmarks in the picture: the labelled ones, and the mean face fitted to them.

    Labels with few points (68 of 478) then give usable crops too. The fit is a similarity, by
    weighted least squares; without two labelled points it is the mean face in a well-cut crop.
    """
    template = template_in_crop(network)[0, :, :2].to(landmarks, non_blocking=True)  # n 2
    known = (weight > 0).to(landmarks.dtype)[..., None]  # b n 1
    points = torch.where(known > 0, landmarks[..., :2], 0.0)
    count = known.sum(1).clamp(min=1)  # b 1
    at, onto = (template * known).sum(1) / count, points.sum(1) / count  # b 2
    p, q = (template - at[:, None]) * known, (points - onto[:, None]) * known
    spread = p.square().sum((1, 2))
    # One complex number turns and scales: sum(conj(p) q) / sum(|p|^2).
    real = (p * q).sum((1, 2)) / (spread + _TINY)
    imaginary = (p[..., 0] * q[..., 1] - p[..., 1] * q[..., 0]).sum(1) / (spread + _TINY)
    fitted = (real.square() + imaginary.square()) > _TINY
    real, imaginary = torch.where(fitted, real, 1.0), torch.where(fitted, imaginary, 0.0)
    rows = torch.stack([real, -imaginary, imaginary, real], dim=-1).unflatten(-1, (2, 2))
    shift = torch.where((count > 1) & fitted[:, None], onto, at) - (rows @ at[..., None])[..., 0]
    everywhere = affine.apply(
        torch.cat([rows, shift[..., None]], -1), template.expand(len(landmarks), -1, -1)
    )
    return torch.where(known > 0, points, everywhere)


def labelled_regions(weight: Float[Tensor, "b n"], network: NetworkConfig) -> Float[Tensor, "b r"]:
    """1 where every landmark that places a region's crop is labelled, else 0."""
    columns = [
        pick(weight, (*region.indices, *region.anchors)).amin(1)
        for region in network.refined_regions
    ]
    if not columns:
        return weight[:, :0]
    return (torch.stack(columns, dim=1) > 0).to(weight.dtype)


def forward(
    net: nn.Module, image: Float[Tensor, "b 3 s s"], thetas: Float[Tensor, "b r 2 3"] | None
) -> MeshOutput:
    """Runs any network of the family; with ideal crops where it has crops and `thetas` are given.

    A network that regresses its thetas returns its own even then, so that they learn from the
    first step on.
    """
    if thetas is None or not hasattr(net, "normaliser"):
        return _called(net, image)
    if not (isinstance(net, AttentionMesh) and net.config.crop_source == "regressed"):
        return _called(net, image, thetas)
    # The network's own forward leaves the regression out when it is told where to look; here both
    # are wanted.
    shared = net.shared(image)
    mesh = net.mesh(shared)
    regions: dict[str, Tensor] = {}
    for i, name in enumerate(net.regions):
        crop = net.attention[name](shared, thetas[:, i])
        regions |= net.regions[name](crop, thetas[:, i])
    landmarks = net.assembly(mesh.points, regions)
    own = net.thetas(mesh.points, mesh.features)
    return MeshOutput(landmarks, mesh.face_flag, mesh.points, regions, own, mesh.expected_error)


def _called(net: nn.Module, *inputs: Tensor) -> MeshOutput:
    output: MeshOutput = net(*inputs)
    return output
