"""Rows of a tensor by their numbers, without a copy from the processor to the device each time.

Convention:
    - `pick(points, (3, 1))` is `points[:, [3, 1]]`: the second axis, in the order given
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor


def pick(values: Shaped[Tensor, "b n *d"], indices: Sequence[int]) -> Shaped[Tensor, "b k *d"]:
    """Some rows of every batch entry.

    Indexing with a list sends the list to the device and waits until it is there: a GPU then runs
    dry several times a step.

    Args:
        values: What to pick from.
        indices: Which rows.
    """
    if torch.compiler.is_compiling():  # or exporting: there a list becomes a constant
        return values[:, list(indices)]
    return values.index_select(1, rows(tuple(indices), str(values.device)))


@lru_cache(maxsize=256)
def rows(indices: tuple[int, ...], device: str) -> Int64[Tensor, " k"]:
    """The numbers on the device; kept."""
    with torch.inference_mode(False):  # kept from a validation, it has to serve training too
        return torch.tensor(indices, device=device)
