from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import Pose, encode, photo

from amesh.data.check.duplicates import find_copies, near_pairs, perceptual_hash, thumbnail
from amesh.data.check.report import describe
from amesh.data.check.run import check, look
from amesh.data.check.sheet import contact_sheet, write_sheet
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource
from amesh.errors import UserError
from amesh.topology.scheme import Topology, load

Make = Callable[..., LabelledFace]


def noise(seed: int) -> np.ndarray:
    """Pictures that have nothing in common."""
    rng = np.random.default_rng(seed)
    return np.kron(rng.integers(0, 255, (11, 12, 3)), np.ones((10, 10, 1))).astype(np.uint8)


@pytest.fixture
def faces(record: Make, topology: Topology, pose: Pose) -> Callable[..., list[LabelledFace]]:
    def make(count: int = 8) -> list[LabelledFace]:
        rng = np.random.default_rng(0)
        return [
            record(
                i,
                picture=encode(noise(i)),
                scheme="ibug68",
                points=topology.map_points(pose(yaw=5.0 * i, roll=4.0 * i), "ibug68")[:, :2]
                + rng.normal(0, 0.3, (68, 2)),
                person=f"p{i}",
            )
            for i in range(count)
        ]

    return make


def test_a_good_set_is_clean(faces: Callable[..., list[LabelledFace]], topology: Topology) -> None:
    report = check([ListSource("a", faces())], topology, Problems("skip"))
    assert report.clean
    text = describe(report)
    assert "8 usable records: 8 labelled faces, 0 regions" in text
    assert "schemes: ibug68 8" in text
    assert "licences: CC0 8" in text
    assert "do not release weights" not in text


def test_mistakes_are_found(faces: Callable[..., list[LabelledFace]], topology: Topology) -> None:
    from dataclasses import replace

    good = faces()
    mirrored = _mirror(good[1], topology)
    shuffled = replace(good[2], points=np.random.default_rng(0).permutation(good[2].points))
    cut = replace(good[3], picture=b"\x89PNG nothing")
    closed = replace(good[4], licence=None, split="test")
    copy = replace(good[0], key="copy", split="test", picture=encode(noise(0), "JPEG", quality=60))
    other = replace(good[5], key="other name", person="somebody else")
    source = ListSource("a", [good[0], mirrored, shuffled, cut, closed, *good[5:], copy, other])
    report = check([source], topology, Problems("skip"))
    names = [face.name for face in report.faces]
    assert [names[i] for i in report.mirrored] == ["ours: face 1"]
    assert [names[i] for i in report.outliers][:1] == ["ours: face 2"]
    assert [(names[i], names[k]) for i, k in report.leaks] == [
        ("ours: face 0", "ours: copy"),
        ("ours: face 5", "ours: other name"),
    ]
    assert not report.clean
    text = describe(report)
    assert "cannot be used: 1\n  labels.jsonl, line 4: not a picture that can be read" in text
    assert "1 under 'not stated': do not release weights trained on them" in text
    assert "ours: face 0 (a, person ours: p0) = ours: copy (test, person ours: p0)" in text
    assert "IN SEVERAL SPLITS: ours: p0" in text


def _mirror(record: LabelledFace, topology: Topology) -> LabelledFace:
    """The labels as someone writes them who takes left for right."""
    from dataclasses import replace

    swap = load("ibug68").mirror
    return replace(record, points=record.points[swap])


def test_whole_pixel_coordinates_are_reported(
    faces: Callable[..., list[LabelledFace]], topology: Topology
) -> None:
    from dataclasses import replace

    whole = [replace(face, points=np.round(face.points)) for face in faces()]
    text = describe(check([ListSource("a", whole)], topology, Problems()))
    assert "coordinates of 100% of the faces are at pixel corners" in text
    centres = [replace(face, points=np.floor(face.points) + 0.5) for face in faces()]
    text = describe(check([ListSource("a", centres)], topology, Problems()))
    assert "100% of the faces are at pixel centres" in text


def test_stopping_at_the_first_problem(
    faces: Callable[..., list[LabelledFace]], topology: Topology
) -> None:
    bad = ListSource("a", [*faces(2), *(f for f in faces(1))])
    bad.faces[1] = LabelledFace(b"", "ours", "x", "line 9", "ibug68", bad.faces[1].points)
    with pytest.raises(UserError, match="line 9: not a picture"):
        check([bad], topology, Problems("stop"))
    with pytest.raises(UserError, match=r"no labelled face.*line 9"):
        check([ListSource("a", [bad.faces[1]])], topology, Problems("skip"))


def test_sheet_shows_suspicious_faces_first_and_sides_in_colour(
    faces: Callable[..., list[LabelledFace]], topology: Topology, tmp_path: Path
) -> None:
    good = faces()
    source = ListSource("a", [*good[:4], _mirror(good[4], topology), *good[5:]])
    report = check([source], topology, Problems())
    write_sheet(tmp_path / "sheet.png", [source], report, topology, 6)
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")
    numbers = report.worth_a_look(6)
    assert numbers[0] == 4
    assert len(set(numbers)) == 6
    samples = [look([source], report.faces[i], topology) for i in numbers]
    sheet = contact_sheet(samples, [report.faces[i].name for i in numbers], topology, 3, 200)
    assert sheet.shape == (2 * 216, 600, 3)
    mirrored, plain = sheet[:200, :200], sheet[:200, 200:400]

    def where(tile: np.ndarray, colour: tuple[int, int, int]) -> float:
        return float(np.nonzero((tile == colour).all(-1))[1].mean())

    assert where(plain, (255, 70, 60)) < where(plain, (70, 130, 255))
    assert where(mirrored, (255, 70, 60)) > where(mirrored, (70, 130, 255))


def test_hashes_survive_size_compression_and_light(astronaut: np.ndarray) -> None:
    import io

    from PIL import Image

    pixels = astronaut[:256, 100:356]
    jpeg = np.array(Image.open(io.BytesIO(encode(pixels, "JPEG", quality=30))))
    small = np.array(Image.fromarray(pixels).resize((90, 90)))
    dark = (pixels * 0.7).astype(np.uint8)
    thumbs = [thumbnail(p) for p in (pixels, jpeg, small, dark, pixels[:, ::-1], photo(256, 256))]
    assert find_copies(thumbs) == [(i, k) for i in range(4) for k in range(i + 1, 4)]
    assert isinstance(perceptual_hash(thumbs[0]), int)


def test_every_near_pair_is_found_once() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 300, dtype=np.uint64)
    for i in range(0, 100, 2):
        bits = rng.choice(64, i % 6, replace=False)
        hashes[i + 1] = hashes[i] ^ np.uint64(sum(1 << int(bit) for bit in bits))
    slow = [
        (i, k)
        for i in range(300)
        for k in range(i + 1, 300)
        if int(hashes[i] ^ hashes[k]).bit_count() <= 5
    ]
    assert sorted(near_pairs(hashes)) == slow
    assert len(slow) >= 50
