import numpy as np
import pytest

from amesh.blazeface.config import FULL, SHORT
from amesh.pipeline.decoding import anchors, decode, overlap, weighted_nms


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


@pytest.mark.parametrize("threshold", [0.5, 0.6])
def test_the_threshold_is_one_of_scores(threshold: float):
    logit = np.float32(np.log(threshold / (1 - threshold)))
    logits = np.array([logit - 1e-3, logit + 1e-3], np.float32)
    boxes, centres = np.ones((2, 16), np.float32), np.zeros((2, 2), np.float32)
    _, scores = decode(boxes, logits, centres, threshold)
    np.testing.assert_allclose(scores, [threshold], atol=1e-3)


def test_a_box_of_negative_size_is_no_face():
    boxes = np.ones((3, 16), np.float32)
    boxes[0, 2] = boxes[1, 3] = -1
    rows, _ = decode(boxes, np.full(3, 5, np.float32), np.zeros((3, 2), np.float32), 0.5)
    np.testing.assert_array_equal(rows[:, :4], [[0.5, 0.5, 1.5, 1.5]])
