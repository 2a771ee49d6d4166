"""The released network in ONNX Runtime, compared with PyTorch and its own runtime."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from PIL import Image

from amesh.deploy import parity
from amesh.deploy.crops import parity_crops
from amesh.deploy.network.traced import AsIs
from amesh.deploy.onnx import calibration, quantise
from amesh.deploy.onnx.picture import PictureNetwork
from amesh.deploy.onnx.runner import OnnxFile, OnnxRunner
from amesh.deploy.tensorrt import readiness
from amesh.detector_runner import TorchDetector
from amesh.geometry import roi
from amesh.nn.attention_mesh import AttentionMesh
from amesh.pipeline.detector import Detector
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import TorchRunner
from amesh.weights import store

ROOT = Path(__file__).parents[2]
GOLDEN = np.load(ROOT / "tests" / "golden" / "released_192.npz")
CROPS = GOLDEN["crops"].astype(np.float32) / np.float32(255)

pytestmark = [pytest.mark.weights, pytest.mark.slow]

EXPORT = """
import sys
from pathlib import Path
from amesh.deploy.export import export
from amesh.deploy.onnx.detector import export_detector
from amesh.deploy.onnx.export import export_onnx
from amesh.deploy.onnx.picture import export_onnx_picture
from amesh.weights import store
folder, net = Path(sys.argv[1]), store.load("released-192")
export("released-192", "onnx", folder / "fp32.onnx", "fp32", 1)
(folder / "fp16.onnx").write_bytes(export_onnx(net, "fp16"))
(folder / "picture.onnx").write_bytes(export_onnx_picture(net))
(folder / "detector.onnx").write_bytes(export_detector(store.load("detector-short")))
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exports all files once, because exports are slow, especially the first in a process.

    Runs without the jaxtyping hook, which interferes with torch's export.
    """
    folder = tmp_path_factory.mktemp("onnx")
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    (folder / "said.txt").write_text(done.stdout)
    return folder


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("images", [None, CROPS], ids=["shipped", "golden"])
def test_onnx_agrees_with_pytorch(
    exported: Path, released: AttentionMesh, precision: parity.Precision, images: np.ndarray | None
):
    found = parity.measure(OnnxRunner(exported / f"{precision}.onnx"), released, images)
    assert found.problem(precision) is None, found.lines()
    if precision == "fp32":
        assert found.all.max < 2e-3, found.lines()


def test_a_file_prepared_for_quantising_agrees_with_pytorch(
    exported: Path, released: AttentionMesh, tmp_path: Path
):
    from onnxruntime.quantization.shape_inference import quant_pre_process

    quant_pre_process(exported / "fp16.onnx", tmp_path / "ready.onnx")
    found = parity.measure(OnnxRunner(tmp_path / "ready.onnx"), released)
    assert found.problem("fp16") is None, found.lines()


def test_onnx_agrees_with_the_released_runtime(exported: Path):
    landmarks = OnnxRunner(exported / "fp32.onnx")(CROPS).landmarks
    scheme = OnnxRunner(exported / "fp32.onnx").topology
    lips = next(region for region in scheme.regions if region.name == "lips")
    difference = landmarks[:, list(lips.indices), :2] - GOLDEN["lips"]
    assert np.abs(difference).max() < 2e-3
    # z comes from the mesh alone.
    assert np.abs(landmarks[:, :468, 2] - GOLDEN["mesh"][..., 2]).max() < 2e-3


def test_a_picture_file_agrees_with_the_pipeline(
    exported: Path, released: AttentionMesh, astronaut: np.ndarray
):
    # Regions smaller than the crop: without shrinking, the pipeline does not antialias either.
    square = roi.Roi(
        torch.tensor([[225.1, 127.9], [222.0, 133.0]]),
        torch.tensor([141.1, 170.0]),
        torch.tensor([0.171, -0.3]),
    )
    pipeline = FacePipeline(TorchRunner(released), detector=lambda _: [])
    faces = pipeline(astronaut, square)
    rois = torch.cat([square.centre, square.size[:, None], square.angle[:, None]], dim=1)
    found = OnnxFile(exported / "picture.onnx")(picture=astronaut, rois=rois.numpy())
    for face, landmarks, flag in zip(faces, found["landmarks"], found["face_flag"], strict=True):
        # OpenCV interpolates 8-bit pixels in fixed point: up to half a grey level off.
        assert np.abs(landmarks - face.landmarks).max() < 0.1
        assert face.score == pytest.approx(1 / (1 + np.exp(-flag)), abs=1e-3)


def test_samples_take_the_place_of_halving_large_pictures(astronaut: np.ndarray):
    """The figure in docs/deployment.md, with the weights that come with the package."""
    net = store.load()
    pipeline = FacePipeline(TorchRunner(net), detector=lambda _: [])
    file = PictureNetwork(AsIs(net), samples=2)  # what is exported, as tests of its own show
    regions = torch.tensor([[220, 120, 200, 0.05], [225, 128, 141, 0.17], [222, 133, 170, -0.3]])
    apart = []
    for scale in (1, 2, 4):
        picture = np.asarray(Image.fromarray(astronaut).resize((512 * scale,) * 2))
        rois = regions * torch.tensor([scale, scale, scale, 1])
        faces = pipeline(picture, roi.Roi(rois[:, :2], rois[:, 2], rois[:, 3]))
        with torch.inference_mode():
            found = file(torch.from_numpy(picture.copy()), rois)[0].numpy()
        for face, landmarks in zip(faces, found, strict=True):
            between_eyes = np.linalg.norm(face.landmarks[468, :2] - face.landmarks[473, :2])
            distance = np.linalg.norm((landmarks - face.landmarks)[:, :2], axis=1)
            apart.append(distance.max() / between_eyes)
    assert max(apart) < 0.0016, apart


def test_two_files_and_the_arithmetic_between_agree_with_the_pipeline(
    exported: Path, released: AttentionMesh, astronaut: np.ndarray
):
    """The script for those who do not use this package."""
    script = runpy.run_path(str(ROOT / "docs" / "pipeline" / "two_files.py"))
    files = exported / "detector.onnx", exported / "picture.onnx"
    detector = Detector([TorchDetector.open("detector-short")])
    [face] = FacePipeline(TorchRunner(released), detector, look_again=False)(astronaut)
    found = script["landmarks_of"](Image.fromarray(astronaut), *files)
    assert np.abs(found - face.landmarks).max() < 0.5
    assert script["landmarks_of"](Image.new("RGB", (300, 200)), *files) is None


def test_int8_stays_within_tolerance(exported: Path, released: AttentionMesh):
    model = onnx.load(exported / "fp16.onnx")
    names = [target.weight for target in calibration.targets(model)]
    assert any("mesh" in name for name in names)
    assert any("regions" in name for name in names)
    assert not any("head" in name or "depthwise" in name or "skip" in name for name in names)
    # Calibrated on some of the crops, measured on all.
    images = parity_crops(released.config.input_size).images
    quantised = quantise.quantise(model, [images[:14]])
    assert readiness.check(quantised).problems == ()
    compared = parity.measure(OnnxFile(quantised.SerializeToString()).run_crops, released)
    assert compared.problem("int8") is None
    assert 0.05 < compared.all.p999 < 1.0  # above 0: it is quantised; measured: 0.71 px


def test_the_command_writes_and_compares_a_file_of_fixed_batch(exported: Path):
    assert "p99.9 [px]" in (exported / "said.txt").read_text()
    runner = OnnxRunner(exported / "fp32.onnx")  # as close as the others: see above
    assert runner.file.batch == 1
