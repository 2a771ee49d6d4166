"""The detectors on every runtime, compared with the released files in their own."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amesh.deploy import formats
from amesh.detector_runner import DetectorRunner

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "detectors.npz")

pytestmark = pytest.mark.weights

EXPORT = """
import sys

from pathlib import Path

sys.path.insert(0, {root!r})
from amesh.deploy.export import export

export({model!r}, {runtime!r}, Path({file!r}))
"""


@pytest.fixture(params=["torch", "onnx", "litert"])
def opened(
    request: pytest.FixtureRequest, tmp_path: Path, run_python: Callable[[str], str]
) -> Callable[[str], DetectorRunner]:
    """Opens a detector on a runtime, from a fresh file."""
    row = formats.runtime_named(request.param)
    if not row.is_installed:
        pytest.skip(f"needs {row.package}")

    def opened(model: str) -> DetectorRunner:
        if not row.exporter:
            return row.open_detector(model)
        file = tmp_path / f"{model}{row.suffix}"
        root = str(Path(__file__).parents[2])
        run_python(EXPORT.format(root=root, model=model, runtime=row.name, file=str(file)))
        return row.open_detector(file)

    return opened


@pytest.mark.parametrize("name", ["short", "full"])
def test_raw_outputs(name: str, opened: Callable[[str], DetectorRunner]):
    """Within 1e-4 of each value, absolute below 1.

    Boxes are in pixels of the input, and logits reach 260 on noise. That is the limit of single
    precision: the runtimes are 0.6e-4 to 2.8e-4 away from the network in double precision.
    """
    detector = opened(f"detector-{name}")
    answers = [detector(square) for square in GOLDEN[f"{name}_inputs"]]
    for found, released in (
        (np.stack([answer.boxes for answer in answers]), GOLDEN[f"{name}_regressors"]),
        (
            np.stack([answer.scores for answer in answers]),
            GOLDEN[f"{name}_classificators"][..., 0],
        ),
    ):
        assert (np.abs(found - released) / np.maximum(1, np.abs(released))).max() <= 1e-4
