"""int8 for TensorRT: explicit Q/DQ on a half-precision ONNX graph. Experimental: check its error.

Only convolutions that benefit are quantised: those with 128 or more input channels per group, in
multiples of 32. Depthwise convolutions, heads and the path of the coordinates stay unchanged.
Quantisation is symmetric with half-precision scales: per tensor for activations, per output
channel for weights.
Before that, channels between a depthwise convolution and the pointwise one behind it are brought to
one range, which changes nothing but how well they quantise.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import onnx
from jaxtyping import Float32
from onnx import helper, numpy_helper

from amesh.deploy import parity
from amesh.deploy.network.cascade_parts import Part
from amesh.deploy.network.prepare import Network
from amesh.deploy.onnx.calibration import (
    PERCENTILE,
    Method,
    Ranges,
    activations,
    calibrate,
    targets,
)
from amesh.deploy.onnx.export import about, export_onnx, finish
from amesh.deploy.onnx.opsets import OPSET
from amesh.deploy.onnx.runner import OnnxFile
from amesh.errors import UserError

OPERATORS = frozenset(("QuantizeLinear", "DequantizeLinear"))
_LEVELS = 127
# Batch size of calibration [crops].
_BATCH = 16
# A smaller scale would round to zero in half precision.
_SMALLEST = float(np.finfo(np.float16).smallest_subnormal)


def export_int8(
    net: Network | Part,
    crops: Float32[np.ndarray, "b s s 3"],
    batch: int | None = None,
    *,
    opset: int = OPSET,
    verify: bool = True,
) -> bytes:
    """Exports an ONNX file with Q/DQ for TensorRT; ONNX Runtime can run it too.

    Args:
        net: As for `amesh.deploy.onnx.export.export_onnx`.
        crops: RGB crops in [0, 1] that set the ranges: faces as the network will see them.
        batch: Faces per run; any number by default.
        opset: Version of the operators, from 19; see `amesh.deploy.onnx.opsets`.
        verify: Compare the file with PyTorch; otherwise the caller must.

    Raises:
        UserError: There are no crops, or they have another size; nothing can be quantised; the
            opset has no scales in half precision; or the file's outputs differ from PyTorch's by
            more than the tolerance.
    """
    if opset < OPSET:
        raise UserError(f"int8: opset {opset}, expected {OPSET} or later")
    half = onnx.load_from_string(export_onnx(net, "fp16", batch, target="gpu", verify=False))
    size = half.graph.input[0].type.tensor_type.shape.dim[-1].dim_value
    if not len(crops) or crops.shape[1] != size:
        raise UserError(
            f"int8: expected crops of {size} px, found {len(crops)} of {crops.shape[1]}"
        )
    step = batch or _BATCH
    starts = range(0, len(crops), step)
    # A graph with a fixed batch needs full batches: the last one is filled up with the first crops.
    fill = np.arange(len(starts) * step if batch else len(crops)) % len(crops)
    quantised = quantise(half, [crops[fill[start : start + step]] for start in starts])
    content = finish(quantised, about(half) | {"precision": "int8"}, OPERATORS, opset)
    if verify:
        parity.verify(OnnxFile(content).run_crops, net, "int8", "the int8 ONNX file")
    return content


def equalise(
    model: onnx.ModelProto, crops: Iterable[Float32[np.ndarray, "_ s s 3"]]
) -> onnx.ModelProto:
    """Equalises channel ranges where a depthwise convolution feeds a quantised one.

    Nothing comes between the two, so a factor per channel can move from one's weights to the
    other's without changing the function. Each channel's activations and weights get the same
    range, sqrt(activations x weights).
    """
    equal = onnx.ModelProto()
    equal.CopyFrom(model)
    weights = {weight.name: weight for weight in equal.graph.initializer}
    made_by = {output: node for node in equal.graph.node for output in node.output}
    readers = Counter(name for node in equal.graph.node for name in node.input)
    readers.update(output.name for output in equal.graph.output)
    pairs = []
    for target in targets(equal):
        source = made_by.get(target.activation)
        if source is None or source.op_type != "Conv":
            continue
        # Other readers of the channels or weights would be affected by the factors too.
        moved = [target.activation, target.weight, *source.input[1:]]
        if any(readers[name] > 1 for name in moved) or not weights.keys() >= set(moved[1:]):
            continue
        own = [weights[name] for name in source.input[1:]]
        if own[0].dims[1] == 1:
            pairs.append((target, own))
    if not pairs:
        return equal
    names = [target.activation for target, _ in pairs]
    tops: list[np.ndarray] = []
    for tensors in activations(model, names, list(crops)):
        found = [np.abs(tensor).max((0, 2, 3)) for tensor in tensors]
        tops = [np.maximum(a, b) for a, b in zip(tops, found, strict=True)] if tops else found
    for (target, own), top in zip(pairs, tops, strict=True):
        after = numpy_helper.to_array(weights[target.weight]).astype(np.float32)  # o i k k
        groups = len(top) // after.shape[1]
        grouped = after.reshape(groups, -1, *after.shape[1:])  # g o/g i k k
        reach = np.abs(grouped).max((1, 3, 4)).reshape(-1)  # by input channel
        alive = (top > 0) & (reach > 0)
        factor = np.sqrt(np.divide(top, reach, out=np.ones_like(top), where=alive))
        grouped = grouped * factor.reshape(groups, 1, -1, 1, 1)
        _replace(weights[target.weight], grouped.reshape(after.shape))
        for weight in own:
            values = numpy_helper.to_array(weight).astype(np.float32)
            _replace(weight, values / factor.reshape(-1, *(1,) * (values.ndim - 1)))
    return equal


def _replace(weight: onnx.TensorProto, values: np.ndarray) -> None:
    weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), weight.name))


def insert(model: onnx.ModelProto, ranges: Ranges) -> onnx.ModelProto:
    """Inserts Q/DQ before the targets; the original graph is not modified.

    Args:
        model: The half-precision graph.
        ranges: Magnitude of each quantised tensor; see `calibrate`.

    Raises:
        UserError: A tensor was not seen in calibration, or was not finite there.
    """
    quantised = onnx.ModelProto()
    quantised.CopyFrom(model)
    graph = quantised.graph
    weights = {weight.name: weight for weight in graph.initializer}
    chosen = {target.node: target for target in targets(model)}
    # The type of the zero point selects int8; without one, ONNX would use uint8.
    graph.initializer.append(numpy_helper.from_array(np.zeros((), np.int8), "int8.zero"))
    nodes: list[onnx.NodeProto] = []
    done: set[str] = set()
    for node in graph.node:
        target = chosen.get(node.name)
        if target is not None:
            name = target.activation
            if name not in done:
                nodes += _around(graph, name, ranges)
                done.add(name)
            if target.weight not in done:  # several convolutions may share it
                nodes.append(_weight(graph, weights[target.weight]))
                done.add(target.weight)
            node.input[0], node.input[1] = f"{name}.dequantised", f"{target.weight}.dequantised"
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in graph.node for name in node.input}
    kept = [weight for weight in graph.initializer if weight.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
    onnx.checker.check_model(quantised)
    return quantised


def quantise(
    model: onnx.ModelProto,
    crops: Iterable[Float32[np.ndarray, "_ s s 3"]],
    method: Method = "max",
    percentile: float = PERCENTILE,
) -> onnx.ModelProto:
    """Equalises, calibrates on crops and inserts Q/DQ.

    Raises:
        UserError: There are no crops, or nothing can be quantised.
    """
    batches = list(crops)
    if not batches:
        raise UserError("int8: calibration needs crops")
    equal = equalise(model, batches)
    return insert(equal, calibrate(equal, batches, method, percentile))


def _around(graph: onnx.GraphProto, name: str, ranges: Ranges) -> list[onnx.NodeProto]:
    """Makes Q and DQ for an activation."""
    top = ranges.get(name, float("nan"))
    if not np.isfinite(top):
        raise UserError(f"int8: no finite range for {name}; calibrate on this very graph")
    scale = np.asarray(max(top / _LEVELS, _SMALLEST), np.float16)
    graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
    ends = (f"{name}.scale", "int8.zero")
    return [
        helper.make_node("QuantizeLinear", [name, *ends], [f"{name}.int8"], f"{name}.q"),
        helper.make_node(
            "DequantizeLinear", [f"{name}.int8", *ends], [f"{name}.dequantised"], f"{name}.dq"
        ),
    ]


def _weight(graph: onnx.GraphProto, weight: onnx.TensorProto) -> onnx.NodeProto:
    """Replaces a weight by int8 values and their DQ, with one scale per output channel."""
    values = numpy_helper.to_array(weight).astype(np.float32)
    axes = tuple(range(1, values.ndim))
    scale = np.maximum(np.abs(values).max(axes) / _LEVELS, _SMALLEST).astype(np.float16)
    # Divided by the scale as stored, so that rounding the scale adds no error.
    steps = values / scale.astype(np.float32).reshape(-1, *(1 for _ in axes))
    numbers = np.clip(np.rint(steps), -_LEVELS, _LEVELS).astype(np.int8)
    zeros = np.zeros(len(scale), np.int8)
    for suffix, array in (("int8", numbers), ("scale", scale), ("zero", zeros)):
        graph.initializer.append(numpy_helper.from_array(array, f"{weight.name}.{suffix}"))
    inputs = [f"{weight.name}.{suffix}" for suffix in ("int8", "scale", "zero")]
    outputs = [f"{weight.name}.dequantised"]
    return helper.make_node("DequantizeLinear", inputs, outputs, f"{weight.name}.dq", axis=0)
