"""Faces on the canonical face."""

import cv2
import numpy as np

from amesh.effects.alignment import align
from amesh.effects.canonical import canonical_face


def test_a_similarity_is_undone() -> None:
    face = canonical_face().points
    turn = cv2.Rodrigues(np.array([-0.4, 0.3, 1.1]))[0]
    faces = np.stack([2.5 * face @ turn.T + (9, -8, 7), face * (-1, 1, 1)])
    found = align(faces)
    np.testing.assert_allclose(found.scale[0], 0.4)
    back = (faces - found.centre) @ found.rotation * found.scale[:, None, None] + found.goal
    np.testing.assert_allclose(back[0], face, atol=1e-9)
    # The mirrored face is turned, never mirrored back.
    np.testing.assert_allclose(np.linalg.det(found.rotation), 1)
    assert np.abs(back[1] - face).max() > 1


def test_it_is_the_fit_of_least_squares_that_opencv_finds() -> None:
    canonical = canonical_face()
    face = canonical.points + np.random.default_rng(0).normal(0, 3, (478, 3))
    rigid = canonical.rigid
    theirs, scale = cv2.estimateAffine3D(face[rigid], canonical.points[rigid], force_rotation=True)
    ours = align(face[None])
    np.testing.assert_allclose(ours.rotation[0].T, theirs[:, :3], atol=1e-6)
    np.testing.assert_allclose(ours.scale[0], scale, rtol=1e-6)


def test_coincident_points_have_no_scale() -> None:
    assert not np.isfinite(align(np.zeros((1, 478, 3))).scale).any()
