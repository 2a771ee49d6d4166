"""PyTorch's operators that are exported in another form than torch's own, because of the tools.

The symbolic shape inference of ONNX Runtime, on which `quant_pre_process` depends, fails at two of
torch's forms: at ReduceMax and ReduceMin, whose axes are an input since opset 18, and at Resize,
whose scales make the batch a new, unknown number.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from onnx import numpy_helper
from onnxscript import opset18 as op
from torch.nn import functional


def _largest(points: Any, dim: list[int], keepdim: bool = False) -> Any:
    _check_extremes(points, dim, keepdim)
    return _pooled(points)


def _smallest(points: Any, dim: list[int], keepdim: bool = False) -> Any:
    _check_extremes(points, dim, keepdim)
    return op.Neg(_pooled(op.Neg(points)))


def _check_extremes(points: Any, dim: list[int], keepdim: bool) -> None:
    """Only the extremes over the points of each face have a form here."""
    if len(points.shape) != 3 or list(dim) != [1] or keepdim:
        raise NotImplementedError(f"extremes over axes {list(dim)} of {points.shape}")


def _pooled(points: Any) -> Any:
    """Largest coordinates over the points: b k n -> b n.

    TensorRT joins GlobalMaxPool to its neighbours, and makes a kernel of each MaxPool.
    """
    pooled = op.GlobalMaxPool(op.Transpose(points, perm=[0, 2, 1]))  # b n 1
    return op.Squeeze(pooled, _axes(2))


def _doubled(maps: Any, size: Any, align_corners: bool, factors: list[float] | None = None) -> Any:
    """Bilinear interpolation by a factor of 2: one matrix along each axis."""
    if align_corners or list(factors or ()) != [2.0, 2.0]:
        raise NotImplementedError(f"interpolation by {factors}, align_corners={align_corners}")
    h, w = (int(side) for side in maps.shape[2:])
    return op.MatMul(op.MatMul(_constant(_doubling(h).T), maps), _constant(_doubling(w)))


def _doubling(side: int) -> np.ndarray:
    """Share of each number in those of a row of twice the length: n 2n."""
    with torch.no_grad():
        ones = torch.eye(side)[None]
        doubled = functional.interpolate(ones, scale_factor=2, mode="linear", align_corners=False)
    return doubled[0].numpy()


def _axes(*axes: int) -> Any:
    return op.Constant(value_ints=axes)


def _constant(matrix: np.ndarray) -> Any:
    return op.Constant(value=numpy_helper.from_array(np.ascontiguousarray(matrix)))


TRANSLATIONS: dict[Callable[..., Any], Callable[..., Any]] = {
    torch.ops.aten.amax.default: _largest,
    torch.ops.aten.amin.default: _smallest,
    torch.ops.aten.upsample_bilinear2d.vec: _doubled,
}
