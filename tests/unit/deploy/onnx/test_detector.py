from pathlib import Path

import numpy as np
import onnx
import pytest

from amesh.blazeface.config import FULL
from amesh.deploy import parity
from amesh.deploy.onnx import export as onnx_file
from amesh.deploy.onnx.runner import OnnxFile, open_detector
from amesh.weights import store

pytestmark = pytest.mark.slow  # an export takes seconds, and an interpreter of its own

CODE = """
from pathlib import Path
from amesh.blazeface.config import FULL
from amesh.blazeface.network import build_detector
from amesh.deploy.onnx.detector import export_detector
from amesh.weights import store
net = build_detector(FULL)
store.save(net, Path("full.safetensors"), {})
Path("full.onnx").write_bytes(export_detector(net))  # compares the two
"""


def test_a_detector_as_onnx(run_python, tmp_path: Path):
    run_python(f"import sys; sys.path.insert(0, {str(Path(__file__).parents[4])!r})\n{CODE}")
    net, file = store.load(tmp_path / "full.safetensors"), OnnxFile(tmp_path / "full.onnx")
    assert file.about["model"] == "detector-full"
    assert file.batch is None
    images = np.random.default_rng(0).random((3, 192, 192, 3), np.float32)
    compared = parity.measure(file.run_crops, net, images)
    assert compared.count == 3
    assert compared.all.max < 1e-3
    assert compared.logit is not None
    assert compared.logit < 1e-4
    assert set(onnx_file.census(onnx.load(tmp_path / "full.onnx"))) <= onnx_file.ALLOWED_OPERATORS
    detector = open_detector(tmp_path / "full.onnx")
    assert detector.config == FULL
    square = (images[0] * 255).round().astype(np.uint8)
    expected = parity.reference(net, square[None].astype(np.float32) / 255)
    np.testing.assert_allclose(detector(square).scores, expected["scores"][0], atol=1e-5)
