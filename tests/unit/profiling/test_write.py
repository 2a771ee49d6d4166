from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from amesh.data.loading.pictures import decode
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.data.sources.source import ListSource
from amesh.errors import UserError
from amesh.files import locked
from amesh.profiling.head import Angles, HeadFitter
from amesh.profiling.options import ProfileConfig
from amesh.profiling.write import draw_view, write_profiles

CONFIG = ProfileConfig(min_face=60)


def write(folder: Path, source: ListSource, fitter: HeadFitter, count: int, **more: Any) -> Any:
    more = {"per_shard": 2, **more}
    return write_profiles(folder, source, range(len(source)), fitter, CONFIG, count, **more)


def contents(folder: Path) -> dict[str, tuple[bytes, bytes]]:
    source = ShardSource(folder, Problems())
    found = (source[i] for i in range(len(source)))
    return {one.key: (one.read_picture(), one.points.tobytes()) for one in found}


def test_shards_carry_what_is_known_of_the_faces(
    tmp_path: Path, face: Callable[..., LabelledFace], fitter: HeadFitter
) -> None:
    weights = np.linspace(0.5, 1, 478).astype(np.float32)
    known = face(0, weight_xy=weights, weight_z=weights / 2, group="adult", split="train")
    counts = write(tmp_path, ListSource("ours", [known, face(1, person="ann")]), fitter, 3)
    assert counts == {"made": 3}
    source = ShardSource(tmp_path, Problems())
    assert sorted(entry.key for entry in source.entries) == [
        "profile-0-0/face 0.png",
        "profile-0-0/face 1.png",
        "profile-0-1/face 0.png",
    ]
    by_key = {source[i].key: source[i] for i in range(3)}
    one, again = by_key["profile-0-0/face 0.png"], by_key["profile-0-1/face 0.png"]
    assert (one.source, one.licence, one.scheme) == ("ours", "CC0-1.0", "face478")
    assert (one.group, one.split, one.person) == ("adult", "train", "face 0.png")
    assert by_key["profile-0-0/face 1.png"].person == "ann"
    np.testing.assert_array_equal(one.weight_xy, weights)
    np.testing.assert_array_equal(one.weight_z, weights / 2)
    assert one.visibility is not None
    assert 0.3 < one.visibility.mean() < 1
    assert np.abs(one.points - again.points).max() > 5  # another view
    side = len(decode(one.read_picture(), one.where).pixels)
    assert ((one.points[:, :2] > 0) & (one.points[:, :2] < side)).all()


def test_a_stopped_run_resumes_as_if_undisturbed(
    tmp_path: Path, face: Callable[..., LabelledFace], fitter: HeadFitter
) -> None:
    source = ListSource("ours", [face(i) for i in range(3)])
    write(tmp_path / "whole", source, fitter, 4)
    told: list[int] = []

    def stop(number: int) -> None:
        told.append(number)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "parts", source, fitter, 4, done=stop)
    counts = write(tmp_path / "parts", source, fitter, 4)
    assert counts == {"before": 3, "made": 1}
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")


def test_a_full_disk_keeps_the_finished_shards(
    tmp_path: Path,
    face: Callable[..., LabelledFace],
    fitter: HeadFitter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = ListSource("ours", [face(i) for i in range(3)])
    from amesh.data.sources import shard_files

    table, calls = shard_files._table, []

    def full(one: LabelledFace) -> np.ndarray:
        calls.append(one.key)
        if len(calls) == 3:
            raise OSError(28, "No space left on device")
        return table(one)

    with monkeypatch.context() as patch:
        patch.setattr(shard_files, "_table", full)
        with pytest.raises(UserError, match="No space left"):
            write(tmp_path, source, fitter, 4)
    assert len(ShardSource(tmp_path, Problems())) == 2
    assert not list(tmp_path.glob(".*.tar.*"))
    assert write(tmp_path, source, fitter, 4) == {"before": 2, "made": 2}


def test_a_picture_that_cannot_be_read_is_said_and_skipped(
    tmp_path: Path, face: Callable[..., LabelledFace], fitter: HeadFitter
) -> None:
    said: list[str] = []
    source = ListSource("ours", [face(0, picture=b"\xff\xd8 not a picture"), face(1)])
    counts = write(tmp_path, source, fitter, 2, say=said.append)
    assert counts == {"made": 1, "failed": 1}
    assert len(said) == 1
    assert "face 0" in said[0]


def test_landmarks_beside_the_picture_are_said_and_skipped(
    tmp_path: Path, face: Callable[..., LabelledFace], fitter: HeadFitter
) -> None:
    beside = face(0)
    beside = face(0, points=beside.points + np.array([400, 0, 0], np.float32))
    said: list[str] = []
    counts = write(tmp_path, ListSource("ours", [beside, face(1)]), fitter, 2, say=said.append)
    assert counts == {"made": 1, "failed": 1}
    assert said == [
        "face 0: 478 of its 478 landmarks lie outside the picture, 160 x 160 px; cannot be turned"
    ]


def test_other_views_are_other_profiles(
    tmp_path: Path, face: Callable[..., LabelledFace], fitter: HeadFitter
) -> None:
    source = ListSource("ours", [face(0)])
    for config in (CONFIG, replace(CONFIG, least=60, pitch=5), replace(CONFIG, min_weight=0.1)):
        counts = write_profiles(tmp_path, source, [0], fitter, config, 1)
    assert counts == {"before": 1}  # which faces are taken does not change how they are turned
    assert sorted(contents(tmp_path)) == [
        "profile-0-0/face 0.png",
        "profile-least=60,pitch=5-0-0/face 0.png",
    ]


def test_ranks_share_the_work(
    tmp_path: Path, face: Callable[..., LabelledFace], fitter: HeadFitter
) -> None:
    source = ListSource("ours", [face(i) for i in range(3)])
    made = [write(tmp_path, source, fitter, 3, rank=rank, ranks=2)["made"] for rank in (0, 1)]
    assert made == [2, 1]
    assert len(contents(tmp_path)) == 3
    with pytest.raises(UserError, match="rank 2 of 2: expected 0 to 1"):
        write(tmp_path, source, fitter, 3, rank=2, ranks=2)
    with (
        locked(tmp_path / ".profiles-0001.lock"),
        pytest.raises(UserError, match="another process is writing profiles there as rank 1"),
    ):
        write(tmp_path, source, fitter, 3, rank=1, ranks=2)


def test_no_face_to_turn_is_one_line(tmp_path: Path, fitter: HeadFitter) -> None:
    with pytest.raises(UserError, match="ours: no face in it that could be turned"):
        write(tmp_path, ListSource("ours", []), fitter, 4)


@pytest.mark.parametrize("yaw", [-55.0, -20.0, 0.0, 12.0])
def test_heads_turn_further_to_the_side_they_look_to(yaw: float) -> None:
    views = [
        draw_view(Angles(yaw, 0.0, 3.0), f"face {i}", ProfileConfig(), 0, i % 2) for i in range(200)
    ]
    turned = np.array([view.angles.yaw for view in views]) * (1 if yaw > 0 else -1)
    least = max(30.0, abs(yaw) + 10)
    assert turned.min() >= least
    assert turned.max() <= 95
    counts = np.histogram(turned, 4, (least, 95))[0]
    assert (counts > 25).all()  # 50 each, if spread evenly
    pitch = [view.angles.pitch for view in views]
    assert -10 <= min(pitch) < 0 < max(pitch) <= 20
