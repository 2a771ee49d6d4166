import numpy as np
import pytest

from amesh.metrics.blinks import blinks_kept


def _eye(*blinks: tuple[int, float]) -> np.ndarray:
    """Opening 0.3 but for blinks of three frames: the middle frame, and its opening."""
    found = np.full(60, 0.3)
    for middle, least in blinks:
        found[middle - 1 : middle + 2] = (0.1, least, 0.1)
    return found


def test_each_blink_keeps_a_share_of_its_depth() -> None:
    raw, smoothed = _eye((10, 0.02), (40, 0.05)), _eye((12, 0.09), (43, 0.05))
    np.testing.assert_allclose(blinks_kept(smoothed, raw), [100 * 0.21 / 0.28, 100])
    np.testing.assert_allclose(blinks_kept(raw, raw), [100, 100])
    np.testing.assert_allclose(blinks_kept(np.full(60, 0.3), raw), [0, 0], atol=1e-9)


def test_a_narrowed_eye_does_not_blink() -> None:
    raw = _eye()
    raw[20:25] = 0.16
    assert blinks_kept(raw, raw).shape == (0,)
    assert blinks_kept(raw[:0], raw[:0]).shape == (0,)


def test_a_later_blink_does_not_count_for_an_earlier_one() -> None:
    raw = _eye((10, 0.0), (16, 0.0))
    smoothed = np.full(60, 0.3)
    smoothed[16] = 0.0  # only the second is left
    assert blinks_kept(smoothed, raw) == pytest.approx([0, 100])


def test_blinks_at_both_ends_count() -> None:
    raw = np.full(30, 0.3)
    raw[[0, -1]] = 0.0
    assert blinks_kept(raw, raw) == pytest.approx([100, 100])
