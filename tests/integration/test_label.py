"""`amesh label` on a real picture, by the released weights."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import amesh
from amesh.cli.commands import command_parser
from amesh.data.loading.dataset import make_sample
from amesh.data.loading.pictures import decode
from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.errors import UserError
from amesh.topology import load

pytestmark = pytest.mark.weights

CALL = """
import sys
from amesh.cli.commands import command_parser
options = command_parser("label").parse_args(sys.argv[2:])
sys.exit(options.call(options))
"""

# Dies when the first shard is finished and the next file is about to be renamed.
KILLED = """
import os, signal, sys
def die(event, words):
    if event == "os.rename":
        names = os.listdir(os.path.dirname(words[1]))
        if any(name.endswith(".index.json") for name in names):
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(die)
"""


def run(*words: object) -> int:
    options = command_parser("label").parse_args([*map(str, words)])
    code: int = options.call(options)
    return code


@pytest.fixture
def folder(astronaut: np.ndarray, tmp_path: Path) -> Path:
    place = tmp_path / "photos"
    place.mkdir()
    for i in range(6):
        Image.fromarray(np.roll(astronaut, 4 * i, axis=1)).save(place / f"{i}.jpg", quality=95)
    return place


def keys(folder: Path) -> list[str]:
    source = ShardSource(folder, Problems())
    return sorted(source[i].key for i in range(len(source)))


ALL = [f"photos/{i}.jpg#0:0" for i in range(6)]


def test_labels_equal_the_networks_prediction_and_follow_the_cut(folder: Path, tmp_path: Path):
    assert run(folder, "--output", tmp_path / "out") == 0
    assert keys(tmp_path / "out") == ALL
    source = ShardSource(tmp_path / "out", Problems())
    [expected] = amesh.FaceMesh("released-192")(amesh.read_image(folder / "0.jpg"))
    box = np.ptp(expected.landmarks[:, :2], axis=0).max()
    whole = make_sample(source[0], load(), 192, 2.3)
    assert whole.face
    # The picture is cut around the face by whole pixels, as the landmarks show.
    left, top = np.round((expected.landmarks - source[0].points)[:, :2].mean(0)).astype(int)
    away = source[0].points[:, :2] + (left, top) - expected.landmarks[:, :2]
    assert np.linalg.norm(away, axis=1).mean() < 0.01 * box
    assert source[0].weight_xy.mean() > 0.5
    cut = decode(source[0].read_picture(), "")[0].astype(int)
    part = amesh.read_image(folder / "0.jpg")[top : top + len(cut), left : left + cut.shape[1]]
    assert np.abs(part - cut).mean() < 1


def test_a_killed_run_that_is_restarted_has_every_face_once(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    words = ["label", str(folder), "--output", str(out), "--faces-per-shard", "2"]

    def label(code: str) -> int:
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode

    assert label(KILLED + CALL) == -signal.SIGKILL
    assert len(keys(out)) == 2
    assert label(CALL) == 0
    assert keys(out) == ALL
    assert not [path for path in out.iterdir() if ".tar." in path.name and path.name[0] == "."]
    assert json.loads((out / "labels.json").read_text())["faces"] == 6


def test_concurrent_ranks_share_the_work(folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    words = [sys.executable, "-c", CALL, "label", str(folder), "--output", str(out)]
    environments = [os.environ | {"RANK": str(i), "WORLD_SIZE": "2"} for i in range(2)]
    processes = [
        subprocess.Popen(words, env=one, stderr=subprocess.DEVNULL) for one in environments
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert keys(out) == ALL
    assert len(list(out.glob("faces-000[01]-000000.tar"))) == 2
    assert json.loads((out / "labels.json").read_text())["faces"] == 6


def test_workers_change_no_byte_of_an_ensembles_labels(folder: Path, tmp_path: Path):
    for workers in (1, 3):
        words = (folder, "--output", tmp_path / str(workers), "--workers", workers)
        assert run(*words, "--ensemble", "paper-256", "--faces-per-shard", 2) == 0
    one, three = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "13"
    )
    assert len([name for name in one if name.endswith(".tar")]) == 3
    assert one == three


def test_exit_codes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bad = tmp_path / "bad" / "text.jpg"
    bad.parent.mkdir()
    bad.write_text("no picture")
    assert run(bad, "--output", tmp_path / "nothing") == 2
    words = (folder / "0.jpg", bad, "--output", tmp_path / "out")
    assert run(*words) == 1
    assert run(*words) == 1, "the failure is still there"
    error = capsys.readouterr().err
    assert "text.jpg: not a picture that can be read" in error
    assert "1 face in 1 picture; unreadable: 1 picture" in error
    Image.new("RGB", (300, 300)).save(bad)
    assert run(*words, "--retry") == 0
    assert "no face: 1 picture" in capsys.readouterr().err


def test_labels_of_different_teachers_do_not_mix(folder: Path, tmp_path: Path):
    words = (folder / "0.jpg", "--output", tmp_path / "out")
    assert run(*words) == 0
    with pytest.raises(UserError, match="labelled by a teacher with views"):
        run(*words, "--views", 16)
    for option, value in (("--min-face", 60), ("--detector", "short"), ("--max-faces", 1)):
        with pytest.raises(UserError, match=f"{option} .*{value}"):
            run(*words, option, value)


def test_the_help_says_what_it_writes(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        run("--help")
    text = " ".join(capsys.readouterr().out.split())
    for words in ("labels.json", "manifest.jsonl", "srun starts them", "JPEG of quality 95"):
        assert words in text
