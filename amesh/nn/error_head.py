"""The head that predicts how far each landmark may be off."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from amesh.nn.blocks import LAST, start
from amesh.nn.config import MESH_STRIDE, MeshConfig

# What a fresh head predicts, and what no head exceeds [share of the input's side].
_TYPICAL, _MOST = 0.01, 0.25


class ErrorHead(nn.Module):
    """Predicts the expected distance of each landmark from its true place.

    It reads the deepest map of the backbone, as the mesh head does, and changes nothing else. The
    last function is a sigmoid: like an exponential, it keeps errors positive and lets them
    differ by orders of magnitude, but it has an upper limit.
    """

    def __init__(self, config: MeshConfig) -> None:
        """Builds the head."""
        super().__init__()
        self.most = _MOST * config.input_size
        self.hidden = nn.Conv2d(
            config.widths[-1], config.error_width, config.input_size // MESH_STRIDE
        )
        self.activation = nn.PReLU(config.error_width)
        self.errors = nn.Conv2d(config.error_width, config.load_topology().points, 1)
        start(self.hidden)
        start(self.errors, LAST)
        assert self.errors.bias is not None
        nn.init.constant_(self.errors.bias, math.log(_TYPICAL / (_MOST - _TYPICAL)))

    def forward(self, deep: Float[Tensor, "b c k k"]) -> Float[Tensor, "b n"]:
        """Predicts the expected error of each landmark in x and y [px of the network's input]."""
        hidden = self.activation(self.hidden(deep))
        errors: Tensor = self.errors(hidden).flatten(1).sigmoid()  # b n 1 1 -> b n
        return self.most * errors
