"""The effects of `amesh run --effect`: a table of names, and what each does to a picture.

To add an effect, add a row. Its module is imported when it is first asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
    return lambda image, landmarks, camera: draw_pose(image, head_pose(landmarks, camera))


# In the order of the help.
EFFECTS: Mapping[str, Effect] = {
    "mesh": Effect("mesh, contours and irises, as without --effect", _mesh),
    "pose": Effect("axes of the head: blue points where the face points", _pose),
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
