from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_faces import write_faces

from amesh.data.loading.dataset import FaceDataset
from amesh.data.loading.mixture import Mixture, side_by_side
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.opening import SourceConfig, open_source
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource
from amesh.data.sources.subset import held_out, times
from amesh.errors import UserError
from amesh.topology import load


def source(*names: tuple[str, str | None]) -> ListSource:
    nothing = np.zeros((0, 3), np.float32)
    return ListSource(
        "some",
        [
            LabelledFace(b"", "some", key, key, None, nothing, person=person)
            for key, person in names
        ],
    )


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_faces(tmp_path_factory.mktemp("faces"), 5)


def opened(config: SourceConfig) -> list[str]:
    return [entry.key for entry in open_source(config, Problems()).entries]


def test_lists_select_and_exclude(shards, tmp_path):
    some, other = tmp_path / "some.txt", tmp_path / "other.txt"
    some.write_text("drawn3\n\n drawn1 \n")
    other.write_text("drawn1\nof_another_set\n")
    assert opened(SourceConfig(shards, only=some)) == ["drawn1", "drawn3"]
    assert opened(SourceConfig(shards, without=other)) == ["drawn0", "drawn2", "drawn3", "drawn4"]
    assert opened(SourceConfig(shards, only=some, without=other)) == ["drawn3"]
    record = open_source(SourceConfig(shards, only=some), Problems())[1]
    assert (record.key, record.licence) == ("drawn3", "CC0")


def test_implausible_lists_are_refused(shards, tmp_path):
    wrong, all_of_them = tmp_path / "wrong.txt", tmp_path / "all.txt"
    wrong.write_text("drawn1\ndrawn9\n")
    all_of_them.write_text("".join(f"drawn{i}\n" for i in range(5)))
    with pytest.raises(UserError, match=r"wrong\.txt: 1 .*first dra"):
        opened(SourceConfig(shards, only=wrong))
    with pytest.raises(UserError, match="its lists of keys leave no face"):
        opened(SourceConfig(shards, without=all_of_them))
    with pytest.raises(UserError, match=r"none\.txt: no such file"):
        opened(SourceConfig(shards, only=tmp_path / "none.txt"))
    with pytest.raises(UserError, match="repeat is 0, expected above 0"):
        SourceConfig(shards, repeat=0)


def test_persons_and_frames_of_a_clip_are_not_split():
    names = [(f"p{i}/{j}.jpg", f"person {i}") for i in range(200) for j in range(3)]
    names += [(f"clip{i}.mp4#{j}", None) for i in range(200) for j in range(3)]
    whole = source(*names)
    train, rest = held_out(whole, 0.25)
    assert len(train) + len(rest) == len(whole) == 1200
    units = [
        {entry.person or entry.key.split("#")[0] for entry in part.entries}
        for part in (train, rest)
    ]
    assert not units[0] & units[1]
    assert 60 < len(units[1]) < 140  # of 400, a quarter
    fewer, _ = held_out(source(*names[:60]), 0.25)
    kept = {entry.key for entry in fewer.entries}
    assert kept == {entry.key for entry in train.entries} & {key for key, _ in names[:60]}


def test_nothing_is_held_out_without_a_share():
    whole = source(("a", None), ("b", None))
    train, rest = held_out(whole, 0.0)
    assert (len(train), len(rest)) == (2, 0)


def test_numbers_cycle_through_read_and_synthetic_faces(shards):
    faces = FaceDataset([open_source(SourceConfig(shards), Problems())], load(), 64, 1.5)
    mixture = Mixture(faces, made=3)
    assert len(mixture) == 8
    loaded = side_by_side([mixture[n] for n in (2, 6, 8 + 2, 8 + 6, ~1)])
    assert loaded.canvas is not None
    assert loaded.canvas.index.tolist() == [2, 10, -1]
    assert loaded.made.tolist() == [6, 14]
    first, second, filler = loaded.canvas.landmarks
    assert first.equal(second)
    assert not first.equal(filler)
    assert loaded.canvas.weight_xy.sum(1).tolist() == [478.0, 478.0, 0.0]
    assert side_by_side([mixture[6]]).canvas is None


def test_damaged_faces_that_are_not_replaced_remain_padding(shards):
    whole = open_source(SourceConfig(shards), Problems())
    records = [replace(whole[i], picture=b"" if i == 1 else whole[i].picture) for i in range(3)]
    source = ListSource("drawn", records)
    faces = FaceDataset([source], load(), 64, 1.5, "skip", substitute=False)
    samples = [Mixture(faces)[n] for n in (0, 1, 2, ~1)]
    assert [sample.index for sample in samples] == [0, -1, 2, -1]
    filler = samples[1]
    assert (filler.key, filler.face, len(filler.problems)) == ("", False, 1)
    assert filler.weight_xy.sum() == filler.weight_z.sum() == 0
    loaded = side_by_side(samples)
    assert loaded.canvas is not None
    assert loaded.canvas.landmarks.isfinite().all()


def test_each_set_contributes_at_least_one_face():
    assert [times(3, 0.1), times(0, 2.0), times(10, 0.25), times(4, 2.5)] == [1, 0, 2, 10]
