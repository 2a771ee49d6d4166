import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from amesh.pipeline.repeats import repeats


def square(x: float, y: float, side: float) -> np.ndarray:
    """Landmarks at the corners; the third coordinate does not count."""
    corners = [(x, y, 0), (x + side, y, 900), (x, y + side, 0), (x + side, y + side, 900)]
    return np.array(corners, float)


def test_of_two_looks_at_one_face_the_more_confident_stays():
    faces = np.stack([square(0, 0, 10), square(1, 1, 10), square(50, 0, 10)])
    assert repeats(faces, np.array([9.0, 20.0, 5.0])).tolist() == [True, False, False]
    assert repeats(faces, np.array([20.0, 9.0, 5.0])).tolist() == [False, True, False]


def test_a_small_face_inside_a_large_one_is_a_repeat():
    faces = np.stack([square(0, 0, 40), square(25, 5, 10)])
    assert repeats(faces, np.array([20.0, 9.0])).tolist() == [False, True]
    assert repeats(faces, np.array([9.0, 20.0])).tolist() == [True, False]


def test_neighbours_may_overlap_by_a_third():
    faces = np.stack([square(0, 0, 12), square(8, 0, 12)])
    assert repeats(faces, np.array([20.0, 9.0])).tolist() == [False, False]


def test_a_repeat_of_a_repeat_is_judged_by_who_stays():
    faces = np.stack([square(0, 0, 10), square(4, 0, 10), square(8, 0, 10)])
    assert repeats(faces, np.array([3.0, 2.0, 1.0])).tolist() == [False, False, False]
    faces = np.stack([square(0, 0, 10), square(3, 0, 10), square(6, 0, 10)])
    assert repeats(faces, np.array([3.0, 2.0, 1.0])).tolist() == [False, True, False]


def test_no_face_at_all():
    assert repeats(np.zeros((0, 4, 3)), np.zeros(0)).shape == (0,)


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 2, st.integers(0, 20)), max_size=8))
def test_the_most_confident_stays_and_no_repeat_is_left(
    places: list[tuple[int, int, int]],
):
    faces = np.array([square(*place) for place in places], float).reshape(-1, 4, 3)
    confidence = np.arange(len(places), 0, -1.0)
    gone = repeats(faces, confidence)
    assert not gone[:1].any()
    assert not repeats(faces[~gone], confidence[~gone]).any()
