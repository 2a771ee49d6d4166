"""Tables and vectors of the TFLite schema, written from the inside out as flatbuffers are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tflite

IDENTIFIER = b"TFL3"
# What a runtime may map into memory and read with vector instructions [bytes].
_ALIGNMENT = 16


def read_metadata(content: bytes, name: str) -> bytes:
    """What a file carries under a name; nothing where it does not."""
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
    """Writes one table of the schema; vectors and strings in it are given by their offsets."""
    getattr(tflite, f"{name}Start")(builder)
    for field, value in fields.items():
        getattr(tflite, f"{name}Add{field}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def offsets_of(builder: Any, offsets: Sequence[int]) -> int:
    """A vector of tables."""
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def ints(builder: Any, values: Sequence[int]) -> int:
    """A vector of int32."""
    return int(builder.CreateNumpyVector(np.array(values, dtype=np.int32)))


def buffer_table(builder: Any, data: bytes) -> int:
    """A constant's bytes; without any, the buffer of what is computed."""
    if not data:
        return table(builder, "Buffer")
    builder.StartVector(1, len(data), _ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return table(builder, "Buffer", Data=int(builder.EndVector()))


def code_table(builder: Any, name: str, version: int) -> int:
    """A builtin operator in the version that is asked for."""
    code = getattr(tflite.BuiltinOperator, name)
    # Readers older than the wider field look at the deprecated one, of 7 bits.
    deprecated = min(code, tflite.BuiltinOperator.PLACEHOLDER_FOR_GREATER_OP_CODES)
    return table(
        builder,
        "OperatorCode",
        DeprecatedBuiltinCode=deprecated,
        BuiltinCode=code,
        Version=version,
    )


def tensor_maps(builder: Any, indices: Mapping[str, int]) -> int:
    """The tensors of a signature by name."""
    maps = [
        table(builder, "TensorMap", Name=builder.CreateString(name), TensorIndex=index)
        for name, index in indices.items()
    ]
    return offsets_of(builder, maps)
