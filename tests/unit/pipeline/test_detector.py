import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from amesh.blazeface import DetectorConfig, DetectorOutput, build_detector
from amesh.pipeline.decoding import anchors, decode, overlap, weighted_nms
from amesh.pipeline.detector import Detector, letterbox, square_tiles
from amesh.pipeline.images import crop_image

SHORT, FULL = DetectorConfig("short"), DetectorConfig("full")


def box(x: float, y: float, side: float) -> np.ndarray:
    """A row whose keypoints all lie at the box's centre."""
    return np.array([x, y, x + side, y + side, *[x + side / 2, y + side / 2] * 6], np.float32)


def test_anchors_of_the_released_detectors():
    short, full = anchors(SHORT), anchors(FULL)
    assert short.shape == (896, 2)
    assert full.shape == (2304, 2)
    # Two at each cell of 16 x 16, row by row, then six at each of 8 x 8.
    np.testing.assert_array_equal(short[:4], [[4, 4], [4, 4], [12, 4], [12, 4]])
    np.testing.assert_array_equal(short[32], [4, 12])
    np.testing.assert_array_equal(short[512:519], [[8, 8]] * 6 + [[24, 8]])
    np.testing.assert_array_equal(short[-1], [120, 120])
    np.testing.assert_array_equal(full[[0, 1, 48, -1]], [[2, 2], [6, 2], [2, 6], [190, 190]])


def test_decoding_is_the_loop_that_the_format_says():
    generator = np.random.default_rng(0)
    raw = generator.normal(0, 20, (896, 16)).astype(np.float32)
    logits = generator.normal(0, 2, 896).astype(np.float32)
    centres = anchors(SHORT)
    rows, scores = decode(raw, logits, centres, 0.5)
    expected = []
    for values, logit, (ax, ay) in zip(raw, logits, centres, strict=True):
        if 1 / (1 + np.exp(-np.float64(logit))) < 0.5 or values[2] < 0 or values[3] < 0:
            continue
        cx, cy = values[0] + ax, values[1] + ay
        row = [cx - values[2] / 2, cy - values[3] / 2, cx + values[2] / 2, cy + values[3] / 2]
        for i in range(4, 16, 2):
            row += [values[i] + ax, values[i + 1] + ay]
        expected.append(row)
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-4)
    assert 50 < len(rows) == len(scores) < 400
    assert scores.min() >= 0.5


def test_extreme_logits_do_not_overflow():
    logits = np.array([-1e4, 1e4], np.float32)
    rows, scores = decode(np.ones((2, 16), np.float32), logits, np.zeros((2, 2), np.float32), 0.5)
    assert len(rows) == 1
    assert scores.tolist() == [1.0]


def test_overlap_in_literals():
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 6, 6], [0, 0, 0, 0]], np.float32)
    found = overlap(boxes[0], boxes)
    np.testing.assert_allclose(found, [1, 1 / 7, 0, 0])
    assert overlap(boxes[3], boxes[3:]).tolist() == [0]


def test_nms_means_what_overlaps_and_keeps_the_best_score():
    rows = np.stack([box(0, 0, 10), box(2, 0, 10), box(50, 50, 10)])
    scores = np.array([0.6, 0.9, 0.7], np.float32)
    kept, best = weighted_nms(rows, scores, 0.3)
    np.testing.assert_allclose(best, [0.9, 0.7])
    np.testing.assert_allclose(kept[0, 0], 2 * 0.9 / 1.5, rtol=1e-6)
    np.testing.assert_array_equal(kept[1], rows[2])


def test_nms_leaves_no_two_that_overlap_their_best_and_ends_on_empty_boxes():
    generator = np.random.default_rng(1)
    corners = generator.uniform(0, 100, (200, 2))
    rows = np.stack([box(x, y, 30) for x, y in corners])
    kept, best = weighted_nms(rows, generator.uniform(0.5, 1, 200).astype(np.float32), 0.3)
    assert 3 < len(kept) < 60
    assert (np.diff(best) <= 0).all()
    empty, _ = weighted_nms(np.stack([box(5, 5, 0)] * 3), np.ones(3, np.float32), 0.3)
    assert len(empty) == 3
    none, _ = weighted_nms(np.zeros((0, 16), np.float32), np.zeros(0, np.float32), 0.3)
    assert none.shape == (0, 16)


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


class Fixed(nn.Module):
    """A detector that sees one face wherever its anchor lies, whatever the picture."""

    def __init__(self, config: DetectorConfig, anchor: int, side: float) -> None:
        super().__init__()
        self.config, self.anchor, self.side, self.score = config, anchor, side, 3.0
        self.score_of_whole_picture: float | None = None
        self.seen: list[torch.Tensor] = []

    def forward(self, image: torch.Tensor) -> DetectorOutput:
        self.seen.append(image)
        count = len(anchors(self.config))
        boxes, scores = torch.zeros(1, count, 16), torch.full((1, count), -9.0)
        boxes[0, self.anchor, 2:4] = self.side
        first = len(self.seen) == 1 and self.score_of_whole_picture is not None
        scores[0, self.anchor] = self.score_of_whole_picture if first else self.score
        return DetectorOutput(boxes, scores)


def test_detections_come_back_to_the_picture():
    net = Fixed(SHORT, 512, 16.0)  # at (8, 8) of 128
    image = np.full((100, 200, 3), 255, np.uint8)
    [found] = Detector([net])(image)
    scale = 200 / 128
    centre = np.array([8 * scale, 8 * scale - 50])
    np.testing.assert_allclose(found.box[:2], centre - 8 * scale, atol=1e-4)
    np.testing.assert_allclose(found.box[2:], centre + 8 * scale, atol=1e-4)
    np.testing.assert_allclose(found.keypoints, np.tile(centre, (6, 1)), atol=1e-4)
    [[seen]] = net.seen
    assert seen.shape == (3, 128, 128)
    assert seen.max() == 1.0  # white
    assert seen.min() == -1.0  # the bars above and below


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


@pytest.mark.parametrize("config", [SHORT, FULL])
def test_networks_have_one_row_for_each_anchor(config: DetectorConfig):
    net = build_detector(config).eval()
    output = net(torch.zeros(2, 3, config.input_size, config.input_size))
    assert output.boxes.shape == (2, len(anchors(config)), 16)
    assert output.scores.shape == (2, len(anchors(config)))
