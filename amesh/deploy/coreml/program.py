"""Computes a Core ML program in PyTorch, to check it on machines without Core ML.

The program is read back from the files of the package, so that what is computed is what was
written. The operators do what Apple's documentation of MIL says of them.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float32
from torch import Tensor

from amesh.deploy.exported_file import in_batches
from amesh.deploy.signature import INPUT
from amesh.errors import UserError
from amesh.files import write_folder

_WEIGHTS = "Data/com.apple.CoreML/weights"
_KINDS = {"fp32": torch.float32, "int32": torch.int32, "bool": torch.bool}


class Program:
    """The program of a package: arrays in, arrays by output name out."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Reads the program.

        Args:
            files: The package's files, by their path in it.

        Raises:
            UserError: It has an operator that is not known here.
        """
        from coremltools.converters.mil.frontend.milproto.load import load
        from coremltools.models.utils import load_spec

        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "network.mlpackage"
            write_folder(package, files)
            spec = load_spec(str(package))
            weights = str(package / _WEIGHTS)
            loaded = load(spec, spec.specificationVersion, file_weights_dir=weights)
        self._function = loaded.functions["main"]
        self._operations = [one for one in self._function.operations if one.op_type != "const"]
        strange = {one.op_type for one in self._operations} - set(_OPERATORS)
        if strange:
            raise UserError(f"the Core ML program has unknown operators: {', '.join(strange)}")
        self.inputs = {name: tuple(one.shape) for name, one in self._function.inputs.items()}
        self.outputs = {one.name: tuple(one.shape) for one in self._function.outputs}

    @torch.inference_mode()
    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        """Computes the program once."""
        values: dict[str, Any] = {name: torch.from_numpy(one) for name, one in arrays.items()}

        def value(given: Any) -> Any:
            if isinstance(given, list | tuple):
                return [value(one) for one in given]
            if given.name in values:
                return values[given.name]
            constant = given.val
            if isinstance(constant, np.ndarray) and constant.dtype.kind in "fiub":
                return torch.from_numpy(np.array(constant))
            return constant

        for one in self._operations:
            inputs = {name: value(given) for name, given in one.inputs.items() if given is not None}
            found = _OPERATORS[one.op_type](**inputs)
            found = found if isinstance(found, list | tuple) else [found]
            values.update(zip((output.name for output in one.outputs), found, strict=True))
        return {name: values[name].numpy() for name in self.outputs}

    def run_crops(self, crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        """Computes the program for any number of crops, in batches of its size."""
        images = np.ascontiguousarray(crops.transpose(0, 3, 1, 2))  # b s s 3 -> b 3 s s
        size = self.inputs[INPUT][0]
        return in_batches(lambda some: self(**{INPUT: some}), images, size, size, self.outputs)


def _numbers(given: Any) -> list[int]:
    return [int(n) for n in given]


def _pad(x: Tensor, pad: Any, mode: str = "constant", constant_val: float = 0.0) -> Tensor:
    pairs = torch.as_tensor(pad).reshape(-1, 2).flip(0)  # PyTorch begins with the last axis
    return F.pad(x, _numbers(pairs.reshape(-1)), mode, float(constant_val))


def _padded(x: Tensor, pad_type: str, pad: Any, fill: float) -> Tensor:
    if pad_type == "valid" or pad is None:
        return x
    if pad_type != "custom":
        raise UserError(f"the Core ML program pads by {pad_type!r}, which is not known here")
    return _pad(x, pad, constant_val=fill)


def _conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    strides: Any = (1, 1),
    pad_type: str = "valid",
    pad: Any = None,
    dilations: Any = (1, 1),
    groups: int = 1,
) -> Tensor:
    x = _padded(x, pad_type, pad, 0.0)
    return F.conv2d(x, weight, bias, _numbers(strides), 0, _numbers(dilations), int(groups))


def _max_pool(
    x: Tensor,
    kernel_sizes: Any,
    strides: Any = (1, 1),
    pad_type: str = "valid",
    pad: Any = None,
    ceil_mode: bool = False,
) -> Tensor:
    x = _padded(x, pad_type, pad, -torch.inf)
    return F.max_pool2d(x, _numbers(kernel_sizes), _numbers(strides), ceil_mode=bool(ceil_mode))


def _slice(
    x: Tensor,
    begin: Any,
    end: Any,
    stride: Any = None,
    begin_mask: Any = None,
    end_mask: Any = None,
    squeeze_mask: Any = None,
) -> Tensor:
    places: list[Any] = []
    for axis in range(x.ndim):
        if squeeze_mask is not None and squeeze_mask[axis]:
            places.append(int(begin[axis]))
            continue
        start = None if begin_mask is not None and begin_mask[axis] else int(begin[axis])
        stop = None if end_mask is not None and end_mask[axis] else int(end[axis])
        places.append(slice(start, stop, 1 if stride is None else int(stride[axis])))
    return x[tuple(places)]


def _gather(
    x: Tensor, indices: Tensor, axis: int = 0, batch_dims: int = 0, validate_indices: bool = False
) -> Tensor:
    rows = x.index_select(int(axis), indices.reshape(-1).long())
    axis = int(axis) % x.ndim
    return rows.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _matmul(x: Tensor, y: Tensor, transpose_x: bool = False, transpose_y: bool = False) -> Tensor:
    return (x.mT if transpose_x else x) @ (y.mT if transpose_y else y)


def _split(
    x: Tensor, axis: int, split_sizes: Any = None, num_splits: int | None = None
) -> list[Tensor]:
    if split_sizes is None:
        return list(x.chunk(int(num_splits or 1), int(axis)))
    return list(x.split(_numbers(split_sizes), int(axis)))


def _expand_dims(x: Tensor, axes: Any) -> Tensor:
    for axis in sorted(n % (x.ndim + len(axes)) for n in _numbers(axes)):
        x = x.unsqueeze(axis)
    return x


# By MIL's names, with MIL's names of the inputs.
_OPERATORS: dict[str, Any] = {
    "add": lambda x, y: x + y,
    "cast": lambda x, dtype: x.to(_KINDS[dtype]),
    "concat": lambda values, axis, interleave=False: torch.cat(values, int(axis)),
    "conv": _conv,
    "equal": lambda x, y: x == y,
    "expand_dims": _expand_dims,
    "floor": lambda x: x.floor(),
    "gather": _gather,
    "linear": F.linear,
    "matmul": _matmul,
    "max_pool": _max_pool,
    "maximum": lambda x, y: torch.maximum(x, torch.as_tensor(y, dtype=x.dtype)),
    "minimum": lambda x, y: torch.minimum(x, torch.as_tensor(y, dtype=x.dtype)),
    "mul": lambda x, y: x * y,
    "pad": _pad,
    "prelu": lambda x, alpha: F.prelu(x, alpha),
    "real_div": lambda x, y: x / y,
    "reduce_max": lambda x, axes, keep_dims=False: x.amax(_numbers(axes), bool(keep_dims)),
    "reduce_min": lambda x, axes, keep_dims=False: x.amin(_numbers(axes), bool(keep_dims)),
    "reduce_sum": lambda x, axes, keep_dims=False: x.sum(_numbers(axes), bool(keep_dims)),
    "relu": lambda x: x.relu(),
    "reshape": lambda x, shape: x.reshape(_numbers(shape)),
    "rsqrt": lambda x, epsilon=1e-12: torch.rsqrt(x + float(epsilon)),
    "sigmoid": lambda x: x.sigmoid(),
    "slice_by_index": _slice,
    "split": _split,
    "squeeze": lambda x, axes: x.squeeze(tuple(_numbers(axes))),
    "stack": lambda values, axis: torch.stack(values, int(axis)),
    "sub": lambda x, y: x - y,
    "transpose": lambda x, perm: x.permute(_numbers(perm)),
}
