import numpy as np
import pytest

from amesh.profiling.body import Body, body_triangles, make_body


def body(ends: float) -> Body:
    return make_body(0.79, np.array([60.0, 80.0]), 5.0, (200, 160), ends)


def test_a_neck_fades_into_the_one_that_the_picture_shows() -> None:
    made = body(ends=3.0)
    rows = made.cover.reshape(-1, 20)
    assert rows[:, 0].tolist() == [1, 1, 0.8, 0, 0, 0, 0, 0]
    assert np.ptp(rows, axis=1).max() == 0
    assert made.vertices[:, 1].max() == pytest.approx(1.4)
    skin = made.place[made.cover > 0]
    assert np.abs(skin - [60, 80]).max() <= 5.01


def test_shoulders_take_the_lower_edge_of_a_picture_without_them() -> None:
    made = body(ends=1.2)
    assert (made.cover == 1).all()
    assert made.vertices[:, 1].max() == 5.0
    clothes = made.place[made.vertices[:, 1] > 1.5]
    assert ((clothes[:, 0] > 0) & (clothes[:, 0] < 160)).all()
    assert ((clothes[:, 1] > 0.9 * 200) & (clothes[:, 1] < 200)).all()
    wide = np.ptp(made.vertices.reshape(-1, 20, 3)[..., 0], axis=1)
    assert wide[-1] > 3 * wide[0]


def test_triangles_use_every_vertex() -> None:
    triangles = body_triangles(100)
    assert set(triangles.ravel().tolist()) == set(range(100, 100 + len(body(1.0).vertices)))
