import pytest

from amesh.data.loading.sampler import EpochBatchSampler
from amesh.errors import UserError


@pytest.mark.parametrize("world", [1, 2, 4])
@pytest.mark.parametrize("drop_last", [True, False])
def test_all_ranks_together_get_the_samples_of_one(world: int, drop_last: bool) -> None:
    one = EpochBatchSampler(45, 8, seed=3, drop_last=drop_last)
    ranks = [
        EpochBatchSampler(45, 8 // world, 3, rank, world, drop_last=drop_last)
        for rank in range(world)
    ]
    one.set_epoch(2)
    for rank in ranks:
        rank.set_epoch(2)
    parts = [list(rank) for rank in ranks]
    joined = [[i for part in parts for i in part[k]] for k in range(len(one))]
    assert joined == list(one)


def test_an_epoch_has_each_sample_once_in_its_own_order() -> None:
    sampler = EpochBatchSampler(40, 8)
    first = [i for batch in sampler for i in batch]
    assert sorted(first) == list(range(40))
    again = [i for batch in sampler for i in batch]
    assert again == first
    sampler.set_epoch(1)
    assert [i for batch in sampler for i in batch] != first


def test_without_drop_last_the_last_batch_is_padded_with_copies_that_do_not_count() -> None:
    sampler = EpochBatchSampler(5, 4, shuffle=False, drop_last=False)
    assert list(sampler) == [[0, 1, 2, 3], [4, ~0, ~1, ~2]]
    tiny = [EpochBatchSampler(2, 3, 0, rank, 2, shuffle=False, drop_last=False) for rank in (0, 1)]
    assert [list(sampler) for sampler in tiny] == [[[0, 1, ~0]], [[~1, ~0, ~1]]]


@pytest.mark.parametrize("done", [0, 1, 3])
def test_resuming_gives_exactly_the_rest(done: int) -> None:
    whole = EpochBatchSampler(40, 8, seed=1)
    whole.set_epoch(3)
    batches = list(whole)
    state = whole.state_dict(3, done)
    resumed = EpochBatchSampler(40, 8, seed=1)
    resumed.load_state_dict(state)
    resumed.set_epoch(3)  # as Lightning does before it iterates
    assert len(resumed) == 5
    assert list(resumed) == batches[done:]
    assert list(resumed) == batches, "only the first pass is cut short"
    resumed.set_epoch(4)
    whole.set_epoch(4)
    assert list(resumed) == list(whole)


def test_the_state_after_the_last_batch_is_the_next_epoch() -> None:
    sampler = EpochBatchSampler(40, 8)
    assert sampler.state_dict(3, 5)["epoch"] == 4
    assert sampler.state_dict(3, 5)["done"] == 0


def test_resuming_on_other_ranks_with_the_same_total_batch() -> None:
    state = EpochBatchSampler(40, 8).state_dict(0, 2)
    other = EpochBatchSampler(40, 4, rank=1, world=2)
    other.load_state_dict(state)
    assert len(list(other)) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"length": 41}, "samples = 40, now it is 41"),
        ({"seed": 1}, "seed = 0, now it is 1"),
        ({"batch_size": 4}, "total_batch = 8, now it is 4"),
    ],
)
def test_resuming_with_other_settings_is_refused(changes: dict[str, int], message: str) -> None:
    state = EpochBatchSampler(40, 8).state_dict(0, 2)
    other = EpochBatchSampler(**({"length": 40, "batch_size": 8} | changes))
    with pytest.raises(UserError, match=message):
        other.load_state_dict(state)
    other.load_state_dict(state | {"done": 0})  # between epochs anything goes


def test_too_few_samples() -> None:
    with pytest.raises(UserError, match="no samples: the data set is empty"):
        EpochBatchSampler(0, 1)
    with pytest.raises(UserError, match=r"3 samples .*2 ranks.* 4 are needed"):
        EpochBatchSampler(3, 2, world=2)
    with pytest.raises(UserError, match=r"3 samples .* of 1 on 4 ranks"):
        EpochBatchSampler(3, 1, world=4, drop_last=False)


def test_lightning_finds_the_sampler() -> None:
    sampler = EpochBatchSampler(4, 2)
    assert sampler.sampler is sampler


def test_sources_are_repeated_and_subsampled() -> None:
    sampler = EpochBatchSampler([(4, 10), (6, 3)], 1, seed=1)
    epochs = []
    for epoch in range(20):
        sampler.set_epoch(epoch)
        epochs.append([i for batch in sampler for i in batch])
    for numbers in epochs:
        assert len(numbers) == len(set(numbers)) == 13
        # What comes again has another number, so that it is augmented in another way.
        first = [n for n in numbers if n % 10 < 4]
        assert sorted(n // 10 for n in first) == [0] * 4 + [1] * 4 + [2] * 2
        assert sum(n % 10 >= 4 for n in numbers) == 3
    # Over the epochs everyone is chosen.
    assert {n % 10 for numbers in epochs for n in numbers} == set(range(10))
    assert {n for numbers in epochs for n in numbers if n // 10 == 2} == {20, 21, 22, 23}


def test_a_whole_source_has_the_order_of_a_plain_length() -> None:
    assert list(EpochBatchSampler([(40, 40)], 8)) == list(EpochBatchSampler(40, 8))


def test_resuming_with_other_sources_of_the_same_total_is_refused() -> None:
    state = EpochBatchSampler([(30, 20), (10, 20)], 8).state_dict(0, 2)
    other = EpochBatchSampler([(10, 20), (30, 20)], 8)
    with pytest.raises(UserError, match=r"\[\[30, 20\], \[10, 20\]\].*\[\[10"):
        other.load_state_dict(state)
    same = EpochBatchSampler([(30, 20), (10, 20)], 8)
    same.load_state_dict(state)
    del state["groups"]
    with pytest.raises(UserError, match=r"not say groups.*\[\[30, 20\]"):
        same.load_state_dict(state)


def test_repeated_epochs_equal_the_first_and_resume() -> None:
    plain, again = (EpochBatchSampler([(9, 4), (6, 6)], 5, repeat=r) for r in (False, True))
    first = list(plain)
    for epoch in (1, 4):
        again.set_epoch(epoch)
        assert list(again) == first
    again.load_state_dict(again.state_dict(4, 1))
    assert list(again) == first[1:]
    again.load_state_dict(again.state_dict(4, 1))
    again.set_epoch(5)  # the epoch ended early, as under trainer.overfit_batches
    assert list(again) == first
