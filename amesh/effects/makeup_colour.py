"""The colour of makeup: parsed, and laid on skin whose light and texture stay.

Convention
    Colours are sRGB, 0 to 255; tints are computed in CIELAB (white D65): L from 0 to 100.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from PIL import ImageColor

from amesh.errors import UserError

Colour = str | Sequence[int]

_EXPECTED = "expected #b0103a, #fff, a CSS name such as crimson, or (red, green, blue) of 0 to 255"
# Linear sRGB from X, Y and Z as shares of the white's. OpenCV's own way back from CIELAB clips the
# colours that no screen shows, which changes their lightness.
_FROM_XYZ = cv2.cvtColor(np.eye(3, dtype=np.float32)[None], cv2.COLOR_RGB2XYZ)[0]
_FROM_XYZ = np.linalg.inv(_FROM_XYZ.T / _FROM_XYZ.sum(axis=0)[:, None]).astype(np.float32)


def _linear(encoded: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    curved = ((encoded + 0.055) / 1.055) ** 2.4
    return np.where(encoded <= 0.04045, encoded / 12.92, curved).astype(np.float32)


def _encoded(linear: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    curved = 1.055 * linear ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, linear * 12.92, curved).astype(np.float32)


# Tables instead of powers. 14 bits: neighbours differ by less than one level even in the shadows.
_STEPS = 1 << 14
_LINEAR = _linear(np.arange(256, dtype=np.float32) / 255)
_ENCODED = np.rint(_encoded((np.arange(_STEPS + 1, dtype=np.float32) + 0.5) / _STEPS) * 255).astype(
    np.uint8
)
_CHUNK = 8192  # pixels at a time: their numbers stay in the processor's cache
_SAMPLE = 1024  # pixels that tell how light the skin is


@dataclass(frozen=True)
class Pigment:
    """A colour and how it takes to the skin.

    Attributes:
        lab: The colour in CIELAB.
        depth: How far the mean lightness of the skin follows the colour's, 0 to 1.
        gains: Least and greatest factor on the lightness.
        glints: How much of the chroma is applied where the skin shines, 0 to 1.
    """

    lab: tuple[float, float, float]
    depth: float = 0.0
    gains: tuple[float, float] = (1.0, 1.0)
    glints: float = 1.0

    def lay(
        self, skin: UInt8[np.ndarray, "k 3"], cover: Float32[np.ndarray, " k"]
    ) -> UInt8[np.ndarray, "k 3"]:
        """Tints pixels.

        a and b move towards those of the colour **under the light that falls on the pixel**: the
        colour that a surface of this pigment has when it is as light as the pixel. So shadows and
        highlights stay shadows and highlights. L is multiplied by one factor, which keeps the
        texture. Colours that no screen can show lose chroma, never lightness.

        Args:
            skin: RGB.
            cover: Share of the pigment at each pixel, 0 to 1.
        """
        if not len(skin):
            return skin
        some = slice(None, None, 1 + len(skin) // _SAMPLE)
        light = _lab(skin[some])[0]
        mean = float(light @ cover[some]) / max(float(cover[some].sum()), 1e-6)
        gain = 1 + self.depth * (self.lab[0] / max(mean, 1.0) - 1)
        gain = min(max(gain, self.gains[0]), self.gains[1])
        starts = range(0, len(skin), _CHUNK)
        parts = [slice(start, start + _CHUNK) for start in starts]
        return np.concatenate([self._lay(skin[p], cover[p], mean, gain) for p in parts])

    def _lay(
        self,
        skin: UInt8[np.ndarray, "k 3"],
        cover: Float32[np.ndarray, " k"],
        mean: float,
        gain: float,
    ) -> UInt8[np.ndarray, "k 3"]:
        light, *chroma = _lab(skin)
        shine = smooth_step(light, mean + 12, mean + 38) if self.glints < 1 else None
        light *= 1 + cover * np.float32(gain - 1)
        if shine is not None:
            cover = cover * (1 - (1 - self.glints) * shine)
        # X, Y and Z of a surface scale with the light; L + 16, a and b with the cube root of it.
        shade = (light + 16) * np.float32(1 / (self.lab[0] + 16))
        shade = np.minimum(shade, np.sqrt(shade))  # a dark pigment on bright skin would glow
        for plane, wanted in zip(chroma, self.lab[1:], strict=True):
            plane += cover * (np.float32(wanted) * shade - plane)
        return _to_screen(light, *chroma)


def _lab(rgb: UInt8[np.ndarray, "k 3"]) -> list[Float32[np.ndarray, " k"]]:
    lab = cv2.cvtColor(cv2.LUT(rgb[None], _LINEAR), cv2.COLOR_LRGB2Lab)
    return [plane[0] for plane in cv2.split(lab)]


def _to_screen(
    light: Float32[np.ndarray, " k"], a: Float32[np.ndarray, " k"], b: Float32[np.ndarray, " k"]
) -> UInt8[np.ndarray, "k 3"]:
    """sRGB; a colour outside of it moves towards the grey of the same luminance."""
    xyz = np.empty((3, len(light)), np.float32)
    xyz[1] = (light + 16) * np.float32(1 / 116)
    xyz[0] = xyz[1] + a * np.float32(1 / 500)
    xyz[2] = xyz[1] - b * np.float32(1 / 200)
    dark = xyz < np.float32(6 / 29)  # there, CIELAB is linear
    line = (xyz[dark] - np.float32(4 / 29)) * np.float32(108 / 841) if dark.any() else None
    xyz *= xyz * xyz
    if line is not None:
        xyz[dark] = line
    grey, rgb = xyz[1], _FROM_XYZ @ xyz
    if rgb.min() < 0 or rgb.max() > 1:
        rgb -= grey
        tiny = np.float32(1e-6)
        share = np.minimum(
            (1 - grey) / np.maximum(rgb.max(axis=0), tiny),
            grey / np.maximum(-rgb.min(axis=0), tiny),
        )
        rgb *= share.clip(0, 1)
        rgb += grey
    rgb *= _STEPS
    levels = _ENCODED.take(rgb.astype(np.int32), mode="clip")
    return np.asarray(cv2.merge([plane[None] for plane in levels])[0])  # faster than a transpose


def smooth_step(
    values: Float32[np.ndarray, "..."], low: float, high: float
) -> Float32[np.ndarray, "..."]:
    """0 up to `low`, 1 from `high`, and smooth between."""
    share = ((values - np.float32(low)) / np.float32(high - low)).clip(0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def to_lab(colour: object) -> tuple[float, float, float]:
    """CIELAB of a colour.

    Args:
        colour: A `Colour`: `#b0103a`, `#fff`, a CSS name, anything else that Pillow knows as an
            opaque colour, or red, green and blue from 0 to 255.

    Raises:
        UserError: It is no such colour.

    Examples:
        >>> [round(value) for value in to_lab("#f00")]
        [53, 80, 67]
    """
    rgb = np.array([[_rgb(colour)]], np.uint8)
    light, a, b = cv2.cvtColor(_LINEAR[rgb], cv2.COLOR_LRGB2Lab)[0, 0].tolist()
    return light, a, b


def _rgb(colour: object) -> tuple[int, int, int]:
    if isinstance(colour, str):
        try:
            parsed = ImageColor.getrgb(colour.strip())
        except ValueError:
            raise UserError(f"{colour!r} is not a colour; {_EXPECTED}") from None
        if len(parsed) == 4:
            raise UserError(f"colour {colour!r} has an alpha channel; give the opacity as strength")
        colour = parsed
    values = list(colour) if isinstance(colour, Sequence | np.ndarray) else []
    whole = all(isinstance(v, Integral) and not isinstance(v, bool) for v in values)
    if len(values) != 3 or not whole or not all(0 <= value <= 255 for value in values):
        raise UserError(f"{colour!r} is not a colour; {_EXPECTED}")
    red, green, blue = map(int, values)
    return red, green, blue
