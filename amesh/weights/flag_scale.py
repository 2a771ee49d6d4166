"""Changes the scale and the zero of a network's face flag, exactly, in its last layer.

Training may end with a flag that separates faces from the rest, but not at 0, or not on the scale
that `amesh.pipeline.looks` expects.
"""

import math

import torch
from torch import nn

from amesh.errors import UserError


def rescale_flag(net: nn.Module, zero: float, scale: float) -> None:
    """Replaces the logit of the face flag by scale * (logit - zero), in place.

    Args:
        net: A landmark network.
        zero: The logit from which a crop is to be taken for a face.
        scale: By how much logits are stretched around it.

    Raises:
        UserError: The network has no face flag, or these are not numbers, the second above 0.
    """
    if not (math.isfinite(zero) and math.isfinite(scale) and scale > 0):
        raise UserError(f"face flag: zero {zero} and scale {scale}: give numbers, a scale above 0")
    layers = [layer for name, layer in net.named_modules() if name.split(".")[-1] == "face_flag"]
    if len(layers) != 1 or not isinstance(layers[0], nn.Conv2d) or layers[0].bias is None:
        raise UserError("this network has no face flag")
    with torch.no_grad():
        layers[0].bias.sub_(zero).mul_(scale)
        layers[0].weight.mul_(scale)
