"""Losses of points: distances in percent of the face's size, with a weight for each point.

A weight of 0 means unlabelled: the coordinates of such a point, even NaN, affect neither the loss
nor any gradient.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from amesh.data.label_weights import spread_of
from amesh.geometry.picking import pick
from amesh.losses.config import LossConfig
from amesh.losses.reduction import Weighted

# Added to squared lengths to keep the gradient finite at 0.
_TINY = 1e-12
# Smallest face size, relative to that of the mean face in a well-cut crop. Labels give smaller
# values only if they say nothing useful about the size: a profile without z, or a missing eye.
_SMALLEST = 0.5
# Least error, and least expected error, relative to the face's size: no label is more exact. It
# keeps the loss finite where a network is certain, or right.
_EXACT = 1e-4


def face_size(
    landmarks: Float[Tensor, "b n 3"],
    weight_xy: Float[Tensor, "b n"],
    weight_z: Float[Tensor, "b n"],
    anchors: tuple[int, int],
    usual: float,
) -> Float[Tensor, " b"]:
    """Returns the length that normalises errors: the 3-D distance of the outer eye corners.

    If z is unlabelled, the distance in the image is used; if an anchor is unlabelled, `usual`. The
    result is at least half of `usual`, which bounds the weight of any face.

    Args:
        landmarks: Ground truth [px].
        weight_xy: Weights of x and y.
        weight_z: Weights of z.
        anchors: The outer corners of the eyes.
        usual: Their distance in a typical face [px].
    """
    first, second = anchors
    line = landmarks[:, second] - landmarks[:, first]  # b 3
    has_xy = pick(weight_xy, anchors).amin(1) > 0
    has_z = pick(weight_z, anchors).amin(1) > 0
    depth = torch.where(has_z, line[:, 2], 0.0)
    seen = (line[:, :2].square().sum(-1) + depth.square()).sqrt()
    return torch.where(has_xy, seen, usual).clamp(min=_SMALLEST * usual)


def shaped(error: Float[Tensor, "*s"], config: LossConfig) -> Float[Tensor, "*s"]:
    """Converts distances [%] to losses by the config's shape; `wing` is continuous."""
    if config.shape == "l1":
        return error
    if config.shape == "l2":
        return error.square()
    width, curvature = config.wing_width, config.wing_curvature
    bend = math.log1p(width / curvature)
    near = width * torch.log1p(error / curvature)
    return torch.where(error < width, near, error - width + width * bend)


def xy_term(
    predicted: Float[Tensor, "b k 2"],
    truth: Float[Tensor, "b k 2"],
    weight: Float[Tensor, "b k"],
    size: Float[Tensor, " b"],
    config: LossConfig,
) -> Weighted:
    """Computes the loss of x and y.

    Args:
        predicted: Predicted points [px].
        truth: Ground truth [px].
        weight: Weights of the points.
        size: The face's size [px].
        config: The shape of the loss.
    """
    error = _length(predicted - _labelled(truth, predicted, weight[..., None]))
    loss = shaped(100 * error / size[:, None], config)
    return Weighted((loss * weight).sum(), weight.sum())


def z_term(
    predicted: Float[Tensor, "b k"],
    truth: Float[Tensor, "b k"],
    weight: Float[Tensor, "b k"],
    size: Float[Tensor, " b"],
    config: LossConfig,
) -> Weighted:
    """Computes the loss of z, in the unit of x; without the mean error if `relative_z` is set."""
    error = predicted - _labelled(truth, predicted, weight)
    if config.relative_z:
        mean = (error * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True).clamp(min=_TINY)
        error = error - mean
    loss = shaped(100 * error.abs() / size[:, None], config)
    return Weighted((loss * weight).sum(), weight.sum())


def theta_term(
    predicted: Float[Tensor, "b r 2 3"],
    truth: Float[Tensor, "b r 2 3"],
    weight: Float[Tensor, "b r"],
    size: Float[Tensor, " b"],
    input_size: int,
    config: LossConfig,
) -> Weighted:
    """Computes the loss of the crops' positions from the distances of their corners.

    All six numbers of theta, including shear, move the corners, so this compares them in one unit.

    Args:
        predicted: Thetas predicted by the network.
        truth: Thetas computed from the ground truth.
        weight: Weights of the crops.
        size: The face's size [px].
        input_size: Side of the picture that normalised coordinates span [px].
        config: The shape of the loss.
    """
    known = _labelled(truth, predicted, weight[..., None, None])
    along, down, shift = ((predicted - known) * (input_size / 2)).unbind(-1)  # b r 2 [px]
    corners = [shift + u * along + v * down for u in (-1, 1) for v in (-1, 1)]
    error = _length(torch.stack(corners, dim=-2)).mean(-1)  # b r 4 -> b r
    loss = shaped(100 * error / size[:, None], config)
    return Weighted((loss * weight).sum(), weight.sum())


def expected_error_term(
    expected: Float[Tensor, "b n"],
    predicted: Float[Tensor, "b n 2"],
    truth: Float[Tensor, "b n 2"],
    weight: Float[Tensor, "b n"],
    size: Float[Tensor, " b"],
    config: LossConfig,
) -> Weighted:
    """Computes the loss of the expected errors: error / expected + log(expected).

    This is the negative log-likelihood of a Laplace distribution in two dimensions, up to a factor
    and a constant. It is least where the expected error is the mean of the errors. A label is not
    the truth: how far it may be from that follows from its weight, and is part of the error. Both
    are at least 0.01 % of the face's size.

    All labelled points count alike, and landmarks get no gradient: otherwise a network could learn
    to be wrong where it says so.

    Args:
        expected: Expected distances from the truth [px].
        predicted: Predicted points [px].
        truth: Labels of all points, also of those without weight [px].
        weight: Weights of the labels; see `amesh.data.label_weights`.
        size: The face's size [px].
        config: How far labels are from the truth.
    """
    labelled = (weight > 0).to(weight.dtype)
    known = _labelled(truth, predicted, weight[..., None])
    away = (predicted.detach() - known).square().sum(-1)
    box = (known.amax(1) - known.amin(1)).amax(1)[:, None]
    least = _EXACT * size[:, None]
    spread = config.label_spreads * box * spread_of(weight)
    error = (away + spread.square() + least.square()).sqrt()
    # Raised without a change of the gradient, which pulls it up again.
    expected = expected + (least - expected).clamp(min=0).detach()
    loss = error / expected + (100 * expected / size[:, None]).log()
    return Weighted((loss * labelled).sum(), labelled.sum())


def _length(difference: Float[Tensor, "*b d"]) -> Float[Tensor, "*b"]:
    return (difference.square().sum(-1) + _TINY).sqrt()


def _labelled(truth: Tensor, predicted: Tensor, weight: Tensor) -> Tensor:
    """Returns the ground truth where labelled, and the prediction elsewhere (an error of 0)."""
    return torch.where(weight > 0, truth, predicted.detach())
