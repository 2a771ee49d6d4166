import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amesh.data.loading.pictures import decode
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.labelled_folder import FaceFigures, read_whole, skipped
from amesh.data.sources.problems import Problems
from amesh.data.sources.shard_files import INDEX_SUFFIX
from amesh.data.sources.shards import ShardSource
from amesh.errors import UserError
from amesh.labelling.ledger import SkippedFile, clear_leftovers, finished
from amesh.labelling.output import Output, encode, open_picture, store
from amesh.labelling.sources import Share

from .conftest import coloured, face

PICTURE = encode(coloured())


def entries(picture: str, count: int = 1) -> list[tuple[LabelledFace, FaceFigures]]:
    points = face().astype(np.float32)
    faces = [
        LabelledFace(PICTURE, "ours", f"{picture}#0:{i}", "here", "face478", points)
        for i in range(count)
    ]
    return [(one, figures(one.key)) for one in faces]


def figures(key: str) -> FaceFigures:
    return FaceFigures(
        key=key,
        score=0.5,
        disagreement=0.01,
        size=60,
        source="ours",
        licence=None,
        generated=False,
    )


def shard_keys(folder: Path) -> list[list[str]]:
    indices = sorted(folder.glob(f"*.tar{INDEX_SUFFIX}"))
    return [[one["key"] for one in json.loads(path.read_text())["faces"]] for path in indices]


def test_the_faces_of_a_picture_are_never_parted(tmp_path: Path):
    with Output(tmp_path, Share(), faces=2) as output:
        for name, count in (("a", 1), ("b", 3), ("c", 1)):
            output.add(entries(name, count))
    assert shard_keys(tmp_path) == [["a#0:0", "b#0:0", "b#0:1", "b#0:2"], ["c#0:0"]]
    assert finished(tmp_path) == {"a#0", "b#0", "c#0"}
    assert len(ShardSource(tmp_path, Problems())) == 5


def test_each_shard_has_its_lines_beside_it(tmp_path: Path):
    with Output(tmp_path, Share(3, 5), faces=1) as output:
        output.add(entries("a"))
        output.add(entries("b"))
    for number, name in enumerate("ab"):
        assert (tmp_path / f"faces-0003-{number:06d}.tar").is_file()
        [line] = read_whole(tmp_path / f"faces-0003-{number:06d}.jsonl", FaceFigures)
        assert line == figures(f"{name}#0:0")


def test_a_failure_between_pictures_loses_nothing_and_numbers_go_on(tmp_path: Path):
    def fail() -> None:
        with Output(tmp_path, Share(), faces=2) as output:
            for name in "abc":
                output.add(entries(name))
            raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        fail()
    assert shard_keys(tmp_path) == [["a#0:0", "b#0:0"], ["c#0:0"]]
    assert not list(tmp_path.glob(".*.tar.*"))
    with Output(tmp_path, Share(), faces=2) as output:
        output.add(entries("d"))
    assert shard_keys(tmp_path)[2:] == [["d#0:0"]]


def test_an_interruption_within_a_picture_keeps_none_of_its_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def stop() -> None:
        with Output(tmp_path, Share()) as output:
            output.add(entries("a"))
            output.flush()
            output.add(entries("b"))
            [first, second] = entries("c", 2)
            read_picture = LabelledFace.read_picture

            def interrupted(record: LabelledFace) -> bytes:
                if record is second[0]:
                    raise KeyboardInterrupt
                return read_picture(record)

            monkeypatch.setattr(LabelledFace, "read_picture", interrupted)
            output.add([first, second])

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert shard_keys(tmp_path) == [["a#0:0"]]


def test_a_rank_is_one_process(tmp_path: Path):
    with Output(tmp_path, Share(1, 2)):
        with Output(tmp_path, Share(0, 2)):
            pass
        message = "another process is labelling into"
        with pytest.raises(UserError, match=message), Output(tmp_path, Share(1, 2)):
            pass
    with Output(tmp_path, Share(1, 2)):
        pass


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path):
    with Output(tmp_path, Share(0, 4)) as output:
        output.add(entries("a"))
    whole = sorted(path.name for path in tmp_path.iterdir())
    ours = ["faces-0000-000001.tar", "faces-0000-000001.jsonl", ".faces-0000-000001.tar.x1y2"]
    retired = ["faces-0007-000000.tar", ".faces-0007-000000.tar.index.json.x1y2"]
    others = ["faces-0002-000000.tar", ".faces-0002-000001.tar.x1y2", "faces.tar", "notes.jsonl"]
    for name in (*ours, *retired, *others):
        (tmp_path / name).touch()
    removed = clear_leftovers(tmp_path, 1, 4)
    assert removed == []
    removed = clear_leftovers(tmp_path, 0, 4)
    assert sorted(path.name for path in removed) == sorted([*ours, *retired])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*whole, *others])


