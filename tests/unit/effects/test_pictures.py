"""The pictures that effects take."""

import numpy as np
import pytest

from amesh.effects.pictures import as_picture
from amesh.errors import UserError


def test_rgb_is_taken_as_it_is() -> None:
    image = np.zeros((4, 5, 3), np.uint8)
    assert as_picture(image) is image
    rgba = np.zeros((4, 4, 4), np.uint8)
    assert as_picture(rgba, 3, 4) is rgba


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 5), np.uint8), r"uint8 \(4, 5\); expected uint8 \(height, width, 3\), RGB"),
        (np.zeros((4, 5, 4), np.uint8), r"uint8 \(4, 5, 4\).*read_image converts grey and tran"),
        (np.zeros((4, 5, 3)), r"float64 \(4, 5, 3\)"),
        ("photo.jpg", "a picture is str; expected"),
    ],
)
def test_anything_else_is_refused(image: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        as_picture(image)


def test_a_texture_may_have_four_channels() -> None:
    with pytest.raises(UserError, match=r"expected uint8 \(height, width, 3\) or \(height, wi"):
        as_picture(np.zeros((4, 4, 2), np.uint8), 3, 4)
