"""Reads the operators and constants of a TFLite file, as far as converting weights needs them.

The schema classes are those of the `tflite` package, generated from TensorFlow's schema.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tflite
from flatbuffers import flexbuffers
from jaxtyping import Float32

from amesh.errors import UserError

_NUMPY_TYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
_OPERATOR_NAMES = {
    value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)
}


@dataclass(frozen=True)
class Operator:
    """One operator of the graph.

    Attributes:
        name: Builtin name such as `CONV_2D`, or the custom operator's own name.
        inputs: Tensor ids; -1 stands for an absent optional input.
        outputs: Tensor ids.
        constants: The constant inputs in order (kernel, bias, PReLU slope, ...), as float32 or
            int32, in the file's layout.
        custom: Parameters of a custom operator; empty otherwise.
    """

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    constants: tuple[np.ndarray, ...] = ()
    custom: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TfliteFile:
    """The main graph of a file: operators in execution order, without DEQUANTIZE and DENSIFY."""

    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    shapes: dict[int, tuple[int, ...]]

    def named(self, *names: str) -> list[Operator]:
        """The operators with one of these names, in order."""
        return [operator for operator in self.operators if operator.name in names]


def read(content: bytes, source: str | Path = "tflite file") -> TfliteFile:
    """Parses a TFLite file; fp16 and sparse constants are expanded to dense float32.

    Args:
        content: The file's bytes.
        source: Name of the file in error messages.

    Raises:
        UserError: The bytes are not a TFLite model.
    """
    if content[4:8] != b"TFL3":
        raise UserError(f"{source}: not a TFLite model (no TFL3 identifier)")
    try:
        return _parse(content)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        # The generated accessors follow offsets blindly, so damage can raise any of these.
        raise UserError(f"{source}: a damaged TFLite model ({error})") from error


def _parse(content: bytes) -> TfliteFile:
    model = tflite.Model.GetRootAsModel(content, 0)
    graph = model.Subgraphs(0)
    constants = {
        i: array
        for i in range(graph.TensorsLength())
        if (array := _constant(model, graph.Tensors(i))) is not None
    }
    operators = []
    for position in range(graph.OperatorsLength()):
        raw = graph.Operators(position)
        inputs, outputs = _ids(raw.InputsAsNumpy()), _ids(raw.OutputsAsNumpy())
        code = model.OperatorCodes(raw.OpcodeIndex())
        name = _OPERATOR_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        if name in ("DEQUANTIZE", "DENSIFY") and inputs[0] in constants:
            constants[outputs[0]] = _as_float32(constants[inputs[0]])
            continue
        custom: dict[str, Any] = {}
        if name == "CUSTOM":
            name = code.CustomCode().decode()
            if raw.CustomOptionsLength():
                custom = flexbuffers.GetRoot(bytes(raw.CustomOptionsAsNumpy())).Value
        operators.append(
            Operator(
                name,
                inputs,
                outputs,
                tuple(_as_float32(constants[i]) for i in inputs if i in constants),
                custom,
            )
        )
    shapes = {i: _ids(graph.Tensors(i).ShapeAsNumpy()) for i in range(graph.TensorsLength())}
    return TfliteFile(
        tuple(operators), _ids(graph.InputsAsNumpy()), _ids(graph.OutputsAsNumpy()), shapes
    )


def _ids(values: np.ndarray | Sequence[int] | int) -> tuple[int, ...]:
    # The generated accessors return the int 0, not an empty array, for an absent vector.
    return () if isinstance(values, int) else tuple(int(value) for value in values)


def _as_float32(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _constant(model: Any, tensor: Any) -> np.ndarray | None:
    data = model.Buffers(tensor.Buffer()).DataAsNumpy()
    dtype = _NUMPY_TYPES.get(tensor.Type())
    if isinstance(data, int) or dtype is None:
        return None
    values = np.frombuffer(data.tobytes(), dtype)
    shape = _ids(tensor.ShapeAsNumpy())
    if tensor.Sparsity() is not None:
        return _dense(values, shape, tensor.Sparsity())
    return values.reshape(shape)


def _dense(values: np.ndarray, shape: tuple[int, ...], sparsity: Any) -> Float32[np.ndarray, "..."]:
    """Expands TFLite's sparse encoding, a tree of dense and compressed (CSR) dimensions.

    Dimensions are walked in traversal order; those at or past `len(shape)` are blocks inside the
    dimension that the block map names.
    """
    order = _ids(sparsity.TraversalOrderAsNumpy())
    block_map = _ids(sparsity.BlockMapAsNumpy())
    levels = [sparsity.DimMetadata(level) for level in range(sparsity.DimMetadataLength())]
    block_sizes = [levels[len(shape) + k].DenseSize() for k in range(len(block_map))]
    # One row of coordinates per stored value so far, refined level by level.
    coordinates = np.zeros((1, len(order)), dtype=np.int64)
    for level, metadata in enumerate(levels):
        if metadata.Format() == tflite.DimensionType.DENSE:
            size = metadata.DenseSize()
            coordinates = np.repeat(coordinates, size, axis=0)
            coordinates[:, level] = np.tile(np.arange(size), len(coordinates) // size)
        else:
            segments = _sparse_vector(metadata.ArraySegments(), metadata.ArraySegmentsType())
            indices = _sparse_vector(metadata.ArrayIndices(), metadata.ArrayIndicesType())
            coordinates = np.repeat(coordinates, np.diff(segments), axis=0)
            coordinates[:, level] = indices
    dense = np.zeros(shape, dtype=np.float32)
    position = np.zeros((len(coordinates), len(shape)), dtype=np.int64)
    for level, dimension in enumerate(order):
        if dimension < len(shape):
            scale = block_sizes[block_map.index(dimension)] if dimension in block_map else 1
            position[:, dimension] += coordinates[:, level] * scale
        else:
            position[:, block_map[dimension - len(shape)]] += coordinates[:, level]
    dense[tuple(position.T)] = values[: len(position)].astype(np.float32)
    return dense


def _sparse_vector(table: Any, kind: int) -> np.ndarray:
    vector = {
        tflite.SparseIndexVector.Int32Vector: tflite.Int32Vector,
        tflite.SparseIndexVector.Uint16Vector: tflite.Uint16Vector,
        tflite.SparseIndexVector.Uint8Vector: tflite.Uint8Vector,
    }[kind]()
    vector.Init(table.Bytes, table.Pos)
    return np.asarray(vector.ValuesAsNumpy(), dtype=np.int64)
