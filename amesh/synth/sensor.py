"""Lens and sensor: from linear light to the picture's bytes."""

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from amesh.data import random
from amesh.synth.config import SynthConfig
from amesh.synth.noise import Noise

_SHARPEST = 0.45  # [px] blur of the best lens, which also smooths the edges of triangles
_REACH = 6  # [px] radius of the largest blur


def expose(
    linear: Float[Tensor, "b 3 h w"],
    key: Int64[Tensor, " b"],
    face: Float[Tensor, " b"],
    config: SynthConfig,
    noise: Noise,
) -> UInt8[Tensor, "b 3 h w"]:
    """Applies blur, exposure, the usual tone curve and noise.

    Args:
        linear: The scene, in linear RGB.
        key: Keys of the samples.
        face: Longer side of the face's box [px].
        config: Ranges of blur and noise.
        noise: Noise of the sensor.
    """
    draw = random.uniform(key, "sensor", [4])
    sigma = _SHARPEST + config.blur * face * draw[:, 0] ** 2
    steps = torch.arange(-_REACH, _REACH + 1, device=key.device)
    kernel = (-0.5 * (steps / sigma.clamp(max=_REACH / 2)[:, None]) ** 2).exp()
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None]
    count, _, height, width = linear.shape
    # Highlights clip in the sensor, behind the lens, but limit them so that lamps do not blur into
    # large discs.
    rows = linear.clamp(0, 2).reshape(1, count * 3, height, width)
    rows = nn.functional.pad(rows, [_REACH] * 4, mode="replicate")
    rows = nn.functional.conv2d(rows, kernel[:, :, None], groups=count * 3)
    rows = nn.functional.conv2d(rows, kernel[..., None], groups=count * 3)
    blurred = rows.view(count, 3, height, width)
    gain = (0.75 * random.bell(key, "exposure")).exp() * 1.1
    bright = blurred * gain[:, None, None, None]
    # Highlights roll off instead of clipping.
    bright = torch.where(bright > 0.7, 0.7 + 0.3 * torch.tanh((bright - 0.7) / 0.3), bright)
    curve = (1 / (2.2 + 0.3 * (2 * draw[:, 1] - 1)))[:, None, None, None]
    picture = bright.clamp(1e-4, 1) ** curve
    # Cameras increase the contrast of midtones.
    steep = picture * picture * (3 - 2 * picture)
    picture = torch.lerp(picture, steep, (0.9 * draw[:, 3])[:, None, None, None])
    grain = noise.tiles(key, "sensor's noise", (height, width))
    strength = (config.noise * draw[:, 2] ** 2)[:, None, None, None]
    picture = picture + strength * grain * (1.2 - 0.7 * picture)
    return (picture.clamp(0, 1) * 255).round().to(torch.uint8)
