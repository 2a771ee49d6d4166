"""Landmarks without pose, place and size."""

import cv2
import numpy as np

from amesh.effects.blendshape_features import COUNT, features
from amesh.effects.canonical import canonical_face


def test_the_canonical_face_is_zero_wherever_it_is() -> None:
    face = canonical_face().points
    turn = cv2.Rodrigues(np.array([0.3, -0.6, 0.2]))[0]
    moved = 2.5 * face @ turn.T + (300, 200, 40)
    found = features(np.stack([face, moved]))
    assert found.shape == (2, COUNT)
    np.testing.assert_allclose(found, 0, atol=1e-4)


def test_what_moves_is_in_millimetres_whatever_the_pose() -> None:
    canonical = canonical_face()
    lip = 14
    assert lip not in canonical.rigid
    face = canonical.points.copy()
    face[lip] += (1, 5, 0)
    turn = cv2.Rodrigues(np.array([0.0, 0.5, 0.1]))[0]
    found = features((0.7 * face @ turn.T)[None]).reshape(478, 2)
    np.testing.assert_allclose(found[lip], (1, 5), atol=1e-4)
    np.testing.assert_allclose(np.delete(found, lip, axis=0), 0, atol=1e-4)


def test_a_mirrored_face_stays_mirrored() -> None:
    face = canonical_face().points * (-1, 1, 1)
    assert np.abs(features(face[None])).max() > 20


def test_coincident_points_have_none() -> None:
    assert np.isnan(features(np.ones((1, 478, 3)))).all()
