"""Versions of ONNX's operators: a file in each of them has the same graph.

The operators that `amesh.deploy.onnx.export` allows do the same in all of these versions; what
later ones add, types of numbers above all, is not used.
"""

import onnx
from onnx import helper

# With half-precision Q/DQ scales, and not yet with the GridSample that TensorRT's parser misreads.
OPSET = 19


def set_opset(model: onnx.ModelProto, opset: int) -> None:
    """Changes the version of a graph's operators; `onnx.checker` then says whether it fits."""
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = opset
    model.ir_version = max(model.ir_version, helper.find_min_ir_version_for(model.opset_import))
