"""What a camera, a codec and the world do to a picture's pixels; on the device, per sample.

Light comes first, then what stands before the face, then lens, sensor and codec: the order of a
real picture.
"""

from collections.abc import Callable
from functools import lru_cache, partial

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import conv2d, pad

from amesh.data.augment_config import AugmentConfig
from amesh.data.compression import compress
from amesh.data.random import bell, normal, uniform

# Luma of BT.601.
_LUMA = (0.299, 0.587, 0.114)
_BLUR_REACH = 4  # taps to either side
_TILE = 256  # side of the stored noise [px]

Images = Float[Tensor, "b 3 s s"]
Keys = Int64[Tensor, " b"]


def photometric(images: Images, config: AugmentConfig, key: Keys) -> Images:
    """All changes of the pixels that the config asks for; values stay in [0, 1]."""
    if config.gain or config.curve or config.grey:
        images = light(images, config, key)
    for number in range(2 if config.occluder_chance and config.occluder else 0):
        chosen = uniform(key, f"occluder {number}") < config.occluder_chance
        cover = partial(occlude, largest=config.occluder, number=number)
        images = _on(chosen, images, key, cover)
    if config.blur_chance and config.blur:
        chosen = uniform(key, "blurred") < config.blur_chance
        images = _on(chosen, images, key, partial(blur, largest=config.blur))
    if config.noise:
        images = camera_noise(images, key, config.noise)
    if config.compression_chance and config.compression:
        chosen = uniform(key, "compressed") < config.compression_chance
        images = _on(chosen, images, key, partial(compress, coarsest=config.compression))
    return images


def light(images: Images, config: AugmentConfig, key: Keys) -> Images:
    """Exposure and colour of the light, a non-linear intensity curve, perhaps no colour at all.

    The curve is y = x + x (1 - x) (a + b (1 - 2 x)): it keeps black and white, a lifts or lowers
    the middle, b makes an S of it; rising everywhere for |a| + |b| <= 1.
    """
    gain = bell(key, "exposure")[:, None] + 0.5 * bell(key, "colour", (3,))
    source = images * torch.exp(config.gain * gain)[..., None, None]
    source.clamp_(0.0, 1.0)
    bend = (2.0 * uniform(key, "curve", (2,)) - 1.0) * config.curve
    lift, bow = bend[:, 0, None, None, None], bend[:, 1, None, None, None]
    # The cubic above by Horner's rule: fewer passes over the pixels.
    images = source * (2.0 * bow)
    images.sub_(lift + 3.0 * bow).mul_(source).add_(1.0 + lift + bow).mul_(source)
    grey = uniform(key, "grey") < config.grey
    luma = images.new_tensor(_LUMA)[:, None, None]

    def drain(x: Images, _: Keys) -> Images:
        return (x * luma).sum(1, keepdim=True).expand(-1, 3, -1, -1)

    return _on(grey, images, key, drain) if config.grey else images


def occlude(images: Images, key: Keys, largest: float, number: int) -> Images:
    """A soft-edged ellipse of one colour with shade and grain, like a hand or a strand of hair.

    Args:
        images: Crops.
        key: One for each.
        largest: Radius [sides of the crop].
        number: Of the occluder; another number gives another one.
    """
    size = images.shape[-1]
    draw = uniform(key, f"occluder {number}, shape", (8,))
    steps = (torch.arange(size, device=images.device) + 0.5) / size
    x, y = steps - draw[:, 0, None], steps - draw[:, 1, None]  # b s
    angle = draw[:, 2, None, None] * torch.pi
    cos, sin = angle.cos(), angle.sin()
    along = cos * x[:, None, :] + sin * y[:, :, None]
    across = cos * y[:, :, None] - sin * x[:, None, :]
    radii = largest * (0.15 + 0.85 * draw[:, 3:5])
    distance = (along / radii[:, 0, None, None]).square()
    distance = distance + (across / radii[:, 1, None, None]).square()
    mask = ((1.0 - distance) * 6.0).clamp(0.0, 1.0)[:, None]
    shade = 1.0 + 0.6 * (draw[:, 5, None, None] - 0.5) * along / largest
    colour = uniform(key, f"occluder {number}, colour", (3,))[..., None, None]
    grain = 0.1 * draw[:, 6, None, None, None] * _grain(images, key, f"occluder {number}")
    fill = (colour * shade[:, None] + grain).clamp(0.0, 1.0)
    return torch.lerp(images, fill, mask)


