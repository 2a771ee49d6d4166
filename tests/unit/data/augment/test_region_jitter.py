import pytest
import torch

from amesh.data.augment.region_jitter import jitter_thetas
from amesh.data.random import keys
from amesh.geometry import affine, region
from amesh.topology.scheme import Topology

CROP = 24  # [px]
KEY = keys(0, 0, torch.arange(3))


@pytest.fixture
def faces(topology: Topology) -> torch.Tensor:
    """Three faces, turned and stretched [normalised]."""
    base = torch.tensor(topology.template[:, :2], dtype=torch.float32) * 0.6
    turns = torch.tensor([[[1.0, 0.0], [0, 1]], [[0.9, -0.4], [0.4, 0.9]], [[0.7, 0.3], [-0.2, 1]]])
    return base @ turns.transpose(1, 2)


def thetas_of(faces: torch.Tensor, topology: Topology, rule: str) -> torch.Tensor:
    found = []
    for part in topology.regions:
        anchors = faces[:, list(part.anchors)]
        if rule == "box":
            found.append(region.theta_from_box(faces[:, list(part.indices)], anchors))
        else:
            mean = torch.tensor(topology.template[:, :2], dtype=torch.float32)
            frame = region.corner_frame(mean[list(part.indices)], mean[list(part.anchors)])
            found.append(region.theta_from_corners(anchors, frame))
    return torch.stack(found, 1)  # b r 2 3


def seen(theta: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """Points in the crop [px]."""
    return (affine.apply(affine.invert(theta), points) + 1) * CROP / 2


def test_without_jitter_the_box_rule_is_exact(faces: torch.Tensor, topology: Topology) -> None:
    thetas = jitter_thetas(thetas_of(faces, topology, "box"), 0.0, KEY)
    for r, part in enumerate(topology.regions):
        anchors = seen(thetas[:, r], faces[:, list(part.anchors)])
        assert (anchors[:, 0, 1] - anchors[:, 1, 1]).abs().max() < 1e-3
        points = seen(thetas[:, r], faces[:, list(part.indices)])
        extent = points.amax(1) - points.amin(1)
        torch.testing.assert_close(extent, torch.full((3, 2), CROP / 1.5), rtol=0, atol=1e-3)


def test_without_jitter_the_corner_rule_is_exact(faces: torch.Tensor, topology: Topology) -> None:
    thetas = jitter_thetas(thetas_of(faces, topology, "corners"), 0.0, KEY)
    for r, part in enumerate(topology.regions):
        corners = seen(thetas[:, r], faces[:, list(part.anchors)])
        assert (corners - corners[:1]).abs().max() < 1e-3
        assert (corners[:, 0, 1] - corners[:, 1, 1]).abs().max() < 1e-3


def test_all_six_numbers_are_jittered_by_the_amount_in_the_crops_frame() -> None:
    key = keys(0, 0, torch.arange(20000))
    thetas = torch.tensor([[0.2, -0.1, 0.3], [0.1, 0.2, -0.4]]).expand(20000, 2, 2, 3)
    moved = jitter_thetas(thetas, 0.1, key)
    inner = affine.compose(affine.invert(thetas), moved)
    noise = inner - torch.eye(2, 3)
    torch.testing.assert_close(noise.std(0), torch.full((2, 2, 3), 0.1), rtol=0, atol=0.003)
    flat = noise.flatten(1)
    off = torch.corrcoef(flat.T) - torch.eye(12)
    assert off.abs().max() < 0.03


def test_jitter_depends_only_on_the_key(faces: torch.Tensor, topology: Topology) -> None:
    thetas = thetas_of(faces, topology, "box")
    together = jitter_thetas(thetas, 0.2, KEY)
    torch.testing.assert_close(jitter_thetas(thetas[1:2], 0.2, KEY[1:2]), together[1:2])
    assert not torch.equal(together, jitter_thetas(thetas, 0.2, KEY + 1))
