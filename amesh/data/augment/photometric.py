"""Photometric augmentation on the device, per sample: light, occluders, blur, noise, compression.

The order is that of a real picture: light, objects in front of the face, lens, sensor and codec.
"""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor
from torch.nn.functional import pad

from amesh.data.augment.compression import compress
from amesh.data.augment.config import AugmentConfig
from amesh.data.augment.extremes import draw_extremes, expose, smear
from amesh.data.random import normal, uniform

# Luma of BT.601.
_LUMA = (0.299, 0.587, 0.114)
_BLUR_REACH = 4  # taps on either side
_TILE = 256  # side of the stored noise [px]
# Number of random numbers of a sample for exposure, colours, curve, probabilities, blur, occluders,
# noise windows and strengths.
_NUMBERS = (3, 9, 2, 5, 2, 24, 6, 2)
Images = Float[Tensor, "b 3 s s"]


class Draws(NamedTuple):
    """The random parameters of some samples.

    Attributes:
        gain: (b, 3, 1, 1) gain of each colour.
        curve: (b, 3, 1, 1) coefficients of x, x^2 and x^3 of the intensity curve.
        grey: (b,) whether colour is removed.
        covered: (b, 2) whether the first and the second occluder are present.
        covers: (b, 2, 12) random numbers of each occluder.
        blurred: (b,) whether the sample is blurred.
        kernels: (b, 2, 5) weights of the blur along x and y, from the centre outwards.
        noise: (b,) standard deviation of the noise on a black pixel.
        windows: (b, 3, 2) positions of each colour's window in the stored noise.
        compressed: (b,) whether the sample is compressed.
        step: (b,) quantisation step of the compression.
        exposed: (b,) whether the light is extreme.
        brightness: (b,) mean brightness of the middle of the crop, then.
        smeared: (b,) whether the blur is extreme.
        smear: (b,) its standard deviation [sides of the crop], then.
    """

    gain: Float[Tensor, "b 3 1 1"]
    curve: Float[Tensor, "b 3 1 1"]
    grey: Bool[Tensor, " b"]
    covered: Bool[Tensor, "b 2"]
    covers: Float[Tensor, "b 2 12"]
    blurred: Bool[Tensor, " b"]
    kernels: Float[Tensor, "b 2 k"]
    noise: Float[Tensor, " b"]
    windows: Float[Tensor, "b 3 2"]
    compressed: Bool[Tensor, " b"]
    step: Float[Tensor, " b"]
    exposed: Bool[Tensor, " b"]
    brightness: Float[Tensor, " b"]
    smeared: Bool[Tensor, " b"]
    smear: Float[Tensor, " b"]

    def some(self, which: slice | Tensor) -> "Draws":
        """Selects the parameters of some of the samples."""
        return Draws(*(values[which] for values in self))


def draw(config: AugmentConfig, key: Int64[Tensor, " b"]) -> Draws:
    """Draws the parameters for these keys, all at once to limit the number of small operations.

    The curve is y = x + x (1 - x) (a + b (1 - 2 x)). It preserves black and white; a brightens or
    darkens the midtones, b makes it S-shaped. It increases everywhere if |a| + |b| <= 1.
    """
    numbers = uniform(key, "photometric", (sum(_NUMBERS),)).split(_NUMBERS, dim=1)
    light, colours, bends, chances, widths, covers, windows, strengths = numbers
    light, colours = light.sum(-1, keepdim=True), colours.unflatten(1, (3, 3)).sum(-1)
    # Sums of three uniform numbers are centred at 3/2, as in `random.bell`.
    exposure = config.gain * ((light - 1.5) + 0.5 * (colours - 1.5)) / 1.5
    a, b = ((2.0 * bends - 1.0) * config.curve).unbind(-1)
    sigma = (widths * config.blur).clamp_min(0.05)
    taps = torch.arange(_BLUR_REACH + 1, device=key.device)
    extremes = draw_extremes(key, config.extreme)
    kernels = torch.exp(-0.5 * (taps / sigma[..., None]).square())  # b 2 k
    return Draws(
        gain=exposure.exp()[..., None, None],
        curve=torch.stack([1.0 + a + b, -a - 3.0 * b, 2.0 * b], dim=-1)[..., None, None],
        grey=chances[:, 0] < config.grey,
        covered=chances[:, 1:3] < config.occluder_chance,
        covers=covers.unflatten(1, (2, 12)),
        blurred=chances[:, 3] < config.blur_chance,
        kernels=kernels / (2.0 * kernels.sum(-1, keepdim=True) - 1.0),
        noise=strengths[:, 0].square() * config.noise,
        windows=windows.unflatten(1, (3, 2)),
        compressed=chances[:, 4] < config.compression_chance,
        step=config.compression * (0.1 + 0.9 * strengths[:, 1]).square(),
        exposed=extremes.exposed,
        brightness=extremes.brightness,
        smeared=extremes.smeared,
        smear=extremes.smear,
    )


