from dataclasses import replace

import pytest
import torch

from amesh.data import random
from amesh.data.augment.closure import Closure
from amesh.synth.config import SynthConfig
from amesh.synth.eyes import Eyes
from amesh.synth.faces import SyntheticFaces
from amesh.synth.lids import Lids
from amesh.topology import Topology

KEY = random.keys(0, 0, torch.arange(3))
CHOSEN = torch.ones(3, 1, dtype=torch.bool)


@pytest.fixture
def face(topology: Topology) -> torch.Tensor:
    return torch.tensor(topology.template, dtype=torch.float32).expand(3, -1, -1)


@pytest.fixture
def eyes(topology: Topology, face: torch.Tensor) -> Eyes:
    placed: Eyes = Lids(topology).place(face, KEY)
    return placed


def test_closed_lids_meet_outside_the_eyeball(
    topology: Topology, face: torch.Tensor, eyes: Eyes
) -> None:
    lids = Lids(topology)
    amount = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    closed = lids.close(face, eyes, Closure(CHOSEN, amount, torch.zeros(3, 2)))
    torch.testing.assert_close(closed[0, lids.upper[0]], closed[0, lids.lower[0]])
    torch.testing.assert_close(closed[0, lids.upper[1]], face[0, lids.upper[1]])
    torch.testing.assert_close(closed[2, lids.upper[1]], closed[2, lids.lower[1]])
    half = closed[1, lids.upper] - eyes.centre[1, :, None]
    assert (half.norm(dim=-1) >= eyes.radius[1] - 1e-5).all()
    # Lower lids, mouth and chin stay where they are.
    still = [*lids.lower.flatten().tolist(), 13, 14, 152]
    torch.testing.assert_close(closed[:, still], face[:, still])


def test_closed_lids_hide_irises_and_open_ones_show_them(topology: Topology) -> None:
    config = SynthConfig(
        yaw=10, pitch=5, hair=0, glasses=0, hand=0, mask=0, closed=1.0, gaze=5, fov=(10, 20)
    )
    middles = [iris.indices[0] for iris in topology.irises]
    closed = SyntheticFaces(topology, 192, config)(0, 0, torch.arange(8))
    torch.testing.assert_close(closed.weight_xy[:, middles], torch.full((8, 2), 0.1))
    assert (closed.visibility[:, middles] == 0).float().mean() > 0.9
    open_ = SyntheticFaces(topology, 192, replace(config, closed=0.0))(0, 0, torch.arange(8))
    assert open_.visibility[:, middles].mean() > 0.8


def test_a_squint_raises_the_lower_lid_and_the_skin_below_it(
    topology: Topology, face: torch.Tensor, eyes: Eyes
) -> None:
    lids = Lids(topology)
    raised = torch.tensor([[0.4, 0.0], [0.0, 0.0], [0.4, 0.4]])
    amount = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    moved = lids.close(face, eyes, Closure(CHOSEN, amount, raised))
    lower, upper = lids.lower[0], lids.upper[0]
    height = face[0, lower, 1] - face[0, upper, 1]
    rise = face[0, lower, 1] - moved[0, lower, 1]
    assert (rise > 0.3 * height).all()
    assert (rise < 0.6 * height).all()
    torch.testing.assert_close(moved[0, upper], face[0, upper])
    torch.testing.assert_close(moved[1], face[1])
    # Closed, they meet at the raised lower lid.
    torch.testing.assert_close(moved[2, lids.lower], moved[2, lids.upper])
    below, chin = 23, 152  # a landmark beside the lower lid
    assert moved[0, below, 1] < face[0, below, 1] - 1e-3
    torch.testing.assert_close(moved[:, chin], face[:, chin])


def test_drawn_lids_close_to_every_degree(topology: Topology) -> None:
    config = SynthConfig(lids=1.0, yaw=0, pitch=0, roll=0, shift=0, expression=0, gaze=0)
    made = SyntheticFaces(topology, 48, config)(0, 0, torch.arange(48)).landmarks
    lids = Lids(topology)
    gap = (made[:, lids.lower] - made[:, lids.upper])[..., :2].norm(dim=-1).mean(-1)
    gap = gap / (made[:, lids.corners[:, 0]] - made[:, lids.corners[:, 1]])[..., :2].norm(dim=-1)
    shut = (gap < 1e-3).float().mean()
    assert 0.15 < shut < 0.5
    assert (gap > 0.1).float().mean() > 0.15
    assert ((gap > 0.01) & (gap < 0.1)).float().mean() > 0.15
    winks = (gap[:, 0] - gap[:, 1]).abs() > 0.05
    assert 0.05 < winks.float().mean() < 0.4
