"""Writes TFLite files: collects tensors and operators in order, then serialises a flatbuffer.

There is no converter in between: the file contains exactly the operators that an exporter adds.
The schema is that of the `tflite` package. Nothing in the bytes depends on the machine or the
time, so the same graph always gives the same file.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
import tflite

# Version of the TFLite schema; the runtimes reject others.
_SCHEMA_VERSION = 3
_TYPES = {
    np.dtype(np.float32): tflite.TensorType.FLOAT32,
    np.dtype(np.float16): tflite.TensorType.FLOAT16,
    np.dtype(np.int32): tflite.TensorType.INT32,
}
SIGNATURE_KEY = "serving_default"


@dataclass(frozen=True)
class Value:
    """A tensor of a graph.

    Attributes:
        index: Its position among the graph's tensors.
        shape: Its shape.
        dtype: Its type.
    """

    index: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class _Operator:
    code: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: str
    fields: Mapping[str, int]


class Graph:
    """A TFLite graph under construction."""

    def __init__(self) -> None:
        self._tensors: list[tuple[Value, str, int]] = []  # value, name, buffer
        self._buffers: list[bytes] = [b""]  # the first one is empty, for computed tensors
        self._codes: list[tuple[str, int]] = []
        self._operators: list[_Operator] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Value] = {}
        self._names: dict[str, int] = {}
        self._scope: list[str] = []
        self.inputs: dict[str, Value] = {}

    @contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Prefixes the names of everything added inside, like a module's name."""
        self._scope.append(name)
        yield
        self._scope.pop()

    def input(self, name: str, shape: Sequence[int]) -> Value:
        """Adds a float32 input."""
        value = self._tensor(name, tuple(shape), np.dtype(np.float32), 0)
        self.inputs[name] = value
        return value

    def constant(self, array: np.ndarray, name: str = "constant") -> Value:
        """Adds a constant, or reuses one with the same values."""
        array = np.ascontiguousarray(array)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            self._buffers.append(key[2])
            buffer = len(self._buffers) - 1
            self._constants[key] = self._tensor(name, array.shape, array.dtype, buffer)
        return self._constants[key]

    def operator(
        self,
        name: str,
        inputs: Sequence[Value],
        shape: Sequence[int],
        *,
        options: str = "",
        version: int = 1,
        dtype: np.dtype[Any] | None = None,
        **fields: int,
    ) -> Value:
        """Adds a builtin operator with one output.

        Args:
            name: Its name in the schema, such as `CONV_2D`.
            inputs: Its inputs in the schema's order.
            shape: Shape of its output.
            options: Name of the schema's table for its options.
            version: Operator version that its inputs require; runtimes check it.
            dtype: Type of its output; by default that of the first input.
            fields: The options by their names in the schema, capitalised.
        """
        code = (name, version)
        if code not in self._codes:
            self._codes.append(code)
        dtype = inputs[0].dtype if dtype is None else np.dtype(dtype)
        output = self._tensor(name.lower(), tuple(int(n) for n in shape), dtype, 0)
        indices = tuple(value.index for value in inputs)
        self._operators.append(
            _Operator(self._codes.index(code), indices, (output.index,), options, fields)
        )
        return output

    def to_bytes(
        self,
        outputs: Mapping[str, Value],
        description: str,
        metadata: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """Serialises the file.

        Args:
            outputs: The outputs by name, in order.
            description: Description for people, shown in viewers.
            metadata: Metadata of the file, by name.
        """
        metadata = metadata or {}
        for name, value in outputs.items():
            self._tensors[value.index] = (value, name, self._tensors[value.index][2])
        builder = flatbuffers.Builder(sum(len(buffer) for buffer in self._buffers) + 2**16)
        stored = [*self._buffers, *metadata.values()]
        buffers = offsets_of(builder, [buffer_table(builder, data) for data in stored])
        tensors = offsets_of(builder, [_tensor(builder, *tensor) for tensor in self._tensors])
        operators = offsets_of(builder, [_operator(builder, one) for one in self._operators])
        codes = offsets_of(builder, [code_table(builder, *code) for code in self._codes])
        ends = (list(self.inputs.values()), list(outputs.values()))
        input_ids, output_ids = (ints(builder, [v.index for v in end]) for end in ends)
        subgraph = table(
            builder,
            "SubGraph",
            Name=builder.CreateString("main"),
            Tensors=tensors,
            Operators=operators,
            Inputs=input_ids,
            Outputs=output_ids,
        )
        signature = table(
            builder,
            "SignatureDef",
            SignatureKey=builder.CreateString(SIGNATURE_KEY),
            Inputs=tensor_maps(builder, {n: v.index for n, v in self.inputs.items()}),
            Outputs=tensor_maps(builder, {n: v.index for n, v in outputs.items()}),
        )
        entries = [
            table(builder, "Metadata", Name=builder.CreateString(name), Buffer=buffer)
            for buffer, name in enumerate(metadata, start=len(self._buffers))
        ]
        model = table(
            builder,
            "Model",
            Description=builder.CreateString(description),
            Buffers=buffers,
            OperatorCodes=codes,
            Subgraphs=offsets_of(builder, [subgraph]),
            SignatureDefs=offsets_of(builder, [signature]),
            Metadata=offsets_of(builder, entries),
            Version=_SCHEMA_VERSION,
        )
        builder.Finish(model, IDENTIFIER)
        return bytes(builder.Output())

    def _tensor(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], buffer: int
    ) -> Value:
        path = "/".join([*self._scope, name])
        count = self._names[path] = self._names.get(path, 0) + 1
        value = Value(len(self._tensors), shape, dtype)
        self._tensors.append((value, path if count == 1 else f"{path}_{count}", buffer))
        return value


