import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from drawn_faces import write_faces
from training_data import batches, prepared

from amesh.data.loading.sample import Batch
from amesh.data.sources.opening import SourceConfig, open_source
from amesh.data.sources.problems import Problems
from amesh.errors import UserError
from amesh.synth.config import SynthConfig
from amesh.training.data_module import FaceData, data_epoch
from amesh.training.synthetic import SyntheticData


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> SourceConfig:
    return SourceConfig(write_faces(tmp_path_factory.mktemp("faces"), 12, negatives=4))


def test_batches_of_an_epoch(shards):
    data = prepared(train=[shards])
    epoch = batches(data, data.train_dataloader())
    assert [batch.image.shape for batch in epoch] == [(4, 3, 128, 128)] * 3
    assert sorted(i for batch in epoch for i in batch.index.tolist()) == list(range(12))
    assert sum(batch.face.sum().item() for batch in epoch) == 9
    assert data.licences == {"CC0": 12}


def test_what_is_held_out_is_not_trained_on_and_not_changed(shards):
    data = prepared(train=[shards], hold_out=0.4, batch_size=1)
    train = [entry.key for source in data.sources["train"] for entry in source.entries]
    val = [entry.key for source in data.sources["val"] for entry in source.entries]
    assert sorted(train + val) == sorted(f"drawn{i}" for i in range(12))
    assert 0 < len(val) < 12
    data.trainer.training = False
    once, again = (batches(data, data.val_dataloader()) for _ in range(2))
    assert len(once) == len(val)
    assert all(a.image.equal(b.image) for a, b in zip(once, again, strict=True))
    # Cut exactly around the face: the longer side of its box is the crop without its margin.
    faces = [batch for batch in once if batch.face.item()]
    for batch in faces:
        low, high = batch.landmarks[0, :, :2].amin(0), batch.landmarks[0, :, :2].amax(0)
        assert (high - low).max().item() == pytest.approx(128 / 1.5, abs=4)


def test_a_face_that_comes_twice_in_an_epoch_looks_different(shards):
    twice = SourceConfig(shards.path, repeat=2)
    data = prepared(train=[twice])
    seen: dict[int, torch.Tensor] = {}
    for batch in batches(data, data.train_dataloader()):
        seen |= dict(zip(batch.index.tolist(), batch.image, strict=True))
    assert sorted(seen) == list(range(24))
    assert not any(seen[i].equal(seen[i + 12]) for i in range(12))


def test_a_test_set_is_the_validation_set_where_there_is_none(shards):
    data = prepared(train=[shards], val=[shards])
    assert data.sources["test"] == data.sources["val"]
    assert len(data.test_dataloader()) == 3


def test_nothing_to_validate_on_is_no_error_but_nothing_to_test_on_is(shards):
    data = prepared(train=[shards])
    assert data.val_dataloader() == []
    with pytest.raises(UserError, match=r"no faces to test on: set data\.test"):
        data.test_dataloader()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "nothing to validate on"),
        ({"val": "negatives"}, "nothing to validate on"),
        ({"val": "shards"}, "only 9 faces to validate on"),
        ({"val": "shards", "synthetic": SyntheticData(val=1)}, ""),
    ],
)
def test_a_validation_set_that_means_little_is_named(
    shards, tmp_path, caplog, monkeypatch, settings, said
):
    monkeypatch.setattr(logging.getLogger("pytorch_lightning"), "propagate", True)
    negatives = SourceConfig(write_faces(tmp_path / "negatives", 2, negatives=1))
    sets = {"shards": shards, "negatives": negatives}
    settings = settings | {"val": [sets[settings["val"]]] if "val" in settings else []}
    with caplog.at_level(logging.WARNING):
        prepared(train=[shards], **settings)
    assert [said in line for line in caplog.messages] == ([True] if said else [])


def test_regions_without_a_face_are_noticed_in_what_is_trained_on(shards, tmp_path):
    faces = SourceConfig(write_faces(tmp_path / "faces", 4))
    assert prepared(train=[faces, shards]).has_negatives
    assert not prepared(train=[faces], val=[shards]).has_negatives
    for behind in (0.0, 0.5):
        synthetic = SyntheticData(faces=4, fresh=True, ranges=SynthConfig(behind=behind))
        assert prepared(synthetic=synthetic).has_negatives == (behind > 0)


def test_nothing_to_train_on_is_refused():
    with pytest.raises(UserError, match=r"no faces to train on.*data\.train"):
        prepared().train_dataloader()


def test_where_all_faces_are_held_out_it_is_said(tmp_path):
    few = SourceConfig(write_faces(tmp_path, 2))
    with pytest.raises(UserError, match=r"data\.hold_out=0\.9 and `repeat` leave none"):
        prepared(train=[few], hold_out=0.9).train_dataloader()


def test_more_ranks_than_samples_are_refused(shards):
    with pytest.raises(UserError, match=r"12 samples .*of 4 on 4 ranks"):
        prepared(train=[shards], world=4).train_dataloader()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0, expected at least 1"),
        ({"workers": -1}, "workers is -1, expected at least 0"),
        ({"hold_out": 1.0}, "hold_out is 1.0"),
    ],
)
def test_numbers_without_meaning_are_refused(setting, message):
    with pytest.raises(UserError, match=message):
        FaceData(**setting)


@pytest.fixture
def damaged(tmp_path: Path) -> SourceConfig:
    """Six faces, the first without a picture."""
    folder = write_faces(tmp_path / "shards", 6)
    tar = next(folder.glob("*.tar"))
    content = bytearray(tar.read_bytes())
    place = content.index(b"\x89PNG")
    content[place : place + 4] = b"oops"
    tar.write_bytes(content)
    return SourceConfig(folder)


