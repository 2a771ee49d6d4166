"""Checks from the graph alone, without a GPU, whether ONNX can be built into a TensorRT engine.

TensorRT takes all types from the ONNX file, so problems here would be problems of the engine.
What is said of its parser was tried with that of TensorRT for RTX 1.7.1 (`nox -s tensorrt_rtx`).
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto, numpy_helper, shape_inference

from amesh.deploy.formats import Precision
from amesh.deploy.signature import INPUT, OUTPUTS, PICTURE, ROIS
from amesh.errors import UserError

# Exporters write opset 19. The parser takes these too; with 17 and older, means and maxima have
# their axes elsewhere.
OPSETS = range(18, 25)

# The operators of our networks, cropping included; the parser takes all of them without a plugin.
OPERATORS = frozenset(
    (
        *("Add", "And", "Cast", "Clip", "Concat", "Constant", "ConstantOfShape", "Conv", "Cos"),
        *("DequantizeLinear", "Div", "Equal", "Exp", "Expand", "Flatten", "Floor", "Gather"),
        *("GatherElements", "GatherND", "Gemm", "GlobalMaxPool", "Greater", "GreaterOrEqual"),
        *("Identity", "Less", "LessOrEqual", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg"),
        *("Not", "Or", "PRelu", "Pad", "Pow", "QuantizeLinear", "Range", "Reciprocal", "ReduceMax"),
        *("ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape", "Resize", "Round", "Shape"),
        *("Sigmoid", "Sin", "Slice", "Softmax", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Tile"),
        *("Transpose", "Unsqueeze", "Where"),
    )
)

# Operators whose operands must share a type; the parser casts those of Pow.
_UNIFORM = frozenset(("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu", "Conv", "MatMul"))


@dataclass(frozen=True)
class Readiness:
    """The contents of a graph, and the obstacles to building it.

    Attributes:
        opset: Version of the default operator set.
        operators: Number of nodes by operator.
        dtypes: Number of tensors by type: inputs, weights and computed tensors.
        precision: Precision of most convolutions; int8 if any is quantised.
        convolutions: Precision of each convolution by the name of its node.
        inputs: Names of its inputs.
        bytes: Names of those that are uint8.
        shapes: Shapes of inputs and outputs; a name stands for a dynamic axis.
        problems: One line per obstacle, with its nodes; empty if the graph is ready.
    """

    opset: int
    operators: dict[str, int]
    dtypes: dict[str, int]
    precision: Precision
    convolutions: dict[str, Precision]
    inputs: tuple[str, ...]
    bytes: tuple[str, ...]
    shapes: dict[str, tuple[int | str, ...]]
    problems: tuple[str, ...]

    @property
    def batch(self) -> int | None:
        """Fixed batch of the graph, or None if it is dynamic."""
        first = self.shapes[ROIS if self.cuts_crops else INPUT][0]
        return first if isinstance(first, int) else None

    @property
    def byte_input(self) -> bool:
        """Whether crops are bytes, (b s s 3), instead of numbers in [0, 1], (b 3 s s)."""
        return INPUT in self.bytes

    @property
    def cuts_crops(self) -> bool:
        """Whether it takes a picture and regions of interest instead of crops."""
        return self.inputs == (PICTURE, ROIS)


def read(path: Path) -> onnx.ModelProto:
    """Reads an ONNX file without loading external weights.

    Raises:
        UserError: There is no such file, or it is not an ONNX file.
    """
    try:
        model = onnx.load(path, load_external_data=False)
    except FileNotFoundError as error:
        raise UserError(f"no file {path}; `amesh export onnx` writes one") from error
    except (DecodeError, OSError) as error:
        raise UserError(f"{path}: not an ONNX file ({error})") from error
    if not model.graph.node:
        raise UserError(f"{path}: not an ONNX file (no operators in it)")
    return model


def require(model: onnx.ModelProto, where: Path, outputs: tuple[str, ...] = OUTPUTS) -> Readiness:
    """Returns the census of a graph, which must be ready.

    Args:
        model: The graph.
        where: Its file, for the message.
        outputs: Outputs that it must have; those of a part of a cascade differ.

    Raises:
        UserError: The graph is not ready; the message lists every problem.
    """
    found = check(model, outputs)
    if found.problems:
        raise UserError(f"{where}: not ready for TensorRT: {'; '.join(found.problems)}")
    return found


def check(model: onnx.ModelProto, outputs: tuple[str, ...] = OUTPUTS) -> Readiness:
    """Examines a graph without changing it; see `require`."""
    graph = model.graph
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    types = tensor_types(model)
    shapes = {
        value.name: tuple(
            dim.dim_value if dim.HasField("dim_value") else dim.dim_param or "?"
            for dim in value.type.tensor_type.shape.dim
        )
        for value in (*graph.input, *graph.output)
    }
    problems = (
        *_opset_problems(opset),
        *_operator_problems(model),
        *_type_problems(model, types),
        *_weight_problems(model),
        *_interface_problems(model, shapes, outputs),
    )
    names = Counter(TensorProto.DataType.Name(t).lower() for t in types.values() if t)
    operators = Counter(node.op_type for node in graph.node)
    convolved = convolutions(model, types)
    inputs = tuple(value.name for value in graph.input)
    return Readiness(
        opset,
        dict(operators),
        dict(names),
        precision(convolved),
        convolved,
        inputs,
        tuple(v.name for v in graph.input if v.type.tensor_type.elem_type == TensorProto.UINT8),
        shapes,
        problems,
    )


def tensor_types(model: onnx.ModelProto) -> dict[str, int]:
    """Element type of every tensor by name, as far as shape inference knows it."""
    try:
        graph = shape_inference.infer_shapes(model).graph
    except shape_inference.InferenceError:
        graph = model.graph  # operators of other domains; those are a problem of their own
    values = (*graph.value_info, *graph.input, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {weight.name: weight.data_type for weight in graph.initializer}


def convolutions(model: onnx.ModelProto, types: dict[str, int]) -> dict[str, Precision]:
    """Precision of each convolution by the name of its node; int8 if its weights are quantised."""
    made_by = {output: node.op_type for node in model.graph.node for output in node.output}
    found: dict[str, Precision] = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            weight = node.input[1]
            if made_by.get(weight) == "DequantizeLinear":
                found[node.name] = "int8"
            else:
                found[node.name] = "fp16" if types.get(weight) == TensorProto.FLOAT16 else "fp32"
    return found


def precision(convolved: Mapping[str, Precision]) -> Precision:
    """Precision of most convolutions of a graph; int8 if any is quantised."""
    counts = Counter(convolved.values())
    if counts["int8"]:
        return "int8"
    return "fp16" if 2 * counts["fp16"] > len(convolved) else "fp32"


def _opset_problems(opset: int) -> Iterator[str]:
    if opset not in OPSETS:
        yield (
            f"opset {opset}, expected {OPSETS[0]} to {OPSETS[-1]}; export it again with "
            "`amesh export onnx`"
        )


def _operator_problems(model: onnx.ModelProto) -> Iterator[str]:
    strange: dict[str, list[str]] = {}
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx"):
            strange.setdefault(f"{node.domain}.{node.op_type}", []).append(node.name)
        elif node.op_type not in OPERATORS:
            strange.setdefault(node.op_type, []).append(node.name)
    for operator, nodes in strange.items():
        why = " (export with the gather sampler)" if operator == "GridSample" else ""
        yield f"operator {operator} is not supported{why}: {_some(nodes)}"
    if model.functions:
        yield f"functions are not supported: {_some([f.name for f in model.functions])}"


def _type_problems(model: onnx.ModelProto, types: dict[str, int]) -> Iterator[str]:
    doubles = [name for name, kind in types.items() if kind == TensorProto.DOUBLE]
    made_by = {output: node.name for node in model.graph.node for output in node.output}
    if doubles:
        names = _some([made_by.get(name, name) for name in doubles])
        yield f"float64 tensors, which TensorRT computes in single precision: {names}"
    mixed = []
    for node in model.graph.node:
        kinds = {types.get(name, 0) for name in node.input if name} - {0}
        if node.op_type in _UNIFORM and len(kinds) > 1:
            mixed.append(f"{node.name} ({node.op_type})")
    if mixed:
        yield f"operands of different types: {_some(mixed)}"
    uneven = [
        node.name
        for node in model.graph.node
        if node.op_type in ("QuantizeLinear", "DequantizeLinear")
        and _shifted(model, node.input[2] if len(node.input) > 2 else "")
    ]
    if uneven:
        yield f"zero points other than 0 (TensorRT is symmetric): {_some(uneven)}"


def _shifted(model: onnx.ModelProto, zero_point: str) -> bool:
    values = [w for w in model.graph.initializer if w.name == zero_point]
    return any(numpy_helper.to_array(value).any() for value in values)


def _weight_problems(model: onnx.ModelProto) -> Iterator[str]:
    weights = model.graph.initializer
    outside = [w.name for w in weights if w.data_location == TensorProto.EXTERNAL]
    if outside:
        yield f"weights in a second file: {_some(outside)}"
    floats = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
    inside = [w for w in weights if w.data_type in floats and w.name not in set(outside)]
    broken = [w.name for w in inside if not np.isfinite(numpy_helper.to_array(w)).all()]
    if broken:
        yield f"weights that are not finite: {_some(broken)}"


def _interface_problems(
    model: onnx.ModelProto, shapes: dict[str, tuple[int | str, ...]], wanted: tuple[str, ...]
) -> Iterator[str]:
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]
    if inputs not in ([INPUT], [PICTURE, ROIS]):
        yield f"inputs {', '.join(inputs)}, expected {INPUT}, or {PICTURE} and {ROIS}"
    if missing := [name for name in wanted if name not in outputs]:
        yield f"outputs {', '.join(outputs)} lack {', '.join(missing)}"
    for value in (*model.graph.input, *model.graph.output):
        kind = value.type.tensor_type.elem_type
        if kind == TensorProto.UINT8 and value.name in (INPUT, PICTURE):
            readers = [node for node in model.graph.node if value.name in node.input]
            if strange := [n.name for n in readers if n.op_type not in ("Cast", "Shape")]:
                yield f"{value.name} is uint8, which TensorRT can only cast: {_some(strange)}"
        elif kind != TensorProto.FLOAT:
            yield f"{value.name} is not float32"
        # A picture has any size.
        axes = shapes[value.name][2 if value.name == PICTURE else 1 :]
        if free := [axis for axis in axes if not isinstance(axis, int)]:
            yield f"{value.name} has dynamic axes besides the batch: {', '.join(map(str, free))}"


def _some(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
