import pytest

from amesh.errors import UserError
from amesh.profiling.options import ProfileConfig


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"least": 95.0}, "yaw from 95 to 95; expected two angles"),
        ({"most": 120.0}, "yaw from 30 to 120"),
        ({"max_yaw": 80.0}, "max_yaw is 80, expected 0 to 70"),
        ({"min_face": float("nan")}, "min_face is nan, expected 0 or more"),
        ({"min_weight": -1.0}, "min_weight is -1, expected 0 or more"),
        ({"pitch": -1.0}, "pitch is -1, expected 0 to 40"),
    ],
)
def test_a_range_is_checked(wrong: dict[str, float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ProfileConfig(**wrong)
