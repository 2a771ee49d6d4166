import pytest
import torch

from amesh.data.augment import second_view as module
from amesh.data.augment.config import NO_AUGMENTATION
from amesh.data.augment.second_view import second_view
from amesh.data.random import keys
from amesh.geometry import affine

SIZE = 64
KEY = keys(0, 0, torch.arange(6))


def ramps() -> torch.Tensor:
    """Pictures whose red is x and whose green is y [crop px / 64]."""
    steps = (torch.arange(SIZE) + 0.5) / SIZE
    x, y = steps.expand(SIZE, SIZE), steps[:, None].expand(SIZE, SIZE)
    return torch.stack([x, y, torch.full_like(x, 0.5)]).expand(6, 3, SIZE, SIZE)


def test_the_affine_says_where_each_pixel_of_the_first_view_went(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_SENSOR", NO_AUGMENTATION)
    view = second_view(ramps(), KEY)
    for x, y in ((20, 30), (32, 32), (50, 12)):
        here = torch.tensor([[x + 0.5, y + 0.5]]).expand(6, 1, 2)
        there = affine.apply(view.first_from_second, here)[:, 0]
        torch.testing.assert_close(view.image[:, :2, y, x] * SIZE, there, rtol=0, atol=1e-3)


def test_views_differ_by_parts_of_a_pixel_to_a_few() -> None:
    key = keys(0, 0, torch.arange(2000))
    middle = torch.full((2000, 1, 2), SIZE / 2)
    moved = affine.apply(second_view(ramps()[:1].expand(2000, -1, -1, -1), key)[1], middle)
    moved = moved - middle
    assert moved.abs().max() <= 0.02 * SIZE
    assert moved.std().item() == pytest.approx(0.02 * SIZE / 3, rel=0.1)


def test_a_view_depends_only_on_its_key_and_is_noisy() -> None:
    together = second_view(ramps(), KEY)
    alone = second_view(ramps()[2:3], KEY[2:3])
    torch.testing.assert_close(alone.image, together.image[2:3])
    torch.testing.assert_close(alone.first_from_second, together.first_from_second[2:3])
    assert not torch.equal(second_view(ramps(), KEY + 1).image, together.image)
    assert together.image[:, 2].std() > 0.003  # its colour is flat in the first view
