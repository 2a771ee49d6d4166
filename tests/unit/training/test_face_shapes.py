"""The file behind morph targets."""

from pathlib import Path

import numpy as np
import pytest

from amesh.effects.blendshapes import NAMES
from amesh.effects.canonical import canonical_face
from amesh.training import face_shapes
from amesh.training.blendshape_faces import Model
from amesh.training.face_shapes import write_face_shapes


def test_it_holds_the_shapes_and_turned_irises(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shapes = np.zeros((51, 478, 3))
    shapes[NAMES.index("jawOpen"), 152] = (0, 20, 1)
    model = Model(canonical_face().points, shapes, np.zeros((1, 478, 3)))
    monkeypatch.setattr(face_shapes, "read_model", lambda _: model)
    write_face_shapes(tmp_path / "ict.npz", tmp_path / "shapes.npz")
    with np.load(tmp_path / "shapes.npz") as data:
        moves = data["moves"]
    assert moves.dtype == np.float16
    assert moves[NAMES.index("jawOpen"), 152].tolist() == [0, 20, 1]
    look = moves[NAMES.index("eyeLookOutLeft")]
    # By 28 degrees about a centre 12 mm behind.
    np.testing.assert_allclose(look[473, 0], 12 * np.sin(np.radians(28)), rtol=1e-2)
    assert not look[:473].any()
