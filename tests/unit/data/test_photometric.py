from collections.abc import Callable

import pytest
import torch

from amesh.data.augment_config import NO_AUGMENTATION, AugmentConfig
from amesh.data.compression import compress
from amesh.data.photometric import blur, camera_noise, light, occlude, photometric
from amesh.data.random import keys, uniform

SIZE = 40
KEY = keys(0, 0, torch.arange(8))


def pictures(count: int = 8, size: int = SIZE) -> torch.Tensor:
    steps = torch.linspace(0.1, 0.9, size)
    plane = steps[:, None] * 0.5 + steps * 0.5
    return plane.expand(count, 3, size, size).contiguous()


def test_nothing_asked_nothing_done() -> None:
    assert torch.equal(photometric(pictures(), NO_AUGMENTATION, KEY), pictures())


def test_values_stay_in_range_at_the_wildest_settings() -> None:
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
    )
    changed = photometric(pictures(), wild, KEY)
    assert changed.isfinite().all()
    assert changed.amin() >= 0
    assert changed.amax() <= 1
    assert changed.shape == (8, 3, SIZE, SIZE)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, k: light(x, AugmentConfig(grey=0.5), k),
        lambda x, k: occlude(x, k, 0.3, 0),
        lambda x, k: blur(x, k, 2.0),
        lambda x, k: camera_noise(x, k, 0.1),
        lambda x, k: compress(x, k, 0.3),
    ],
    ids=["light", "occlude", "blur", "noise", "compress"],
)
def test_each_changes_its_own_sample_by_its_own_key(
    change: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> None:
    before = pictures()
    together = change(before, KEY)
    assert torch.equal(before, pictures()), "the input was overwritten"
    alone = change(pictures(1), KEY[5:6])
    torch.testing.assert_close(alone[0], together[5], rtol=0, atol=1e-6)
    assert (together - before).abs().amax((1, 2, 3)).count_nonzero() >= 6


def test_light_keeps_black_and_the_order_of_brightness() -> None:
    ramp = torch.linspace(0, 1, 128).expand(8, 3, 128, 128).contiguous()
    changed = light(ramp, AugmentConfig(gain=0.0, curve=0.5, grey=0.0), KEY)
    assert changed[..., 0].abs().max() == 0
    torch.testing.assert_close(changed[..., -1], torch.ones(8, 3, 128))
    assert (changed.diff(dim=-1) >= -1e-6).all()
    assert (changed - ramp).abs().amax() > 0.03


def test_blur_is_the_gaussian_that_was_drawn() -> None:
    point = torch.zeros(8, 3, SIZE, SIZE)
    point[:, :, 20, 20] = 1
    spread = blur(point, KEY, 1.2)
    torch.testing.assert_close(spread.sum((2, 3)), torch.ones(8, 3))
    steps = torch.arange(SIZE) - 20.0
    drawn = uniform(KEY, "blur", (2,)) * 1.2
    for axis in (0, 1):
        found = (spread.sum(2 + axis) * steps**2).sum(-1)[:, 0].sqrt()
        wide = drawn[:, axis] > 0.6  # narrower ones fall between the taps
        assert wide.any()
        torch.testing.assert_close(found[wide], drawn[wide, axis], rtol=0, atol=0.02)


def test_noise_has_the_deviation_that_was_drawn() -> None:
    flat = torch.full((8, 3, 200, 200), 0.5)
    noise = camera_noise(flat, KEY, 0.05) - flat
    expected = uniform(KEY, "noise") ** 2 * 0.05 * 1.5
    torch.testing.assert_close(noise.std((1, 2, 3)), expected, rtol=0.05, atol=1e-4)
    channels = torch.corrcoef(noise[KEY.argmax() % 8].flatten(1))
    assert (channels - torch.eye(3)).abs().max() < 0.1


def test_compression_removes_detail_and_keeps_what_is_smooth() -> None:
    smooth = pictures()
    fine = smooth + 0.02 * (torch.arange(SIZE) % 2)
    after = compress(fine, KEY, 0.5)
    assert (after - smooth).abs().mean() < 0.05
    harsh = after[..., 0:8].diff(dim=-1)
    assert harsh.abs().mean() < fine[..., 0:8].diff(dim=-1).abs().mean()


def test_compression_of_a_size_that_is_no_multiple_of_the_block() -> None:
    assert compress(pictures(8, 45), KEY, 0.2).shape == (8, 3, 45, 45)
    # hardly any quantisation: the transform and its inverse give the picture back
    torch.testing.assert_close(
        compress(pictures(8, 45), KEY, 1e-4), pictures(8, 45), atol=1e-3, rtol=0
    )
