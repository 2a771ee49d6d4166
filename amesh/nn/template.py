"""Fresh networks predict the mean face, so region crops lie on the face from the start."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.geometry import roi
from amesh.nn.network_config import NetworkConfig


def template_in_crop(config: NetworkConfig) -> Float[Tensor, "1 n 3"]:
    """Places the topology's mean face as in a well-aligned crop [px of the network's input]."""
    topology = config.load_topology()
    template = torch.tensor(topology.template, dtype=torch.float32)
    level = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]])
    region = roi.from_landmarks(template[None, :, :2], level, topology.landmark_rule)
    scale = config.input_size / region.size
    placed: Tensor = template * scale
    placed[:, :2] += config.input_size / 2 - scale * region.centre
    return placed[None]


@torch.no_grad()
def start_at(convolution: nn.Conv2d, values: Tensor) -> None:
    """Sets a last convolution's bias so that it predicts about `values` before training.

    The kernel keeps its random initialisation, so the layers before it get gradients at once.
    """
    if convolution.bias is None:
        raise ValueError("a convolution without bias cannot start at a constant")
    convolution.bias.copy_(values.flatten())
