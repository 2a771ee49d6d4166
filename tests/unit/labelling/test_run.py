import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from amesh.data.correction import Correction
from amesh.data.loading.dataset import make_sample
from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.errors import UserError
from amesh.labelling.ledger import finished
from amesh.labelling.manifest import Manifest
from amesh.labelling.options import LabelConfig
from amesh.labelling.run import Counts, label
from amesh.labelling.sources import Share, find_inputs
from amesh.labelling.summary import claim, summarise
from amesh.labelling.teacher import Teacher

from .conftest import TOPOLOGY, ColourReader, coloured, face

Make = Callable[..., Teacher]
CONFIG = LabelConfig(faces_per_shard=2, cut=0)


@pytest.fixture
def run(folder: Path, tmp_path: Path, network: ColourReader, make_teacher: Make):
    """Labels the folder into another one; options as for `label`."""

    def call(
        share: Share = Share(),  # noqa: B008 - frozen
        config: LabelConfig = CONFIG,
        manifest: Manifest | None = None,
        said: list[str] | None = None,
        correction: Correction | None = None,
        out: str = "out",
        workers: int = 1,
    ) -> Counts:
        pipeline = make_teacher(network).pipeline
        return label(
            find_inputs([str(folder)]),
            manifest or Manifest(),
            Teacher(pipeline, correction=correction),
            tmp_path / out,
            share,
            config,
            (said if said is not None else []).append,
            workers,
        )

    return call


def keys(folder: Path) -> list[str]:
    source = ShardSource(folder, Problems())
    return [source[i].key for i in range(len(source))]


NAMES = [f"photos/deep/{i}.png#0:0" for i in range(5)]


def test_faces_are_written_and_the_rest_is_named(run, tmp_path: Path):
    said: list[str] = []
    counts = run(said=said)
    assert (counts.faces, counts.pictures, counts.before) == (5, 5, 0)
    assert counts.skipped == {"no face": 1, "unreadable": 1}
    assert keys(tmp_path / "out") == NAMES
    [line] = said
    assert "text.jpg: not a picture" in line
    record = ShardSource(tmp_path / "out", Problems())[0]
    assert (record.scheme, record.source, record.licence) == ("face478", "photos", None)
    np.testing.assert_allclose(record.points, face(), atol=0.25)
    assert record.weight_xy.min() > 0.8
    assert (record.visibility == 1).all()
    sample = make_sample(record, TOPOLOGY, 64, 2.3)
    assert sample.face


