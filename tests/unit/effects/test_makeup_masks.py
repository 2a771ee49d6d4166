"""Areas as masks."""

import numpy as np
import pytest

from amesh.effects.makeup_masks import rasterise
from amesh.effects.makeup_shapes import Area, Layer

SQUARE = np.array([[40.0, 40.0], [80.0, 40.0], [80.0, 70.0], [40.0, 70.0]])


def picture(area: Area, width: int = 120, height: int = 110, least: float = 0.0) -> np.ndarray:
    mask = rasterise(area, width, height, least)
    whole = np.zeros(width * height, np.float32)
    if mask is not None:
        whole[mask.pixels] = mask.cover
    return whole.reshape(height, width)


def test_a_polygon_without_feather_covers_its_pixels() -> None:
    """But for a quarter of a pixel: OpenCV fills the pixels on the outline, too."""
    cover = picture(Area((Layer(SQUARE),), 0.0))
    assert (cover[40:70, 40:80] == 1).all()
    cover[40:70, 40:80] = 0
    assert cover.max() <= 0.3
    assert not cover[:39].any()
    assert not cover[71:].any()
    assert not cover[:, 81:].any()


def test_part_of_a_pixel_is_its_share() -> None:
    cover = picture(Area((Layer(SQUARE + np.array([0.5, 0.25])),), 0.0))
    assert cover[50, 40] == pytest.approx(0.5, abs=0.15)
    assert cover[40, 50] == pytest.approx(0.75, abs=0.15)


@pytest.mark.parametrize("feather", [1.0, 4.0, 9.0])
def test_a_feather_is_a_gaussian_edge_and_ends(feather: float) -> None:
    square = np.array([[100.0, 100.0], [300.0, 100.0], [300.0, 300.0], [100.0, 300.0]])
    cover = picture(Area((Layer(square),), feather), 400, 400)
    assert cover.max() == pytest.approx(1, abs=1e-5)
    assert cover[200, 99:101].mean() == pytest.approx(0.5, abs=0.02)
    out = round(100 - feather)
    assert cover[200, out - 1 : out + 1].mean() == pytest.approx(0.159, abs=0.03)
    rows, columns = np.nonzero(cover)
    reach = 3 * feather + 4
    assert min(rows.min(), columns.min()) >= 100 - reach
    assert max(rows.max(), columns.max()) <= 300 + reach


def test_later_layers_replace_earlier_ones() -> None:
    inner = SQUARE * 0.5 + (30, 27)
    cover = picture(Area((Layer(SQUARE, 0.4), Layer(inner, 0.0)), 0.0))
    assert cover[42, 42] == pytest.approx(0.4, abs=0.01)
    assert cover[55, 60] == 0


def test_inside_and_outside_limit_it() -> None:
    half = SQUARE * [0.5, 1] + (20, 0)
    inside = picture(Area((Layer(SQUARE),), 0.0, inside=half))
    outside = picture(Area((Layer(SQUARE),), 0.0, outside=half))
    assert (inside[50, 45], inside[50, 70], outside[50, 45], outside[50, 70]) == (1, 0, 0, 1)


def test_a_fade_is_gone_at_0_and_whole_at_1() -> None:
    cover = picture(Area((Layer(SQUARE),), 0.0, fade=np.array([-1.5, 1 / 40, 0.0])))
    assert cover[50, 40:60].max() < 1e-2  # x = 60 is 0
    assert (np.diff(cover[50, 60:80]) > 0).all()
    level = picture(Area((Layer(SQUARE),), 0.0, fade=np.array([0.5, 0.0, 0.0])))
    assert level[50, 60] == pytest.approx(0.5)


def test_nothing_to_see_is_none() -> None:
    assert rasterise(Area((Layer(SQUARE),), 1.0, cover=0.0), 120, 110, 0.0) is None
    assert rasterise(Area((Layer(SQUARE + 1000),), 1.0), 120, 110, 0.0) is None


def test_only_pixels_above_the_least_cover() -> None:
    mask = rasterise(Area((Layer(SQUARE),), 3.0), 120, 110, 0.25)
    assert mask is not None
    assert mask.cover.min() > 0.25


@pytest.mark.parametrize("shift", [-60.0, -45.0, 35.0, 70.0])
def test_the_picture_s_border_cuts_it(shift: float) -> None:
    cut = picture(Area((Layer(SQUARE + np.array([shift, 0])),), 2.0))
    whole = picture(Area((Layer(SQUARE + np.array([shift + 100, 0])),), 2.0), 320)[:, 100:220]
    assert np.abs(cut - whole).max() < 0.35  # at the border itself
    assert np.abs(cut - whole)[:, 6:-6].max() < 0.01


def test_wide_feathers_keep_their_place_when_drawn_coarsely() -> None:
    shifted = [picture(Area((Layer(SQUARE + i),), 12.0), 140, 130) for i in (0, 1, 2)]
    for i, cover in enumerate(shifted):
        rows, columns = np.indices(cover.shape)
        centre = (
            (cover * columns).sum() / cover.sum() + 0.5,
            (cover * rows).sum() / cover.sum() + 0.5,
        )
        np.testing.assert_allclose(centre, (60 + i, 55 + i), atol=0.3)
