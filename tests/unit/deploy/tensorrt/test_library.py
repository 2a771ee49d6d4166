import pytest

from amesh.deploy.tensorrt.library import Batches, release
from amesh.deploy.tensorrt.runner import choose_profile, padded, summarise
from amesh.errors import UserError


def test_batch_one_gets_its_own_profile():
    ranges = (Batches(1, 8, 64), Batches(1, 1, 1))
    assert [choose_profile(batch, ranges) for batch in (1, 2, 64)] == [1, 0, 0]
    assert choose_profile(4, (Batches(4, 4, 4),)) == 0


@pytest.mark.parametrize(
    ("batch", "ranges", "size"),
    [
        *((n, (Batches(1, 8, 64), Batches(1, 1, 1)), m) for n, m in ((1, 1), (3, 4), (33, 64))),
        (40, (Batches(1, 8, 48),), 48),
        (2, (Batches(4, 8, 16),), 4),
        (5, (Batches(5, 5, 5),), 5),
        (65, (Batches(1, 8, 64),), 65),
    ],
)
def test_a_batch_is_filled_up(batch: int, ranges: tuple[Batches, ...], size: int):
    assert padded(batch, ranges) == size


@pytest.mark.parametrize("batch", [0, 65])
def test_a_batch_outside_the_profiles(batch: int):
    ranges = (Batches(1, 8, 64), Batches(1, 1, 1))
    with pytest.raises(UserError, match=rf"batch {batch} .*\(1 to 64 and 1\)"):
        choose_profile(batch, ranges)


def test_timings():
    timing = summarise(4, [1.0, 2.0, 3.0, 2.0, 2.0], [5.0, 6.0, 4.0])
    assert (timing.median, timing.with_copies, timing.crops_per_second) == (2.0, 5.0, 2000.0)
    assert timing.low < timing.median < timing.high


def test_release():
    assert release("10.13.3.9.post1") == (10, 13)
    assert release("11.4.0.106") > release("10.16.1")
    assert release("unknown") == (0, 0)