def test_a_line_that_was_cut_off_harms_no_other(tmp_path: Path):
    first = SkippedFile(tmp_path, 0)
    first.add("a#0", "no face")
    first.add("b#0", "unreadable", "b: damaged")
    first.close()
    path = tmp_path / "skipped-0000.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    again = SkippedFile(tmp_path, 0)
    again.add("c#0", "no face")
    again.close()
    assert set(skipped(tmp_path)) == {"a#0", "c#0"}


def test_the_latest_line_counts_whatever_rank_wrote_it(tmp_path: Path):
    for rank, reason in ((5, "unreadable"), (2, "no face")):
        file = SkippedFile(tmp_path, rank)
        file.add("a#0", reason)  # type: ignore[arg-type]
        file.close()
    assert skipped(tmp_path)["a#0"].reason == "no face"


def test_nothing_skipped_leaves_no_list(tmp_path: Path):
    SkippedFile(tmp_path, 0).close()
    assert list(tmp_path.iterdir()) == []


def test_lines_go_beside_their_shard_although_an_earlier_one_is_gone(tmp_path: Path):
    with Output(tmp_path, Share(), faces=1) as output:
        output.add(entries("a"))
        output.add(entries("b"))
    for path in tmp_path.glob("faces-0000-000000.*"):
        path.unlink()
    with Output(tmp_path, Share(), faces=1) as output:
        output.add(entries("c"))
    assert shard_keys(tmp_path) == [["b#0:0"], ["c#0:0"]]
    for number, name in ((1, "b"), (2, "c")):
        [line] = read_whole(tmp_path / f"faces-0000-{number:06d}.jsonl", FaceFigures)
        assert line.key == f"{name}#0:0"


def turned(path: Path) -> Path:
    """A picture that is stored turned, with the note that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = Image.fromarray(coloured()[:, :200]).transpose(Image.Transpose.ROTATE_90)
    picture.save(path, exif=exif, quality=95)
    return path


def test_a_file_goes_in_as_it_is_and_labels_fit_what_training_reads(tmp_path: Path):
    path = turned(tmp_path / "turned.jpg")
    picture = open_picture(path)
    assert picture.pixels.shape == (256, 200, 3)
    data, corner = store(picture, face().astype(np.float32), cut=5)
    assert data == path.read_bytes()
    assert corner == (0, 0)
    np.testing.assert_array_equal(decode(data, "")[0], picture.pixels)
    # Red grows to the right and green downwards, once it is upright.
    corners = picture.pixels[[2, -3]][:, [2, -3], :2].astype(int)
    np.testing.assert_allclose(corners[0, 1] - corners[0, 0], [194, 0], atol=6)
    np.testing.assert_allclose(corners[1, 0] - corners[0, 0], [0, 250], atol=6)


def test_training_reads_the_same_pixels_of_a_16_bit_picture(tmp_path: Path):
    path = tmp_path / "deep.png"
    grey = coloured()[..., 0].astype(np.uint16) * 257
    Image.fromarray(grey).save(path)
    picture = open_picture(path)
    data, corner = store(picture, face().astype(np.float32), cut=0)
    assert corner == (0, 0)
    np.testing.assert_array_equal(decode(data, "").pixels, picture.pixels)


def test_fine_colours_survive_the_encoding():
    stripes = np.full((64, 64, 3), 60, np.uint8)
    stripes[:, ::2, 0] = 180  # red and grey columns, a pixel wide
    again = decode(encode(stripes), "")[0].astype(int)
    assert np.abs(again - stripes).mean() < 4


@pytest.mark.parametrize("name", ["text.jpg", "gone.jpg", "empty.png", "folder"])
def test_an_unreadable_picture_is_named_in_one_line(tmp_path: Path, name: str):
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.png").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match=name):
        open_picture(tmp_path / name)


def test_a_picture_much_larger_than_the_face_is_cut_around_it(tmp_path: Path):
    path = tmp_path / "large.png"
    Image.fromarray(coloured()).save(path)
    points = face((100.0, 60.0), size=40.0).astype(np.float32)
    data, (left, top) = store(open_picture(path), points, cut=4)
    cut = decode(data, "")[0]
    # A square of 160 px around (100, 60): its upper 20 px are beyond the picture.
    assert (left, top) == (20, 0)
    assert cut.shape == (140, 160, 3)
    difference = cut.astype(int) - coloured()[:140, 20:180]
    assert np.abs(difference).max() <= 4
    assert Image.open(io.BytesIO(data)).format == "JPEG"


@pytest.mark.parametrize(("cut", "whole"), [(0.0, True), (6.5, True), (6.3, False)])
def test_the_limit_is_the_pictures_longer_side_in_faces(tmp_path: Path, cut: float, whole: bool):
    path = tmp_path / "large.png"
    Image.fromarray(coloured()).save(path)
    data, _ = store(open_picture(path), face(size=40.0).astype(np.float32), cut)
    assert (data == path.read_bytes()) == whole
