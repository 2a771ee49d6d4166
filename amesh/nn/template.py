"""Fresh networks start at the mean face, not at zero: every crop then lies on the face at once."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.geometry import roi
from amesh.nn.config import MeshConfig


def template_in_crop(config: MeshConfig) -> Float[Tensor, "1 n 3"]:
    """The topology's mean face where a well-cut crop shows it [px of the network's input]."""
    topology = config.load_topology()
    template = torch.tensor(topology.template, dtype=torch.float32)
    level = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
    region = roi.from_landmarks(template[None, :, :2], level, topology.landmark_rule)
    scale = config.input_size / region.size
    placed = template * scale
    placed[:, :2] += config.input_size / 2 - scale * region.centre
    return placed[None]


@torch.no_grad()
def start_at(convolution: nn.Conv2d, values: Tensor) -> None:
    """Makes a last convolution predict `values`, whatever it sees, until it is trained.

    Its kernel keeps its random start: what is in front of it then gets gradients at once.
    """
    if convolution.bias is None:
        raise ValueError("a convolution without bias cannot start at a constant")
    convolution.bias.copy_(values.flatten())
