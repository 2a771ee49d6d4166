import numpy as np
import pytest

from amesh.labelling.squares import anywhere, misplaced, shaken, well_placed

FACE = np.array([[100.0, 100.0, 200.0, 180.0]])  # centre 150, 140; side 100


def random() -> np.random.Generator:
    return np.random.default_rng(7)


def square(x: float, y: float, side: float) -> np.ndarray:
    return np.array([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]])


@pytest.mark.parametrize(
    ("x", "y", "side", "expected"),
    [
        (150, 140, 100, True),
        (198, 140, 100, True),  # 48 % of the side away
        (202, 140, 100, False),
        (150, 140, 210, True),
        (150, 140, 230, False),
        (150, 140, 47, True),
        (150, 140, 44, False),
        (240, 140, 200, True),  # a larger square may be further away
    ],
)
def test_a_square_is_well_placed_if_it_is_near_and_of_the_size(
    x: float, y: float, side: float, expected: bool
):
    assert well_placed(square(x, y, side), FACE).tolist() == [expected]


def test_no_square_is_well_placed_where_there_is_no_face():
    assert not well_placed(square(150, 140, 100), np.zeros((0, 4))).any()


def test_squares_anywhere_lie_in_the_picture():
    boxes = anywhere(300, 200, 50, random())
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= 300
    assert boxes[:, 3].max() <= 200
    sides = boxes[:, 2:] - boxes[:, :2]
    np.testing.assert_allclose(sides[:, 0], sides[:, 1])
    assert 20 <= sides.min() < 40 < 120 < sides.max() <= 140


def test_misplaced_squares_are_misplaced():
    boxes = misplaced(FACE, 600, random())
    assert well_placed(boxes, FACE).mean() < 0.1  # cut-off ones may be large and near
    sides = boxes[:, 2] - boxes[:, 0]
    np.testing.assert_allclose(sides, boxes[:, 3] - boxes[:, 1])
    for low, high in ((15, 42), (67, 165), (238, 500)):  # parts, cut off, too small a face
        share = ((sides > low) & (sides < high)).mean()
        assert 0.27 < share < 0.4
    # Each shows some of the face.
    overlap = (boxes[:, :2] < FACE[:, 2:]) & (boxes[:, 2:] > FACE[:, :2])
    assert overlap.all(1).mean() > 0.8


def test_shaken_squares_stay_near():
    boxes = shaken(np.concatenate([FACE, FACE + 400]), 20, random())
    assert boxes.shape == (40, 4)
    assert well_placed(boxes[:20], FACE).all()
    assert well_placed(boxes[20:], FACE + 400).all()
    assert np.ptp(boxes[:20, 0]) > 20
