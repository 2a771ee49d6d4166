"""Exported TFLite files in LiteRT's stock interpreter, compared with the networks in PyTorch."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from amesh.deploy import parity
from amesh.deploy.formats import Precision
from amesh.deploy.litert.export import export_for_task, export_litert, export_parts
from amesh.deploy.litert.runner import LitertFile, LitertRunner
from amesh.deploy.network.cascade_parts import take_part
from amesh.deploy.network.prepare import Network
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED, RegionConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import PlainMesh
from amesh.runner import TorchRunner
from amesh.weights import store

pytest.importorskip("ai_edge_litert", reason="needs LiteRT: pip install '.[litert]'")

GOLDEN = Path(__file__).parents[1] / "golden" / "released_192.npz"
TINY, PAPER, RELEASED = NAMED["tiny-128"], NAMED["paper-256"], NAMED["released-192"]


def lively(net: Network) -> Network:
    """Makes a fresh network, which would always predict the mean face, depend on its input.

    BatchNorms get non-trivial statistics, so that folding them matters.
    """
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.endswith("points.weight"):
                parameter.mul_(3)
    return net.eval()


NETWORKS: dict[str, Callable[[], Network]] = {
    "paper-256": lambda: store.untrained("paper-256"),  # type: ignore[return-value]
    "errors": lambda: AttentionMesh(replace(TINY, error_width=8)),
    "batch norm": lambda: AttentionMesh(replace(TINY, batch_norm=True)),
    "corners": lambda: AttentionMesh(replace(TINY, theta_rule="corners")),
    "regressed": lambda: AttentionMesh(replace(TINY, crop_source="regressed")),
    "uneven": lambda: AttentionMesh(replace(TINY, regions={"lips": RegionConfig(depth=1)})),
    "mesh only": lambda: MeshOnly(replace(PAPER, error_width=32)),
    "cascade": lambda: Cascade(replace(PAPER, error_width=32)),
    "cascade without mesh irises": lambda: Cascade(RELEASED),
    "plain": lambda: PlainMesh(PlainConfig("plain", input_size=128, depth=1)),
}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_parity_of_the_family(name: str, precision: Precision):
    net = lively(NETWORKS[name]())
    runner = LitertRunner(export_litert(net, precision, verify=False))
    compared = parity.measure(runner, net)
    assert compared.problem(precision) is None, compared.lines()
    assert compared.logit is not None
    assert compared.logit <= (1e-4 if precision == "fp32" else 1e-2)


@pytest.mark.weights
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("batch", [1, 5])
def test_parity_of_the_released_network(released: AttentionMesh, precision: Precision, batch: int):
    """Measured: 0.0003 px in single precision, 0.003 px in half; its weights were half already."""
    crops = np.load(GOLDEN)["crops"].astype(np.float32) / 255
    runner = LitertRunner(export_litert(released, precision, batch, verify=False))
    assert (runner.name, runner.input_size) == ("released-192", 192)
    expected, found = TorchRunner(released)(crops), runner(crops)
    error = np.linalg.norm(found.landmarks - expected.landmarks, axis=-1)
    assert error.max() <= {"fp32": 1e-3, "fp16": 1e-2}[precision]
    assert np.abs(found.face_flag - expected.face_flag).max() <= 1e-3


@pytest.mark.weights
def test_parity_on_the_crops_that_cross_the_border(released: AttentionMesh):
    """Samples beyond the map are exactly zero, as in PyTorch; see the sampler's convention."""
    golden = np.load(GOLDEN)
    crops = golden["crops"][golden["border_crops"]].astype(np.float32) / 255
    compared = parity.measure(LitertRunner(export_litert(released)), released, crops)
    assert compared.all.max <= 1e-3


@pytest.mark.parametrize("part", ["mesh", "lips", "right_eye", "left_eye"])
def test_parity_of_the_parts_of_a_cascade(part: str):
    net = lively(Cascade(replace(PAPER, error_width=32)))
    assert isinstance(net, Cascade)
    for precision in ("fp32", "fp16"):
        file = LitertFile(export_parts(net, precision, verify=False)[part])  # type: ignore[arg-type]
        compared = parity.measure(file.run_crops, take_part(net, part))
        assert compared.problem(precision) is None, compared.lines()  # type: ignore[arg-type]


@pytest.mark.weights
def test_the_contract_of_face_landmarker(released: AttentionMesh):
    """A 192-px network gets 256-px pictures, resized bilinearly with half-pixel centres."""
    crop = np.load(GOLDEN)["crops"][:1].astype(np.float32) / 255
    picture = torch.from_numpy(crop).permute(0, 3, 1, 2)
    large = torch.nn.functional.interpolate(picture, 256, mode="bilinear")
    small = torch.nn.functional.interpolate(large, 192, mode="bilinear")
    with torch.inference_mode():
        expected = released(small)
    file = LitertFile(export_for_task(released, "fp32"))
    found = file(image=large.permute(0, 2, 3, 1).contiguous().numpy())
    landmarks = found["landmarks"].reshape(478, 3) * (192 / 256)
    assert np.abs(landmarks - expected.landmarks[0].numpy()).max() <= 1e-3
    assert abs(found["face_flag"].item() - expected.face_flag.item()) <= 1e-4


def test_any_number_of_crops_through_a_fixed_batch():
    net = lively(AttentionMesh(TINY))
    crops = np.random.default_rng(0).random((3, 128, 128, 3), np.float32)
    runner = LitertRunner(export_litert(net, batch=2), threads=2)
    found, expected = runner(crops), TorchRunner(net)(crops)
    assert np.abs(found.landmarks - expected.landmarks).max() <= 1e-3
    assert runner(crops[:0]).landmarks.shape == (0, 478, 3)


def test_a_file_with_its_sidecar_replaced_is_refused(tmp_path: Path):
    path = tmp_path / "net.tflite"
    path.write_bytes(export_litert(MeshOnly(TINY).eval()))
    assert LitertRunner(path).name == "tiny-128"
    path.with_name("net.tflite.json").write_text(json.dumps({"sha256": "0"}))
    with pytest.raises(UserError, match=r"net\.tflite"):
        LitertRunner(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"TFL3", "LiteRT cannot load it"), (b"", "LiteRT cannot load it")],
)
def test_damaged_files_are_refused(content: bytes, message: str):
    with pytest.raises(UserError, match=message):
        LitertFile(content)


def test_other_files_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"missing\.tflite"):
        LitertRunner(tmp_path / "missing.tflite")
    part = export_parts(Cascade(TINY))["lips"]
    with pytest.raises(UserError, match="outputs lips"):
        LitertRunner(part)
