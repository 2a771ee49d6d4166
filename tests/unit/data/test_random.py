import numpy as np
import pytest
import torch

from amesh.data.random import bell, fork, keys, normal, permutation, uniform

PINNED = [0.6449118256568909, 0.6153671145439148, 0.05288994312286377]


def test_numbers_of_a_sample_do_not_depend_on_its_batch() -> None:
    index = torch.arange(100)
    together = uniform(keys(1, 2, index), "a", (3, 2))
    alone = torch.cat([uniform(keys(1, 2, index[i : i + 1]), "a", (3, 2)) for i in range(100)])
    assert together.shape == (100, 3, 2)
    assert torch.equal(together, alone)


@pytest.mark.parametrize(
    ("seed", "epoch", "purpose", "first"), [(2, 2, "a", 0), (1, 3, "a", 0), (1, 2, "b", 0)]
)
def test_every_part_of_the_address_changes_the_numbers(
    seed: int, epoch: int, purpose: str, first: int
) -> None:
    here = uniform(keys(1, 2, torch.arange(5000)), "a")
    there = uniform(keys(seed, epoch, torch.arange(first, first + 5000)), purpose)
    assert abs(np.corrcoef(here, there)[0, 1]) < 0.05
    assert (here == there).sum() < 10


def test_literal_values() -> None:
    """Pinned, because a run that was begun with another hash could not be resumed."""
    values = uniform(keys(7, 3, torch.tensor([0, 1, -1])), "rotation")
    assert values.tolist() == PINNED


def test_uniform_is_uniform() -> None:
    values = uniform(keys(0, 0, torch.arange(2000)), "x", (50,)).flatten()
    counts = torch.histc(values, 20, 0.0, 1.0)
    # chi-square with 19 degrees of freedom: above 50 once in 10,000 hashes
    assert ((counts - 5000).square() / 5000).sum() < 50
    assert values.min() >= 0
    assert values.max() < 1
    neighbours = np.corrcoef(values[:-1], values[1:])[0, 1]
    assert abs(neighbours) < 0.01


def test_every_bit_of_the_index_reaches_every_bit_of_the_key() -> None:
    index = torch.arange(4096)
    before = keys(0, 0, index)
    for bit in (0, 7, 20, 31):
        changed = before ^ keys(0, 0, index ^ (1 << bit))
        share = torch.stack([(changed >> k) & 1 for k in range(32)]).double().mean(1)
        assert (share - 0.5).abs().max() < 0.05


def test_keys_are_32_bit_and_rarely_collide() -> None:
    found = keys(0, 0, torch.arange(20000))
    assert found.min() >= 0
    assert found.max() < 2**32
    assert len(found.unique()) >= 19998
    assert not torch.equal(fork(found, "a"), found)


def test_normal_and_bell() -> None:
    key = keys(0, 0, torch.arange(1000))
    values = normal(key, "x", (100,))
    assert values.isfinite().all()
    assert values.mean().item() == pytest.approx(0, abs=0.01)
    assert values.std().item() == pytest.approx(1, abs=0.01)
    bounded = bell(key, "x", (100,))
    assert bounded.abs().max() <= 1
    assert bounded.std().item() == pytest.approx(1 / 3, abs=0.01)


def test_permutation_has_each_index_once_and_changes_with_the_epoch() -> None:
    order = permutation(0, 0, 1000)
    assert sorted(order.tolist()) == list(range(1000))
    assert not torch.equal(order, permutation(0, 1, 1000))
    assert torch.equal(order, permutation(0, 0, 1000))
