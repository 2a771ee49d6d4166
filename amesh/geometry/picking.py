"""Row selection by index without copying the indices to the device every time.

Convention:
    - `pick(points, (3, 1))` is `points[:, [3, 1]]`: along the second axis, in the given order
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Int64, Shaped
from torch import Tensor


def pick(values: Shaped[Tensor, "b n *d"], indices: Sequence[int]) -> Shaped[Tensor, "b k *d"]:
    """Selects rows of every batch entry.

    Indexing with a list copies the list to the device and waits for the copy, which stalls a GPU
    several times per step.

    Args:
        values: Tensor to select from.
        indices: Rows to select.
    """
    if torch.compiler.is_compiling():  # or exporting: a list becomes a constant of the graph
        return values[:, list(indices)]
    return values.index_select(1, rows(tuple(indices), str(values.device)))


@lru_cache(maxsize=256)
def rows(indices: tuple[int, ...], device: str) -> Int64[Tensor, " k"]:
    """Returns the indices as a cached tensor on the device."""
    with torch.inference_mode(False):  # a tensor cached during validation must work in training
        return torch.tensor(indices, device=device)
