"""What an engine says of its layers: numbers by type, and the precision of each convolution.

TensorRT's inspector writes two kinds of layers. Those of its older kernels name what they compute
in `Name`, joined by ` + `; those of its compiler name it in `Metadata`, as `[ONNX Layer: NODE]`.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from amesh.deploy.formats import Precision
from amesh.errors import UserError

# Kinds of layers that compute convolutions: a pointwise one may become a matrix product.
_CONVOLVING = re.compile(r"conv|correlation|gemm|matmul|^fc$", re.IGNORECASE)


def census(report: Mapping[str, Any]) -> Counter[str]:
    """Counts the layers' output values and weights by type: fp32, fp16, int8, other.

    Args:
        report: The inspector's report, of either major version.
    """
    counts: Counter[str] = Counter()
    for layer in _layers(report):
        for tensor in layer.get("Outputs", ()):
            size = 1
            for length in tensor.get("Dimensions", ()):
                size *= abs(int(length))
            counts[_type(tensor)] += size
        for key, value in layer.items():
            if isinstance(value, Mapping) and "Type" in value and "Count" in value:
                counts[_type({"Datatype": value["Type"], "of": key})] += int(value["Count"])
    return counts


def convolutions(
    report: Mapping[str, Any], asked: Mapping[str, Precision]
) -> dict[str, frozenset[str]]:
    """The types in which each convolution was built, by its node in the ONNX graph.

    The type of a convolution is that of what it reads. There may be several: each profile has
    layers of its own. A convolution that the report does not name is missing.

    Args:
        report: The inspector's report, of either major version.
        asked: The convolutions; see `amesh.deploy.tensorrt.readiness.Readiness`.
    """
    found: dict[str, set[str]] = {}
    for layer in _layers(report):
        kinds = f"{layer.get('LayerType', '')} {layer.get('ParameterType', '')}".split()
        if not any(_CONVOLVING.search(kind) for kind in kinds) or not layer.get("Inputs"):
            continue
        names = re.findall(r"\[ONNX Layer: ([^\]]*)\]", str(layer.get("Metadata", "")))
        for name in {*names, *str(layer.get("Name", "")).split(" + ")} & set(asked):
            found.setdefault(name, set()).add(_type(layer["Inputs"][0]))
    return {name: frozenset(types) for name, types in found.items()}


def require_precision(
    report: Mapping[str, Any], asked: Mapping[str, Precision]
) -> dict[str, frozenset[str]]:
    """Rejects an engine with a convolution in another precision than in its ONNX graph.

    Args:
        report: The inspector's report, of either major version.
        asked: The convolutions and their precision.

    Returns:
        What the engine says of each convolution; see `convolutions`.

    Raises:
        UserError: A convolution differs, or the report names none of them.
    """
    found = convolutions(report, asked)
    if asked and not found:
        raise UserError(
            "the engine does not tell the types of its convolutions (no details); cannot check "
            "its precision"
        )
    wrong = [
        f"{name} asked for in {asked[name]}, built in {' and '.join(sorted(types))}"
        for name, types in found.items()
        if types != {asked[name]}
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise UserError(f"the engine has another precision: {'; '.join(wrong[:3])}{more}")
    return found


def _layers(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    # A plan without details has names only.
    return [layer for layer in report.get("Layers", ()) if isinstance(layer, Mapping)]


def _type(tensor: Mapping[str, Any]) -> str:
    """Short name of a type, from `Format/Datatype` (10) or `Format` and `Datatype` (11)."""
    keys = ("Datatype", "DataType", "Format/Datatype", "Format")
    text = next((str(tensor[key]) for key in keys if tensor.get(key)), "").lower()
    if re.search(r"bf16|bfloat16|fp8|float8|fp4|int4|int32|int64|bool|uint8", text):
        return "other"
    if re.search(r"fp16|half|float16", text):
        return "fp16"
    if "int8" in text:
        return "int8"
    return "fp32" if re.search(r"fp32|float", text) else "other"
