from fractions import Fraction

import pytest

from amesh.pipeline.frames import Clock


def times(*stamps: float | None, rate: int | None = 10) -> list[float]:
    clock = Clock(None if rate is None else Fraction(rate))
    return [clock(None if one is None else Fraction(one).limit_denominator()) for one in stamps]


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        ((7, 7.04, 7.5), [0, 0.04, 0.5]),
        ((0, 0.2, 0.2, 0.3), [0, 0.2, 0.2, 0.3]),
        ((0, 0.2, 0.1, 0.3), [0, 0.2, 0.2, 0.3]),  # a little back: held
        ((5, 9, 0, 0.5), [0, 4, 4, 4.5]),  # a restart: time goes on
        ((0, None, None, 0.5), [0, 0.1, 0.2, 0.5]),
        ((-1, 0), [0, 1]),
    ],
)
def test_times_start_at_zero_and_never_decrease(
    stamps: tuple[float | None, ...], expected: list[float]
) -> None:
    assert times(*stamps) == expected


def test_without_stamps_or_a_rate_time_stands_still() -> None:
    assert times(None, None, rate=None) == [0, 0]


def test_a_long_video_keeps_its_times_to_a_microsecond() -> None:
    clock = Clock(Fraction(30000, 1001))
    for index in range(100_000):
        last = clock(Fraction(1001 * index, 30000))
    assert last == pytest.approx(99_999 * 1001 / 30000, abs=1e-6)
