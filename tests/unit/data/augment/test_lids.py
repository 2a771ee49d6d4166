from dataclasses import replace

import pytest
import torch

from amesh.data.augment import geometric as augment_module
from amesh.data.augment import photometric as photometric_module
from amesh.data.augment.closure import Closure, draw_closure
from amesh.data.augment.config import NO_AUGMENTATION, AugmentConfig
from amesh.data.augment.geometric import Augment
from amesh.data.augment.lids import CloseEyes, sources
from amesh.data.loading.sample import Canvas
from amesh.data.random import keys
from amesh.errors import UserError
from amesh.topology.scheme import Topology

# Landmarks of the right eye: its corners, and both lids between them from left to right.
OUTER, INNER = 33, 133
UPPER, LOWER = [246, 161, 160, 159, 158, 157, 173], [7, 163, 144, 145, 153, 154, 155]
FOLD, BAG, BROW, CHIN, IRIS = 27, 23, 52, 152, [468, 469, 470, 471, 472]


def closure(amount: float, raised: float = 0.0) -> Closure:
    """The right eye closes; the left one stays as it is."""
    right = torch.tensor([[1.0, 0.0]]).expand(2, -1)
    return Closure(torch.ones(2, 1, dtype=torch.bool), amount * right, raised * right)


@pytest.fixture
def landmarks(topology: Topology) -> torch.Tensor:
    """The mean face upright, and rolled by 50 degrees; 160 px between the outer eye corners."""
    face = torch.tensor(topology.template, dtype=torch.float32)
    angle = torch.tensor([0.0, 0.873])
    x, y, z = face.expand(2, -1, -1).unbind(-1)
    cos, sin = angle.cos()[:, None], angle.sin()[:, None]
    return 160 * torch.stack([cos * x - sin * y, sin * x + cos * y, z], -1) + 200


@pytest.fixture
def weights(landmarks: torch.Tensor) -> torch.Tensor:
    return torch.ones(landmarks.shape[:2])


def test_a_closed_upper_lid_lies_on_the_lower_one(
    topology: Topology, landmarks: torch.Tensor, weights: torch.Tensor
) -> None:
    lids = CloseEyes(topology)
    moved = lids.move(landmarks, lids.find(landmarks, weights, closure(1.0)))[..., :2]
    edge = landmarks[:, [OUTER, *LOWER, INNER], :2]
    # The distance of each landmark of the upper lid to the polyline of the lower one.
    start, step = edge[:, None, :-1], edge.diff(dim=1)[:, None]
    arm = moved[:, UPPER, None] - start
    share = ((arm * step).sum(-1) / step.square().sum(-1)).clamp(0, 1)
    gap = (arm - share[..., None] * step).norm(dim=-1).amin(-1)
    assert gap.max() < 0.01
    still = [OUTER, INNER, *LOWER, *IRIS, BAG, BROW, CHIN, 263, 386, 374]
    torch.testing.assert_close(moved[:, still], landmarks[:, still, :2])
    # The fold above the eye is drawn down, less than the edge of the lid.
    fold = (moved - landmarks[..., :2])[:, FOLD].norm(dim=-1)
    edge_moved = (moved - landmarks[..., :2])[:, 159].norm(dim=-1)
    assert (fold > 0.2 * edge_moved).all()
    assert (fold < 0.9 * edge_moved).all()


def test_a_raised_lower_lid_meets_the_upper_one_higher(
    topology: Topology, landmarks: torch.Tensor, weights: torch.Tensor
) -> None:
    lids = CloseEyes(topology)
    moved = lids.move(landmarks, lids.find(landmarks, weights, closure(0.5, 0.4)))
    before, after = (face[0, 145, 1] - face[0, 159, 1] for face in (landmarks, moved))
    torch.testing.assert_close(after, 0.6 * 0.5 * before, rtol=0.05, atol=0)
    rise = landmarks[0, 145, 1] - moved[0, 145, 1]
    torch.testing.assert_close(rise, 0.4 * before, rtol=0.05, atol=0)
    assert 0.1 * rise < landmarks[0, BAG, 1] - moved[0, BAG, 1] < rise


def test_skin_comes_from_where_its_landmarks_were(
    topology: Topology, landmarks: torch.Tensor, weights: torch.Tensor
) -> None:
    lids = CloseEyes(topology)
    eyes = lids.find(landmarks, weights, closure(0.6, 0.2))
    moved = lids.move(landmarks, eyes)
    skin = torch.ones(478, dtype=torch.bool)
    skin[[*UPPER, *LOWER, *IRIS]] = False  # edges may be read on either side
    skin[473:] = False
    torch.testing.assert_close(
        sources(moved[..., :2], eyes)[:, skin], landmarks[:, skin, :2], rtol=0, atol=0.02
    )
    # What is left of the eyeball stays where it is.
    middle = moved[:, [159, 145], :2].mean(1, keepdim=True)
    torch.testing.assert_close(sources(middle, eyes), middle)