def test_the_same_again_does_nothing(run, tmp_path: Path, network: ColourReader):
    run()
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    network.batches.clear()
    counts = run()
    assert (counts.faces, counts.before) == (0, 5)
    assert counts.skipped == {"no face": 1, "unreadable": 1}, "the state is told, old or new"
    assert network.batches == []
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_retry_tries_what_gave_no_face(run, folder: Path, tmp_path: Path):
    run()
    Image.fromarray(coloured()).save(folder / "text.jpg")
    assert run().faces == 0
    counts = run(config=LabelConfig(retry=True))
    assert (counts.faces, counts.before) == (1, 5)
    assert counts.skipped == {"no face": 1}
    assert sorted(keys(tmp_path / "out")) == sorted([*NAMES, "photos/text.jpg#0:0"])
    assert run().skipped == {"no face": 1}, "what was mended is no failure any more"
    assert summarise(tmp_path / "out", {}, {})["without_labels"] == {"no face": 1}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_interrupted_labelling_is_resumed(
    run, tmp_path: Path, network: ColourReader, error: type[BaseException]
):
    kept = 3
    read, calls = network.read, 0

    def fail(crop: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls > 3 * 17:  # each face is looked at 1 + 8 + 8 times
            raise error("stop")
        return read(crop)

    network.read = fail
    with pytest.raises(error, match="stop"):
        run()
    assert len(keys(tmp_path / "out")) == kept
    network.read = read
    counts = run()
    assert (counts.before, counts.faces) == (kept, 5 - kept)
    assert keys(tmp_path / "out") == NAMES


def contents(folder: Path) -> dict[str, bytes]:
    """What the files hold, but for the times of day."""
    return {
        path.name: re.sub(rb'"time": [\d.]+', b"", path.read_bytes()) for path in folder.iterdir()
    }


@pytest.mark.parametrize("workers", [2, 5])
def test_workers_change_nothing(run, tmp_path: Path, workers: int):
    said: dict[int, list[str]] = {1: [], workers: []}
    counts = [run(said=words, out=str(n), workers=n) for n, words in said.items()]
    assert counts[0] == counts[1]
    assert said[1] == said[workers]
    assert contents(tmp_path / "1") == contents(tmp_path / str(workers))
    assert len(list((tmp_path / "1").glob("*.tar"))) == 3


def test_labelling_by_several_workers_is_resumed(run, tmp_path: Path, network: ColourReader):
    read, calls = network.read, 0

    def fail(crop: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls > 4 * 17:  # each face is looked at 1 + 8 + 8 times
            raise KeyboardInterrupt
        return read(crop)

    network.read = fail
    with pytest.raises(KeyboardInterrupt):
        run(workers=2)
    kept = finished(tmp_path / "out")
    assert kept == {name.removesuffix(":0") for name in NAMES[: len(kept)]}
    network.read = read
    counts = run(workers=2)
    assert (counts.before, counts.faces) == (len(kept), 5 - len(kept))
    assert keys(tmp_path / "out") == NAMES


def test_ranks_share_the_work_and_may_change(run, tmp_path: Path):
    first = run(Share(0, 3))
    assert 0 < first.faces < 5
    others = [run(Share(rank, 2)) for rank in range(2)]
    assert sum(one.faces for one in others) + first.faces == 5
    assert sum(one.before for one in others) == first.faces
    assert sorted(keys(tmp_path / "out")) == NAMES
    assert sum(one.elsewhere for one in others) == 7
    everything = run()
    assert (everything.before, everything.faces) == (5, 0)


def test_facts_of_the_manifest_are_in_the_records(run, folder: Path, tmp_path: Path):
    (folder / "manifest.jsonl").write_text(
        '{"image": "deep/0.png", "source": "studio", "licence": "CC0", "person": "p", '
        '"group": "g", "split": "train", "generated": true}\n'
    )
    run(manifest=Manifest([folder / "manifest.jsonl"]))
    source = ShardSource(tmp_path / "out", Problems())
    one, two = source[0], source[1]
    assert (one.source, one.licence, one.person) == ("studio", "CC0", "p")
    assert (one.group, one.split) == ("g", "train")
    assert (two.source, two.licence, two.person) == ("photos", None, None)
    summary = summarise(tmp_path / "out", {"network": "colours"}, {})
    assert summary["sources"]["studio"]["licences"] == {"CC0": 1}
    assert summary["generated"] == 1


@pytest.mark.parametrize(
    ("about", "expected"),
    [({"licences": {"CC-BY-4.0": 3, "CC0": 1}}, ["CC0 + CC-BY-4.0"] * 5), ({}, [None] * 5)],
)
def test_labels_stand_under_the_terms_of_their_correction_too(
    run, tmp_path: Path, about: dict[str, object], expected: list[str | None]
):
    shifts = np.zeros((TOPOLOGY.points, 2))
    run(manifest=Manifest(licence="CC0"), correction=Correction(TOPOLOGY.name, shifts, about))
    source = ShardSource(tmp_path / "out", Problems())
    assert [source[i].licence for i in range(len(source))] == expected


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (LabelConfig(min_face=70), "small"),
        (LabelConfig(max_disagreement=1e-6), "disagreement"),
        (LabelConfig(min_score=0.9999), "no face"),
    ],
)
def test_faces_that_are_not_good_enough(run, config: LabelConfig, reason: str):
    counts = run(config=config)
    assert counts.faces == 0
    assert counts.dropped == {reason: 5}
    assert counts.skipped == {"dropped": 5, "no face": 1, "unreadable": 1}


def test_labels_that_training_would_refuse_are_not_written(run, network: ColourReader):
    network.error = lambda at: 100.0  # [crop px]: nowhere near the picture
    counts = run(config=LabelConfig(max_disagreement=9))
    assert counts.dropped == {"outside the picture": 5}


def test_a_cut_moves_the_labels_with_the_picture(folder: Path, tmp_path: Path, make_teacher: Make):
    points = face((150.0, 140.0), size=50.0)
    Image.fromarray(coloured()).save(tmp_path / "one.png")
    label(
        find_inputs([str(tmp_path / "one.png")]),
        Manifest(),
        make_teacher(ColourReader([points])),
        tmp_path / "out",
        Share(),
        LabelConfig(cut=3.0),
    )
    record = ShardSource(tmp_path / "out", Problems())[0]
    sample = make_sample(record, TOPOLOGY, 64, 1.0)
    # The colours of the cut say where its pixels were; so do those at a landmark of the label.
    x, y = sample.landmarks[1, :2]
    red, green = sample.image[int(y), int(x), :2].astype(float)
    np.testing.assert_allclose([red, green], points[1, :2], atol=3)
    assert record.points[:, :2].max() < 150


