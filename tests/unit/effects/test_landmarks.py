from typing import Any

import numpy as np
import pytest
import torch

from amesh.effects.landmarks import as_batch, as_numbers
from amesh.errors import UserError


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([[1, 2], [3]], "cannot be made an array"),
        (torch.zeros(478, 3, requires_grad=True), "requires grad"),
        ("face", "landmarks are str of <U4, expected numbers"),
        ([object()], "landmarks are list of object, expected numbers"),
        (np.zeros((478, 3), complex), "complex128, expected numbers"),
    ],
)
def test_what_is_no_landmarks_gets_a_line(wrong: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        as_numbers(wrong)


def test_lists_and_tensors_are_landmarks() -> None:
    points = np.arange(478 * 3, dtype=np.float32).reshape(478, 3)
    for same in (points.tolist(), torch.from_numpy(points), points.astype(int)):
        batch, single = as_batch(same)
        assert single
        np.testing.assert_array_equal(batch, points[None])
