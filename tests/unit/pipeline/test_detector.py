import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from amesh.blazeface.config import FULL, SHORT, DetectorConfig
from amesh.detector_runner import DetectorAnswer
from amesh.pipeline.crops import crop_image
from amesh.pipeline.detector import Detector, letterbox, square_tiles


@pytest.mark.parametrize(("width", "height"), [(400, 100), (100, 400), (64, 64)])
def test_the_letterbox_holds_the_whole_picture_in_the_middle(width: int, height: int):
    image = np.full((height, width, 3), 200, np.uint8)
    square = crop_image(image, letterbox(width, height, 64), 64)
    rows, columns = np.nonzero(square[..., 0] > 100)
    longest = max(width, height)
    assert columns.max() - columns.min() + 1 == round(64 * width / longest)
    assert rows.max() - rows.min() + 1 == round(64 * height / longest)
    assert abs((rows.max() + rows.min()) / 2 - 31.5) <= 0.5
    assert square[..., 0].min() == (200 if width == height else 0)


class Fixed:
    """A detector that sees one face wherever its anchor lies, whatever the picture."""

    def __init__(self, config: DetectorConfig, anchor: int, side: float) -> None:
        self.config, self.anchor, self.side, self.score = config, anchor, side, 3.0
        self.score_of_whole_picture: float | None = None
        self.seen: list[np.ndarray] = []

    def __call__(self, square: np.ndarray) -> DetectorAnswer:
        self.seen.append(square)
        count = self.config.anchors
        boxes, scores = np.zeros((count, 16), np.float32), np.full(count, -9.0, np.float32)
        boxes[self.anchor, 2:4] = self.side
        first = len(self.seen) == 1 and self.score_of_whole_picture is not None
        scores[self.anchor] = self.score_of_whole_picture if first else self.score
        return DetectorAnswer(boxes, scores)


def test_detections_come_back_to_the_picture():
    net = Fixed(SHORT, 512, 16.0)  # at (8, 8) of 128
    image = np.full((100, 200, 3), 255, np.uint8)
    [found] = Detector([net])(image)
    scale = 200 / 128
    centre = np.array([8 * scale, 8 * scale - 50])
    np.testing.assert_allclose(found.box[:2], centre - 8 * scale, atol=1e-4)
    np.testing.assert_allclose(found.box[2:], centre + 8 * scale, atol=1e-4)
    np.testing.assert_allclose(found.keypoints, np.tile(centre, (6, 1)), atol=1e-4)
    [seen] = net.seen
    assert seen.shape == (128, 128, 3)
    assert seen.max() == 255  # white
    assert seen.min() == 0  # the bars above and below


@pytest.mark.parametrize(("width", "height"), [(90, 128), (301, 257), (700, 1000), (2000, 1501)])
@pytest.mark.parametrize("config", [SHORT, FULL])
def test_a_network_sees_each_place_of_the_picture_where_the_letterbox_says(
    config: DetectorConfig, width: int, height: int
):
    """However often the picture was halved, and whichever network asked first."""
    y, x = np.mgrid[:height, :width] + 0.5
    image = np.stack([x * 250 / width, y * 250 / height, np.full_like(x, 200)], axis=-1)
    first, net = Fixed(SHORT, 0, 1.0), Fixed(config, 0, 1.0)
    Detector([first, net])(image.round().astype(np.uint8))
    size, [seen] = config.input_size, net.seen
    rows, columns = np.nonzero(seen[..., 2] == 200)  # not in the bars, nor at the edge
    assert len(rows) > 0.9 * size**2 * min(width, height) / max(width, height)
    places = np.stack([columns + 0.5, rows + 0.5, np.ones(len(rows))])
    places = letterbox(width, height, size) @ places * 250 / np.array([[width], [height]])
    assert np.abs(seen[rows, columns, :2].T - places).max() <= 1.5


def test_a_network_sees_no_more_of_a_fine_pattern_than_its_mean():
    """A checkerboard of single pixels is grey from afar; sampling it as it is would give bands."""
    y, x = np.mgrid[:1000, :1000]
    image = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=-1)
    for config in (SHORT, FULL):
        net = Fixed(config, 0, 1.0)
        Detector([net])(image)
        assert np.abs(net.seen[0][1:-1, 1:-1].astype(float) - 127.5).max() <= 1


