"""`amesh ablate` with real training in a separate process, and evaluation of its network."""

import json
from functools import partial
from pathlib import Path

import pytest
import yaml
from drawn_faces import write_faces
from training_runs import CONFIG, data

pytest.importorskip("pytorch_lightning")

from amesh.ablation import cost
from amesh.cli import main

pytestmark = pytest.mark.slow


def test_a_variant_is_trained_once_and_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cost, "costs", partial(cost.costs, rounds=1))
    faces = write_faces(tmp_path / "shards", 4)
    common = [f"--config={CONFIG}", *data(faces), "--trainer.max_epochs=1"]
    path = tmp_path / "own.yaml"
    content = {"common": common, "reference": "As it is", "variants": {"As it is": []}}
    path.write_text(yaml.safe_dump(content))
    runs, out = tmp_path / "runs", tmp_path / "out"
    words = ["ablate", str(path), "--data", str(faces), "--seeds", "1", "--runs", str(runs)]
    assert main([*words, "--output", str(out)]) == 0
    told = capsys.readouterr()
    assert "As it is, seed 0: done in" in told.err
    assert "* trained on: 4 faces (CC0: 4)" in told.out
    run = runs / "as-it-is" / "seed-0"
    [network] = run.rglob("network.safetensors")
    assert "wrote" in (run / "log.txt").read_text()

    # The whole configuration of the run is what its words meant: nothing is trained again.
    written = network.stat().st_mtime_ns
    assert main([*words, "--output", str(out)]) == 0
    assert "starts" not in capsys.readouterr().err
    assert network.stat().st_mtime_ns == written
    [table] = json.loads((out / f"{path.stem}.json").read_text())["sets"]
    assert table["sources"] == {"drawn": 4}
    assert all(0 < column["effects"][0]["errors"][0] < 100 for column in table["columns"])

    path.write_text(yaml.safe_dump({**content, "common": [*common, "--data.batch_size=4"]}))
    assert main([*words, "--output", str(out)]) == 2
    assert "trained with data.batch_size 2, now it is 4" in capsys.readouterr().err
