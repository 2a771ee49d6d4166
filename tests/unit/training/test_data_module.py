import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from drawn_faces import write_faces

from amesh.data.sources.opening import SourceConfig
from amesh.errors import UserError
from amesh.nn.config import NAMED
from amesh.synth.config import SynthConfig
from amesh.training.data_module import FaceData
from amesh.training.synthetic import SyntheticData


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> SourceConfig:
    return SourceConfig(write_faces(tmp_path_factory.mktemp("faces"), 12, negatives=4))


def prepared(
    rank: int = 0, world: int = 1, folder: Path | None = None, overfit: float = 0, **settings
) -> FaceData:
    """Ready to fit; nothing is written where there is no folder of the run."""
    data = FaceData(**{"workers": 0, "batch_size": 4} | settings)
    data.trainer = SimpleNamespace(
        lightning_module=SimpleNamespace(network=NAMED["tiny-128"]),
        state=SimpleNamespace(fn="fit"),
        log_dir=str(folder),
        is_global_zero=rank == 0,
        global_rank=rank,
        world_size=world,
        training=True,
        current_epoch=0,
        overfit_batches=overfit,
        fast_dev_run=folder is None,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
    )
    data.setup("fit")
    return data


def batches(data: FaceData, loader) -> list:
    return [data.on_after_batch_transfer(loaded, 0) for loaded in loader]


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
    with pytest.raises(UserError, match=r"no face to test on: set data\.test"):
        data.test_dataloader()


def test_nothing_to_train_on_is_refused():
    with pytest.raises(UserError, match=r"no face to train on.*data\.train"):
        prepared().train_dataloader()


def test_more_ranks_than_samples_are_refused(shards):
    with pytest.raises(UserError, match=r"12 samples .*4 ranks.*of 4"):
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
    with pytest.raises(UserError, match="not a picture that can be read"):
        batches(stop, stop.train_dataloader())


def test_a_damaged_record_is_not_validated_on_and_no_other_one_twice(damaged):
    data = prepared(val=[damaged], batch_size=3)
    data.trainer.training = False
    found = batches(data, data.val_dataloader())
    assert [i for batch in found for i in batch.index.tolist()] == [-1, 1, 2, 3, 4, 5]
    assert found[0].weight_xy[0].sum() == found[0].weight_z[0].sum() == 0
    assert found[0].landmarks.isfinite().all()
    assert len(data.skipped) == 1
    stop = prepared(val=[damaged], batch_size=3, on_bad="stop")
    with pytest.raises(UserError, match="not a picture that can be read"):
        batches(stop, stop.val_dataloader())


@pytest.mark.parametrize(("world", "begin"), [(1, "1 records"), (2, "rank 1: 1 records")])
def test_each_rank_names_what_it_skipped(damaged, caplog, monkeypatch, world, begin):
    monkeypatch.setattr(logging.getLogger("pytorch_lightning"), "propagate", True)
    data = prepared(world - 1, world, train=[damaged], batch_size=3)
    data.skipped.append("labels.jsonl, line 2: no picture")
    with caplog.at_level(logging.INFO):
        data.teardown("fit")
    [line] = caplog.messages
    assert line.startswith(f"{begin} could not be used and were skipped:\n  labels.jsonl, line 2")


def test_synthetic_faces_are_kept_or_made_anew(shards):
    few = SyntheticData(faces=4, val=2, ranges=SynthConfig(hair=0.0))
    kept = prepared(synthetic=few, batch_size=2)
    assert kept.licences == {"CC0-1.0": 4}
    first = batches(kept, kept.train_dataloader())
    assert [batch.image.shape for batch in first] == [(2, 3, 128, 128)] * 2
    assert all((batch.weight_z == 1).all() for batch in first)
    assert len(kept.sources["val"][0]) == 2
    train, val = (kept.sources[split][0].entries[0].key for split in ("train", "val"))
    assert train != val

    fresh = prepared(synthetic=replace(few, fresh=True, val=0), train=[shards], batch_size=4)
    assert fresh.licences == {"CC0": 12, "CC0-1.0": 4}
    epochs = []
    for epoch in (0, 1):
        fresh.trainer.current_epoch = epoch
        loader = fresh.train_dataloader()
        loader.batch_sampler.set_epoch(epoch)
        found = batches(fresh, loader)
        assert all(batch.image.shape[0] == 4 for batch in found)
        assert sorted(i for batch in found for i in batch.index.tolist()) == list(range(16))
        epochs.append({i: b.landmarks[k] for b in found for k, i in enumerate(b.index.tolist())})
    # Numbers from 12 on are made: other faces in the next epoch.
    shape = [epoch[13] - epoch[13].mean(0) for epoch in epochs]
    assert (shape[0] - shape[1]).abs().max() > 1


def test_numbers_of_synthetic_faces_below_0_are_refused():
    with pytest.raises(UserError, match=r"data\.synthetic: val is -1, below 0"):
        SyntheticData(val=-1)
