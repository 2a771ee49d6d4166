import math

import pytest
import torch

from amesh.geometry import affine, sampling
from amesh.geometry.coordinates import pixel_centres

SIZE, MAP = 16, 48
IDENTITY = torch.eye(2, 3)[None]


def thetas(count: int, dtype: torch.dtype, zoom: float = 0.4) -> torch.Tensor:
    """Crops of all kinds: turned, sheared, most inside, some crossing the border."""
    generator = torch.Generator().manual_seed(3)
    linear = torch.randn(count, 2, 2, generator=generator, dtype=torch.float64) * zoom
    shift = torch.rand(count, 2, 1, generator=generator, dtype=torch.float64) * 1.6 - 0.8
    return torch.cat([linear, shift], -1).to(dtype)


def features(count: int, dtype: torch.dtype, height: int = MAP, width: int = MAP) -> torch.Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.rand(count, 3, height, width, generator=generator, dtype=torch.float64).to(dtype)


def by_hand(image: torch.Tensor, theta: torch.Tensor, size: int) -> torch.Tensor:
    """Bilinear reading as the released operator does it, one sample at a time, in plain floats."""
    channels, height, width = image.shape
    crop = torch.zeros(channels, size, size, dtype=image.dtype)
    (a, b, tx), (c, d, ty) = theta.tolist()
    for row in range(size):
        for column in range(size):
            u, v = 2 * (column + 0.5) / size - 1, 2 * (row + 0.5) / size - 1
            x = (a * u + b * v + tx + 1) * width / 2 - 0.5
            y = (c * u + d * v + ty + 1) * height / 2 - 0.5
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                continue
            x0, y0 = min(math.floor(x), width - 2), min(math.floor(y), height - 2)
            fx, fy = x - x0, y - y0
            top = image[:, y0, x0] * (1 - fx) + image[:, y0, x0 + 1] * fx
            bottom = image[:, y0 + 1, x0] * (1 - fx) + image[:, y0 + 1, x0 + 1] * fx
            crop[:, row, column] = top * (1 - fy) + bottom * fy
    return crop


@pytest.mark.parametrize("sampler", [sampling.affine, sampling.gather])
def test_matches_a_second_implementation(sampler):
    maps, places = features(6, torch.float64, 20, 30), thetas(6, torch.float64, zoom=0.7)
    expected = torch.stack([by_hand(m, t, 8) for m, t in zip(maps, places, strict=True)])
    torch.testing.assert_close(sampler(maps, places, 8), expected, rtol=0, atol=1e-12)
    outside = (expected == 0).all(1)
    assert 0.05 < outside.double().mean() < 0.6  # the border is really exercised


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-5), (torch.float64, 1e-10)])
def test_affine_and_gather_agree(dtype: torch.dtype, tolerance: float):
    maps, places = features(64, dtype), thetas(64, dtype)
    one, other = sampling.affine(maps, places, SIZE), sampling.gather(maps, places, SIZE)
    assert (one - other).abs().max() <= tolerance


@pytest.mark.parametrize("sampler", [sampling.affine, sampling.gather])
def test_convention_identity_theta_returns_the_map(sampler):
    maps = features(1, torch.float32, 8, 8)
    torch.testing.assert_close(sampler(maps, IDENTITY, 8), maps, rtol=0, atol=1e-6)


@pytest.mark.parametrize("sampler", [sampling.affine, sampling.gather])
def test_convention_x_is_the_column_and_theta_maps_crop_to_map(sampler):
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    # The crop's x axis spans the right half of the map: columns 2 and 3 at its two pixels.
    right_half = torch.tensor([[[0.5, 0.0, 0.5], [0.0, 0.5, -0.5]]])
    assert sampler(maps, right_half, 2).flatten().tolist() == [2.0, 3.0, 6.0, 7.0]


@pytest.mark.parametrize("sampler", [sampling.affine, sampling.gather])
def test_convention_exactly_zero_outside_the_box_of_pixel_centres(sampler):
    maps = torch.ones(1, 1, 4, 4, dtype=torch.float64)
    half_pixel = 1 / 4
    for shift, inside in [(0.0, True), (1e-9, False), (half_pixel / 2, False)]:
        # One sample, on the last centre plus `shift`: zero padding would fade it, we cut it off.
        place = torch.tensor([[[0, 0, 1 - half_pixel + shift], [0, 0, 0]]], dtype=torch.float64)
        value = sampler(maps, place, 1).item()
        assert value == (1.0 if inside else 0.0)


