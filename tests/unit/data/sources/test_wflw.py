from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import close, photo, save

from amesh.data.sources.problems import Problems
from amesh.data.sources.wflw import read_wflw
from amesh.errors import UserError

STOP = Problems()


def wflw_line(points: np.ndarray, name: str = "0--Parade/a.png") -> str:
    numbers = " ".join(f"{v:.6f}" for v in points.ravel())
    return f"{numbers} 10 20 90 95 1 0 0 0 1 0 {name}"


def test_wflw(tmp_path: Path, labels: Callable[..., np.ndarray]) -> None:
    expected = labels("wflw98")
    save(tmp_path / "WFLW_images" / "0--Parade" / "a.png", photo())
    path = tmp_path / "WFLW_annotations" / "lists" / "train.txt"
    path.parent.mkdir(parents=True)
    path.write_text(wflw_line(expected - 0.5) + "\n")
    [record] = read_wflw(path, STOP).faces
    close(record, expected)
    assert (record.scheme, record.group) == ("wflw98", "pose, occlusion")


def test_bad_wflw(tmp_path: Path, labels: Callable[..., np.ndarray]) -> None:
    path = tmp_path / "train.txt"
    good = wflw_line(labels("wflw98"))
    path.write_text(f"{good}\n{good[5:300]}\n{good.replace('60.', 'x60.', 1)}\n")
    with pytest.raises(UserError, match=r"line 2: \d+ fields.*196"):
        read_wflw(path, STOP)
    problems = Problems("skip")
    assert len(read_wflw(path, problems)) == 1
    assert "line 3: expected points as rows [x, y]" in problems.messages[1]
    with pytest.raises(UserError, match="none: no such file"):
        read_wflw(tmp_path / "none", STOP)


def test_a_picture_outside_the_folder_is_read_only_where_asked(
    tmp_path: Path, labels: Callable[..., np.ndarray]
) -> None:
    path = tmp_path / "train.txt"
    path.write_text(wflw_line(labels("wflw98"), "../b.jpg"))
    with pytest.raises(UserError, match=r"line 1: picture \.\./b\.jpg lies outside"):
        read_wflw(path, STOP)
    assert read_wflw(path, STOP, outside=True)[0].image == tmp_path / "../b.jpg"
