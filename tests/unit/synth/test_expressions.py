import pytest
import torch

from amesh.data import random
from amesh.synth.controls import NAMES
from amesh.synth.expressions import Expressions
from amesh.topology import Topology

KEY = random.keys(0, 0, torch.arange(64))


@pytest.fixture
def face(topology: Topology) -> torch.Tensor:
    return torch.tensor(topology.template, dtype=torch.float32).expand(64, -1, -1)


def test_shapes_move_the_mouth_and_not_the_eyes(topology: Topology) -> None:
    effects = Expressions(topology).effects
    lips = list(topology.indices("lips_outer"))
    assert (effects[:, lips].norm(dim=-1).amax(1) > 0.02).all()
    assert (effects[:, 468:] == 0).all()  # irises move with their eyeballs
    assert effects[:, [33, 133, 263, 362]].norm(dim=-1).max() < 0.02
    # The shapes of the two sides mirror each other.
    swap = torch.tensor(topology.mirror)
    names = Expressions(topology).names
    for number, name in enumerate(names):
        if name.endswith("_L"):
            other = effects[names.index(f"{name[:-2]}_R")]
            mirrored = other[swap] * torch.tensor([-1.0, 1, 1])
            assert (effects[number] - mirrored).abs().max() < 0.01, name


def test_lips_meet_and_never_cross(topology: Topology, face: torch.Tensor) -> None:
    expressions = Expressions(topology)
    strengths = expressions.draw(KEY, 1.0)
    assert strengths.chosen.all()
    moved = expressions(face, strengths)
    gap = moved[:, expressions.lower, 1] - moved[:, expressions.upper, 1]
    assert gap.min() >= -1e-6
    assert (gap.abs() < 1e-6).any(1).float().mean() > 0.1  # some are pressed together
    assert gap.amax(1).max() > 0.2  # and some wide open
    assert (moved - face).norm(dim=-1).amax(1).min() > 0.005


def test_other_faces_stay_as_they_are(topology: Topology, face: torch.Tensor) -> None:
    expressions = Expressions(topology)
    strengths = expressions.draw(KEY, 0.5)
    some = strengths.chosen[:, 0]
    assert 0.3 < some.float().mean() < 0.7
    assert torch.equal(expressions(face, strengths)[~some], face[~some])
    controls = torch.rand(64, 13)
    relaxed = expressions.relax(controls, torch.zeros(13), strengths)
    assert torch.equal(relaxed[~some], controls[~some])
    for number, name in enumerate(NAMES):
        kept = name in ("upper_lip", "lower_lip") or "eye" in name or "brow" in name
        expected = controls[some, number] if kept else torch.zeros(int(some.sum()))
        assert torch.equal(relaxed[some, number], expected), name
