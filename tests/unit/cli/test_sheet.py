from pathlib import Path

import cv2
import numpy as np
import pytest

from amesh.cli.sheet import Tile, check_sheet, write_sheet
from amesh.errors import UserError


def test_a_hidden_landmark_is_red_and_a_visible_one_green(tmp_path: Path) -> None:
    points = np.array([[5.0, 5.0, 0.0], [15.0, 15.0, 0.0]])
    tile = Tile(np.full((20, 20, 3), 90, np.uint8), points, np.array([1.0, 0.0]))
    write_sheet(tmp_path / "a.png", [tile], side=40)
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture is not None
    assert picture.shape == (40, 80, 3)
    assert (picture[:, :40] == 90).all()
    blue, green, red = picture[10, 50].tolist()
    assert green > red
    assert green > blue
    blue, green, red = picture[30, 70].tolist()
    assert red > green
    assert red > blue


def test_a_row_is_filled_up(tmp_path: Path) -> None:
    tile = Tile(np.zeros((8, 8, 3), np.uint8), np.zeros((0, 3)), np.zeros(0))
    write_sheet(tmp_path / "a.png", [tile] * 7, side=8)
    picture = cv2.imread(str(tmp_path / "a.png"))
    assert picture is not None
    assert picture.shape == (4 * 8, 2 * 16, 3)


def test_a_sheet_is_a_png() -> None:
    check_sheet(Path("a.PNG"))
    with pytest.raises(UserError, match=r"faces.jpg: the sheet is a PNG file"):
        check_sheet(Path("faces.jpg"))
