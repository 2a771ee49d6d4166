"""Keys of faces: a picture's name, and a number if it may have several faces or frames.

Convention:
    - `NAME#7`: line, annotation or frame 7; `NAME#7:1`: face 1 of frame 7
    - `NAME`: the only face of a picture, whose name does not end like the others
"""

import re

_NUMBERED = re.compile(r"(.+)#\d+(?::\d+)?", re.DOTALL)


def face_key(picture: str, number: int) -> str:
    """Returns the key of a numbered face, or of all faces of a numbered frame."""
    return f"{picture}#{number}"


def only_face_key(picture: str) -> str:
    """Returns the key of the only face of a picture; `picture_of` inverts it."""
    return face_key(picture, 0) if _NUMBERED.fullmatch(picture) else picture


def picture_of(key: str) -> str:
    """Returns the picture or clip of a key."""
    match = _NUMBERED.fullmatch(key)
    return key if match is None else match[1]
