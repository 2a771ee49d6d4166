"""Our `face-landmarker-v2` on every runtime, compared with Google's file in its own.

`tests/golden/oracle.py` recorded the golden file; see `tests/golden/README.md`.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from amesh.deploy.formats import Precision
from amesh.deploy.litert.export import export_litert
from amesh.deploy.litert.runner import LitertRunner
from amesh.deploy.onnx.runner import OnnxRunner
from amesh.face_mesh import FaceMesh
from amesh.nn.plain_mesh import PlainMesh
from amesh.runner import Runner, TorchRunner
from amesh.weights import store

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "face_landmarker_v2.npz")
CROPS = GOLDEN["crops"].astype(np.float32) / np.float32(255)
NAME = "face-landmarker-v2"

pytestmark = pytest.mark.weights

EXPORT = """
import sys
from pathlib import Path
from amesh.deploy.export import export
for precision in ("fp32", "fp16"):
    export("face-landmarker-v2", "onnx", Path(sys.argv[1]) / f"{precision}.onnx", precision)
"""


@pytest.fixture(scope="module")
def net() -> PlainMesh:
    loaded = store.load(NAME)
    assert isinstance(loaded, PlainMesh)
    return loaded


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ONNX files, written without the jaxtyping hook, which interferes with torch's export."""
    folder = tmp_path_factory.mktemp("onnx")
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    return folder


def check(runner: Runner, tolerance: float) -> None:
    found = runner(CROPS)
    assert (runner.name, runner.input_size, runner.topology.name) == (NAME, 256, "face478")
    error = np.linalg.norm(found.landmarks - GOLDEN["landmarks"], axis=-1)
    assert error.max() <= tolerance  # [px of the 256-px crop]
    assert np.abs(found.face_flag - GOLDEN["flag"]).max() <= tolerance  # a logit


def test_the_golden_crops_cover_what_they_should():
    assert len(CROPS) >= 15
    assert GOLDEN["flag"].max() > 20
    assert GOLDEN["flag"].min() < -10


def test_pytorch(net: PlainMesh):
    check(TorchRunner(net), 1e-3)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("fp16", 1e-2)])
@pytest.mark.parametrize("batch", [1, 5])
def test_litert(net: PlainMesh, precision: Precision, tolerance: float, batch: int):
    pytest.importorskip("ai_edge_litert", reason="needs LiteRT: pip install '.[litert]'")
    check(LitertRunner(export_litert(net, precision, batch, verify=False)), tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-3), ("fp16", 0.5)])
def test_onnx(exported: Path, precision: Precision, tolerance: float):
    """In half precision ONNX Runtime also computes in it; see `amesh.deploy.parity.TOLERANCES`."""
    check(OnnxRunner(exported / f"{precision}.onnx"), tolerance)


@pytest.mark.parametrize(
    ("where", "tolerance"),
    [pytest.param(np.s_[:, :2], 0.05, id="x and y"), pytest.param(np.s_[:, 2], 0.15, id="z")],
)
def test_the_pipeline_is_that_of_face_landmarker(
    net: PlainMesh, astronaut: np.ndarray, where: tuple, tolerance: float
):
    """Regions, crops and units, with MediaPipe's crop; measured: 0.014 px, and 0.08 px in z."""
    face_mesh = FaceMesh(TorchRunner(net), detector="short", mediapipe_crop=True)
    [face] = face_mesh(astronaut)
    difference = face.landmarks - GOLDEN["picture"]
    assert np.abs(difference[where]).max() <= tolerance  # [px of the picture]
