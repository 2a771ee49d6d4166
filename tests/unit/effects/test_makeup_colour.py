"""Colours of makeup: reading them, and what they do to pixels."""

import numpy as np
import pytest
from skimage.color import lab2rgb, rgb2lab

from amesh.effects.makeup_colour import Pigment, to_lab
from amesh.errors import UserError


@pytest.mark.parametrize(
    ("colour", "rgb"),
    [
        ("#fff", (255, 255, 255)),
        ("#b0103a", (176, 16, 58)),
        (" Crimson ", (220, 20, 60)),
        ("rgb(10, 20, 30)", (10, 20, 30)),
        ((0, 128, 255), (0, 128, 255)),
        ([1, 2, 3], (1, 2, 3)),
        (tuple(np.array([9, 8, 7], np.uint8)), (9, 8, 7)),
    ],
)
def test_colours_in_every_usual_form(colour, rgb) -> None:
    np.testing.assert_allclose(to_lab(colour), rgb2lab(np.array(rgb) / 255), atol=0.1)


@pytest.mark.parametrize(
    "colour",
    [
        *("", "reddish", "#12", "#ff000080", "ff0000", "rgb(300, 0, 0)"),
        *((1, 2), (0, 0, 256), (-1, 0, 0), (0.5, 0.5, 0.5), (True, 0, 0), None, 7),
    ],
)
def test_other_colours_are_refused_in_one_line(colour) -> None:
    with pytest.raises(UserError, match="colour") as caught:
        to_lab(colour)
    assert "\n" not in str(caught.value)


def all_greys_and_some_colours() -> np.ndarray:
    grey = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    return np.concatenate([grey, np.random.default_rng(1).integers(0, 256, (9000, 3), np.uint8)])


def test_no_cover_changes_no_value() -> None:
    pixels = all_greys_and_some_colours()
    painted = Pigment(to_lab("#f0f")).lay(pixels, np.zeros(len(pixels), np.float32))
    assert np.array_equal(painted, pixels)


@pytest.mark.parametrize("colour", ["#b0103a", "#00f", "#0f0", "#ff0", "#fff", "#000"])
def test_lightness_stays_even_for_colours_that_no_screen_shows(colour) -> None:
    pixels = all_greys_and_some_colours()
    painted = Pigment(to_lab(colour)).lay(pixels, np.ones(len(pixels), np.float32))
    before, after = rgb2lab(pixels / 255)[:, 0], rgb2lab(painted / 255)[:, 0]
    assert np.abs(after - before).max() < 1.0


def test_full_cover_gives_the_pigment_where_the_light_is_its_own() -> None:
    wanted = np.array([52.0, 40.0, 15.0])
    grey = np.rint(lab2rgb([[52.0, 0, 0]]) * 255).astype(np.uint8)
    painted = Pigment(tuple(wanted)).lay(grey, np.ones(1, np.float32))
    np.testing.assert_allclose(rgb2lab(painted / 255)[0], wanted, atol=0.8)


def test_half_the_light_leaves_the_colour_of_a_surface_in_half_the_light() -> None:
    """The pigment as a surface: its linear RGB scales with the light."""
    surface = np.array([[0.4, 0.1, 0.15]])  # linear
    grey = np.array([[0.2126, 0.7152, 0.0722]]) @ (surface / 2).T
    skin = np.rint(encoded(np.repeat(grey, 3, axis=1)) * 255).astype(np.uint8)
    pigment = Pigment(tuple(rgb2lab(encoded(surface))[0].tolist()))
    painted = pigment.lay(skin, np.ones(1, np.float32))
    np.testing.assert_allclose(painted / 255, encoded(surface / 2), atol=2 / 255)


def encoded(linear: np.ndarray) -> np.ndarray:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def test_depth_follows_the_lightness_within_the_gains() -> None:
    skin = np.full((500, 3), 150, np.uint8)
    cover = np.ones(500, np.float32)
    light = rgb2lab(skin / 255)[0, 0]
    for colour, gain in (("#000", 0.7), ("#fff", 1.1)):
        painted = Pigment(to_lab(colour), 1.0, (0.7, 1.1)).lay(skin, cover)
        assert rgb2lab(painted / 255)[0, 0] == pytest.approx(gain * light, abs=0.6)


def test_glints_keep_their_colour() -> None:
    skin = np.full((100, 3), 100, np.uint8)
    skin[0] = 235
    cover = np.ones(100, np.float32)
    dull, shining = (Pigment(to_lab("#a00"), glints=g).lay(skin, cover) for g in (1.0, 0.0))
    assert np.array_equal(shining[0], skin[0])
    assert not np.array_equal(dull[0], skin[0])
    assert np.array_equal(dull[1:], shining[1:])


def test_a_picture_of_many_pixels_is_its_parts() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (10_000, 3), np.uint8)
    cover = np.random.default_rng(3).random(10_000).astype(np.float32)
    pigment = Pigment(to_lab("#a05"))
    whole = pigment.lay(pixels, cover)
    assert np.array_equal(whole[9_000:], pigment.lay(pixels[9_000:], cover[9_000:]))
    assert len(pigment.lay(pixels[:0], cover[:0])) == 0
