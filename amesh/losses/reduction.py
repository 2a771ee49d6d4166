"""From weighted sums to one loss, such that several processes make what one would.

DDP averages gradients over ranks. A rank that divided by its own weights would give labels a
heavier say where they are few; so the divisor is the sum over all ranks, and times their number,
which the average takes out again.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, distributed


class Weighted(NamedTuple):
    """A weighted mean that has not been divided yet.

    Attributes:
        total: Sum of the weighted losses.
        weight: Sum of the weights.
    """

    total: Float[Tensor, ""]
    weight: Float[Tensor, ""]


def means(terms: Mapping[str, Weighted]) -> dict[str, Float[Tensor, ""]]:
    """This process's part of each term's mean over all processes; 0 where nothing is labelled.

    The mean of the parts over the ranks is the mean over all samples. One exchange for all terms.
    """
    weights = summed(torch.stack([term.weight for term in terms.values()]))
    # Without any weight the total is 0 too: 0 / 1.
    divisors = torch.where(weights > 0, weights, 1.0) / _ranks()
    return {
        name: term.total / divisor
        for (name, term), divisor in zip(terms.items(), divisors, strict=True)
    }


def combined(
    parts: Mapping[str, Float[Tensor, ""]], weight: Callable[[str], float]
) -> Float[Tensor, ""]:
    """The loss: its parts by their weights.

    A part of weight 0 stays in the sum, so that every parameter has a gradient, as DDP expects.
    """
    return torch.stack([weight(name) * part for name, part in parts.items()]).sum()


def averaged(parts: Mapping[str, Float[Tensor, ""]]) -> dict[str, Float[Tensor, ""]]:
    """The parts' mean over the ranks, for the log; one exchange for all of them."""
    values = summed(torch.stack([part.detach() for part in parts.values()])) / _ranks()
    return dict(zip(parts, values.unbind(), strict=True))


def summed(values: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """The sum over the ranks, without a gradient."""
    values = values.detach().clone()
    if _ranks() > 1:
        distributed.all_reduce(values)
    return values


def _ranks() -> int:
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size()
    return 1
