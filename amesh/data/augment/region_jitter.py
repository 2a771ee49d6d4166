"""Jitter of the ideal region crops, for the first phase of training.

Paper, "Implementation details": the submodels are first trained on slightly perturbed crops from
the ground truth, then on crops from the network's own landmarks.

Convention:
    - `thetas` are as in `amesh.geometry.region`, by either rule; the jitter moves each crop in its
      own frame, so that an amount means the same for small and large regions
    - all six numbers are jittered: shift, scale along each axis, and the two off-diagonal ones
      (rotation and shear)
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from amesh.data.random import normal
from amesh.geometry.affine import compose


def jitter_thetas(
    thetas: Float[Tensor, "b r 2 3"], amount: float, key: Int64[Tensor, " b"]
) -> Float[Tensor, "b r 2 3"]:
    """Composes thetas with a random affine near the identity; an amount of 0 changes nothing.

    Args:
        thetas: Normalised crop coordinates to normalised coordinates of the map.
        amount: Standard deviation of each of the six numbers [half a crop].
        key: One key per sample, from `amesh.data.random.keys`.
    """
    if amount == 0.0:
        return thetas
    noise = normal(key, "region jitter", thetas.shape[1:]).to(thetas.dtype)
    identity = torch.eye(2, 3, dtype=thetas.dtype, device=thetas.device)
    jittered: Float[Tensor, "b r 2 3"] = compose(thetas, identity + amount * noise)
    return jittered
