from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import Pose, encode, photo

from amesh.data.closing import AMOUNTS, closed_faces, main
from amesh.data.loading.pictures import decode
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.shard_files import ShardWriter
from amesh.data.sources.shards import ShardSource
from amesh.data.sources.source import ListSource
from amesh.topology import Topology

Record = Callable[..., LabelledFace]


@pytest.fixture
def faces(record: Record, pose: Pose) -> list[LabelledFace]:
    """A large face, and one whose eyes are too small to be closed."""
    picture = encode(photo(400, 400))
    large = record(picture=picture, points=pose(size=150.0, centre=(200.0, 170.0)), key="large")
    small = record(picture=picture, points=pose(size=20.0, centre=(200.0, 170.0)), key="small")
    return [small, large]


def gap(points: np.ndarray) -> float:
    return float(points[145, 1] - points[159, 1])


def test_a_face_comes_with_every_opening_of_its_eyes(
    faces: list[LabelledFace], topology: Topology
) -> None:
    (found,) = closed_faces(ListSource("some", faces), topology)
    assert [face.key for face in found] == [f"large-closed-{amount:g}" for amount in AMOUNTS]
    assert {face.person for face in found} == {"large"}
    gaps = np.array([gap(face.points) for face in found])
    np.testing.assert_allclose(gaps, gaps[0] * (1 - np.array(AMOUNTS)), atol=0.05 * gaps[0])
    pixels = [decode(face.read_picture(), face.where).pixels.astype(int) for face in found]
    middle = found[0].points[[159, 145], :2].mean(0).astype(int)
    apart = [np.abs(each - pixels[0])[middle[1], middle[0]].max() for each in pixels]
    assert apart[1] <= 4  # JPEG alone: the lid has not come so far
    assert apart[-1] > 10  # closed: skin
    # Below the eyes, nothing changes.
    row = int(found[0].points[2, 1])
    assert np.abs(pixels[-1] - pixels[0])[row:].max() <= 4


def test_the_command_writes_shards_once(
    faces: list[LabelledFace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ShardWriter(tmp_path / "in") as writer:
        writer.add(*faces)
    command = [str(tmp_path / "in"), "--output", str(tmp_path / "out")]
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("1 face in ")
    assert len(ShardSource(tmp_path / "out", Problems())) == len(AMOUNTS)
    assert main(command) == 2
    assert "closed eyes in it already" in capsys.readouterr().err


def test_a_set_without_open_eyes_is_refused(
    faces: list[LabelledFace], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ShardWriter(tmp_path / "in") as writer:
        writer.add(faces[0])
    assert main([str(tmp_path / "in"), "--output", str(tmp_path / "out")]) == 2
    assert "no face with two open eyes" in capsys.readouterr().err