def blur(images: Images, key: Keys, largest: float) -> Images:
    """A Gaussian of its own width along each axis: out of focus, or moved.

    Args:
        images: Crops.
        key: One for each.
        largest: Standard deviation [px].
    """
    b, _, size, _ = images.shape
    sigma = (uniform(key, "blur", (2,)) * largest).clamp_min(0.05)  # b 2
    taps = torch.arange(-_BLUR_REACH, _BLUR_REACH + 1, device=images.device)
    kernel = torch.exp(-0.5 * (taps / sigma[..., None]).square())  # b 2 k
    kernel = (kernel / kernel.sum(-1, keepdim=True)).repeat_interleave(3, 0)  # b*3 2 k
    flat = images.reshape(1, b * 3, size, size)
    flat = pad(flat, (_BLUR_REACH,) * 4, mode="replicate")
    flat = conv2d(flat, kernel[:, None, None, 0], groups=b * 3)
    flat = conv2d(flat, kernel[:, None, 1, :, None], groups=b * 3)
    return flat.reshape(b, 3, size, size)


def camera_noise(images: Images, key: Keys, largest: float) -> Images:
    """Noise of a sensor: a part that is always there and one that grows with the light.

    Args:
        images: Crops.
        key: One for each.
        largest: Standard deviation of the first part [of full scale].
    """
    strength = uniform(key, "noise") ** 2 * largest
    spread = strength[:, None, None, None] * (1.0 + images)
    return torch.addcmul(images, spread, _grain(images, key, "noise")).clamp_(0.0, 1.0)


def _grain(images: Images, key: Keys, purpose: str) -> Images:
    """Standard normal values for every pixel: windows of one stored tile, one for each channel.

    A hash for each pixel would cost more than all else together.
    """
    b, channels, size, _ = images.shape
    tile = _noise_tile(size, str(images.device))
    start = (uniform(key, purpose + ", window", (channels, 2)) * _TILE).long()
    if images.is_cuda:
        reach = torch.arange(size, device=images.device)
        first = start[..., 1] * tile.shape[1] + start[..., 0]
        places = first[..., None, None] + reach[:, None] * tile.shape[1] + reach
        grain: Tensor = tile.reshape(-1).take(places)
        return grain
    windows = [tile[y : y + size, x : x + size] for x, y in start.flatten(0, 1).tolist()]
    return torch.stack(windows).reshape(b, channels, size, size)


@lru_cache(maxsize=8)
def _noise_tile(size: int, device: str) -> Float[Tensor, "t t"]:
    """A tile that goes on periodically, far enough for a window that starts anywhere in it."""
    tile = normal(torch.arange(_TILE, device=device), "noise tile", (_TILE,))
    repeats = -(-(_TILE + size) // _TILE)
    return tile.repeat(repeats, repeats)


def _on(
    chosen: Tensor, images: Images, key: Keys, change: Callable[[Images, Keys], Images]
) -> Images:
    """Applies a change to some samples.

    A CPU computes the chosen ones only; a GPU computes all and picks, without waiting for a mask.
    """
    if images.is_cuda:
        return torch.where(chosen[:, None, None, None], change(images, key), images)
    some = chosen.nonzero()[:, 0]
    if not len(some):
        return images
    return images.index_copy(0, some, change(images[some], key[some]))
