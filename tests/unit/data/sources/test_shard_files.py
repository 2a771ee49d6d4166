import errno
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from labelled_pictures import photo, save

from amesh.data.sources import shards
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.shard_files import (
    INDEX_SUFFIX,
    ShardWriter,
    next_number,
    read_index,
    written_keys,
)
from amesh.data.sources.shards import ShardSource
from amesh.errors import UserError

Make = Callable[..., LabelledFace]


def write(folder: Path, records: list[LabelledFace], faces: int = 2) -> list[Path]:
    with ShardWriter(folder, faces=faces) as writer:
        for record in records:
            writer.add(record)
    return sorted(folder.glob("*.tar"))


def unsealed(tar: Path) -> dict[str, Any]:
    """Makes a shard one of an earlier version, without checksums; returns its index."""
    path = tar.with_name(f"{tar.name}{INDEX_SUFFIX}")
    index = json.loads(path.read_text())
    del index["checksum"]
    for face in index["faces"]:
        del face["crc32"]
    path.write_text(json.dumps(index))
    return index


def test_written_faces_are_read_back(tmp_path: Path, record: Make) -> None:
    rich = record(
        1,
        weight_xy=np.full(478, 0.5),
        weight_z=np.full(478, 0.25),
        visibility=np.zeros(478),
        group="a",
        person="b",
        split="train",
        licence=None,
    )
    flat = record(2, scheme="ibug68", points=np.random.default_rng(0).random((68, 2)))
    none = record(3, scheme=None, points=np.zeros((0, 2)), face=False, box=(1.0, 2.0, 3.0, 4.0))
    tars = write(tmp_path, [record(0), rich, flat, none])
    assert [tar.name for tar in tars] == ["faces-000000.tar", "faces-000001.tar"]
    source = ShardSource(tmp_path, Problems())
    assert len(source) == 4
    assert source.schemes == {"face478", "ibug68"}
    for i, written in enumerate([record(0), rich, flat, none]):
        read = source[i]
        assert read.read_picture() == written.picture
        for name in ("scheme", "source", "key", "licence", "face", "box", "group", "person"):
            assert getattr(read, name) == getattr(written, name), name
        d = written.points.shape[1]
        np.testing.assert_allclose(read.points[:, :d], written.points, rtol=1e-6)
    assert (source[1].weight_xy == 0.5).all()
    assert (source[1].weight_z == 0.25).all()
    assert (source[1].visibility == 0).all()
    assert (source[2].weight_z == 0).all(), "two dimensions have no depth to train on"


def test_shards_are_plain_tars_that_webdataset_can_group(tmp_path: Path, record: Make) -> None:
    picture = save(tmp_path / "in" / "a.jpg", photo())
    [tar] = write(tmp_path / "out", [record(0), record(1, picture=picture)])
    with tarfile.open(tar) as content:
        names = content.getnames()
        groups: dict[str, list[str]] = {}
        for name in names:
            stem, _, suffix = name.partition(".")
            groups.setdefault(stem, []).append(suffix)
        assert list(groups.values()) == [["png", "json", "npy"], ["jpg", "json", "npy"]]
        file = content.extractfile(names[4])
        assert file is not None
        assert json.load(file)["key"] == "face 1"


