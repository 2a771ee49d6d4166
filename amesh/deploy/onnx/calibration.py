"""Which convolutions int8 suits, and the ranges of what flows into them on real crops."""

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

# int8 kernels read channels in groups of 32; others are padded and end up slower than half.
CHANNELS = 32
# Narrower convolutions cost the most pixels and win the least: with those of 32 and 64 channels
# too, the released network is up to twice as far off (ONNX Runtime, the crops of parity).
NARROWEST = 128
# Weights by the names of the network's modules: heads, last convolutions, regressed thetas, and
# the identities that widen a map beside a down block.
_KEPT = re.compile(r"(^|\.)((head|points|face_flag|theta)\.|skip$)")
_BINS = 4096

Ranges = dict[str, float]
Method = Literal["max", "percentile"]
# Of magnitudes [%]. On the crops of parity, the released network is then 1.15 px off (p99.9);
# with nothing clipped, which is the default, 0.82 px.
PERCENTILE = 99.99


@dataclass(frozen=True)
class Target:
    """A convolution to quantise.

    Attributes:
        node: Its name.
        activation: The tensor that flows in.
        weight: Its weights' name.
    """

    node: str
    activation: str
    weight: str


def targets(model: onnx.ModelProto) -> list[Target]:
    """The convolutions of a half-precision graph that int8 suits.

    Raises:
        UserError: The graph's weights do not carry the names of our modules, so that heads and
            trunks cannot be told apart; or nothing in it is half precision.
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
    """Magnitudes that the quantised tensors reach on real crops, by ONNX Runtime on the CPU.

    Args:
        model: The half-precision graph.
        crops: Batches of RGB crops in [0, 1]; gone through twice for a percentile.
        method: `max` clips nothing; `percentile` clips outliers for finer steps.
        percentile: Which one [%].

    Raises:
        UserError: There is no crop.
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
    """What flows through these tensors, batch by batch, in single precision."""
    import onnxruntime

    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT16, None) for name in names
    )
    options = onnxruntime.SessionOptions()
    # Fusions would take the watched tensors out of the graph.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for batch in batches:
        image = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        yield [tensor.astype(np.float32) for tensor in session.run(names, {INPUT: image})]
