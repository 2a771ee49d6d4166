"""`amesh correct`, and `amesh label` with its correction, on a real picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import amesh
from amesh.cli import main
from amesh.data.correction import Correction, face_axes, load_correction
from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.topology import load
from amesh.weights import store

pytestmark = pytest.mark.weights


def test_corrected_labels_move_to_the_manual_annotations(astronaut: np.ndarray, tmp_path: Path):
    topology = load()
    picture = tmp_path / "photo.png"
    Image.fromarray(astronaut).save(picture)
    [face] = amesh.FaceMesh("released-192")(astronaut)
    people = face.landmarks.astype(np.float64)
    shifts = np.zeros((topology.points, 2))
    lids = [i for eye in ("right_eye", "left_eye") for i in topology.contours[eye][0]]
    shifts[lids, 1] = 0.03
    people[:, :2] += shifts @ face_axes(people, topology)
    line = {"image": "photo.png", "source": "people", "licence": "CC0", "scheme": "face478"}
    line |= {"points": people[:, :2].tolist()}
    (tmp_path / "labels.jsonl").write_text(json.dumps(line) + "\n")

    words = ["correct", "--data", tmp_path / "labels.jsonl", "--coordinates", "corner"]
    written = tmp_path / "correction.json"
    assert main([*map(str, words), "--model", "released-192", "--output", str(written)]) == 0
    found = load_correction(written)
    about = {"faces": 1, "turned": 0, "measures": [], "network": "released-192"}
    about |= {"licences": {"CC0": 1}}
    assert found.about == about | {"sha256": store.file_hash("released-192")}
    assert 0.015 < found.shifts[lids, 1].mean() < 0.035
    assert abs(found.shifts[152]).max() < 0.02

    plain, corrected = tmp_path / "plain", tmp_path / "corrected"
    label = ["label", str(picture), "--model", "released-192", "--cut", "0", "--output"]
    assert main([*label, str(plain)]) == 0
    assert main([*label, str(corrected), "--correction", str(written)]) == 0
    before, after = (ShardSource(folder, Problems())[0].points for folder in (plain, corrected))
    expected = found(before.astype(np.float64), topology)
    np.testing.assert_allclose(after, expected, atol=0.01)  # [px]
    assert np.abs(after - before).max() > 1
    assert main([*label, str(plain), "--correction", str(written)]) == 2  # not continued


def test_formats_other_networks_and_pictures_that_cannot_be_read(
    astronaut: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    topology = load()
    [face] = amesh.FaceMesh("released-192")(astronaut)
    points = topology.map_points(face.landmarks[:, :2].astype(np.float64), "ibug68")
    folder = tmp_path / "people"
    folder.mkdir()
    for name in ("good", "bad"):
        Image.fromarray(astronaut).save(folder / f"{name}.png")
        rows = "\n".join(f"{x} {y}" for x, y in points)
        text = f"version: 1\nn_points: {len(points)}\n{{\n{rows}\n}}\n"
        (folder / f"{name}.pts").write_text(text)
    (folder / "bad.png").write_bytes((folder / "bad.png").read_bytes()[:5000])
    mine, written = tmp_path / "mine.safetensors", tmp_path / "correction.json"
    store.save(store.load("released-192"), mine, {}, half=True)
    words = ["correct", "--data", folder, "--format", "pts", "--scheme", "ibug68"]
    words += ["--model", mine, "--output", written]
    assert main([str(word) for word in words]) == 1
    err = capsys.readouterr().err
    assert "from 1 face;" in err
    assert "bad.png" in err
    assert load_correction(written).about == {
        "faces": 1,
        "licences": {"not stated": 1},
        "turned": 0,
        "measures": [],
        "network": "mine",  # not where it lay
        "sha256": store.file_hash(mine),
    }

    label = ["label", str(folder / "good.png"), "--output", str(tmp_path / "out")]
    label += ["--correction", str(written), "--model"]
    assert main([*label, "released-192"]) == 2
    [line] = capsys.readouterr().err.strip().splitlines()
    assert "correction.json: measured on other weights (mine, SHA-256 " in line
    assert "run `amesh correct --model released-192`" in line
    assert not (tmp_path / "out").exists()
    assert main([*label, str(mine)]) == 0


def test_each_network_of_an_ensemble_has_its_own_correction(
    astronaut: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    topology = load()
    picture = tmp_path / "photo.png"
    Image.fromarray(astronaut).save(picture)
    models = ["released-192", "paper-256"]
    rng = np.random.default_rng(0)
    files = []
    for model in models:
        files.append(tmp_path / f"{model}.json")
        shifts = rng.normal(0, 0.01, (topology.points, 2)).round(6)
        Correction(topology.name, shifts, {"sha256": store.file_hash(model)}).save(files[-1])
    label = ["label", str(picture), "--cut", "0", "--output"]

    def labels(name: str, *words: str) -> np.ndarray:
        assert main([*label, str(tmp_path / name), *words]) == 0
        return ShardSource(tmp_path / name, Problems())[0].points

    both = ["--model", models[0], "--ensemble", models[1]]
    plain = labels("plain", *both)
    words = ["--correction", str(files[1]), "--correction", str(files[0])]
    corrected = labels("corrected", *both, *words)
    about = json.loads((tmp_path / "corrected" / "labels.json").read_text())["teacher"]
    digests = [load_correction(file).digest for file in files]
    assert [about["correction"], about["others"][0]["correction"]] == digests
    alone = [labels(model, "--model", model) for model in models]
    np.testing.assert_allclose(plain, np.mean(alone, axis=0), atol=0.5)  # [px]
    assert np.abs(alone[1] - alone[0]).max() > 1
    mean = sum(load_correction(file).shifts for file in files) / 2
    moved = Correction(topology.name, mean)(plain.astype(np.float64), topology)
    np.testing.assert_allclose(corrected, moved, atol=0.5)
    assert np.abs(corrected - plain).max() > 1

    capsys.readouterr()
    (tmp_path / "unknown.json").write_text(files[0].read_text().replace('"sha256"', '"sha"'))
    for wrong, message in {
        ("--ensemble", models[1], "--correction", str(tmp_path / "unknown.json")): (
            "which network it was measured on"
        ),
        ("--ensemble", models[0]): "the same network twice",
        ("--ensemble", f"{models[0]},iris=0"): "the same network twice",
        ("--ensemble", f"{models[1]},iris"): "expected MODEL,PART=WEIGHT,..., found 'iris'",
        ("--ensemble", f"{models[1]},ear=0"): "face478 has no part 'ear'",
        ("--correction", str(files[0]), "--correction", str(files[0])): (
            "a second correction of released-192"
        ),
        ("--correction", str(files[1])): "measured on other weights (a network, SHA-256 ",
    }.items():
        assert main([*label, str(tmp_path / "wrong"), "--model", models[0], *wrong]) == 2
        [line] = capsys.readouterr().err.strip().splitlines()
        assert message in line
    assert not (tmp_path / "wrong").exists()
