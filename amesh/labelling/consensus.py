"""From several answers about one face to labels, and to how much each of them counts."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

# Share of the answers that is left out at either end, for each coordinate: one look that went
# astray, even with its opposite, moves nothing.
_TRIM = 1 / 8
# Spread [face sizes] at which a landmark counts half. Measured on labels made by people, in the
# wild and in profile: the squared distance to them grows as a + b spread^2, and sqrt(a / b) is
# 0.006 to 0.007. People label x and y only: that it holds for z, too, is an assumption.
HALF = 0.007


class Consensus(NamedTuple):
    """What the answers have in common.

    Attributes:
        landmarks: (n, 3) [picture px].
        spread_xy: (n,) root of the mean squared distance of the answers [face sizes].
        spread_z: (n,) the same for z.
        size: Longer side of the landmarks' box [picture px].
    """

    landmarks: Float[Tensor, "n 3"]
    spread_xy: Float[Tensor, " n"]
    spread_z: Float[Tensor, " n"]
    size: float


def consensus(answers: Float[Tensor, "v n 3"]) -> Consensus:
    """The trimmed mean of answers, and their spread about it.

    Args:
        answers: Landmarks of the same face [picture px].
    """
    left_out = int(len(answers) * _TRIM)
    kept = answers.sort(dim=0).values[left_out : len(answers) - left_out]
    landmarks = kept.mean(0)
    size = box_size(landmarks)
    squared = (answers - landmarks).square().mean(0) / size**2  # n 3
    return Consensus(landmarks, squared[:, :2].sum(1).sqrt(), squared[:, 2].sqrt(), size)


def box_size(landmarks: Float[Tensor, "n 3"]) -> float:
    """Longer side of the upright box around a face, which is its size here [px]."""
    xy = landmarks[:, :2]
    return max(float((xy.amax(0) - xy.amin(0)).amax()), 1e-6)


def weight(spread: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """What a label counts: 1 where all looks agree, half at a spread of `HALF`.

    Labels with an error of variance proportional to 1 + (spread / HALF)^2 are best weighted so.
    `HALF` is measured on x and y, and serves z without having been measured there.

    Args:
        spread: Of x and y, or of z [face sizes].
    """
    return 1.0 / (1.0 + (spread / HALF).square())
