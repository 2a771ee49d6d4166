"""Consistency of two views of a face: how far apart the landmarks are that a network finds in them.

It needs no labels, and takes nothing off their errors: it reduces jitter on clips.
"""

from jaxtyping import Float
from torch import Tensor

from amesh.data.loading.sample import Batch
from amesh.geometry import affine
from amesh.losses.config import LossConfig
from amesh.losses.points import xy_term
from amesh.losses.reduction import Weighted
from amesh.losses.terms import sizes
from amesh.nn.network_config import NetworkConfig


def consistency_term(
    first: Float[Tensor, "b n 3"],
    second: Float[Tensor, "b n 3"],
    first_from_second: Float[Tensor, "b 2 3"],
    batch: Batch,
    network: NetworkConfig,
    config: LossConfig,
) -> Weighted:
    """Computes the loss of the difference in x and y; regions without a face do not count.

    Args:
        first: Landmarks in the first views [px].
        second: Those in the second views [px of these].
        first_from_second: Coordinates of the second views to those of the first.
        batch: The first views, with labels that say how large the faces are.
        network: The network that found both.
        config: The shape of the loss.
    """
    back = affine.apply(first_from_second, second[..., :2])
    counts = batch.face * (batch.index >= 0)
    weight = counts[:, None].expand(first.shape[:2])
    return xy_term(first[..., :2], back, weight, sizes(batch, network), config)