@pytest.mark.parametrize("distance", [5.0, 1e4, 1e30, math.inf, -math.inf, math.nan])
def test_samples_outside_the_map_are_exactly_zero(distance: float):
    far = torch.tensor([[[0.1, 0, distance], [0, 0.1, 0.0]]])
    sigma = torch.tensor(0.7)
    for maps in (features(1, torch.float32), features(1, torch.float16)):
        for crop in (
            sampling.affine(maps, far, SIZE),
            sampling.gather(maps, far, SIZE),
            sampling.gaussian(maps, far, SIZE, sigma),
        ):
            assert (crop == 0).all()


@pytest.mark.parametrize("sampler", [sampling.affine, sampling.gather])
def test_half_precision_features_keep_single_precision_coordinates(sampler):
    maps, places = features(8, torch.float32), thetas(8, torch.float32, zoom=0.2)
    exact = sampler(maps, places, SIZE)
    half = sampler(maps.half(), places, SIZE)
    assert half.dtype == torch.float16
    assert (half.float() - exact).abs().max() < 3e-3  # four roundings of values up to 1


def test_narrow_gaussian_returns_the_nearest_pixel():
    maps, places = features(4, torch.float64), thetas(4, torch.float64)
    narrow = sampling.gaussian(maps, places, SIZE, torch.tensor(1e-3, dtype=torch.float64))
    # The same reading by integer indices.
    b, c = maps.shape[:2]
    grid = pixel_centres(SIZE, places).reshape(1, -1, 2).expand(b, -1, -1)
    position = (affine.apply(places, grid) + 1) * MAP / 2 - 0.5
    nearest = position.round().long()
    inside = ((position >= 0) & (position <= MAP - 1)).all(-1)
    x, y = nearest.clamp(0, MAP - 1).unbind(-1)
    flat = maps.flatten(2).gather(2, (y * MAP + x)[:, None].expand(b, c, -1))
    expected = (flat * inside[:, None]).reshape(b, c, SIZE, SIZE)
    torch.testing.assert_close(narrow, expected)


def test_gaussian_keeps_a_constant_map_constant_up_to_the_border():
    maps = torch.full((1, 2, 12, 12), 3.0, dtype=torch.float64)
    sigma = torch.tensor(0.8, dtype=torch.float64)
    crop = sampling.gaussian(maps, IDENTITY.double(), 12, sigma)
    torch.testing.assert_close(crop, maps)


def test_gaussian_weights_follow_the_kernel():
    impulse = torch.zeros(1, 1, 11, 11, dtype=torch.float64)
    impulse[0, 0, 5, 5] = 1.0
    sigma = torch.tensor(0.9, dtype=torch.float64)
    crop = sampling.gaussian(impulse, IDENTITY.double(), 11, sigma)[0, 0]
    line = torch.tensor([math.exp(-0.5 * (d / 0.9) ** 2) for d in range(-2, 3)]).double()
    line = line / line.sum()
    torch.testing.assert_close(crop[3:8, 3:8], torch.outer(line, line))
    assert crop[5, 8] == 0  # beyond two pixels


@pytest.mark.parametrize("sampler", [sampling.affine, sampling.gather])
def test_gradients(sampler):
    maps = features(2, torch.float64, 6, 7).requires_grad_()
    places = thetas(2, torch.float64, zoom=0.2).mul(0.6).requires_grad_()
    assert torch.autograd.gradcheck(lambda m, t: sampler(m, t, 3), (maps, places))


def test_soft_attention_has_a_gradient_for_sigma():
    maps = features(1, torch.float64, 6, 7).requires_grad_()
    places = thetas(1, torch.float64, zoom=0.2).mul(0.6).requires_grad_()
    sigma = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda m, t, s: sampling.gaussian(m, t, 3, s), (maps, places, sigma)
    )


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_crop_keeps_the_memory_format_of_the_map(layout: torch.memory_format):
    maps, places = features(2, torch.float32), thetas(2, torch.float32)
    crop = sampling.affine(maps.contiguous(memory_format=layout), places, SIZE)
    assert crop.is_contiguous(memory_format=layout)
    torch.testing.assert_close(crop, sampling.affine(maps, places, SIZE), rtol=0, atol=1e-6)
