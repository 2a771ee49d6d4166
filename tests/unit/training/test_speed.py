import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_faces import write_faces
from torch.utils.data import DataLoader

from amesh.cli import main
from amesh.data.augment.geometric import Augment
from amesh.data.loading.dataset import FaceDataset, collate
from amesh.data.loading.sample import Batch
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import ListSource
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
SMALLEST = Path(__file__).resolve().parents[2] / "support" / "smallest.yaml"


@pytest.fixture
def module() -> LandmarkTraining:
    return LandmarkTraining(network=NETWORK)


@pytest.fixture
def batch() -> Batch:
    truth = template_in_crop(NETWORK).expand(2, -1, -1)
    ones = torch.ones(2, 478)
    return Batch(torch.rand(2, 3, 64, 64), truth, ones, ones, torch.ones(2), torch.arange(2))


def test_each_part_does_its_work_as_often_as_it_says(module: LandmarkTraining, batch: Batch):
    prepared = []

    def prepare(loaded: Batch) -> Batch:
        prepared.append(loaded)
        return loaded

    found = speed.measure(module, [batch], prepare, CPU, rounds=3, batches=2, warm_up=1)
    assert (found.network, found.batch, found.workers) == ("AttentionMesh smallest", 2, 0)
    # The resident batch, then data alone and both: three rounds of 1 + 2 batches.
    assert len(prepared) == 1 + 2 * 3 * 3
    assert min(found.step, found.data, found.both, found.share) > 0
    assert found.cores is not None


def test_the_network_trains_meanwhile(module: LandmarkTraining, batch: Batch):
    before = module.net.shared.stem.convolution.weight.detach().clone()
    speed.measure(module, [batch], lambda loaded: loaded, CPU, rounds=1, batches=1, warm_up=0)
    assert not torch.equal(module.net.shared.stem.convolution.weight, before)


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_and_their_time_count(module: LandmarkTraining, workers: int):
    topology = NETWORK.load_topology()
    face = (topology.template * 20 + np.array([50.0, 40.0, 0.0])).astype(np.float32)
    pixels = np.random.default_rng(0).integers(0, 255, (90, 100, 3), np.uint8)
    file = b"P6 100 90 255\n" + pixels.tobytes()
    one = LabelledFace(file, "ours", "a face", "here", "face478", face)
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
    found = speed.measure(module, loader, augment, CPU, rounds=1, batches=3, warm_up=1)
    assert (found.workers, found.batch) == (workers, 2)
    assert min(found.step, found.data, found.both) > 0


def test_what_cannot_be_measured_is_refused(module: LandmarkTraining, batch: Batch):
    with pytest.raises(UserError, match="speed: rounds is 0, expected 1 or more"):
        speed.measure(module, [batch], lambda loaded: loaded, CPU, rounds=0)
    with pytest.raises(UserError, match="speed: the loader gives no batch"):
        speed.measure(module, [], lambda loaded: loaded, CPU)


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


def test_the_command_times_configurations(tmp_path: Path):
    shards = write_faces(tmp_path / "shards", 4)
    words = ["benchmark", "--training", f"quick+{SMALLEST}", "--shards", str(shards)]
    assert main([*words, "--rounds", "1", "--output", str(tmp_path)]) == 0
    assert "| AttentionMesh smallest | CPU |" in (tmp_path / "training.md").read_text()


def test_the_command_needs_faces(capsys: pytest.CaptureFixture[str]):
    assert main(["benchmark", "--training", "quick"]) == 2
    assert "--training needs faces to train on: give --shards" in capsys.readouterr().err
