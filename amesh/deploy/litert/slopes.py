"""Repeats PReLU slopes along rows of a map, for XNNPACK's sake.

A file holds a slope per channel, the only compact form that GPU delegates accept. XNNPACK calls
its kernel for as many numbers as there are slopes: per pixel, which is 16 numbers in the first
maps. With the slopes repeated for each pixel of a row, it calls the kernel once per row and gets
the same results, several times faster. Only the copy that the CPU runs is changed, not the file.
"""

import struct
from collections import Counter

import numpy as np
import tflite

# Where the schema's tables Tensor and Buffer list the fields `shape` and `data`.
_FIRST_FIELD = 4
# As in `flatbuffer.py`: what runtimes read with vector instructions [bytes].
_ALIGNMENT = 16
# Longer rows are slow to read, and gain nothing. Also bounds what a damaged width allocates.
_LONGEST_ROW = 1 << 16  # [bytes]


def repeat_slopes(content: bytes) -> bytes:
    """Returns a TFLite file with its PReLU slopes repeated along rows: (1 1 c) becomes (1 w c).

    Slopes that serve anything else, or maps of different widths, stay as they are; so does a file
    that cannot be read, which LiteRT then refuses.
    """
    try:
        return _repeat(bytearray(content))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error):
        # The generated accessors follow offsets blindly, so damage can raise any of these.
        return content


def _repeat(content: bytearray) -> bytes:
    model = tflite.Model.GetRootAsModel(content, 0)
    graphs = [model.Subgraphs(i) for i in range(model.SubgraphsLength())]
    tensors_of = Counter(
        graph.Tensors(i).Buffer() for graph in graphs for i in range(graph.TensorsLength())
    )
    added = bytearray()
    for graph in graphs:
        for index, width in _widths(model, graph).items():
            tensor = graph.Tensors(index)
            buffer, shape = model.Buffers(tensor.Buffer()), tensor.ShapeAsNumpy()
            by_channel = [1, 1, buffer.DataLength() // 4]
            if shape.tolist() != by_channel or tensors_of[tensor.Buffer()] > 1:
                continue
            if not 0 < width * buffer.DataLength() <= _LONGEST_ROW:
                continue
            data = np.tile(buffer.DataAsNumpy(), width).tobytes()
            # A vector is its length and then its data, which is to be aligned.
            added += bytes(-(len(content) + len(added) + 4) % _ALIGNMENT)
            field = buffer._tab.Pos + buffer._tab.Offset(_FIRST_FIELD)
            struct.pack_into("<I", content, field, len(content) + len(added) - field)
            added += struct.pack("<I", len(data)) + data
            shape[1] = width  # a view of the content
    return bytes(content + added)


def _widths(model: tflite.Model, graph: tflite.SubGraph) -> dict[int, int]:
    """Finds the slopes of a graph whose uses are all PReLUs of maps of one width."""
    uses: dict[int, set[int]] = {}
    for i in range(graph.OperatorsLength()):
        operator = graph.Operators(i)
        code = model.OperatorCodes(operator.OpcodeIndex()).BuiltinCode()
        inputs = operator.InputsAsNumpy().tolist()
        for position, index in enumerate(inputs):
            width = 0
            if code == tflite.BuiltinOperator.PRELU and position == 1:
                shape = graph.Tensors(inputs[0]).ShapeAsNumpy()
                width = int(shape[2]) if len(shape) == 4 else 0
            uses.setdefault(index, set()).add(width)
    return {i: next(iter(found)) for i, found in uses.items() if len(found) == 1 and found != {0}}
