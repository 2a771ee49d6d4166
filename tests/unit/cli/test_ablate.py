"""`amesh ablate` from its words to its table, with networks that are trained already."""

import json
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from drawn_faces import write_faces

pytest.importorskip("pytorch_lightning")

import yaml

from amesh.ablation import cost
from amesh.ablation import plan as ablation_plan
from amesh.ablation import runs as ablation_runs
from amesh.ablation.plan import plan, read_ablation
from amesh.ablation.runs import Job
from amesh.cli import main
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import MeshConfig
from amesh.weights import store

_settings_of = cache(ablation_plan.settings_of)


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A command, and trained networks of two variants and two seeds, but for the last."""
    smallest = Path(__file__).parents[2] / "support" / "smallest.yaml"
    # Parsing a configuration takes a third of a second, and each command parses every training's.
    monkeypatch.setattr(ablation_plan, "settings_of", _settings_of)
    ablation = tmp_path / "sizes.yaml"
    variants = {"As it is": [], "Crop 16": ["--model.network.crop_size=16"]}
    content = {"common": [f"--config={smallest}"], "reference": "As it is", "variants": variants}
    ablation.write_text(yaml.safe_dump(content, sort_keys=False))
    for job in plan(read_ablation(str(ablation)), 2, tmp_path / "runs")[:3]:
        _train(job)
    monkeypatch.setattr(cost, "costs", partial(cost.costs, rounds=1))
    shards = write_faces(tmp_path / "shards", 4, size=64)
    found = ["ablate", str(ablation), "--data", str(shards), "--runs", str(tmp_path / "runs")]
    return [*found, "--output", str(tmp_path / "out")]


def _train(job: Job) -> None:
    torch.manual_seed(job.seed)
    version = job.folder / "logs" / "version_0"
    net = AttentionMesh(MeshConfig.from_dict(job.settings["model"]["network"]))
    store.save(net, version / "checkpoints" / "network.safetensors", {"version": "1"})
    (version / "config.yaml").write_text(yaml.safe_dump(job.settings))


def _seeds(folder: Path) -> list[int]:
    seeds: list[int] = json.loads((folder / "out" / "sizes.json").read_text())["made"]["seeds"]
    return seeds


def test_more_seeds_train_what_is_missing_and_add_to_the_table(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[tuple[list[str], int, Path]] = []

    def train(jobs: list[Job], parallel: int, runs: Path, **_: object) -> None:
        missing = [job for job in jobs if ablation_runs.network(job) is None]
        asked.append(([f"{job.variant}, {job.seed}" for job in missing], parallel, runs))
        for job in missing:
            _train(job)

    monkeypatch.setattr(ablation_runs, "train", train)
    assert main([*words, "--seeds", "1", "--limit", "3"]) == 0
    assert _seeds(tmp_path) == [0]
    text = capsys.readouterr().out
    assert "# Ablation: sizes" in text
    assert "**One seed each**" in text
    assert "* budget: 3 epochs in batches of 2 faces" in text
    assert "* limit: 3 labels of each source" in text
    assert "3 faces (3 of drawn), labelled in `face478`" in text

    assert main([*words, "--seeds", "2", "--jobs", "2"]) == 0
    assert _seeds(tmp_path) == [0, 1]
    text = capsys.readouterr().out
    assert "seed by seed (0, 1)" in text
    assert (tmp_path / "out" / "sizes.md").read_text() in text
    runs = tmp_path / "runs"
    assert asked == [([], 1, runs), (["Crop 16, 1"], 2, runs)]


def test_a_seed_that_not_all_variants_have_is_not_scored(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--seeds", "2", "--score-only"]) == 0
    assert _seeds(tmp_path) == [0]
    capsys.readouterr()
    empty = str(tmp_path / "nothing")
    assert main([*words, "--runs", empty, "--seeds", "2", "--score-only"]) == 2
    error = capsys.readouterr().err
    assert "no seed is complete for all variants (As it is, seed 0 and 3 others" in error


def test_mistakes_are_reported_before_anything_is_trained(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ablation_runs, "train", None)
    assert main([*words, "--data", str(tmp_path / "none.jsonl")]) == 2
    assert "none.jsonl" in capsys.readouterr().err
    assert main([*words[:1], "papr", *words[2:]]) == 2
    assert "no ablation 'papr'" in capsys.readouterr().err
