"""Functions for arrays of NumPy and of PyTorch: running needs no PyTorch, training needs tensors.

Convention:
    - a function of `affine` and `roi` returns arrays of the library that its arguments come from
    - it uses only what both libraries call by the same name, with axes as positional arguments
"""

from typing import Any

import numpy as np

# A NumPy array or a PyTorch tensor; jaxtyping checks shape and type of either.
Array = Any


def namespace(array: Array) -> Any:
    """The module whose functions work on this array: `numpy` or `torch`.

    PyTorch is imported only where somebody passes a tensor, and so has imported it already.
    `array_api_compat` does the same for more libraries, but takes 0.15 s to import, ten times as
    long per call, and warns where PyTorch compiles or exports a function.
    """
    if isinstance(array, np.ndarray):
        return np
    import torch

    return torch
