"""Adds metadata to existing TFLite files, ours or others'.

A flatbuffer is read forwards from its root, so a new root with longer lists is put before the old
file, whose bytes stay unchanged.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import flatbuffers
import numpy as np
import tflite

from amesh.deploy.litert.flatbuffer import IDENTIFIER, buffer_table, ints, offsets_of, table
from amesh.errors import UserError

# Where MediaPipe looks: https://github.com/google-ai-edge/mediapipe, tasks/metadata.
TASKS_NAME = "TFLITE_METADATA"
_TASKS_IDENTIFIER = b"M001"
# Alignment of constants that the old file may rely on [bytes].
_ALIGNMENT = 64
# Fields of the metadata schema, in order, and its union tags.
_MODEL_SUBGRAPHS, _MODEL_FIELDS = 3, 8
_SUBGRAPH_INPUTS, _SUBGRAPH_OUTPUTS, _SUBGRAPH_FIELDS = 2, 3, 10
_TENSOR_CONTENT, _TENSOR_PROCESS, _TENSOR_FIELDS = 3, 4, 7
_NORMALISATION, _IMAGE = 1, 2
_RGB = 1


def add_metadata(content: bytes, entries: Mapping[str, bytes]) -> bytes:
    """Adds metadata entries to a TFLite file; those of the same name are replaced.

    Raises:
        UserError: The content is not a TFLite file.
    """
    if content[4:8] != IDENTIFIER:
        raise UserError("not a TFLite file: metadata cannot be added")
    model = tflite.Model.GetRootAsModel(content, 0)
    builder = flatbuffers.Builder(2 * len(content) + 2**12)
    end = _put_old(builder, content)

    def old(count: int, get: Any) -> list[int]:
        # A builder's offsets count from the end, where the old file now is.
        return [end - int(get(i)._tab.Pos) for i in range(count)]

    buffers = old(model.BuffersLength(), model.Buffers)
    kept = [model.Metadata(i) for i in range(model.MetadataLength())]
    kept = [entry for entry in kept if entry.Name().decode() not in entries]
    listed = [end - int(entry._tab.Pos) for entry in kept]
    for name, data in entries.items():
        buffers.append(buffer_table(builder, data))
        text = builder.CreateString(name)
        listed.append(table(builder, "Metadata", Name=text, Buffer=len(buffers) - 1))
    fields = {
        "Version": model.Version(),
        "OperatorCodes": offsets_of(builder, old(model.OperatorCodesLength(), model.OperatorCodes)),
        "Subgraphs": offsets_of(builder, old(model.SubgraphsLength(), model.Subgraphs)),
        "Buffers": offsets_of(builder, buffers),
        "Metadata": offsets_of(builder, listed),
    }
    if description := model.Description():
        fields["Description"] = builder.CreateString(description.decode())
    if model.MetadataBufferLength():
        old_indices = [model.MetadataBuffer(i) for i in range(model.MetadataBufferLength())]
        fields["MetadataBuffer"] = ints(builder, old_indices)
    if count := model.SignatureDefsLength():
        fields["SignatureDefs"] = offsets_of(builder, old(count, model.SignatureDefs))
    builder.Finish(table(builder, "Model", **fields), IDENTIFIER)
    return bytes(builder.Output())


def tasks_metadata(content: bytes, name: str, mean: float, std: float) -> bytes:
    """Builds the metadata that MediaPipe Tasks needs for a network that takes one RGB picture.

    Args:
        content: The TFLite file that the metadata is for.
        name: Name of the network, for people.
        mean: The network's input is (byte - mean) / std.
        std: As above.
    """
    outputs = tflite.Model.GetRootAsModel(content, 0).Subgraphs(0).OutputsLength()
    builder = flatbuffers.Builder(1024)
    options = _table(builder, 2, {0: _floats(builder, mean), 1: _floats(builder, std)})
    unit = _table(builder, 2, {1: options}, {0: _NORMALISATION})
    picture = _table(builder, 2, {}, {0: _RGB})
    image = _table(
        builder,
        _TENSOR_FIELDS,
        {
            _TENSOR_CONTENT: _table(builder, 2, {1: picture}, {0: _IMAGE}),
            _TENSOR_PROCESS: offsets_of(builder, [unit]),
            0: builder.CreateString("image"),
        },
    )
    # One per output of the network: the reader checks their number.
    answers = [_table(builder, _TENSOR_FIELDS, {}) for _ in range(outputs)]
    lists = {
        _SUBGRAPH_INPUTS: offsets_of(builder, [image]),
        _SUBGRAPH_OUTPUTS: offsets_of(builder, answers),
    }
    graph = _table(builder, _SUBGRAPH_FIELDS, lists)
    graphs = {_MODEL_SUBGRAPHS: offsets_of(builder, [graph]), 0: builder.CreateString(name)}
    builder.Finish(_table(builder, _MODEL_FIELDS, graphs), _TASKS_IDENTIFIER)
    return bytes(builder.Output())


def _put_old(builder: Any, content: bytes) -> int:
    """Copies the old file to the builder's end.

    Returns:
        Offset of its start, counted from the end.
    """
    padded = content + b"\0" * (-len(content) % _ALIGNMENT)
    builder.Prep(_ALIGNMENT, 0)  # the whole file becomes a multiple of this
    builder.head -= len(padded)
    builder.Bytes[builder.head : builder.head + len(padded)] = padded
    return len(padded)


def _table(
    builder: Any, fields: int, offsets: Mapping[int, int], tags: Mapping[int, int] | None = None
) -> int:
    """Writes a table of a schema without generated code, with fields by number."""
    builder.StartObject(fields)
    for number, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(number, offset, 0)
    for number, tag in (tags or {}).items():
        builder.PrependUint8Slot(number, tag, 0)
    return int(builder.EndObject())


def _floats(builder: Any, *values: float) -> int:
    numbers: Sequence[float] = values
    return int(builder.CreateNumpyVector(np.array(numbers, dtype=np.float32)))