def test_eyes_that_cannot_be_closed_stay_as_they_are(
    topology: Topology, landmarks: torch.Tensor, weights: torch.Tensor
) -> None:
    lids = CloseEyes(topology)
    assert lids.find(landmarks, weights, closure(1.0)).moving.all()
    unlabelled = weights.clone()
    unlabelled[:, 159] = 0
    narrow = landmarks.clone()
    narrow[:, UPPER] = narrow[:, LOWER] * 0.7 + narrow[:, UPPER] * 0.3
    tiny = landmarks * 0.1
    turned = landmarks.clone()
    middle = turned[:, [OUTER, INNER]].mean(1, keepdim=True)
    around = [OUTER, INNER, *UPPER, *LOWER]
    turned[:, around] = middle + 0.4 * (turned[:, around] - middle)
    for points, shown in (
        (landmarks, unlabelled), (narrow, weights), (tiny, weights), (turned, weights)
    ):  # fmt: skip
        eyes = lids.find(points, shown, closure(1.0))
        assert not eyes.moving.any()
        assert torch.equal(lids.move(points, eyes), points)


def test_covered_irises_lose_their_weight(
    topology: Topology, landmarks: torch.Tensor, weights: torch.Tensor
) -> None:
    lids = CloseEyes(topology)
    found = lids.weigh(weights, lids.find(landmarks, weights, closure(0.75)))
    weight = torch.tensor(1 - 0.9 * 0.75)
    torch.testing.assert_close(found[:, IRIS], weight.expand(2, 5))
    torch.testing.assert_close(found.sum(1), (473 + 5 * weight).expand(2))


def test_a_closed_eye_shows_skin_in_the_crop(
    topology: Topology,
    landmarks: torch.Tensor,
    weights: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = replace(NO_AUGMENTATION, lids=1.0)
    pictures = torch.randint(0, 255, (2, 3, 400, 400), generator=torch.Generator().manual_seed(0))
    one = torch.ones(2)
    index = torch.arange(2)
    canvas = Canvas(pictures.byte(), landmarks, weights, weights, weights, one, index)
    monkeypatch.setattr(augment_module, "draw_closure", lambda key, chance: closure(1.0))
    before = Augment(topology, 128, NO_AUGMENTATION)(canvas)
    after = Augment(topology, 128, config)(canvas)
    changed = ((after.image - before.image).abs() > 0.02).any(1)
    assert (changed.sum((1, 2)) > 100).all()
    for face in range(2):
        rows, columns = changed[face].nonzero().unbind(1)
        x, y = before.landmarks[face, :, 0], before.landmarks[face, :, 1]
        assert columns.min() > x[OUTER] - 4
        assert columns.max() < x[INNER] + 4
        assert rows.max() < y[[OUTER, INNER, *LOWER]].max() + 4
    # All pictures at once, as on a GPU, give the same.
    for module in (augment_module, photometric_module):
        monkeypatch.setattr(module, "together", lambda images: True)
    at_once = Augment(topology, 128, config)(canvas)
    torch.testing.assert_close(at_once.image, after.image, rtol=0, atol=1e-4)
    assert torch.equal(at_once.landmarks, after.landmarks)


def test_skin_from_beyond_the_crop_is_the_same_on_every_device(
    topology: Topology,
    landmarks: torch.Tensor,
    weights: torch.Tensor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures = torch.randint(0, 255, (2, 3, 400, 400), generator=torch.Generator().manual_seed(0))
    one = torch.ones(2)
    canvas = Canvas(pictures.byte(), landmarks, weights, weights, weights, one, torch.arange(2))
    # The upper edge of the crop is at the middle of the eye that closes.
    eye = landmarks[:, [159, 145], :2].mean(1)
    half = torch.tensor([[50.0, 0.0], [0.0, 50.0]]).expand(2, -1, -1)
    below = torch.cat([half, (eye + torch.tensor([0.0, 50.0]))[..., None]], -1)
    motion = augment_module.Motion(below, torch.zeros(2, 2), torch.zeros(2).bool(), one)
    monkeypatch.setattr(augment_module, "draw_motion", lambda *_: motion)
    monkeypatch.setattr(augment_module, "draw_closure", lambda key, chance: closure(1.0))
    augment = Augment(topology, 100, replace(NO_AUGMENTATION, lids=1.0))
    one_by_one = augment(canvas).image
    for module in (augment_module, photometric_module):
        monkeypatch.setattr(module, "together", lambda images: True)
    torch.testing.assert_close(augment(canvas).image, one_by_one, rtol=0, atol=1e-4)
    plain = Augment(topology, 100, NO_AUGMENTATION)(canvas).image
    assert ((plain - one_by_one).abs() > 0.02).any()


def test_closures_are_of_every_degree() -> None:
    drawn = draw_closure(keys(0, 0, torch.arange(4000)), 0.5)
    assert 0.47 < drawn.chosen.float().mean() < 0.53
    assert (drawn.amount[~drawn.chosen[:, 0]] == 0).all()
    assert (drawn.raised[~drawn.chosen[:, 0]] == 0).all()
    amount = drawn.amount[drawn.chosen[:, 0]]
    shut = (amount == 1).all(1).float().mean()
    assert 0.22 < shut < 0.30  # 0.35 of the three quarters that do not wink
    assert 0.2 < (amount[:, 0] != amount[:, 1]).float().mean() < 0.3
    part = amount[(amount[:, 0] == amount[:, 1]) & (amount[:, 0] < 1), 0]
    assert part.histc(4, 0, 1).min() > 0.2 * len(part)
    assert drawn.raised.max() <= 0.4


def test_a_topology_without_eyes_cannot_close_them(topology: Topology) -> None:
    bare = replace(topology, regions=topology.regions[:1])
    Augment(bare, 64, AugmentConfig())
    with pytest.raises(UserError, match="lids: topology face478 has no two eyes"):
        Augment(bare, 64, AugmentConfig(lids=0.1))
