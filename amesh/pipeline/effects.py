"""What the effects of `amesh run --effect` do to a picture; `effect_names` lists them.

Each is a function that makes the one that draws, from what stands behind the "=" ("" for nothing).
It raises a `UserError` for what it cannot use: before a network is loaded.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from amesh.effects.camera import Camera
from amesh.errors import UserError
from amesh.lazy import resolve
from amesh.pipeline.effect_names import EFFECTS

Image = UInt8[np.ndarray, "h w 3"]
# (picture, landmarks of one face [image px], camera) -> picture, drawn on a copy.
Draw = Callable[[Image, Float[np.ndarray, "478 3"], Camera], Image]


def mesh(value: str) -> Draw:
    """The mesh, its contours and irises."""
    from amesh.pipeline.draw import draw_faces

    _no_value("mesh", value)
    return lambda image, landmarks, _: draw_faces(image, [landmarks])


def pose(value: str) -> Draw:
    """The axes of the head."""
    from amesh.effects.drawing import draw_pose
    from amesh.effects.head_pose import head_pose

    _no_value("pose", value)
    return _of_faces(lambda image, face, camera: draw_pose(image, head_pose(face, camera)))


def gaze(value: str) -> Draw:
    """Where the eyes look."""
    from amesh.effects.drawing import draw_gaze
    from amesh.effects.eyes import eyes

    _no_value("gaze", value)
    return _of_faces(lambda image, face, camera: draw_gaze(image, eyes(face, camera)))


def _of_faces(draw: Draw) -> Draw:
    """Leaves out what cannot be a face: where there is none, a network may see a mirrored one."""
    from amesh.effects.head_pose import MirroredFaceError

    def drawn(image: Image, landmarks: Float[np.ndarray, "478 3"], camera: Camera) -> Image:
        try:
            return draw(image, landmarks, camera)
        except MirroredFaceError:
            return image

    return drawn


def _makeup(product: str, value: str) -> Draw:
    """A product of `amesh.effects.makeup`, of `COLOUR:STRENGTH`, both optional."""
    from amesh.effects import makeup

    color, _, strength = value.partition(":")
    given: dict[str, Any] = {"color": color} if color else {}
    if strength:
        try:
            given["strength"] = float(strength)
        except ValueError:
            raise UserError(
                f"the strength of {product} is {strength!r}; expected 0 to 1, as in crimson:0.8"
            ) from None
    worn = [getattr(makeup, product)(**given)]
    return lambda image, landmarks, _: makeup.apply(image, landmarks, worn)


lipstick = partial(_makeup, "lipstick")
eyeliner = partial(_makeup, "eyeliner")
eye_shadow = partial(_makeup, "eye_shadow")
blush = partial(_makeup, "blush")
iris_tint = partial(_makeup, "iris_tint")


def parse_effects(text: str) -> tuple[Draw, ...]:
    """The functions that draw `NAME[=VALUE],...`, in this order.

    Examples:
        >>> len(parse_effects("mesh,pose"))
        2

    Raises:
        UserError: There is no such effect, or it cannot use its value.
    """
    found = []
    for part in text.split(","):
        name, _, value = (word.strip() for word in part.partition("="))
        if name not in EFFECTS:
            raise UserError(f"no effect {name!r}; there are: {', '.join(EFFECTS)}")
        found.append(resolve(f"{__name__}:{EFFECTS[name].prepare}")(value))
    return tuple(found)


def draw_effects(
    image: Image,
    faces: Sequence[Float[np.ndarray, "n d"]],
    effects: Sequence[Draw],
    camera: Camera,
) -> Image:
    """Draws effects, each on all faces, and on what the effect before has drawn.

    Args:
        image: RGB.
        faces: Landmarks of each face [image px].
        effects: From `parse_effects`.
        camera: The picture's.

    Raises:
        UserError: The camera is for pictures of another size, or the landmarks are not those of
            `face478`.
    """
    camera.require(image)
    for draw in effects:
        for landmarks in faces:
            if landmarks.shape != (478, 3):
                raise UserError(
                    f"--effect needs the 478 landmarks of face478, found {landmarks.shape}"
                )
            image = draw(image, landmarks, camera)
    return image


def _no_value(name: str, value: str) -> None:
    """Refuses a value where the effect takes none."""
    if value:
        raise UserError(f"the effect {name} takes no value, found {value!r}")
