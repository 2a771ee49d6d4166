"""A region added by configuration alone, from YAML to a trained network and exported files."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from amesh.deploy.litert.runner import LitertRunner
from amesh.deploy.onnx.runner import OnnxRunner
from amesh.runner import Runner, TorchRunner

pytest.importorskip("pytorch_lightning")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("ai_edge_litert")

pytestmark = [pytest.mark.slow, pytest.mark.weights]

ROOT = Path(__file__).parents[2]
TRAINING = [
    "--config=fine_tune",
    "--config=model/nose",
    "--data.hold_out=0",
    "--data.synthetic.faces=4",
    "--data.synthetic.val=2",
    "--data.batch_size=2",
    "--data.workers=0",
    "--trainer.max_steps=10",
    "--trainer.log_every_n_steps=1",
    "--trainer.accelerator=cpu",
]


def amesh(folder: Path, *words: str) -> str:
    """Runs a command in a separate process, as users do."""
    done = subprocess.run(
        [sys.executable, "-m", "amesh", *words],
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.mark.usefixtures("released")
def test_a_nose_region_is_a_few_lines_of_yaml(tmp_path: Path):
    told = amesh(tmp_path, "fit", *TRAINING)
    [line] = [line for line in told.splitlines() if "warm start" in line]
    assert "new region nose" in line
    assert "not used" not in line
    run = tmp_path / "logs" / "version_0"
    with (run / "metrics.csv").open() as file:
        losses = [float(row["train/nose"]) for row in csv.DictReader(file) if row["train/nose"]]
    assert len(losses) == 10
    assert np.isfinite(losses).all()

    network = run / "checkpoints" / "network.safetensors"
    reference = TorchRunner.open(network)
    crops = np.load(ROOT / "tests/golden/released_192.npz")["crops"][:8].astype(np.float32) / 255
    expected = reference(crops)
    released = TorchRunner.open("released-192")(crops)
    # After ten small steps the predictions have hardly changed.
    assert np.abs(expected.landmarks - released.landmarks).mean() < 3.0
    runners: dict[str, Runner] = {}
    for kind, name in (("onnx", "nose.onnx"), ("litert", "nose.tflite")):
        amesh(tmp_path, "export", kind, "--model", str(network), "--output", name)
        parity = json.loads((tmp_path / f"{name}.json").read_text())["parity"]["regions"]
        assert parity["nose"]["max"] < 0.01
        runners[name] = (OnnxRunner if kind == "onnx" else LitertRunner)(tmp_path / name)
    for name, runner in runners.items():
        found = runner(crops)
        assert np.abs(found.landmarks - expected.landmarks).max() < 0.01, name
        assert runner.topology is reference.topology
