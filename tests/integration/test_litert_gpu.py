"""Exported TFLite files run entirely on LiteRT's GPU accelerator, with the same results.

`nox -s litert_gpu` runs these tests with SwiftShader on machines without a GPU; see
`tests/support/litert_gpu.py`.
"""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from litert_gpu import run_on_gpu

from amesh.blazeface.network import DetectorNetwork
from amesh.deploy import parity
from amesh.deploy.crops import parity_crops
from amesh.deploy.litert.detector import export_detector
from amesh.deploy.litert.export import export_for_task, export_litert, export_parts
from amesh.deploy.litert.operators import OperatorGraph
from amesh.deploy.network.cascade_parts import take_part
from amesh.deploy.network.prepare import Network
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly
from amesh.weights import store

PAPER, RELEASED = NAMED["paper-256"], NAMED["released-192"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("ai_edge_litert") is None or "VK_ICD_FILENAMES" not in os.environ,
        reason="needs LiteRT and a Vulkan driver named by VK_ICD_FILENAMES: nox -s litert_gpu",
    ),
]


def on_gpu(content: bytes, crops: np.ndarray) -> dict[str, np.ndarray]:
    return run_on_gpu(content, {"image": crops}).outputs


NETWORKS: dict[str, Callable[[], Network]] = {
    "paper-256": lambda: AttentionMesh(PAPER),
    "corners": lambda: AttentionMesh(replace(RELEASED, theta_rule="corners")),
    "regressed": lambda: AttentionMesh(replace(PAPER, crop_source="regressed")),
    "mesh only": lambda: MeshOnly(PAPER),
    "cascade": lambda: Cascade(PAPER),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_family_runs_entirely_on_the_gpu(name: str):
    net = NETWORKS[name]().eval()
    crops = parity_crops(net.config.input_size).images[:1]
    outputs = on_gpu(export_litert(net), crops)
    compared = parity.measure(lambda _: outputs, net, crops)
    assert compared.problem("fp32") is None, compared.lines()


@pytest.mark.weights
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_released_network_runs_entirely_on_the_gpu(released: AttentionMesh, precision: str):
    crops = parity_crops(192).images[:3]
    content = export_litert(released, precision, batch=len(crops))  # type: ignore[arg-type]
    compared = parity.measure(lambda _: on_gpu(content, crops), released, crops)
    assert compared.all.max <= 0.01, compared.lines()


@pytest.mark.parametrize("part", ["mesh", "lips", "right_eye", "left_eye"])
def test_the_parts_of_a_cascade_run_entirely_on_the_gpu(part: str):
    net = Cascade(RELEASED).eval()
    target = take_part(net, part)
    crops = parity_crops(target.input_size).images[:1]
    outputs = on_gpu(export_parts(net)[part], crops)
    assert parity.measure(lambda _: outputs, target, crops).problem("fp32") is None


@pytest.mark.weights
@pytest.mark.parametrize("model", ["detector-short", "detector-full"])
def test_the_face_detectors_run_entirely_on_the_gpu(model: str):
    net: DetectorNetwork = store.load(model)  # type: ignore[assignment]
    crops = parity_crops(net.config.input_size).images[:1]
    outputs = on_gpu(export_detector(net), crops)
    compared = parity.measure(lambda _: outputs, net, crops)
    assert compared.problem("fp32") is None, compared.lines()


def test_the_network_of_a_task_bundle_runs_entirely_on_the_gpu():
    content = export_for_task(AttentionMesh(RELEASED).eval())
    assert on_gpu(content, parity_crops(256).images[:1])["landmarks"].shape == (1, 1, 1, 1434)


def test_rejected_operators_are_named():
    graph = OperatorGraph()
    image = graph.input("image", (1, 8, 8, 3))
    indices = graph.constant(np.zeros((5, 2), np.int32))
    rows = graph.operator("GATHER_ND", [image, indices], (5, 8, 3), options="GatherNdOptions")
    content = graph.to_bytes({"rows": graph.add(rows, 1.0)}, "")
    with pytest.raises(UserError, match=r"GPU accelerator: GATHER_ND$"):
        run_on_gpu(content, {"image": np.zeros((1, 8, 8, 3), np.float32)})