def photometric(images: Images, config: AugmentConfig, draws: Draws) -> Images:
    """Applies all photometric changes of the config; values stay in [0, 1]."""
    if config.gain or config.curve or config.grey:
        images = light(images, draws)
    for number in range(2 if config.occluder_chance and config.occluder else 0):
        cover = partial(occlude, largest=config.occluder, number=number)
        images = _on(draws.covered[:, number], images, draws, cover)
    if config.blur_chance and config.blur:
        images = _on(draws.blurred, images, draws, blur)
    if config.noise:
        images = camera_noise(images, draws)
    if config.compression_chance and config.compression:
        images = _on(draws.compressed, images, draws, lambda x, own: compress(x, own.step))
    if config.extreme:
        images = _on(draws.smeared, images, draws, lambda x, own: smear(x, own.smear))
        images = _on(draws.exposed, images, draws, lambda x, own: expose(x, own.brightness))
    return images


def light(images: Images, draws: Draws) -> Images:
    """Changes exposure, colour of the light and the intensity curve; removes colour if drawn."""
    source = (images * draws.gain).clamp_(0.0, 1.0)
    first, second, third = draws.curve.split(1, dim=1)
    # Horner's rule saves passes over the pixels.
    images = (source * third).add_(second).mul_(source).add_(first).mul_(source)
    return _on(draws.grey, images, draws, _drain)


def _drain(images: Images, draws: Draws) -> Images:
    red, green, blue = (image * luma for image, luma in zip(images.split(1, 1), _LUMA, strict=True))
    grey: Tensor = red + green + blue
    return grey.expand(-1, 3, -1, -1)


def occlude(images: Images, draws: Draws, largest: float, number: int) -> Images:
    """Draws a soft-edged, shaded and grainy ellipse, like a hand or a strand of hair.

    Args:
        images: Crops.
        draws: Their parameters.
        largest: Largest radius [sides of the crop].
        number: Index of the occluder, 0 or 1.
    """
    numbers, size = draws.covers[:, number], images.shape[-1]
    if together(images):
        return _covered(images, numbers, largest, size, (0, 0))
    # On a CPU, compute only the square around the ellipse.
    images = images.clone()
    for image, own in zip(images.split(1), numbers.split(1), strict=True):
        x, y, _, wide, high = own[0, :5].tolist()
        reach = largest * _radius(max(wide, high))
        left, top = (max(int((v - reach) * size), 0) for v in (x, y))
        right, bottom = (min(int((v + reach) * size) + 1, size) for v in (x, y))
        part = image[..., top:bottom, left:right]
        part.copy_(_covered(part, own, largest, size, (left, top)))
    return images


def _radius(number: float) -> float:
    """Returns the radius of an occluder, relative to the largest."""
    return 0.15 + 0.85 * number


