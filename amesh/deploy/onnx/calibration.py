"""Selects the convolutions to quantise, and measures their inputs' ranges on real crops."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
from jaxtyping import Float32
from onnx import TensorProto, helper

from amesh.deploy.signature import INPUT
from amesh.errors import UserError

# int8 kernels read channels in groups of 32; others are padded and end up slower than fp16.
CHANNELS = 32
# Narrower convolutions cost the most accuracy and gain the least speed: quantising those with 32
# and 64 channels too doubles the released network's error (ONNX Runtime, parity crops).
NARROWEST = 128
# Weights by the names of the network's modules: heads, last convolutions, regressed thetas, and
# the identities that widen a map beside a down block.
_KEPT = re.compile(r"(^|\.)((head|points|face_flag|theta|error_head)\.|skip$)")
_BINS = 4096

Ranges = dict[str, float]
Method = Literal["max", "percentile"]
# Percentile of magnitudes [%]. On the parity crops it gives the released network an error of
# 1.15 px (p99.9), against 0.82 px without clipping, which is the default.
PERCENTILE = 99.99


@dataclass(frozen=True)
class Target:
    """A convolution to quantise.

    Attributes:
        node: Name of the convolution.
        activation: Name of its input tensor.
        weight: Name of its weights.
    """

    node: str
    activation: str
    weight: str


def targets(model: onnx.ModelProto) -> list[Target]:
    """Lists the convolutions of a half-precision graph that are worth quantising.

    Raises:
        UserError: The graph's weights are not named after our modules, so heads cannot be told
            from trunks; or nothing in it is in half precision.
    """
    weights = {weight.name: weight for weight in model.graph.initializer}
    if not any(_KEPT.search(name) for name in weights):
        raise UserError("int8: no head found by name; export the ONNX file with `amesh export`")
    found = []
    for node in model.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "Conv" else None
        if weight is None or weight.data_type != TensorProto.FLOAT16 or _KEPT.search(weight.name):
            continue
        channels = weight.dims[1]  # of a group: a depthwise convolution has 1
        if channels >= NARROWEST and channels % CHANNELS == 0:
            found.append(Target(node.name, node.input[0], weight.name))
    if not found:
        raise UserError("int8: nothing to quantise; start from an fp16 export")
    return found


def calibrate(
    model: onnx.ModelProto,
    crops: Iterable[Float32[np.ndarray, "_ s s 3"]],
    method: Method = "max",
    percentile: float = PERCENTILE,
) -> Ranges:
    """Measures the magnitudes of the quantised tensors on real crops, in ONNX Runtime on the CPU.

    Args:
        model: The half-precision graph.
        crops: Batches of RGB crops in [0, 1]; iterated twice for a percentile.
        method: `max` clips nothing; `percentile` clips outliers for finer steps.
        percentile: The percentile [%].

    Raises:
        UserError: There are no crops.
    """
    names = sorted({target.activation for target in targets(model)})
    batches = list(crops)
    if not batches:
        raise UserError("int8: calibration needs crops")
    ranges = dict.fromkeys(names, 0.0)
    for tensors in activations(model, names, batches):
        for name, tensor in zip(names, tensors, strict=True):
            ranges[name] = max(ranges[name], float(np.abs(tensor).max()))
    if method == "max":
        return ranges
    counts = {name: np.zeros(_BINS) for name in names}
    for tensors in activations(model, names, batches):
        for name, tensor in zip(names, tensors, strict=True):
            top = ranges[name] or 1.0
            counts[name] += np.histogram(np.abs(tensor), bins=_BINS, range=(0.0, top))[0]
    for name, count in counts.items():
        share = np.cumsum(count) / count.sum()
        ranges[name] *= (int(np.searchsorted(share, percentile / 100.0)) + 1) / _BINS
    return ranges


def activations(
    model: onnx.ModelProto, names: list[str], batches: list[np.ndarray]
) -> Iterator[list[np.ndarray]]:
    """Yields the values of these tensors, batch by batch, in single precision."""
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT16, None) for name in names
    )
    options = onnxruntime.SessionOptions()
    # Fusions would remove the observed tensors from the graph.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for batch in batches:
        image = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        yield [tensor.astype(np.float32) for tensor in session.run(names, {INPUT: image})]