def test_of_a_face_found_twice_the_surer_stays():
    image = np.zeros((192, 192, 3), np.uint8)
    first = Fixed(SHORT, 512, 16.0)  # at (8, 8) of 128: 24 px wide around (12, 12)
    same = Fixed(FULL, 48 * 3 + 3, 24.0)  # the same width around (14, 14)
    other = Fixed(FULL, 48 * 40 + 40, 24.0)
    assert len(Detector([first, other])(image)) == 2
    for surer, centre in ((first, 12), (same, 14)):
        first.score, same.score = 2.0, 2.0
        surer.score = 3.0
        for networks in ([first, same], [same, first]):
            [found] = Detector(networks)(image)
            np.testing.assert_allclose(found.box, np.array([-12, -12, 12, 12]) + centre, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "side", "asked"),
    [((64, 100), 33.0, 1), ((64, 100), 31.0, 2), ((100, 50), 33.0, 1), ((100, 50), 31.0, 2)],
)
def test_a_large_face_is_enough(shape: tuple[int, int], side: float, asked: int):
    """A quarter of 128 is 32, whatever the other side of the picture is."""
    first, second = Fixed(SHORT, 512, side), Fixed(FULL, 48 * 40 + 40, 96.0)
    found = Detector([first, second], enough=0.25)(np.zeros((*shape, 3), np.uint8))
    assert [len(first.seen), len(second.seen)] == [1, asked - 1]
    assert len(found) == asked


def test_without_a_face_every_detector_is_asked():
    networks = [Fixed(SHORT, 0, 64.0), Fixed(FULL, 0, 96.0)]
    for network in networks:
        network.score = -9.0
    assert Detector(networks, enough=0.25)(np.zeros((100, 100, 3), np.uint8)) == []
    assert [len(network.seen) for network in networks] == [1, 1]


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (300, 300, [(0, 0), (120, 0), (0, 120), (120, 120)]),
        (300, 100, [(0, 0), (120, 0)]),
        (100, 300, [(0, 0), (0, 120)]),
        (300, 181, [(0, 0), (120, 0), (0, 1), (120, 1)]),
    ],
)
def test_two_tiles_along_the_longer_side(width: int, height: int, expected: list[tuple[int, int]]):
    assert square_tiles(width, height, 2) == [(left, top, 180) for left, top in expected]


@given(
    st.integers(1, 3000), st.integers(1, 3000), st.integers(2, 6), st.floats(0, 1), st.floats(0, 1)
)
def test_every_small_face_lies_whole_in_some_tile(
    width: int, height: int, count: int, x: float, y: float
):
    tiles = square_tiles(width, height, count)
    assert len(tiles) <= count**2
    side = tiles[0][2]
    face = max(side // 3 - 1, 0)  # positions are rounded to whole pixels
    left, top = x * max(width - face, 0), y * max(height - face, 0)
    assert any(
        (a <= left and left + face <= a + side) and (b <= top and top + face <= b + side)
        for a, b, _ in tiles
    )


def test_tiles_find_faces_in_their_places_and_drop_those_cut_off():
    image = np.zeros((300, 300, 3), np.uint8)
    scale = 180 / 192
    inside = Fixed(FULL, 48 * 24 + 24, 24.0)  # at (98, 98) of 192, in the picture and in each tile
    found = Detector([inside], tiles=2)(image)
    centres = sorted(((each.box[:2] + each.box[2:]) / 2).tolist() for each in found)
    small = 98 * scale
    expected = [[small + a, small + b] for a in (0, 120) for b in (0, 120)]
    np.testing.assert_allclose(centres, sorted([*expected, [98 * 300 / 192] * 2]), atol=1e-3)
    for each in found:  # this detector puts them all at the box's centre
        np.testing.assert_allclose(each.keypoints[3], (each.box[:2] + each.box[2:]) / 2, atol=1e-3)
    # In a corner the box leaves the tile: kept where that edge is the picture's own.
    for anchor, place in ((0, 2 * scale), (2303, 120 + 190 * scale)):
        whole, tiles = Fixed(SHORT, 0, 1.0), Fixed(FULL, anchor, 24.0)
        whole.score = -9.0
        tiles.score_of_whole_picture = -9.0
        [found] = Detector([whole, tiles], tiles=2)(image)
        np.testing.assert_allclose((found.box[:2] + found.box[2:]) / 2, place, atol=1e-3)
