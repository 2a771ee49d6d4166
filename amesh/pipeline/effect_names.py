"""The effects of `amesh run --effect`: a table of names, which the help shows.

To add an effect, add a row. Its module is imported when it is first asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Effect:
    """An effect.

    Attributes:
        about: What it draws, for the help.
        prepare: The function in `amesh.pipeline.effects` that makes the one that draws.
        usage: What may stand behind the name, for the help.
    """

    about: str
    prepare: str
    usage: str = ""


_PAINT = "[=COLOUR[:STRENGTH]]"
# In the order of the help.
EFFECTS: Mapping[str, Effect] = {
    "mesh": Effect("mesh, contours and irises, as without --effect", "mesh"),
    "pose": Effect("axes of the head: blue points where the face points", "pose"),
    "gaze": Effect("where the open eyes look, and the rims of the irises", "gaze"),
    "lipstick": Effect("lipstick, which leaves the teeth", "lipstick", _PAINT),
    "eyeliner": Effect("a line along the upper lashes", "eyeliner", _PAINT),
    "eye-shadow": Effect("eye shadow on the lids", "eye_shadow", _PAINT),
    "blush": Effect("blush on the cheeks", "blush", _PAINT),
    "iris": Effect("coloured irises", "iris_tint", _PAINT),
}
