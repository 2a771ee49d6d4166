"""Keys of faces: a picture's name, and a number where a picture may have several faces or frames.

Convention:
    - `NAME#7`: line, annotation or frame 7; `NAME#7:1`: face 1 of frame 7
    - `NAME` alone: the only face of a picture, whose name does not end like the others
"""

import re

_NUMBERED = re.compile(r"(.+)#\d+(?::\d+)?", re.DOTALL)


def face_key(picture: str, number: int) -> str:
    """The key of a face, or of all faces of a frame, that has a number in its picture's file."""
    return f"{picture}#{number}"


def only_face_key(picture: str) -> str:
    """The key of the only face of a picture; `picture_of` gives the picture back."""
    return face_key(picture, 0) if _NUMBERED.fullmatch(picture) else picture


def picture_of(key: str) -> str:
    """The picture or clip that a key names a face of."""
    match = _NUMBERED.fullmatch(key)
    return key if match is None else match[1]
