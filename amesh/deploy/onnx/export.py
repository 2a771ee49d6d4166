"""Exports ONNX files: a single file, one opset, plain operators, reproducible bytes."""

import contextlib
import io
import json
import logging
import warnings
from collections import Counter

import onnx
import torch
from onnx import TensorProto, helper

from amesh.deploy import parity
from amesh.deploy.formats import Precision
from amesh.deploy.network.cascade_parts import MeshPart, Part, RegionPart
from amesh.deploy.network.prepare import Network
from amesh.deploy.network.traced import FromBytes, OnnxNetwork, Target
from amesh.deploy.onnx.opsets import OPSET, set_opset
from amesh.deploy.onnx.runner import OnnxFile
from amesh.deploy.onnx.translations import TRANSLATIONS
from amesh.deploy.signature import BYTES, INPUT, METADATA, NORMALISATION, meanings
from amesh.errors import UserError

_BATCH = "batch"
# How a file's metadata describe the input `image`.
IMAGE = {"layout": "nchw", "normalisation": NORMALISATION}
_BYTE_IMAGE = {"layout": "nhwc", "normalisation": BYTES}

# The operators that this package's networks need. Others are refused, because runtimes are most
# likely to differ in those.
ALLOWED_OPERATORS = frozenset(
    (
        *("Add", "And", "Cast", "Clip", "Concat", "ConstantOfShape", "Conv", "Div", "Equal", "Exp"),
        *("Expand", "Flatten", "Floor", "Gather", "GatherND", "Gemm", "GlobalMaxPool"),
        *("GreaterOrEqual", "Less", "LessOrEqual", "MatMul", "Max", "MaxPool", "Min", "Mul", "Neg"),
        *("Not", "PRelu", "Pad", "Pow", "Range", "Reciprocal", "ReduceMean", "ReduceSum", "Relu"),
        *("Reshape", "Round", "Shape", "Sigmoid", "Slice", "Softmax", "Split", "Sqrt", "Squeeze"),
        *("Sub", "Transpose", "Unsqueeze", "Where"),
    )
)


def export_onnx(
    net: Network | Part,
    precision: Precision = "fp32",
    batch: int | None = None,
    target: Target | None = None,
    *,
    opset: int = OPSET,
    byte_input: bool = False,
    verify: bool = True,
) -> bytes:
    """Exports an ONNX file: `image` (b 3 s s) to `landmarks` (b n 3) and `face_flag` (b).

    Where the network predicts its errors, they are the third output, `expected_error` (b n).

    Args:
        net: A network of the family, or a part of a cascade with its own outputs.
        precision: `fp16` runs blocks in half precision; coordinates, inputs and outputs stay
            single.
        batch: Faces per run; any number by default.
        target: Where the file runs fastest. `cpu` writes PReLU as two convolutions that ONNX
            Runtime has fast kernels for, `gpu` as the operator. The default is `gpu` for half
            precision, else `cpu`.
        opset: Version of the operators; see `amesh.deploy.onnx.opsets`.
        byte_input: `image` is uint8 (b s s 3), RGB from 0 to 255, and is turned to single precision
            in the file.
        verify: Compare the file with PyTorch; otherwise the caller must.

    Raises:
        UserError: A weight is not finite, the precision is not supported, the network has an
            operator that is not on the list or something that its config does not describe, or
            the file's outputs differ from PyTorch's.
    """
    if precision not in ("fp32", "fp16"):
        raise UserError(
            f"export_onnx writes fp32 and fp16, not {precision}; int8 needs crops to calibrate on: "
            "amesh.deploy.onnx.quantise.export_int8"
        )
    if batch is not None and batch < 1:
        raise UserError(f"batch {batch}: expected 1 or more; leave it out for any number")
    half = precision == "fp16"
    network = OnnxNetwork(net, half, target or ("gpu" if half else "cpu"))
    size = network.input_size
    shape = (batch, size, size, 3) if byte_input else (batch, 3, size, size)
    example = torch.zeros((batch or 2, *shape[1:]), dtype=torch.uint8)
    model = trace(
        FromBytes(network) if byte_input else network,
        {INPUT: shape},
        network.outputs,
        example=(example,) if byte_input else None,
    )
    about = {
        "model": net.config.name,
        "architecture": type(net).__name__,
        "topology": net.config.topology,
        "precision": precision,
    }
    if isinstance(net, MeshPart | RegionPart):
        about["part"] = net.outputs[0]
    content = finish(model, about | (_BYTE_IMAGE if byte_input else IMAGE), opset=opset)
    if verify:
        parity.verify(OnnxFile(content).run_crops, net, precision, "the ONNX file", byte_input)
    return content


