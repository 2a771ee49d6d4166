"""Reduces weighted sums to one loss that does not depend on the number of processes.

DDP averages gradients over ranks. If each rank divided by its own weights, labels would count more
on ranks with few of them. The divisor is therefore the mean weight per rank.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, distributed


class Weighted(NamedTuple):
    """The numerator and denominator of a weighted mean.

    Attributes:
        total: Sum of the weighted losses.
        weight: Sum of the weights.
    """

    total: Float[Tensor, ""]
    weight: Float[Tensor, ""]


def means(terms: Mapping[str, Weighted]) -> dict[str, Float[Tensor, ""]]:
    """Returns this process's part of each term's mean; 0 if nothing is labelled.

    The mean of the parts over the ranks is the mean over all samples. All terms share one
    all-reduce.
    """
    weights = summed(torch.stack([term.weight for term in terms.values()]))
    # Without any weight, the total is 0 too: the result is 0 / 1.
    divisors = torch.where(weights > 0, weights, 1.0) / _ranks()
    return {
        name: term.total / divisor
        for (name, term), divisor in zip(terms.items(), divisors, strict=True)
    }


def combined(
    parts: Mapping[str, Float[Tensor, ""]], weight: Callable[[str], float]
) -> Float[Tensor, ""]:
    """Returns the loss: the weighted sum of its parts.

    Parts of weight 0 stay in the sum so that every parameter has a gradient, as DDP requires.
    """
    return torch.stack([weight(name) * part for name, part in parts.items()]).sum()


def averaged(parts: Mapping[str, Float[Tensor, ""]]) -> dict[str, Float[Tensor, ""]]:
    """Returns the parts' means over the ranks, for logging, using one all-reduce."""
    values = summed(torch.stack([part.detach() for part in parts.values()])) / _ranks()
    return dict(zip(parts, values.unbind(), strict=True))


def summed(values: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """Sums over the ranks, without a gradient."""
    values = values.detach().clone()
    if _ranks() > 1:
        distributed.all_reduce(values)
    return values


def _ranks() -> int:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size()
    return 1
