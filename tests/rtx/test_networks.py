"""Every network builds, and each convolution of the finished engine has the precision asked for."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from amesh.blazeface.config import FULL, SHORT
from amesh.blazeface.network import build_detector
from amesh.deploy.crops import parity_crops
from amesh.deploy.network.cascade_parts import take_part
from amesh.deploy.onnx import picture
from amesh.deploy.onnx.calibration import targets
from amesh.deploy.onnx.detector import export_detector
from amesh.deploy.onnx.export import export_onnx
from amesh.deploy.onnx.quantise import export_int8
from amesh.deploy.signature import DETECTOR_OUTPUTS, OUTPUTS, landmark_outputs
from amesh.deploy.tensorrt import readiness
from amesh.deploy.tensorrt.library import Batches
from amesh.deploy.tensorrt.plan import BuildOptions, build_plan
from amesh.deploy.tensorrt.report import census, require_precision
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.weights import store
from amesh.weights.architectures import by_option

Build = Callable[..., Any]
FEW = Batches(1, 4, 8)
# What this builder makes of one crop: kernels in the profile for one crop of a dynamic graph, and
# in a graph whose batch is 1. They are exact, because docs/deployment.md states them; after a
# change for the better, write the new ones down.
FIGURES = json.loads((Path(__file__).parent / "figures.json").read_text())
# The largest share of single precision in a half-precision engine: coordinates, thetas and heads.
SINGLE = {"paper-256": 0.004, "released-192": 0.004, "tiny-128": 0.012}


@cache
def network(name: str, architecture: str = "") -> Any:
    """Installed weights, or fresh ones of an architecture."""
    if not architecture:
        return store.load(name)
    torch.manual_seed(0)
    return by_option(architecture).build(NAMED[name]).eval()


def landmarks(name: str) -> tuple[str, ...]:
    return landmark_outputs(network(name).config.predicts_errors)


def assert_as_asked(built: Any) -> None:
    """Every convolution is in every profile, in the precision of the graph."""
    assert built.graph.convolutions
    for report in built.profiles:
        found = require_precision(report, built.graph.convolutions)
        assert set(found) == set(built.graph.convolutions)


def assert_half(built: Any, name: str) -> None:
    assert_as_asked(built)
    assert set(built.graph.convolutions.values()) == {"fp16"}
    for report in built.profiles:
        counts = census(report)
        assert counts["fp32"] <= SINGLE[name] * counts["fp16"]


@pytest.mark.weights
@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("batch", [None, 1])
def test_half_precision(build: Build, name: str, batch: int | None):
    content = export_onnx(network(name), "fp16", batch, verify=False)
    built = build(content, landmarks(name))
    assert_half(built, name)
    assert len(built.profiles) == (2 if batch is None else 1)
    case = "fp16" if batch is None else "fp16, batch 1"
    assert built.kernels() == FIGURES[name]["kernels"][case]


@pytest.mark.weights
@pytest.mark.parametrize("name", FIGURES)
def test_single_precision(build: Build, name: str):
    content = export_onnx(network(name), "fp32", target="gpu", verify=False)
    built = build(content, landmarks(name))
    assert_as_asked(built)
    assert all(not census(report)["fp16"] for report in built.profiles)


@pytest.mark.weights
@pytest.mark.parametrize("name", FIGURES)
def test_int8_takes_more_kernels_and_moves_next_to_nothing_in_int8(build: Build, name: str):
    net = network(name)
    size = net.config.input_size
    content = export_int8(net, parity_crops(size).images, 1, verify=False)
    built = build(content, landmarks(name))
    assert_as_asked(built)
    # Why int8 is not worth it here; should a newer builder do better, say so in the documents.
    figures, counts = FIGURES[name], census(built.profiles[0])
    assert built.kernels() == figures["kernels"]["int8, batch 1"]
    assert figures["kernels"]["int8, batch 1"] > figures["kernels"]["fp16, batch 1"]
    chosen = list(built.graph.convolutions.values()).count("int8")
    assert chosen == figures["int8 convolutions"]
    share = 100 * counts["int8"] / counts.total()
    assert share == pytest.approx(figures["int8 numbers [%]"], abs=0.05)


@pytest.mark.parametrize("architecture", ["mesh_only", "cascade"])
def test_other_architectures(build: Build, architecture: str):
    content = export_onnx(network("tiny-128", architecture), "fp16", verify=False)
    assert_half(build(content, OUTPUTS, batches=FEW), "tiny-128")


@pytest.mark.parametrize("part", ["mesh", "lips", "left_eye"])
def test_parts_of_a_cascade(build: Build, part: str):
    target = take_part(network("tiny-128", "cascade"), part)
    content = export_onnx(target, "fp16", 1, verify=False)
    assert_as_asked(build(content, target.outputs))


def test_a_file_that_takes_bytes(build: Build):
    net = network("tiny-128", "attention_mesh")
    built = build(export_onnx(net, "fp16", byte_input=True, verify=False), OUTPUTS, batches=FEW)
    assert built.graph.byte_input
    assert_half(built, "tiny-128")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_file_that_cuts_its_own_crops(build: Build, precision: Any):
    net = network("tiny-128", "attention_mesh")
    content = picture.export_onnx_picture(net, precision, target="gpu", verify=False)
    built = build(content, OUTPUTS, batches=FEW)
    assert built.graph.cuts_crops
    assert_as_asked(built)


def test_soft_attention(build: Build):
    torch.manual_seed(0)
    net = AttentionMesh(replace(NAMED["tiny-128"], sampler="gaussian")).eval()
    assert_as_asked(build(export_onnx(net, "fp16", verify=False), OUTPUTS, batches=FEW))


@pytest.mark.parametrize("config", [SHORT, FULL])
def test_face_detectors(build: Build, config: Any):
    net = build_detector(config).eval()
    built = build(export_detector(net, 1, verify=False), DETECTOR_OUTPUTS)
    # Three convolutions of the full-range detector are not named among the engine's layers.
    for report in built.profiles:
        found = require_precision(report, built.graph.convolutions)
        assert len(found) > 0.9 * len(built.graph.convolutions)
        assert not census(report)["fp16"]


def test_small_int8_has_the_convolutions_that_were_chosen(build: Build):
    net = network("tiny-128", "attention_mesh")
    content = export_int8(net, parity_crops(128).images, verify=False)
    built = build(content, OUTPUTS, batches=FEW)
    assert_as_asked(built)
    half = onnx.load_from_string(export_onnx(net, "fp16", target="gpu", verify=False))
    assert list(built.graph.convolutions.values()).count("int8") == len(targets(half))


def test_a_broken_operator_is_told_by_name():
    net = network("tiny-128", "attention_mesh")
    model = onnx.load_from_string(export_onnx(net, "fp16", 1, verify=False))
    node = next(node for node in model.graph.node if node.op_type == "Conv")
    node.op_type = "NoSuchOperator"
    graph = readiness.check(model)
    assert any("NoSuchOperator" in problem for problem in graph.problems)
    with pytest.raises(UserError, match=rf"{node.name} \(NoSuchOperator\)"):
        build_plan(model.SerializeToString(), graph, BuildOptions())
