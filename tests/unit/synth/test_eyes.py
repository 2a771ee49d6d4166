from dataclasses import replace

import pytest
import torch

from amesh.data import random
from amesh.synth.config import SynthConfig
from amesh.synth.eyes import Eyes, look
from amesh.synth.faces import SyntheticFaces
from amesh.synth.lids import Lids
from amesh.topology import Topology

KEY = random.keys(0, 0, torch.arange(3))


@pytest.fixture
def face(topology: Topology) -> torch.Tensor:
    return torch.tensor(topology.template, dtype=torch.float32).expand(3, -1, -1)


@pytest.fixture
def eyes(topology: Topology, face: torch.Tensor) -> Eyes:
    placed: Eyes = Lids(topology).place(face, KEY)
    return placed


def test_iris_points_are_on_the_eyeball_in_the_direction_of_the_gaze(eyes: Eyes) -> None:
    yaw, pitch = torch.tensor([[0.4, 0.4], [-0.3, 0.1], [0.0, 0.0]]), torch.full((3, 2), -0.2)
    turned = look(eyes, yaw, pitch)
    points = turned.points() - turned.centre[:, :, None]  # b 2 5 3
    gaze = torch.stack([yaw.sin() * pitch.cos(), -pitch.sin(), -yaw.cos() * pitch.cos()], -1)
    middle = torch.nn.functional.normalize(points[:, :, 0], dim=-1)
    torch.testing.assert_close(middle, gaze, rtol=1e-5, atol=1e-5)
    edges = points[:, :, 1:].norm(dim=-1)
    torch.testing.assert_close(edges, eyes.radius[:, None, None].expand_as(edges))
    across = (points[:, :, 1:] - points[:, :, :1]).norm(dim=-1)
    torch.testing.assert_close(across, eyes.iris[:, None, None].expand_as(across))


def test_iris_points_are_ordered_right_top_left_bottom_in_the_image(
    topology: Topology, eyes: Eyes
) -> None:
    ahead = look(eyes, torch.zeros(3, 2), torch.zeros(3, 2)).points()[0]
    right, top, left, bottom = (ahead[:, i] - ahead[:, 0] for i in range(1, 5))
    assert (right[:, 0] > 0.05).all()
    assert (top[:, 1] < -0.05).all()
    assert (left[:, 0] < -0.05).all()
    assert (bottom[:, 1] > 0.05).all()
    # As the template has them, which the released network measured.
    template = torch.tensor(topology.template, dtype=torch.float32)
    for eye, iris in enumerate(topology.irises):
        expected = template[list(iris.indices)]
        assert (ahead[eye, :, :2] - expected[:, :2]).norm(dim=-1).max() < 0.03


def test_a_sideways_gaze_moves_the_irises(topology: Topology) -> None:
    config = SynthConfig(yaw=0, pitch=0, roll=0, gaze=30, closed=0, expression=0, shape=0)
    made = SyntheticFaces(topology, 64, config)
    still = SyntheticFaces(topology, 64, replace(config, gaze=0.0))
    index = torch.arange(40)
    key = random.keys(0, 0, index)
    free = random.uniform(key, "eyes", [4])[:, 0] >= 0.5
    expected = random.bell(key, "gaze", [2])[:, 0]
    strong = free & (expected.abs() > 0.3)
    assert strong.sum() >= 3
    moved = made(0, 0, index).landmarks[:, 468, 0] - still(0, 0, index).landmarks[:, 468, 0]
    assert torch.equal(moved[strong] > 0, expected[strong] > 0)
