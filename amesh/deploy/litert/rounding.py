"""Rounds kernels so that a file compresses well, while its arithmetic stays in single precision.

`gzip` finds nothing in the low bits of a network's numbers. Multiples of a power of two have zeros
there, and few different bytes before them. One step for all numbers of a kernel adds less error, at
the same size, than fewer significant bits for each.
"""

import numpy as np
from jaxtyping import Float32

# Smaller kernels, most of them depthwise, hold 3 % of the numbers and would add half of the error.
_SMALLEST = 2048
_STEPS = 9  # a kernel's standard deviation is about two to this power of its steps


def compressible(kernel: Float32[np.ndarray, "o h w i"]) -> Float32[np.ndarray, "o h w i"]:
    """Rounds a large kernel to multiples of a power of two; a small one stays as it is."""
    deviation = kernel.std()
    if kernel.size < _SMALLEST or deviation == 0:
        return kernel
    step = np.exp2(np.rint(np.log2(deviation)) - _STEPS).astype(np.float32)
    rounded: np.ndarray = np.rint(kernel / step) * step
    return rounded