def test_labelling_of_a_clip_can_be_resumed(folder: Path, tmp_path: Path, make_teacher: Make):
    pytest.importorskip("av")
    path = tmp_path / "clips" / "clip.avi"
    path.parent.mkdir()
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (256, 256))
    for _ in range(21):
        writer.write(cv2.cvtColor(coloured(), cv2.COLOR_RGB2BGR))
    writer.release()
    (path.parent / "text.mp4").write_text("no video")
    teacher = make_teacher(ColourReader([face(size=100)]))
    said: list[str] = []

    def run(every: int, share: Share = Share()) -> Counts:  # noqa: B008 - frozen
        return label(
            find_inputs([str(path.parent)]),
            Manifest(),
            teacher,
            tmp_path / "out",
            share,
            LabelConfig(every=every, max_disagreement=1),
            said.append,
            workers=2,
        )

    first = run(10)
    assert (first.faces, first.skipped) == (3, {"unreadable": 1})
    assert keys(tmp_path / "out") == [f"clips/clip.avi#{n}:0" for n in (0, 10, 20)]
    second = run(5)
    assert (second.faces, second.before, second.skipped) == (2, 3, {"unreadable": 1})
    assert len(said) == 1
    ranks = [run(2, Share(rank, 2)) for rank in range(2)]
    assert min(one.faces for one in ranks) > 0
    assert sum(one.faces for one in ranks) == 8, "0, 2, ... 20 without 0, 10 and 20"
    assert sum(one.before for one in ranks) == 3
    assert len(set(keys(tmp_path / "out"))) == len(keys(tmp_path / "out")) == 13
    record = ShardSource(tmp_path / "out", Problems())[0]
    np.testing.assert_allclose(record.points[:, :2], face(size=100)[:, :2], atol=3)


def test_the_summary_says_what_lies_there_and_who_made_it(run, tmp_path: Path):
    out, teacher = tmp_path / "out", {"network": "colours", "sha256": "ab"}
    claim(out, teacher, CONFIG.rules)
    run(Share(0, 2))
    run(Share(1, 2))
    summary = summarise(out, teacher, CONFIG.rules)
    assert json.loads((out / "labels.json").read_text()) == summary
    assert summary["teacher"] == teacher
    assert (summary["faces"], summary["pictures"]) == (5, 5)
    assert summary["without_labels"] == {"no face": 1, "unreadable": 1}
    assert summary["sources"]["photos"]["faces"] == 5
    assert 0 < summary["disagreement"]["mean"] < 0.01
    claim(out, teacher, CONFIG.rules)
    with pytest.raises(UserError, match=r"sha256 ab.*cd"):
        claim(out, {"network": "colours", "sha256": "cd"}, CONFIG.rules)
    for text in ("{", '{"teacher": 5}', '{"teacher": {}, "rules": 5}'):
        (out / "labels.json").write_text(text)
        with pytest.raises(UserError, match=r"labels\.json: damaged"):
            claim(out, teacher, CONFIG.rules)


def test_a_clip_cut_short_is_labelled_as_far_as_it_goes(tmp_path: Path, make_teacher: Make):
    pytest.importorskip("av")
    path = tmp_path / "clips" / "clip.mkv"
    write_clip(path, [coloured()] * 80, "mjpeg", "yuvj444p")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    said: list[str] = []
    counts = label(
        find_inputs([str(path)]),
        Manifest(),
        make_teacher(ColourReader([face(size=100)])),
        tmp_path / "out",
        Share(),
        LabelConfig(every=10, max_disagreement=1),
        said.append,
    )
    assert 3 <= counts.faces <= 5
    [line] = said
    assert line.startswith(f"{path}: ends after")


def test_clips_without_pyav_stop_the_work_before_it_begins(
    tmp_path: Path, make_teacher: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "clip.mp4").write_text("x")
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"install .*'\.\[video\]'"):
        label(
            find_inputs([str(tmp_path / "clip.mp4")]),
            Manifest(),
            make_teacher(ColourReader([])),
            out,
            Share(),
            LabelConfig(),
        )
    assert not out.exists()
