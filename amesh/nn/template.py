"""Fresh networks start at the mean face, not at zero: every crop then lies on the face at once."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.geometry.roi import ROI_SCALE
from amesh.nn.config import MeshConfig


def template_in_crop(config: MeshConfig) -> Float[Tensor, "1 n 3"]:
    """The topology's mean face where a well-cut crop shows it [px of the network's input]."""
    template = torch.tensor(config.load_topology().template, dtype=torch.float32)
    low, high = template[:, :2].amin(0), template[:, :2].amax(0)
    scale = config.input_size / (ROI_SCALE * (high - low).max())
    placed = template * scale
    placed[:, :2] += config.input_size / 2 - scale * (low + high) / 2
    return placed[None]


@torch.no_grad()
def start_at(convolution: nn.Conv2d, values: Tensor) -> None:
    """Makes a last convolution predict `values`, whatever it sees, until it is trained.

    Its kernel keeps its random start: what is in front of it then gets gradients at once.
    """
    if convolution.bias is None:
        raise ValueError("a convolution without bias cannot start at a constant")
    convolution.bias.copy_(values.flatten())