def _tensor(builder: Any, value: Value, name: str, buffer: int) -> int:
    return table(
        builder,
        "Tensor",
        Name=builder.CreateString(name),
        Shape=ints(builder, value.shape),
        Type=_TYPES[value.dtype],
        Buffer=buffer,
        HasRank=True,
    )


def _operator(builder: Any, operator: _Operator) -> int:
    fields: dict[str, int] = {
        "OpcodeIndex": operator.code,
        "Inputs": ints(builder, operator.inputs),
        "Outputs": ints(builder, operator.outputs),
    }
    if operator.options:
        fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, operator.options)
        fields["BuiltinOptions"] = table(builder, operator.options, **operator.fields)
    return table(builder, "Operator", **fields)


IDENTIFIER = b"TFL3"
# Alignment of what a runtime may map into memory and read with vector instructions [bytes].
_ALIGNMENT = 16


def read_metadata(content: bytes, name: str) -> bytes:
    """Reads a metadata entry of a file; empty if there is none."""
    if content[4:8] != IDENTIFIER:
        return b""
    model = tflite.Model.GetRootAsModel(content, 0)
    for i in range(model.MetadataLength()):
        entry = model.Metadata(i)
        if entry.Name() == name.encode():
            data = model.Buffers(entry.Buffer()).DataAsNumpy()
            return b"" if isinstance(data, int) else data.tobytes()
    return b""


def table(builder: Any, name: str, **fields: int) -> int:
    """Writes a table of the schema; its vectors and strings are given by their offsets."""
    getattr(tflite, f"{name}Start")(builder)
    for field, value in fields.items():
        getattr(tflite, f"{name}Add{field}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def offsets_of(builder: Any, offsets: Sequence[int]) -> int:
    """Writes a vector of tables."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def ints(builder: Any, values: Sequence[int]) -> int:
    """Writes a vector of int32."""
    return int(builder.CreateNumpyVector(np.array(values, dtype=np.int32)))


def buffer_table(builder: Any, data: bytes) -> int:
    """Writes a constant's buffer; empty for computed tensors."""
    if not data:
        return table(builder, "Buffer")
    builder.StartVector(1, len(data), _ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return table(builder, "Buffer", Data=int(builder.EndVector()))


def code_table(builder: Any, name: str, version: int) -> int:
    """Writes the code of a builtin operator in a given version."""
    code = getattr(tflite.BuiltinOperator, name)
    # Older readers use the deprecated 7-bit field.
    deprecated = min(code, tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    return table(
        builder,
        "OperatorCode",
        DeprecatedBuiltinCode=deprecated,
        BuiltinCode=code,
        Version=version,
    )


def tensor_maps(builder: Any, indices: Mapping[str, int]) -> int:
    """Writes the tensors of a signature by name."""
    maps = [
        table(builder, "TensorMap", Name=builder.CreateString(name), TensorIndex=index)
        for name, index in indices.items()
    ]
    return offsets_of(builder, maps)
