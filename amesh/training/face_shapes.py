"""Writes the shapes behind morph targets, `amesh/effects/face_shapes.npz`.

python -m amesh.training.face_shapes ict_facekit_478.npz amesh/effects/face_shapes.npz
"""

import io
import sys
from pathlib import Path

import numpy as np

from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.training.blendshape_faces import read_model, turn_eyes


def write_face_shapes(ict: Path, output: Path) -> None:
    """Writes what each name moves; irises turn, which ICT-FaceKit's own shapes leave out.

    Args:
        ict: ICT-FaceKit's shapes.
        output: The `.npz` file: `moves` (51, 478, 3) [mm], in half precision.

    Raises:
        UserError: The shapes cannot be read, or the file cannot be written.
    """
    model = read_model(ict)
    faces = model.neutral + model.shapes
    turn_eyes(faces, np.eye(len(faces)))
    file = io.BytesIO()
    np.savez_compressed(file, moves=(faces - model.neutral).astype(np.float16))
    write_atomically(output, file.getvalue())


if __name__ == "__main__":
    try:
        write_face_shapes(*map(Path, sys.argv[1:]))
    except (UserError, TypeError) as problem:
        raise SystemExit(f"face_shapes: {problem}") from None
