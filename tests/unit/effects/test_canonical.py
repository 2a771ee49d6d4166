"""The canonical face."""

import numpy as np

from amesh.effects.canonical import canonical_face
from amesh.topology import load


def test_convention_head_axes() -> None:
    """x to the subject's left, y down, z into the head [mm]."""
    points = canonical_face().points
    nose_tip, chin, right_eye, left_eye = points[[4, 152, 33, 263]]
    np.testing.assert_allclose(right_eye, [-44.45859, -26.63991, -31.73422], rtol=1e-6)
    np.testing.assert_allclose(left_eye, right_eye * [-1, 1, 1], atol=1e-6)
    assert nose_tip[2] < right_eye[2] < 0
    assert chin[1] > nose_tip[1] > right_eye[1]


def test_it_is_mirrored_like_the_topology() -> None:
    face, topology = canonical_face(), load()
    flipped = face.points[topology.mirror] * [-1, 1, 1]
    away = np.abs(flipped - face.points).max(axis=1)  # [mm]
    assert away[face.rigid].max() < 0.01
    assert away.max() < 3
    assert set(topology.mirror[face.rigid]) == set(face.rigid)


def test_convention_uv_starts_at_the_top_left() -> None:
    face = canonical_face()
    assert face.uv.min() >= 0
    assert face.uv.max() <= 1
    forehead, chin, right_eye, left_eye = face.uv[[10, 152, 33, 263]]
    assert forehead[1] < right_eye[1] < chin[1]
    assert right_eye[0] < left_eye[0]


def test_nothing_can_be_changed() -> None:
    face = canonical_face()
    assert len(face.rigid) == 33
    assert not any(a.flags.writeable for a in (face.points, face.uv, face.rigid, face.triangles))


def test_the_surface_is_closed_up_to_the_oval_and_the_irises() -> None:
    face = canonical_face()
    assert face.triangles.shape == (906, 3)
    edges = [(t[i], t[i - 1]) for t in face.triangles.tolist() for i in range(3)]
    assert len(set(edges)) == len(edges)  # neighbours run along an edge in opposite directions
    assert sum((b, a) not in set(edges) for a, b in edges) == 36 + 2 * 4


def test_triangles_are_counter_clockwise_from_outside() -> None:
    face = canonical_face()
    a, b, c = (face.points * [1, -1, -1])[face.triangles].swapaxes(0, 1)
    assert (np.cross(b - a, c - a)[:, 2] > 0).mean() > 0.98


def test_irises_lie_beside_the_face_in_the_texture() -> None:
    uv = canonical_face().uv
    for iris in (uv[468:473], uv[473:478]):
        away = np.linalg.norm(iris[:, None] - uv[None, :468], axis=2)
        assert away.min() > 0.1
        assert np.linalg.norm(iris[1:] - iris[0], axis=1).min() > 0.045
