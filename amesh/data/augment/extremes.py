"""Light and blur at the limit of what still shows a face, and beyond it.

A face that is burnt out, almost black or blurred away should be refused: its landmarks would be a
guess. Up to there it should be found. Chosen on 40 annotated faces: at the far ends of the first
ranges, Google's two networks still find 72 to 90 % of them, with landmarks that move by 3 to 7 % of
the eye distance (median); in the second ranges, they refuse most faces, or guess.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from amesh.data.random import uniform

# Three kinds: burnt out, almost black (both: mean brightness of the middle of the crop, of full
# scale, before it is clipped) and blurred (standard deviation, in sides of the crop).
_HARD = ((1.2, 3.0), (0.12, 0.012), (0.008, 0.028))
_LOST = ((10.0, 20.0), (0.004, 0.0015), (0.0625, 0.16))
# Share of the extremes in which no face is left to see.
_SHARE_LOST = 1 / 3
_DARKEST = 0.02  # mean brightness below which a dark crop is not brightened further
_STEPS = 255.0  # of a channel of a picture: few are left in the dark


class Extremes(NamedTuple):
    """What happens to each sample.

    Attributes:
        exposed: (b,) whether its brightness changes.
        brightness: (b,) mean brightness of its middle, before clipping [of full scale].
        smeared: (b,) whether it is blurred.
        smear: (b,) standard deviation of the blur [sides of the crop].
        lost: (b,) whether no face is left to see.
    """

    exposed: Bool[Tensor, " b"]
    brightness: Float[Tensor, " b"]
    smeared: Bool[Tensor, " b"]
    smear: Float[Tensor, " b"]
    lost: Bool[Tensor, " b"]


def draw_extremes(key: Int64[Tensor, " b"], chance: float) -> Extremes:
    """Draws what happens to samples: nothing to most.

    Args:
        key: Keys of the samples.
        chance: Probability that something happens.
    """
    numbers = uniform(key, "extremes", (4,))
    chosen, lost = numbers[:, 0] < chance, numbers[:, 1] < _SHARE_LOST
    kind = (numbers[:, 2] * 3).long()
    ranges = torch.tensor([_HARD, _LOST], device=key.device).log()  # which, kind, end
    low, high = ranges[lost.long(), kind].unbind(-1)
    amount = torch.lerp(low, high, numbers[:, 3]).exp()
    return Extremes(chosen & (kind < 2), amount, chosen & (kind == 2), amount, chosen & lost)


def expose(
    images: Float[Tensor, "b 3 s s"], brightness: Float[Tensor, " b"]
) -> Float[Tensor, "b 3 s s"]:
    """Scales brightness, clips and rounds as a camera does: what is white or black stays so.

    Args:
        images: Crops.
        brightness: Mean brightness of their middle, before clipping [of full scale].
    """
    edge = images.shape[-1] // 4
    middle = images[..., edge:-edge, edge:-edge].mean((1, 2, 3)).clamp_min(_DARKEST)
    scaled = images * (brightness / middle)[:, None, None, None]
    return scaled.mul_(_STEPS).round_().div_(_STEPS).clamp_(0.0, 1.0)


def smear(images: Float[Tensor, "b 3 s s"], width: Float[Tensor, " b"]) -> Float[Tensor, "b 3 s s"]:
    """Blurs by a wide Gaussian.

    Args:
        images: Crops.
        width: Its standard deviation [sides of the crop].
    """
    size = images.shape[-1]
    at = torch.arange(size, device=images.device)
    steps = (at[:, None] - at) / (width * size)[:, None, None]  # b s s
    kernel = torch.exp(-0.5 * steps.square())
    kernel = (kernel / kernel.sum(-1, keepdim=True))[:, None]
    return kernel @ images @ kernel.transpose(-1, -2)
