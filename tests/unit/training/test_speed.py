import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from amesh.data.augment import Augment
from amesh.data.dataset import FaceDataset, collate
from amesh.data.records import ListSource, Record
from amesh.data.sample import Batch
from amesh.errors import UserError
from amesh.nn.config import MeshConfig, RegionConfig
from amesh.nn.template import template_in_crop
from amesh.training import speed
from amesh.training.module import LandmarkTraining

SMALL = RegionConfig((16, 32, 32), depth=0)
NETWORK = MeshConfig(
    name="smallest",
    input_size=64,
    crop_size=8,
    widths=(8, 16, 32, 32, 32, 32),
    depth=0,
    regions=dict.fromkeys(("lips", "right_eye", "left_eye"), SMALL),
)
CPU = torch.device("cpu")


@pytest.fixture
def module() -> LandmarkTraining:
    return LandmarkTraining(network=NETWORK)


@pytest.fixture
def batch() -> Batch:
    truth = template_in_crop(NETWORK).expand(2, -1, -1)
    ones = torch.ones(2, 478)
    return Batch(torch.rand(2, 3, 64, 64), truth, ones, ones, torch.ones(2), torch.arange(2))


def slowly(seconds: float) -> Callable[[Batch], Batch]:
    def prepare(batch: Batch) -> Batch:
        time.sleep(seconds)
        return batch

    return prepare


def test_the_three_rates_fit_together(module: LandmarkTraining, batch: Batch):
    found = speed.measure(module, [batch], slowly(0.1), CPU, rounds=3, batches=2, warm_up=1)
    assert (found.network, found.batch, found.workers) == ("AttentionMesh smallest", 2, 0)
    assert found.data == pytest.approx(2 / 0.1, rel=0.1)
    assert found.step > found.both < found.data
    # One after the other: the times add up. A busy machine makes them vary.
    assert 1 / found.both == pytest.approx(1 / found.step + 1 / found.data, rel=0.4)
    assert found.share == pytest.approx(found.both / found.step, rel=0.4)
    assert found.cores is not None


def test_the_network_trains_meanwhile(module: LandmarkTraining, batch: Batch):
    before = module.net.shared.stem.convolution.weight.detach().clone()
    speed.measure(module, [batch], lambda loaded: loaded, CPU, rounds=1, batches=1, warm_up=0)
    assert not torch.equal(module.net.shared.stem.convolution.weight, before)


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_and_their_time_count(module: LandmarkTraining, workers: int):
    topology = NETWORK.scheme
    face = (topology.template * 20 + np.array([50.0, 40.0, 0.0])).astype(np.float32)
    pixels = np.random.default_rng(0).integers(0, 255, (90, 100, 3), np.uint8)
    file = b"P6 100 90 255\n" + pixels.tobytes()
    one = Record(file, "face478", face, "ours", "a face", "here")
    source = ListSource("ours", [replace(one, key=str(i)) for i in range(4)])
    augment = Augment(topology, 64)
    faces = FaceDataset([source], topology, 64, augment.config.reach)
    loader = DataLoader(
        faces,
        batch_size=2,
        collate_fn=collate,
        num_workers=workers,
        multiprocessing_context="fork" if workers else None,
    )
    prepare = speed.on_device(augment, CPU)
    found = speed.measure(module, loader, prepare, CPU, rounds=1, batches=3, warm_up=1)
    assert (found.workers, found.batch) == (workers, 2)
    assert min(found.step, found.data, found.both) > 0


def test_what_cannot_be_measured_is_refused(module: LandmarkTraining, batch: Batch):
    with pytest.raises(UserError, match="speed: rounds is 0, expected 1 or more"):
        speed.measure(module, [batch], slowly(0), CPU, rounds=0)
    with pytest.raises(UserError, match="speed: the loader gives no batch"):
        speed.measure(module, [], slowly(0), CPU)


def test_both_files_hold_the_figures(tmp_path: Path):
    one = speed.Speed("AttentionMesh paper-256", "CPU", 2, 1, 16, 50.0, 240.0, 44.0, 0.88, 0.14)
    speed.write([one, replace(one, device="a GPU", cores=None)], tmp_path)
    text = (tmp_path / "training.md").read_text()
    assert (
        "| AttentionMesh paper-256 | CPU | 2 + 1 | 16 | 50.0 | 240.0 | 44.0 | 0.880 | +14.0% |"
        in text
    )
    rows = json.loads((tmp_path / "training.json").read_text())
    assert [row["cores"] for row in rows] == [0.14, None]
