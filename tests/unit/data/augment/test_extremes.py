import torch

from amesh.data.augment.extremes import draw_extremes, expose, smear
from amesh.data.random import keys

KEY = keys(5, 0, torch.arange(3000))


def test_a_third_of_the_extremes_lose_the_face() -> None:
    drawn = draw_extremes(KEY, 0.3)
    chosen = drawn.exposed | drawn.smeared
    assert not (drawn.exposed & drawn.smeared).any()
    assert 0.27 < chosen.float().mean() < 0.33
    assert not (drawn.lost & ~chosen).any()
    assert 0.28 < drawn.lost[chosen].float().mean() < 0.38
    assert 0.6 < drawn.exposed[chosen].float().mean() < 0.73


def test_what_is_lost_is_further_than_what_is_hard() -> None:
    drawn = draw_extremes(KEY, 1.0)
    hard, lost = ~drawn.lost, drawn.lost
    amount, exposed = drawn.brightness, drawn.exposed
    bright, dark = exposed & (amount > 0.5), exposed & (amount < 0.5)
    assert amount[bright & hard].max() <= 3 < 10 <= amount[bright & lost].min()
    assert amount[dark & lost].max() <= 0.0041 < 0.0119 <= amount[dark & hard].min()
    blurred = drawn.smeared
    assert drawn.smear[blurred & hard].max() <= 0.028 < 0.06 < drawn.smear[blurred & lost].min()


def test_nothing_happens_at_a_chance_of_zero() -> None:
    drawn = draw_extremes(KEY, 0.0)
    assert not (drawn.exposed | drawn.smeared | drawn.lost).any()


def test_exposure_sets_the_mean_of_the_middle_and_clips() -> None:
    image = torch.zeros(3, 3, 8, 8)
    image[:, :, 2:6, 2:4], image[:, :, 2:6, 4:6] = 0.2, 0.6  # the middle: 0.4 on average
    found = expose(image, torch.tensor([0.8, 1.6, 0.004]))
    torch.testing.assert_close(found[0, 0, 3, 2:6], torch.tensor([102, 102, 255, 255]) / 255)
    torch.testing.assert_close(found[1, 0, 3, 2:6], torch.tensor([204, 204, 255, 255]) / 255)
    torch.testing.assert_close(found[2, 0, 3, 2:6], torch.tensor([1, 1, 2, 2]) / 255)
    assert found[:, :, :2].abs().max() == 0  # black stays black


def test_a_black_crop_stays_black() -> None:
    assert expose(torch.zeros(1, 3, 8, 8), torch.tensor([3.0])).abs().max() == 0


def test_the_blur_is_the_gaussian_that_was_drawn() -> None:
    size = 96
    point = torch.zeros(2, 3, size, size)
    point[:, :, size // 2, size // 2] = 1
    spread = smear(point, torch.tensor([0.03, 0.08]))
    steps = torch.arange(size) - size / 2.0
    for axis in (2, 3):
        found = (spread.sum(axis) * steps**2).sum(-1).sqrt()
        torch.testing.assert_close(found[:, 0], torch.tensor([2.88, 7.68]), rtol=0, atol=0.05)
    flat = smear(torch.full((1, 3, 16, 16), 0.3), torch.tensor([0.1]))
    torch.testing.assert_close(flat, torch.full((1, 3, 16, 16), 0.3))
