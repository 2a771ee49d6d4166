from collections.abc import Callable

import pytest
import torch

from amesh.data.augment.compression import compress
from amesh.data.augment.config import NO_AUGMENTATION, AugmentConfig
from amesh.data.augment.photometric import (
    Draws,
    blur,
    camera_noise,
    draw,
    light,
    occlude,
    photometric,
)
from amesh.data.random import keys

SIZE = 40
KEY = keys(0, 0, torch.arange(8))
DRAWS = draw(AugmentConfig(grey=0.5, noise=0.1, compression=0.3), KEY)


def pictures(count: int = 8, size: int = SIZE) -> torch.Tensor:
    steps = torch.linspace(0.1, 0.9, size)
    plane = steps[:, None] * 0.5 + steps * 0.5
    return plane.expand(count, 3, size, size).contiguous()


def test_an_empty_config_changes_nothing() -> None:
    assert torch.equal(
        photometric(pictures(), NO_AUGMENTATION, draw(NO_AUGMENTATION, KEY)), pictures()
    )


def test_values_stay_in_range_at_extreme_settings() -> None:
    wild = AugmentConfig(
        gain=1.0,
        curve=0.5,
        grey=0.5,
        noise=1.0,
        blur_chance=1.0,
        blur=4.0,
        compression_chance=1.0,
        compression=1.0,
        occluder_chance=1.0,
        occluder=1.0,
        extreme=1.0,
    )
    changed = photometric(pictures(), wild, draw(wild, KEY))
    assert changed.isfinite().all()
    assert changed.amin() >= 0
    assert changed.amax() <= 1
    assert changed.shape == (8, 3, SIZE, SIZE)


@pytest.mark.parametrize(
    "change",
    [
        light,
        lambda x, d: occlude(x, d, 0.3, 0),
        blur,
        camera_noise,
        lambda x, d: compress(x, d.step),
    ],
    ids=["light", "occlude", "blur", "noise", "compress"],
)
def test_each_augmentation_uses_the_draws_of_its_sample(
    change: Callable[[torch.Tensor, Draws], torch.Tensor],
) -> None:
    before = pictures()
    together = change(before, DRAWS)
    assert torch.equal(before, pictures()), "the input was overwritten"
    alone = change(pictures(1), DRAWS.some(slice(5, 6)))
    torch.testing.assert_close(alone[0], together[5], rtol=0, atol=1e-6)
    assert (together - before).abs().amax((1, 2, 3)).count_nonzero() >= 6


def test_light_keeps_black_and_the_order_of_brightness() -> None:
    ramp = torch.linspace(0, 1, 128).expand(8, 3, 128, 128).contiguous()
    changed = light(ramp, draw(AugmentConfig(gain=0.0, curve=0.5, grey=0.0), KEY))
    assert changed[..., 0].abs().max() == 0
    torch.testing.assert_close(changed[..., -1], torch.ones(8, 3, 128))
    assert (changed.diff(dim=-1) >= -1e-6).all()
    assert (changed - ramp).abs().amax() > 0.03


def test_blur_is_the_gaussian_that_was_drawn() -> None:
    point = torch.zeros(8, 3, SIZE, SIZE)
    point[:, :, 20, 20] = 1
    # The width follows from the ratio of the first two weights, exp(-1 / (2 width^2)).
    draws = draw(AugmentConfig(blur=1.2), KEY)
    kernels = draws.kernels
    drawn = (0.5 / torch.log(kernels[..., 0] / kernels[..., 1])).sqrt()
    assert 0.8 < drawn.max() < 1.2
    spread = blur(point, draws)
    torch.testing.assert_close(spread.sum((2, 3)), torch.ones(8, 3))
    steps = torch.arange(SIZE) - 20.0
    for axis in (0, 1):
        found = (spread.sum(2 + axis) * steps**2).sum(-1)[:, 0].sqrt()
        wide = drawn[:, axis] > 0.6  # narrower ones fall between the taps
        assert wide.any()
        torch.testing.assert_close(found[wide], drawn[wide, axis], rtol=0, atol=0.02)


def test_noise_has_the_deviation_that_was_drawn() -> None:
    flat = torch.full((8, 3, 200, 200), 0.5)
    noise = camera_noise(flat, DRAWS) - flat
    expected = DRAWS.noise * 1.5
    torch.testing.assert_close(noise.std((1, 2, 3)), expected, rtol=0.05, atol=1e-4)
    assert 0.03 < DRAWS.noise.max() < 0.1
    channels = torch.corrcoef(noise[expected.argmax()].flatten(1))
    assert (channels - torch.eye(3)).abs().max() < 0.1


def test_compression_removes_detail_and_preserves_smooth_areas() -> None:
    smooth = pictures()
    fine = smooth + 0.02 * (torch.arange(SIZE) % 2)
    after = compress(fine, draw(AugmentConfig(compression=0.5), KEY).step)
    assert (after - smooth).abs().mean() < 0.05
    harsh = after[..., 0:8].diff(dim=-1)
    assert harsh.abs().mean() < fine[..., 0:8].diff(dim=-1).abs().mean()


def test_compression_of_a_size_that_is_not_a_multiple_of_the_block() -> None:
    assert compress(pictures(8, 45), DRAWS.step).shape == (8, 3, 45, 45)
    # hardly any quantisation: the transform and its inverse give the picture back
    torch.testing.assert_close(
        compress(pictures(8, 45), torch.full((8,), 1e-4)), pictures(8, 45), atol=1e-3, rtol=0
    )


def test_quantisation_is_continuous() -> None:
    """A block of one grey: its mean moves towards the nearest step, by nothing halfway."""
    step = 0.2 / 4  # of a mean of luma: a quarter of the coarsest
    levels = torch.tensor([2.0, 2.3, 2.5 - 1e-5, 2.5, 2.5 + 1e-5, 2.7, 3.0]) * step
    flat = levels[:, None, None, None].expand(-1, 3, 8, 8).contiguous()
    found = compress(flat, torch.full((7,), 0.2)).mean((1, 2, 3)) / step
    expected = torch.tensor([2.0, 2.0389, 2.5, 2.5, 2.5, 2.9611, 3.0])
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


def test_an_occluder_covers_its_ellipse_and_nothing_else() -> None:
    before, size = pictures(), SIZE
    changed = occlude(before, DRAWS, 0.4, 0) != before
    x, y, _, wide, high = DRAWS.covers[:, 0, :5].T[..., None, None]
    steps = (torch.arange(size) + 0.5) / size
    far = ((steps - x).square() + (steps[:, None] - y).square()).sqrt()
    small, large = (0.4 * (0.15 + 0.85 * f(wide, high)) for f in (torch.minimum, torch.maximum))
    assert changed.any(1)[(far < 0.8 * small).expand(8, size, size)].all()
    assert not changed.any(1)[far > large].any()