def test_damaged_records_are_counted_named_and_skipped(damaged):
    source = damaged
    data = prepared(train=[source], batch_size=3)
    for _ in range(2):
        batches(data, data.train_dataloader())
    assert len(data.skipped) == 1
    assert "byte" in data.skipped[0]
    stop = prepared(train=[source], batch_size=3, on_bad="stop")
    with pytest.raises(UserError, match="damaged at byte"):
        batches(stop, stop.train_dataloader())


def test_a_damaged_record_is_not_validated_on_and_no_other_one_twice(damaged):
    data = prepared(train=[damaged], val=[damaged], batch_size=3)
    data.trainer.training = False
    found = batches(data, data.val_dataloader())
    assert [i for batch in found for i in batch.index.tolist()] == [-1, 1, 2, 3, 4, 5]
    assert found[0].weight_xy[0].sum() == found[0].weight_z[0].sum() == 0
    assert found[0].landmarks.isfinite().all()
    assert len(data.skipped) == 1
    stop = prepared(train=[damaged], val=[damaged], batch_size=3, on_bad="stop")
    with pytest.raises(UserError, match="damaged at byte"):
        batches(stop, stop.val_dataloader())


@pytest.mark.parametrize(("world", "begin"), [(1, "1 records"), (2, "rank 1: 1 records")])
def test_each_rank_names_what_it_skipped(damaged, caplog, monkeypatch, world, begin):
    monkeypatch.setattr(logging.getLogger("pytorch_lightning"), "propagate", True)
    data = prepared(world - 1, world, train=[damaged], batch_size=3)
    data.skipped.append("labels.jsonl, line 2: no picture")
    with caplog.at_level(logging.INFO):
        caplog.clear()
        data.teardown("fit")
    [line] = caplog.messages
    assert line.startswith(f"{begin} could not be used and were skipped:\n  labels.jsonl, line 2")


def test_what_is_held_out_is_listed_beside_the_run(shards, tmp_path: Path):
    data = prepared(train=[shards], hold_out=0.4, folder=tmp_path / "run")
    path = tmp_path / "run" / "held_out.txt"
    [held_out] = data.sources["val"]
    again = open_source(SourceConfig(shards.path, only=path), Problems())
    assert [entry.key for entry in again.entries] == [entry.key for entry in held_out.entries]
    [rest] = data.sources["train"]
    others = open_source(SourceConfig(shards.path, without=path), Problems())
    assert [entry.key for entry in others.entries] == [entry.key for entry in rest.entries]


def test_the_list_holds_the_keys_of_all_sets(shards, tmp_path: Path):
    prepared(train=[shards, shards], hold_out=0.4, folder=tmp_path)
    lines = (tmp_path / "held_out.txt").read_text().splitlines()
    half = len(lines) // 2
    assert half > 0
    assert lines[:half] == lines[half:]


@pytest.mark.parametrize(
    "settings",
    [{"hold_out": 0.0}, {"rank": 1, "world": 2, "batch_size": 3}, {"folder": None}],
    ids=str,
)
def test_no_list_where_nothing_is_held_out_on_other_ranks_and_in_trials(
    shards, tmp_path: Path, monkeypatch, settings
):
    monkeypatch.chdir(tmp_path)
    prepared(**({"train": [shards], "hold_out": 0.4, "folder": tmp_path} | settings))
    assert not list(tmp_path.iterdir())


def test_an_epoch_takes_at_least_a_face_of_each_set(shards, tmp_path: Path):
    small = SourceConfig(write_faces(tmp_path, 3), repeat=0.1)
    data = prepared(train=[shards, small], batch_size=1)
    numbers = [i for batch in batches(data, data.train_dataloader()) for i in batch.index.tolist()]
    assert sum(number >= 12 for number in numbers) == 1


@pytest.mark.parametrize("fresh", [True, False])
def test_overfitting_repeats_the_very_same_batches(shards, fresh):
    thinned = SourceConfig(shards.path, repeat=0.5)
    made = SyntheticData(faces=4, fresh=fresh)
    data = prepared(train=[thinned], synthetic=made, batch_size=5, overfit=1)
    loader, epochs = data.train_dataloader(), []
    for epoch in (0, 1, 7):
        data.trainer.current_epoch = epoch
        loader.batch_sampler.set_epoch(epoch)
        epochs.append(batches(data, loader))
    for later in epochs[1:]:
        for one, other in zip(epochs[0], later, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_two_ranks_get_what_one_gets_with_the_double_batch(shards):
    settings = {"train": [shards], "synthetic": SyntheticData(faces=8, fresh=True)}

    def parts(rank: int, world: int, size: int) -> list[Batch]:
        data = prepared(rank, world, batch_size=size, **settings)
        return batches(data, data.train_dataloader())

    both = zip(parts(0, 2, 4), parts(1, 2, 4), strict=True)
    for together, pair in zip(parts(0, 1, 8), both, strict=True):
        apart = Batch(*map(torch.cat, zip(*pair, strict=True)))
        ours, theirs = together.index.argsort(), apart.index.argsort()
        assert torch.equal(together.index[ours], apart.index[theirs])
        # Read faces come before made ones in a batch, so the order differs.
        for name in ("image", "landmarks", "weight_xy", "weight_z", "face"):
            one, two = getattr(together, name)[ours], getattr(apart, name)[theirs]
            torch.testing.assert_close(one, two, rtol=0, atol=1e-5)


def test_repeated_batches_stay_in_the_first_epoch():
    assert data_epoch(SimpleNamespace(current_epoch=4)) == 4
    assert data_epoch(SimpleNamespace(current_epoch=4, overfit_batches=0.0)) == 4
    assert data_epoch(SimpleNamespace(current_epoch=4, overfit_batches=1)) == 0
