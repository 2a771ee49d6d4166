"""Crops of faces in your own pictures, as the network sees them, to calibrate int8 with."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from amesh.errors import UserError
from amesh.geometry import roi
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.pipeline.images import read_image


def face_crops(
    face_mesh: FacePipeline, pictures: Sequence[Path], most: int, say: Callable[[str], None] = print
) -> Float32[np.ndarray, "b s s 3"]:
    """Faces of pictures that lie evenly in a list: one picture of several is taken, not the first.

    Args:
        face_mesh: Finds the faces and cuts the crops.
        pictures: In an order in which neighbours may be alike, as the frames of a clip are.
        most: Maximum number of pictures to read and of crops to return.
        say: Is told of pictures that cannot be read; they are left out.

    Returns:
        RGB in [0, 1].

    Raises:
        UserError: There is no face in them.
    """
    looked = min(most, len(pictures))
    crops: list[Float32[np.ndarray, "s s 3"]] = []
    for i in range(looked):
        try:
            image = read_image(pictures[i * len(pictures) // looked])
        except UserError as error:
            say(f"left out: {error}")
            continue
        for face in face_mesh(image):
            image_from_crop = roi.image_from_crop(face.roi, face_mesh.runner.input_size)
            crops.extend(face_mesh.cut(image, image_from_crop))
    if not crops:
        raise UserError(f"no face in the {looked} pictures that were looked into")
    return np.stack(crops[:most])
