import math

import numpy as np
import pytest

from amesh.metrics.bootstrap import mean_interval, paired_change


def _gamma(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).gamma(4.0, 1.0, size=n)


def test_interval_equals_a_plain_loop() -> None:
    values = _gamma(30)
    generator = np.random.default_rng(7)
    draws = [np.mean([values[i] for i in generator.integers(30, size=30)]) for _ in range(500)]
    found = mean_interval(values, resamples=500, seed=7)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(np.quantile(draws, 0.025))
    assert found.high == pytest.approx(np.quantile(draws, 0.975))


def test_groups_equal_a_plain_loop_that_draws_whole_groups() -> None:
    values, groups = _gamma(12), np.array([3, 3, 3, 9, 9, 1, 1, 1, 1, 5, 5, 7])
    names = sorted(set(groups.tolist()))
    generator = np.random.default_rng(7)
    draws = []
    for _ in range(400):
        chosen = [names[i] for i in generator.integers(5, size=5)]
        draws.append(np.mean(np.concatenate([values[groups == name] for name in chosen])))
    found = mean_interval(values, groups, resamples=400, seed=7)
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(np.quantile(draws, 0.025))
    assert found.high == pytest.approx(np.quantile(draws, 0.975))


def test_interval_covers_the_true_mean_at_its_level() -> None:
    covered = 0
    for seed in range(400):
        found = mean_interval(_gamma(60, seed), resamples=400, seed=seed)
        covered += found.low <= 4.0 <= found.high
    assert 0.90 <= covered / 400 <= 0.98


def test_interval_of_repeated_values_is_as_wide_as_without_the_repeats() -> None:
    values = _gamma(40)
    once = mean_interval(values, seed=3)
    repeated = mean_interval(np.repeat(values, 5), np.repeat(np.arange(40), 5), seed=3)
    assert repeated == pytest.approx(once)


def test_pairing_removes_shared_spread() -> None:
    old = 10 * _gamma(50)
    new = old + 0.1 * np.random.default_rng(1).normal(size=50) - 0.2
    change = paired_change(new, old)
    assert change.high < 0
    alone = mean_interval(old)
    assert 20 * (change.high - change.low) < 100 * (alone.high - alone.low) / alone.value  # [%]


def test_interval_covers_the_true_change_at_its_level() -> None:
    covered = 0
    for seed in range(300):
        old = _gamma(60, seed)
        new = old * np.random.default_rng(seed + 1000).uniform(0.6, 1.0, size=60)
        found = paired_change(new, old, resamples=400, seed=seed)
        covered += found.low <= -20.0 <= found.high
    assert 0.90 <= covered / 300 <= 0.98


def test_change_of_a_scaled_error_has_no_spread() -> None:
    old = _gamma(20)
    assert paired_change(0.9 * old, old) == pytest.approx((-10.0, -10.0, -10.0))


def test_change_equals_a_plain_loop() -> None:
    new, old = _gamma(25, 1), _gamma(25, 2)
    generator = np.random.default_rng(0)
    draws = []
    for _ in range(300):
        chosen = generator.integers(25, size=25)
        draws.append(100 * (new[chosen].mean() / old[chosen].mean() - 1))
    found = paired_change(new, old, resamples=300)
    expected = (100 * (new.mean() / old.mean() - 1), *np.quantile(draws, [0.025, 0.975]))
    assert found == pytest.approx(expected)


def test_interval_depends_on_the_seed_only() -> None:
    values = _gamma(30)
    assert mean_interval(values, seed=1) == mean_interval(values, seed=1)
    assert mean_interval(values, seed=1) != mean_interval(values, seed=2)


def test_drawing_in_chunks_gives_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mean_interval(_gamma(30), resamples=100)
    monkeypatch.setattr("amesh.metrics.bootstrap._CHUNK", 90)
    assert mean_interval(_gamma(30), resamples=100) == whole


def test_too_few_data_for_an_interval() -> None:
    assert all(map(math.isnan, mean_interval(np.zeros(0))))
    assert all(map(math.isnan, paired_change(np.zeros(0), np.zeros(0))))
    one = mean_interval(np.array([2.0, 4.0]), np.array([5, 5]))
    assert one.value == 3.0
    assert math.isnan(one.low)
    assert math.isnan(one.high)


def test_missed_faces_are_not_averaged() -> None:
    with pytest.raises(ValueError, match="not a number: leave missed faces out"):
        mean_interval(np.array([1.0, np.nan]))