def trace(
    module: torch.nn.Module,
    inputs: dict[str, tuple[int | None, ...]],
    outputs: tuple[str, ...],
    dynamic: dict[str, dict[int, torch.export.Dim]] | None = None,
    example: tuple[torch.Tensor, ...] | None = None,
) -> onnx.ModelProto:
    """Exports a module's graph with torch.

    Args:
        module: The module to trace.
        inputs: Names and shapes; None is a dynamic batch.
        outputs: Names.
        dynamic: Further dynamic axes, by input.
        example: Inputs to trace with, if zeros will not do.

    Raises:
        UserError: torch cannot export the module.
    """
    axes = {
        name: {0: torch.export.Dim(_BATCH)} if shape[:1] == (None,) else {}
        for name, shape in inputs.items()
    }
    axes = {name: {**own, **(dynamic or {}).get(name, {})} for name, own in axes.items()}
    # Two, because torch would treat a batch of one as a constant.
    tensors = example or tuple(
        torch.zeros([2 if length is None else length for length in shape])
        for shape in inputs.values()
    )
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = registration.level
    try:
        registration.setLevel(logging.ERROR)  # torchvision's operators are not needed
        # onnxscript 0.6 prints how many of its rules it applied.
        quiet = contextlib.redirect_stdout(io.StringIO())
        with warnings.catch_warnings(), torch.no_grad(), quiet:
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                module.eval(),
                tensors,
                dynamo=True,
                opset_version=OPSET,
                external_data=False,
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes=axes if any(axes.values()) else None,
                custom_translation_table=TRANSLATIONS,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise UserError(f"this network cannot be exported to ONNX: {reason}") from error
    finally:
        registration.setLevel(level)
    if program is None:
        raise RuntimeError("torch.onnx.export returned nothing")
    model = program.model_proto
    # If the code fixes a dynamic axis, torch silently falls back to a graph without it.
    for value in model.graph.input:
        for axis in axes[value.name]:
            if not value.type.tensor_type.shape.dim[axis].dim_param:
                raise RuntimeError(f"torch exported axis {axis} of {value.name} as a constant")
    return model


def finish(
    model: onnx.ModelProto,
    about: dict[str, str],
    also: frozenset[str] = frozenset(),
    opset: int = OPSET,
) -> bytes:
    """Cleans a graph, describes it, checks it, and serialises it.

    Args:
        model: The graph; it is modified.
        about: Facts to store as JSON under `amesh` in the file's metadata.
        also: Operators to allow besides `ALLOWED_OPERATORS`.
        opset: Version of the operators.

    Raises:
        UserError: An operator is not on the list.
    """
    clean(model)
    check_operators(model, also)
    set_opset(model, opset)
    inputs = [value.name for value in model.graph.input]
    texts = meanings(inputs, about.get("normalisation", NORMALISATION))
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = texts.get(value.name, "")  # viewers show it
    del model.metadata_props[:]
    helper.set_model_props(model, {METADATA: json.dumps(about, sort_keys=True)})
    onnx.checker.check_model(model, full_check=True)
    doubles = [w.name for w in model.graph.initializer if w.data_type == TensorProto.DOUBLE]
    if doubles:
        raise RuntimeError(f"float64 in the graph: {', '.join(doubles[:6])}")
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def clean(model: onnx.ModelProto) -> None:
    """Removes traces of the machine that wrote the graph: source paths, code, versions."""
    graph = model.graph
    model.doc_string = graph.doc_string = ""
    model.producer_name, model.producer_version = "amesh", ""
    graph.name = "amesh"
    del graph.value_info[:]  # shapes that readers infer again
    for part in (graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]


def census(model: onnx.ModelProto) -> Counter[str]:
    """Number of nodes by operator; operators of other domains are prefixed with the domain."""
    return Counter(f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in model.graph.node)


def check_operators(model: onnx.ModelProto, also: frozenset[str] = frozenset()) -> None:
    """Checks a graph against the list of allowed operators.

    Args:
        model: The graph.
        also: Operators to allow besides the list.

    Raises:
        UserError: Some operators are not on the list; the message names them all.
    """
    strange = sorted(set(census(model)) - ALLOWED_OPERATORS - also)
    strange += [f"function {function.name}" for function in model.functions]
    if strange:
        raise UserError(
            f"the network needs operators that not every runtime has: {', '.join(strange)}"
        )


def about(model: onnx.ModelProto) -> dict[str, str]:
    """Reads the facts that `finish` wrote; empty for files that amesh did not write."""
    for entry in model.metadata_props:
        if entry.key == METADATA:
            facts: dict[str, str] = json.loads(entry.value)
            return facts
    return {}
