"""Makeup on the faces of a picture: `apply(image, landmarks, [lipstick("#b0103a"), ...])`.

Light, shadow and the texture of the skin stay; only colour moves. Lipstick leaves the teeth and the
tongue of an open mouth, a closed eye has no iris to tint, and on a face that turns away, makeup
fades where the surface does.

Convention
    Landmarks are those of `face478` in picture coordinates [px], one face (478, 3) or several
    (b, 478, 3). Pictures are RGB, uint8.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
from jaxtyping import Float64, UInt8

from amesh.effects import makeup_shapes as shapes
from amesh.effects.landmarks import as_numbers
from amesh.effects.makeup_colour import Colour, Pigment, to_lab
from amesh.effects.makeup_masks import rasterise
from amesh.effects.makeup_shapes import Area, FaceShape
from amesh.effects.pictures import as_picture
from amesh.errors import UserError

# Longer side of a face [px] at which makeup begins, and from which it is whole: the lips of smaller
# faces are a few pixels, and a sudden end would flicker in a video.
_SMALL = (32.0, 64.0)
_LANDMARKS = "expected the (478, 3) of face478, those of several faces, or a list of faces"
_LEAST = 1 / 64  # less cover moves no channel by more than a level or two


@dataclass(frozen=True)
class Product:
    """A product to put on; made by `lipstick`, `eyeliner`, `eye_shadow`, `blush`, `iris_tint`.

    Attributes:
        name: What it is.
        pigment: Its colour.
        strength: How much of it, 0 to 1.
        areas: Where it goes on a face.
    """

    name: str
    pigment: Pigment
    strength: float
    areas: Callable[[FaceShape], Iterator[Area]] = field(repr=False)


def lipstick(color: Colour = "#b0103a", strength: float = 0.75) -> Product:
    """Lipstick; dark colours darken the lips a little.

    Args:
        color: `#b0103a`, `#fff`, a CSS name, or (red, green, blue) from 0 to 255.
        strength: 0 is none, 1 covers.

    Raises:
        UserError: It is not a colour, or not a strength.

    Examples:
        >>> lipstick("crimson").strength
        0.75
    """
    return _product("lipstick", color, strength, shapes.lips, 0.8, (0.7, 1.12), glints=0.4)


def eyeliner(color: Colour = "#141014", strength: float = 0.85) -> Product:
    """A line along the upper lashes, with a small wing. The only product that covers lightness.

    Args:
        color: As for `lipstick`.
        strength: 0 is none, 1 covers.

    Raises:
        UserError: It is not a colour, or not a strength.
    """
    return _product("eyeliner", color, strength, shapes.eye_lines, 1.0, (0.1, 1.5))


def eye_shadow(color: Colour = "#7a4a6a", strength: float = 0.5) -> Product:
    """Eye shadow on the upper lids, fading towards the brows.

    Args:
        color: As for `lipstick`.
        strength: 0 is none, 1 covers.

    Raises:
        UserError: It is not a colour, or not a strength.
    """
    return _product("eye_shadow", color, strength, shapes.eye_lids_and_folds, 0.5, (0.75, 1.1))


def blush(color: Colour = "#d8506a", strength: float = 0.25) -> Product:
    """Blush on the cheeks.

    Args:
        color: As for `lipstick`.
        strength: 0 is none, 1 covers.

    Raises:
        UserError: It is not a colour, or not a strength.
    """
    return _product("blush", color, strength, shapes.cheeks, 0.2, (0.85, 1.0))


def iris_tint(color: Colour = "#3a7ca8", strength: float = 0.6) -> Product:
    """Coloured irises, as contact lenses give; pupils and reflections stay.

    Args:
        color: As for `lipstick`.
        strength: 0 is none, 1 covers.

    Raises:
        UserError: It is not a colour, or not a strength.
    """
    return _product("iris_tint", color, strength, shapes.irises, 0.5, (0.9, 1.15), glints=0.0)


def apply(
    image: UInt8[np.ndarray, "h w 3"], landmarks: Any, products: Product | Sequence[Product]
) -> UInt8[np.ndarray, "h w 3"]:
    """Puts makeup on the faces of a picture.

    Pixels without makeup keep their values exactly. Faces under 32 px get none, and between 32 and
    64 px it fades in. Parts outside the picture are left out. Hands, hair and glasses before the
    face are not known: makeup goes over them.

    Args:
        image: RGB.
        landmarks: Landmarks of one face (478, 3), of several (b, 478, 3), or faces as `FaceMesh`
            and `FaceTracker` return them.
        products: What to put on, in this order; or one product.

    Returns:
        A picture of its own, also if there is nothing to put on.

    Raises:
        UserError: The picture is not RGB and uint8, the landmarks are not those of `face478` or
            not finite, or a product is something else.

    Examples:
        >>> from amesh.topology import load
        >>> image = np.full((240, 320, 3), 128, np.uint8)
        >>> face = load().template * 100 + (160, 120, 0)
        >>> red = apply(image, face, lipstick("#f00", 1))
        >>> (red != image).any(axis=2).sum() > 500
        np.True_
    """
    result = as_picture(image).copy()
    worn = _products(products)
    for landmarks_of_face in _faces(landmarks):
        face = FaceShape(landmarks_of_face)
        share = float(np.clip((face.size - _SMALL[0]) / (_SMALL[1] - _SMALL[0]), 0, 1))
        if share > 0 and face.unit > 0:
            for product in worn:
                _put_on(result, product.pigment, product.areas(face), share * product.strength)
    return result


def _put_on(
    image: UInt8[np.ndarray, "h w 3"], pigment: Pigment, areas: Iterable[Area], strength: float
) -> None:
    """Both sides of a face together: it is one pigment, whatever light falls on each side."""
    if strength <= _LEAST:
        return
    height, width = image.shape[:2]
    drawn = (rasterise(area, width, height, _LEAST / strength) for area in areas)
    masks = [mask for mask in drawn if mask is not None]
    if masks:
        touched = np.concatenate([mask.pixels for mask in masks])
        cover = np.concatenate([mask.cover for mask in masks]) * np.float32(strength)
        pixels = image.view("V3").ravel()  # one value a pixel: numpy moves them faster
        skin = pixels.take(touched).view(np.uint8).reshape(-1, 3)
        np.put(pixels, touched, pigment.lay(skin, cover).view("V3"))


def _product(
    name: str,
    color: object,
    strength: object,
    areas: Callable[[FaceShape], Iterator[Area]],
    depth: float,
    gains: tuple[float, float],
    glints: float = 1.0,
) -> Product:
    number = isinstance(strength, Real) and not isinstance(strength, bool)
    share = float(strength) if number else math.nan  # type: ignore[arg-type]
    if not 0 <= share <= 1:  # true for NaN
        raise UserError(f"the strength of {name} is {strength!r}; expected 0 to 1")
    pigment = Pigment(to_lab(color), depth, gains, glints)
    return Product(name, pigment, share, areas)


def _products(products: Any) -> list[Product]:
    worn = [products] if isinstance(products, Product) else products
    worn = list(worn) if isinstance(worn, Iterable) else [worn]
    for one in worn:
        if not isinstance(one, Product):
            raise UserError(f"{one!r} is not makeup; give products, such as makeup.lipstick()")
    return worn


def _faces(landmarks: Any) -> list[Float64[np.ndarray, "478 3"]]:
    """The faces one by one, checked."""
    one = hasattr(landmarks, "landmarks") or getattr(landmarks, "ndim", 3) == 2
    if not one and not isinstance(landmarks, Iterable):
        raise UserError(f"landmarks are {type(landmarks).__name__}; {_LANDMARKS}")
    faces = [as_numbers(getattr(f, "landmarks", f)) for f in ([landmarks] if one else landmarks)]
    for number, face in enumerate(faces):
        if face.shape != (478, 3):
            raise UserError(f"face {number} has landmarks {face.shape}; {_LANDMARKS}")
        if not np.isfinite(face).all():
            raise UserError(f"face {number} has landmarks that are not finite; leave it out")
    return faces
