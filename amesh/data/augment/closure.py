"""How far eyes are closed: random closures of both eyes, with winks and squints."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from amesh.data import random

_SHUT = 0.35  # of the faces: those whose eyes are closed
_WINK = 0.25  # those whose eyes are closed by different amounts
_RAISED = 0.4  # the highest that a lower lid is raised, as in a squint


class Closure(NamedTuple):
    """How the lids of each face are moved, the subject's right eye first.

    Attributes:
        chosen: (b, 1) False for a face whose lids stay as they are.
        amount: (b, 2) how far the upper lids are closed, from 0 (as they are) to 1 (they meet the
            lower ones).
        raised: (b, 2) how far the lower lids are raised, as a share of the opening.
    """

    chosen: Bool[Tensor, "b 1"]
    amount: Float[Tensor, "b 2"]
    raised: Float[Tensor, "b 2"]


def iris_weight(amount: Float[Tensor, "b 2"]) -> Float[Tensor, "b 2"]:
    """What the landmarks of an iris count in training: little behind a closed lid.

    Nobody can see there where an eye looks. It is not nothing, so that irises stay in their eyes.
    """
    return 1.0 - 0.9 * amount


def draw_closure(key: Int64[Tensor, " b"], chance: float) -> Closure:
    """Draws closures: a third of the chosen faces close their eyes, the others to any degree.

    In a quarter of them, one eye is closed less, and half squint a little.

    Args:
        key: Keys of the samples.
        chance: Probability that the lids of a face are moved.
    """
    draw = random.uniform(key, "lids", [8])
    chosen = draw[:, :1] < chance
    both = torch.where(draw[:, 1:2] < _SHUT, 1.0, draw[:, 2:3])
    one = torch.where(draw[:, 3:4] < 0.5, draw.new_tensor([1.0, 0.0]), draw.new_tensor([0.0, 1.0]))
    apart = one * both + (1 - one) * draw[:, 4:5] ** 2  # the other eye is mostly open
    amount = torch.where(draw[:, 5:6] < _WINK, apart, both)
    squint = _RAISED * (2 * draw[:, 6:7] - 1).clamp(min=0) * (0.5 + 0.5 * amount)
    return Closure(chosen, amount * chosen, squint * chosen)
