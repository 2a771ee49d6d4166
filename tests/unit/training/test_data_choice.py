"""Which faces are trained on: those held out, repeated ones, synthetic ones, those of each rank."""

from pathlib import Path

import pytest
import torch
from drawn_faces import write_faces

from amesh.data.loading.sample import Batch
from amesh.data.sources.opening import SourceConfig, open_source
from amesh.data.sources.problems import Problems
from amesh.nn.config import NAMED
from amesh.synth.write import make
from amesh.training import cli
from amesh.training.data_module import FaceData
from amesh.training.synthetic import SyntheticData, maker

from .test_data_module import batches, prepared


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> SourceConfig:
    return SourceConfig(write_faces(tmp_path_factory.mktemp("faces"), 12))


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
    "settings", [{"hold_out": 0.0}, {"rank": 1, "world": 2}, {"folder": None}], ids=str
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


def made_anew(data: FaceData) -> list[torch.Tensor]:
    """Landmarks of the synthetic faces of an epoch, before they are cut and changed."""
    found: list[torch.Tensor] = []
    hook = data._maker.register_forward_hook(lambda _, given, canvas: found.extend(canvas[1]))
    batches(data, data.train_dataloader())
    hook.remove()
    return found


@pytest.mark.parametrize("fresh", [True, False])
def test_no_face_of_amesh_synth_is_trained_on(fresh):
    network = NAMED["tiny-128"]
    settings = SyntheticData(faces=2, val=2, fresh=fresh)
    data = prepared(synthetic=settings, batch_size=2, seed=0)
    synth = make(maker(network, settings.ranges), 0, [0, 1])
    where = [source for split in ("train", "val") for source in data.sources[split]]
    shapes = [torch.tensor(source[i].points) for source in where for i in (0, 1)]
    if fresh:
        shapes += made_anew(data)
    assert len(shapes) == 4
    apart = [(a - b).abs().mean() for k, a in enumerate(shapes) for b in shapes[k + 1 :]]
    apart += [(shape - face).abs().mean() for shape in shapes for face in synth.landmarks]
    assert min(apart) > 0.5


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


@pytest.mark.parametrize("under", ["paper", "quick", "fine_tune"])
def test_groups_of_data_say_all_that_they_stand_for(under):
    def composed(group: str):
        return cli.parsed(["fit", "--config", under, "--config", f"data/{group}"]).fit.data

    shards = composed("shards")
    assert (shards.synthetic.faces, shards.synthetic.val) == (0, 0)
    assert [str(source.path) for source in shards.train] == ["shards"]
    synthetic = cli.parsed(
        ["fit", "--config", under, "--config", "data/shards", "--config", "data/synthetic"]
    ).fit.data
    for found in (composed("synthetic"), synthetic):
        assert list(found.train) == []
        assert found.hold_out == 0
        assert found.synthetic.fresh
        assert found.synthetic.faces > 0