def _covered(
    part: Float[Tensor, "b 3 h w"],
    numbers: Float[Tensor, "b n"],
    largest: float,
    size: int,
    corner: tuple[int, int],
) -> Float[Tensor, "b 3 h w"]:
    """Draws the occluder onto a part of the crops that starts at `corner` (x, y)."""
    height, width = part.shape[-2:]
    shape, colour = numbers[:, :7, None, None], numbers[:, 7:10, None, None]
    columns = torch.arange(corner[0], corner[0] + width, device=part.device)
    rows = torch.arange(corner[1], corner[1] + height, device=part.device)[:, None]
    x, y = (columns + 0.5) / size - shape[:, 0], (rows + 0.5) / size - shape[:, 1]  # b 1 w, b h 1
    cos, sin = (shape[:, 2] * torch.pi).cos(), (shape[:, 2] * torch.pi).sin()
    along, across = cos * x + sin * y, cos * y - sin * x  # b h w
    wide, high = (largest * (0.15 + 0.85 * shape[:, i]) for i in (3, 4))
    distance = (along / wide).square() + (across / high).square()
    mask = ((1.0 - distance) * 6.0).clamp(0.0, 1.0)[:, None]
    shade = 1.0 + 0.6 * (shape[:, 5] - 0.5) * along / largest
    tile = _noise_tile(size, str(part.device))
    window = (numbers[:, 10:12] * _TILE).long()
    start = (window[:, 1] * tile.shape[1] + window[:, 0])[:, None, None]
    grain = 0.1 * shape[:, 6] * tile.take(start + rows * tile.shape[1] + columns)
    fill = torch.addcmul(grain[:, None], colour, shade[:, None]).clamp_(0.0, 1.0)
    return torch.lerp(part, fill, mask)


def blur(images: Images, draws: Draws) -> Images:
    """Blurs by a Gaussian with a different width along each axis: out of focus, or motion."""
    size = images.shape[-1]
    images = pad(images, (_BLUR_REACH,) * 4, mode="replicate")
    # Sum shifted pictures: with so few channels, a convolution takes three times as long.
    for axis, kernel in ((-1, draws.kernels[:, 0]), (-2, draws.kernels[:, 1])):
        shifted = [images.narrow(axis, at, size) for at in range(2 * _BLUR_REACH + 1)]
        factors = kernel[..., None, None, None].unbind(1)
        images = shifted[_BLUR_REACH] * factors[0]
        for tap in range(1, _BLUR_REACH + 1):
            pair = shifted[_BLUR_REACH - tap] + shifted[_BLUR_REACH + tap]
            images.addcmul_(pair, factors[tap])
    return images


def camera_noise(images: Images, draws: Draws) -> Images:
    """Adds sensor noise: a constant part, and one proportional to brightness.

    The noise comes from one stored tile, in which each sample and channel has its own window:
    hashing every pixel would cost more than all other changes together.
    """
    size, start = images.shape[-1], (draws.windows * _TILE).long()
    tile = _noise_tile(size, str(images.device))
    if together(images):
        reach = torch.arange(size, device=images.device)
        first = start[..., 1] * tile.shape[1] + start[..., 0]
        grain = tile.take(first[..., None, None] + reach[:, None] * tile.shape[1] + reach)
        grain.mul_(draws.noise[:, None, None, None])
        return torch.addcmul(images, images, grain).add_(grain).clamp_(0.0, 1.0)
    result = torch.empty_like(images)
    planes = zip(images.flatten(0, 1), result.flatten(0, 1), strict=True)
    corners = start.flatten(0, 1).tolist()
    strengths = draws.noise.repeat_interleave(3).tolist()
    for (plane, out), (x, y), strength in zip(planes, corners, strengths, strict=True):
        grain = tile[y : y + size, x : x + size]
        torch.addcmul(plane, plane, grain, value=strength, out=out).add_(grain, alpha=strength)
    return result.clamp_(0.0, 1.0)


@lru_cache(maxsize=8)
def _noise_tile(size: int, device: str) -> Float[Tensor, "t t"]:
    """Returns a periodic tile of noise, large enough for a window that starts anywhere in it."""
    tile = normal(torch.arange(_TILE, device=device), "noise tile", (_TILE,))
    repeats = -(-(_TILE + size) // _TILE)
    return tile.repeat(repeats, repeats)


def together(images: Tensor) -> bool:
    """Tells whether all samples are computed together, even if only some of them are changed.

    This is so on a GPU, which would otherwise have to wait for a mask or a window. A CPU processes
    one sample at a time.
    """
    return images.is_cuda


def _on(
    chosen: Tensor, images: Images, draws: Draws, change: Callable[[Images, Draws], Images]
) -> Images:
    """Applies a change to the chosen samples.

    A CPU computes only those; a GPU computes all samples and selects.
    """
    if together(images):
        return torch.where(chosen[:, None, None, None], change(images, draws), images)
    if len(chosen) == 1:
        return change(images, draws) if chosen else images
    some = chosen.nonzero()[:, 0]
    if not len(some):
        return images
    return images.index_copy(0, some, change(images[some], draws.some(some)))
