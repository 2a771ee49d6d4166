"""The effects of `amesh run --effect`: a table of names, and what each does to a picture.

To add an effect, add a row. Its module is imported when it is first asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from amesh.effects.camera import Camera
from amesh.errors import UserError

Image = UInt8[np.ndarray, "h w 3"]
# (picture, landmarks of one face [image px], camera) -> picture, drawn on a copy.
Draw = Callable[[Image, Float[np.ndarray, "478 3"], Camera], Image]


@dataclass(frozen=True)
class Effect:
    """A row of the table.

    Attributes:
        about: What it draws, for the help.
        prepare: Makes the function that draws, from what stands behind the "=" ("" for nothing).
            Raises a `UserError` for what it cannot use: before a network is loaded.
        usage: What may stand behind the name, such as `[=COLOUR]`.
    """

    about: str
    prepare: Callable[[str], Draw]
    usage: str = ""


def _mesh(value: str) -> Draw:
    from amesh.pipeline.draw import draw_faces

    _no_value("mesh", value)
    return lambda image, landmarks, _: draw_faces(image, [landmarks])


def _pose(value: str) -> Draw:
    from amesh.effects.drawing import draw_pose
    from amesh.effects.head_pose import head_pose

    _no_value("pose", value)
    return _of_faces(lambda image, face, camera: draw_pose(image, head_pose(face, camera)))


def _gaze(value: str) -> Draw:
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


_PAINT = "[=COLOUR[:STRENGTH]]"
# In the order of the help.
EFFECTS: Mapping[str, Effect] = {
    "mesh": Effect("mesh, contours and irises, as without --effect", _mesh),
    "pose": Effect("axes of the head: blue points where the face points", _pose),
    "gaze": Effect("where the open eyes look, and the rims of the irises", _gaze),
    "lipstick": Effect("lipstick, which leaves the teeth", partial(_makeup, "lipstick"), _PAINT),
    "eyeliner": Effect("a line along the upper lashes", partial(_makeup, "eyeliner"), _PAINT),
    "eye-shadow": Effect("eye shadow on the lids", partial(_makeup, "eye_shadow"), _PAINT),
    "blush": Effect("blush on the cheeks", partial(_makeup, "blush"), _PAINT),
    "iris": Effect("coloured irises", partial(_makeup, "iris_tint"), _PAINT),
}


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
        found.append(EFFECTS[name].prepare(value))
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
