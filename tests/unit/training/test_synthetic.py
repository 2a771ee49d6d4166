from dataclasses import replace

import pytest
import torch
from drawn_faces import write_faces
from training_data import batches, prepared

from amesh.data.sources.opening import SourceConfig
from amesh.errors import UserError
from amesh.nn.config import NAMED
from amesh.synth.config import SynthConfig
from amesh.synth.write import make
from amesh.training.data_module import FaceData
from amesh.training.synthetic import SyntheticData, maker


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> SourceConfig:
    return SourceConfig(write_faces(tmp_path_factory.mktemp("faces"), 12, negatives=4))


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
