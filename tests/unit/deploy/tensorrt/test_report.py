from typing import Any

import pytest

from amesh.deploy.tensorrt.report import census, convolutions, require_precision
from amesh.errors import UserError


def test_census_of_version_10():
    report = {
        "Layers": [
            "a layer by name only",
            {
                "Name": "stem",
                "LayerType": "CaskConvolution",
                "Inputs": [
                    {"Dimensions": [1, 3, 8, 8], "Format/Datatype": "Row major linear FP32"}
                ],
                "Outputs": [
                    {"Dimensions": [1, 4, 4, 4], "Format/Datatype": "Channel major FP16 format"}
                ],
                "Weights": {"Type": "Half", "Count": 108},
                "Bias": {"Type": "Float", "Count": 4},
            },
            {"Outputs": [{"Dimensions": [2, 5], "Format/Datatype": "Int8"}]},
            {"Outputs": [{"Dimensions": [7], "Format/Datatype": "N/A due to dynamic shapes"}]},
        ],
        "Bindings": ["image", "landmarks"],
    }
    assert census(report) == {"fp16": 64 + 108, "fp32": 4, "int8": 10, "other": 7}


def test_census_of_version_11():
    report = {
        "Layers": [
            {
                "Outputs": [
                    {"Dimensions": [-1, 6], "Datatype": "Half", "Format": "Row major linear"},
                    {"Dimensions": [2], "DataType": "Int32", "Format": "Row major linear"},
                    {"Dimensions": [3], "DataType": "BFloat16", "Format": "Row major linear"},
                    {"Dimensions": [5], "DataType": "UInt8", "Format": "Row major linear"},
                    {"Dimensions": [], "DataType": "Float", "Format": "Row major linear"},
                ]
            }
        ],
        "I/O Tensors": [{"Name": "image", "DataType": "Float"}],
    }
    assert census(report) == {"fp16": 6, "other": 10, "fp32": 1}


def kernel(name: str, kind: str, *types: str, metadata: str = "") -> dict[str, Any]:
    """A layer of TensorRT's compiler: its inputs have these types."""
    inputs = [{"Name": "x", "Dimensions": [1, 4], "Datatype": one} for one in types]
    nodes = "".join(f"[ONNX Layer: {node}]" for node in metadata.split())
    return {"Name": name, "LayerType": kind, "Inputs": inputs, "Outputs": [], "Metadata": nodes}


# As in NVIDIA's examples for its engine explorer, and as TensorRT for RTX logs them.
REPORT = {
    "Layers": [
        {
            "Name": "stem.weight + QuantizeLinear_8 + stem + PWN(cut)",
            "LayerType": "CaskConvolution",
            "ParameterType": "Convolution",
            "Inputs": [{"Format/Datatype": "Four wide channel vectorized row major Int8 format"}],
        },
        {
            "Name": "depthwise",
            "LayerType": "CudaDepthwiseConvolution",
            "Inputs": [{"Format/Datatype": "Channel major FP16 format"}],
        },
        kernel("node_Conv_567_myl0_2", "correlation", "Half", "Float", metadata="node_Conv_567"),
        kernel("__myl_FcMul_myl0_3", "gemm", "Half", metadata="node_Conv_9 node_mul"),
        # Arithmetic beside a convolution that has its bias or padding.
        kernel("__myl_Add_myl0_4", "kgen", "Float", metadata="node_Conv_567"),
        {"Name": "image to half", "LayerType": "Reformat", "Inputs": [{"Format/Datatype": "FP32"}]},
    ]
}
ASKED = {"stem": "int8", "depthwise": "fp16", "node_Conv_567": "fp16", "node_Conv_9": "fp16"}


def test_each_convolution_has_the_type_of_what_it_reads():
    found = convolutions(REPORT, ASKED | {"elsewhere": "fp16"})
    assert found == {name: frozenset((kind,)) for name, kind in ASKED.items()}
    assert require_precision(REPORT, ASKED) == found


def test_one_convolution_that_differs_is_named():
    layers = [*REPORT["Layers"], kernel("a", "correlation", "Float", metadata="node_Conv_567")]
    message = "node_Conv_567 asked for in fp16, built in fp16 and fp32"
    with pytest.raises(UserError, match=f"another precision: {message}$"):
        require_precision({"Layers": layers}, ASKED)
    with pytest.raises(UserError, match=r"stem asked for in fp32.*and 1 more"):
        require_precision(REPORT, dict.fromkeys(ASKED, "fp32"))


def test_an_engine_that_does_not_say_what_it_was_built_for():
    with pytest.raises(UserError, match="does not tell the types"):
        require_precision({"Layers": ["stem", "head"]}, ASKED)