def test_same_faces_same_bytes(tmp_path: Path, record: Make) -> None:
    [one] = write(tmp_path / "a", [record(0), record(1)])
    [two] = write(tmp_path / "b", [record(0), record(1)])
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("within", [False, True])
def test_an_interruption_loses_only_what_is_being_added(
    tmp_path: Path, record: Make, within: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> bytes:
        raise KeyboardInterrupt

    def write_some() -> None:
        with ShardWriter(tmp_path, faces=2) as writer:
            for i in range(3):
                writer.add(record(i))
            if within:
                monkeypatch.setattr(LabelledFace, "read_picture", stop)
                writer.add(record(3))
            stop()

    with pytest.raises(KeyboardInterrupt):
        write_some()
    monkeypatch.undo()
    names = ["faces-000000.tar"] if within else ["faces-000000.tar", "faces-000001.tar"]
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == [name + suffix for name in names for suffix in ("", INDEX_SUFFIX)]
    done = written_keys(tmp_path)
    assert done == {f"face {i}" for i in range(2 if within else 3)}
    write(tmp_path, [r for r in map(record, range(5)) if r.key not in done])
    source = ShardSource(tmp_path, Problems())
    assert [source[i].key for i in range(5)] == [f"face {i}" for i in range(5)]


def test_more_shards_are_read_than_may_be_open(
    tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_OPEN", 2)
    write(tmp_path, [record(i) for i in range(5)], faces=1)
    source = ShardSource(tmp_path, Problems())
    for _ in range(2):
        assert [source[i].key for i in range(5)] == [f"face {i}" for i in range(5)]
    assert len(source._open) == 2


def test_faces_that_belong_together_share_a_shard(tmp_path: Path, record: Make) -> None:
    with ShardWriter(tmp_path, faces=2) as writer:
        writer.add(*(record(i) for i in range(3)))
        writer.add(record(3))
    assert [len(read_index(path).faces) for path in sorted(tmp_path.glob("*.json"))] == [3, 1]


def test_a_full_disk_is_reported_in_one_line_and_loses_nothing(
    tmp_path: Path, record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [record(0)])

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with ShardWriter(tmp_path) as writer:
        writer.add(record(1))
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UserError, match=r"faces-000001\.tar: .*No space"):
            writer.flush()
        monkeypatch.undo()
        writer._tar = None
    assert [p.name for p in tmp_path.glob("*.tar")] == ["faces-000000.tar"]
    assert len(ShardSource(tmp_path, Problems())) == 1


def test_bad_points_are_not_written(tmp_path: Path, record: Make) -> None:
    with (
        pytest.raises(UserError, match=r"line 1: point 0 is .*nan.*, not finite"),
        ShardWriter(tmp_path) as writer,
    ):
        writer.add(record(0, points=np.full((478, 3), np.nan)))


def test_bad_shards(tmp_path: Path, record: Make) -> None:
    with pytest.raises(UserError, match="none: no such file or folder"):
        ShardSource(tmp_path / "none", Problems())
    with pytest.raises(UserError, match=r"no \.tar file in it"):
        ShardSource(tmp_path, Problems())
    first, second = write(tmp_path, [record(i) for i in range(4)])
    whole = second.read_bytes()
    second.write_bytes(whole[:-2000])
    message = rf"{second.name}: has {len(whole) - 2000} bytes, but its index says {len(whole)}"
    with pytest.raises(UserError, match=message):
        ShardSource(tmp_path, Problems())
    problems = Problems("skip")
    assert len(ShardSource(tmp_path, problems)) == 2
    assert len(problems.messages) == 1
    second.unlink()
    first.with_name(first.name + INDEX_SUFFIX).unlink()
    with pytest.raises(UserError, match=rf"{first.name}\.index\.json"):
        ShardSource(tmp_path, Problems())
    first.with_name(first.name + INDEX_SUFFIX).write_text("{")
    with pytest.raises(UserError, match="a damaged index"):
        ShardSource(first, Problems())
    first.with_name(first.name + INDEX_SUFFIX).write_text('{"version": 9}')
    with pytest.raises(UserError, match="an index of version 9, expected 1"):
        ShardSource(first, Problems())


def test_damage_inside_a_shard_is_found_on_reading(tmp_path: Path, record: Make) -> None:
    [tar] = write(tmp_path, [record(0), record(1)])
    index = unsealed(tar)
    content = bytearray(tar.read_bytes())
    start = index["faces"][1]["json"][0]
    content[start : start + 4] = b"\0\0\0\0"
    tar.write_bytes(content)
    source = ShardSource(tmp_path, Problems())
    assert source[0].key == "face 0"
    with pytest.raises(UserError, match=r"faces-000000\.tar.*byte \d+.*labels"):
        source[1]


@pytest.mark.parametrize("member", ["picture", "json", "npy"])
def test_a_flipped_bit_in_a_shard_is_noticed(tmp_path: Path, record: Make, member: str) -> None:
    [tar] = write(tmp_path, [record(0), record(1)])
    start, length = json.loads((tmp_path / f"{tar.name}{INDEX_SUFFIX}").read_text())["faces"][1][
        member
    ]
    content = bytearray(tar.read_bytes())
    content[start + length - 3] ^= 1
    tar.write_bytes(content)
    source = ShardSource(tmp_path, Problems())
    assert source[0].read_picture()
    with pytest.raises(UserError, match=rf"damaged at byte {start}: its CRC-32"):
        source[1].read_picture()


@pytest.mark.parametrize(
    ("old", "new"), [(b'"face 1"', b'"face 7"'), (b', "checksum"', b', "check"'), (b"}", b" }")]
)
def test_a_changed_index_is_noticed(tmp_path: Path, record: Make, old: bytes, new: bytes) -> None:
    [tar] = write(tmp_path, [record(0), record(1)])
    path = tmp_path / f"{tar.name}{INDEX_SUFFIX}"
    path.write_bytes(path.read_bytes().replace(old, new))
    with pytest.raises(UserError, match="damaged index: its CRC-32"):
        ShardSource(tmp_path, Problems())


def test_shards_of_an_earlier_version_are_read(tmp_path: Path, record: Make) -> None:
    [tar] = write(tmp_path, [record(0), record(1)])
    unsealed(tar)
    assert ShardSource(tmp_path, Problems())[1].key == "face 1"


@pytest.mark.parametrize("place", [[-5, 100], [0, 10**11], [10**11, 1], [512, -1]], ids=str)
@pytest.mark.parametrize("member", ["picture", "json", "npy"])
def test_a_wrong_position_in_an_index_costs_one_face(
    tmp_path: Path, record: Make, member: str, place: list[int]
) -> None:
    [tar] = write(tmp_path, [record(0), record(1)])
    index = unsealed(tar)
    index["faces"][1][member] = place
    (tmp_path / f"{tar.name}{INDEX_SUFFIX}").write_text(json.dumps(index))
    source = ShardSource(tmp_path, Problems())
    assert source[0].read_picture()
    with pytest.raises(UserError, match=r"faces-000000\.tar: its index refers to bytes"):
        source[1].read_picture()


def test_a_table_that_claims_to_be_large_allocates_no_memory(tmp_path: Path, record: Make) -> None:
    [tar] = write(tmp_path, [record(0)])
    unsealed(tar)
    content = tar.read_bytes()
    claimed = content.replace(b"(478, 6), }  ", b"(99999, 6), }", 1)
    assert claimed != content
    assert len(claimed) == len(content)
    tar.write_bytes(claimed)
    with pytest.raises(UserError, match=r"damaged labels .cannot reshape"):
        ShardSource(tmp_path, Problems())[0]


def test_a_shard_is_never_overwritten_even_if_an_earlier_one_is_missing(
    tmp_path: Path, record: Make
) -> None:
    first, second = write(tmp_path, [record(i) for i in range(4)])
    before = second.read_bytes()
    for path in tmp_path.glob(f"{first.name}*"):
        path.unlink()
    [_, third] = write(tmp_path, [record(4)])
    assert third.name == "faces-000002.tar"
    assert second.read_bytes() == before
    assert written_keys(tmp_path) == {"face 2", "face 3", "face 4"}
    # Names that begin alike do not count: nor does one that is no number.
    (tmp_path / "faces-0001-000007.tar.index.json").write_text("{}")
    assert next_number(tmp_path, "faces") == 3
