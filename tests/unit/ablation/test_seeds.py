import math

import numpy as np
import pytest

from amesh.ablation.seeds import changes_over_seeds
from amesh.metrics.bootstrap import paired_change


def _faces(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(4.0, 1.0, size=n)


def _trained(
    random: np.random.Generator, change: float, variants: int, seeds: int, faces: int, noise: float
) -> np.ndarray:
    """Errors (v s n) of trainings that differ by chance; all but the first are worse by `change`.

    The faces are hard or easy for all networks, and a little for one variant or one network alone.
    """
    hard = random.normal(0, 0.4, size=faces)
    liking = random.normal(0, 0.2, size=(variants, 1, faces))
    own = random.normal(0, 0.1, size=(variants, seeds, faces))
    luck = random.normal(0, noise, size=(variants, seeds, 1)) + random.normal(0, noise, (seeds, 1))
    worth = np.log1p(change) * (np.arange(variants) > 0)[:, None, None]
    return np.exp(1 + hard + liking + own + luck + worth)


def test_errors_a_tenth_larger_on_every_face_are_exactly_ten_percent() -> None:
    one = np.stack([_faces(20), 1.05 * _faces(20)])  # s n: the second seed is worse for both
    found = changes_over_seeds(np.stack([one, 1.1 * one, 0.8 * one]), 0)
    assert found[0] == (0.0, 0.0, 0.0)
    assert found[1] == pytest.approx((10.0, 10.0, 10.0))
    assert found[2] == pytest.approx((-20.0, -20.0, -20.0))


def test_with_one_seed_it_is_the_change_over_faces() -> None:
    new, old = _faces(40, 1), _faces(40, 2)
    groups = np.arange(40) // 2
    _, found = changes_over_seeds(np.stack([old, new])[:, None], 0, groups, resamples=20_000)
    expected = paired_change(new, old, groups, resamples=20_000)
    assert found.value == pytest.approx(expected.value)
    assert found == pytest.approx(expected, abs=0.6)  # [%], of bounds 25 % apart


def test_the_change_is_the_geometric_mean_over_seeds() -> None:
    old = _faces(30)
    errors = np.stack([[old, old], [1.2 * old, 0.9 * old]])
    found = changes_over_seeds(errors, 0)[1]
    assert found.value == pytest.approx(100 * (np.sqrt(1.2 * 0.9) - 1))
    assert found.low < -10 < 20 < found.high  # of two seeds so far apart nothing is known


def test_whole_persons_are_drawn() -> None:
    random = np.random.default_rng(0)
    errors = _trained(random, 0.1, 2, 3, 40, noise=0.0)
    once = changes_over_seeds(errors, 0, seed=3)
    groups = np.repeat(np.arange(40), 5)
    repeated = changes_over_seeds(np.repeat(errors, 5, axis=-1), 0, groups, seed=3)
    np.testing.assert_allclose(repeated, once)


@pytest.mark.parametrize(("variants", "seeds"), [(2, 3), (4, 3), (8, 2)])
def test_intervals_cover_new_faces_and_new_trainings(variants: int, seeds: int) -> None:
    covered, faces_alone = [], []
    for number in range(250):
        random = np.random.default_rng(number)
        errors = _trained(random, 0.1, variants, seeds, faces=60, noise=0.05)
        change = changes_over_seeds(errors, 0, resamples=200, seed=number)[1]
        covered.append(change.low <= 10.0 <= change.high)
        change = changes_over_seeds(errors[:, :1], 0, resamples=200, seed=number)[1]
        faces_alone.append(change.low <= 10.0 <= change.high)
    assert 0.92 <= np.mean(covered) <= 0.995
    assert np.mean(faces_alone) < 0.8  # what one training and its faces tell is too narrow


def test_the_spread_between_seeds_is_not_hidden_by_many_faces() -> None:
    errors = _trained(np.random.default_rng(1), 0.0, 3, 3, faces=5000, noise=0.05)
    several, one = changes_over_seeds(errors, 0)[1], changes_over_seeds(errors[:, :1], 0)[1]
    assert several.high - several.low > 3 * (one.high - one.low)


def test_the_reference_may_be_at_any_position() -> None:
    errors = _trained(np.random.default_rng(2), 0.2, 3, 2, 30, noise=0.02)
    first, last = changes_over_seeds(errors, 0), changes_over_seeds(errors[::-1], 2)[::-1]
    for one, other in zip(first, last, strict=True):
        assert one.value == pytest.approx(other.value)
        assert one == pytest.approx(other, abs=0.5)


def test_a_variant_alone_has_no_change() -> None:
    assert changes_over_seeds(_trained(np.random.default_rng(0), 0, 1, 3, 9, 0.1), 0) == [(0, 0, 0)]


def test_drawing_in_chunks_gives_as_many_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = _trained(np.random.default_rng(0), 0.1, 2, 2, 30, 0.02)
    whole = changes_over_seeds(errors, 0, resamples=100)
    monkeypatch.setattr("amesh.ablation.seeds._CHUNK", 90)
    for part, expected in zip(changes_over_seeds(errors, 0, resamples=100), whole, strict=True):
        assert part == pytest.approx(expected)


def test_too_few_data_for_an_interval() -> None:
    [_, nothing] = changes_over_seeds(np.zeros((2, 3, 0)), 0)
    assert all(map(math.isnan, nothing))
    one_person = np.array([[[1.0, 2.0]], [[2.0, 4.0]]])
    [_, found] = changes_over_seeds(one_person, 0, np.array([7, 7]))
    assert found.value == pytest.approx(100.0)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_missed_faces_are_not_averaged() -> None:
    with pytest.raises(ValueError, match="not a number: leave such faces out"):
        changes_over_seeds(np.array([[[1.0, np.nan]], [[1.0, 2.0]]]), 0)
