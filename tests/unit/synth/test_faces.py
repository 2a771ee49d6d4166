import math
from dataclasses import replace

import pytest
import torch

from amesh.data import random
from amesh.data.loading.sample import Canvas
from amesh.errors import UserError
from amesh.synth.background import draw_background
from amesh.synth.config import SynthConfig
from amesh.synth.faces import SyntheticFaces
from amesh.synth.pose import draw_pose, frame, rotate
from amesh.topology import Topology
from amesh.topology.scheme import load

from .conftest import SIZE

STILL = SynthConfig(
    yaw=0, pitch=0, roll=0, shift=0, hair=0, glasses=0, hand=0, mask=0, closed=0, gaze=0, noise=0
)


def test_a_batch_has_pictures_with_labels(canvas: Canvas) -> None:
    assert canvas.pictures.shape == (12, 3, SIZE, SIZE)
    assert canvas.pictures.dtype == torch.uint8
    assert canvas.landmarks.shape == (12, 478, 3)
    assert canvas.landmarks.isfinite().all()
    assert (canvas.weight_xy[:, :468] == 1).all()
    assert (canvas.weight_xy[:, 468:] > 0.7).float().mean() > 0.8  # open eyes
    assert (canvas.weight_z == 1).all()
    assert (canvas.face == 1).all()
    assert canvas.index.tolist() == list(range(12))
    assert ((canvas.visibility == 0) | (canvas.visibility == 1)).all()
    assert 0.6 < canvas.visibility.mean() < 0.99
    # Pictures, not flat colours, and no two alike.
    assert (canvas.pictures.float().std((1, 2, 3)) > 10).all()
    assert len({picture.numpy().tobytes() for picture in canvas.pictures}) == 12


def test_a_face_depends_on_seed_epoch_and_index_only(faces: SyntheticFaces, canvas: Canvas) -> None:
    alone = faces(7, 2, torch.tensor([9]))
    torch.testing.assert_close(alone.landmarks[0], canvas.landmarks[9], rtol=1e-5, atol=1e-4)
    assert (alone.visibility[0] == canvas.visibility[9]).float().mean() > 0.99
    apart = (alone.pictures[0].int() - canvas.pictures[9].int()).abs()
    assert (apart > 2).float().mean() < 0.001
    for seed, epoch in ((8, 2), (7, 3)):
        other = faces(seed, epoch, torch.tensor([9]))
        assert (other.landmarks - alone.landmarks).abs().mean() > 1


def test_a_head_seen_from_behind_is_no_face(topology: Topology, canvas: Canvas) -> None:
    some = SyntheticFaces(topology, SIZE, SynthConfig(behind=0.5))(7, 2, torch.arange(12))
    behind = some.face == 0
    assert 0 < behind.sum() < 12
    assert torch.equal(some.weight_z, some.face[:, None].expand(12, 478))
    assert torch.equal(some.weight_xy > 0, some.weight_z > 0)
    # Others are as they were; of these, the nose tip lies behind the outer corners of the eyes.
    torch.testing.assert_close(some.landmarks[~behind], canvas.landmarks[~behind])
    nose, corners = some.landmarks[:, 1, 2], some.landmarks[:, [33, 263], 2].mean(1)
    assert torch.equal(nose > corners, behind)


@pytest.mark.parametrize("part", ["colour", "background", "skin"])
def test_colours_do_not_depend_on_the_batch_at_all(faces: SyntheticFaces, part: str) -> None:
    draw = {
        "colour": lambda key: faces.model.colour(key, 1.0),
        "background": lambda key: draw_background(key, SIZE, faces.noise),
        "skin": lambda key: faces.skin(key, faces.config).texture,
    }[part]
    key = random.keys(7, 2, torch.arange(5))
    together, alone = draw(key), torch.cat([draw(key[i : i + 1]) for i in range(5)])
    assert torch.equal(together, alone)


def test_a_face_alone_is_the_face_in_a_batch_up_to_rounding(faces: SyntheticFaces) -> None:
    together = faces(3, 0, torch.arange(5))
    for i in range(5):
        alone = faces(3, 0, torch.tensor([i]))
        assert torch.equal(alone.landmarks[0], together.landmarks[i])
        assert torch.equal(alone.visibility[0], together.visibility[i])
        apart = (alone.pictures[0].int() - together.pictures[i].int()).abs()
        assert apart.max() <= 1
        assert (apart > 0).float().mean() < 1e-4


def test_the_same_faces_give_the_same_bytes(faces: SyntheticFaces) -> None:
    one, two = (faces(1, 0, torch.tensor([4, 5])) for _ in range(2))
    assert torch.equal(one.pictures, two.pictures)
    assert torch.equal(one.landmarks, two.landmarks)


def test_the_face_has_the_configured_size_and_position(
    canvas: Canvas, faces: SyntheticFaces
) -> None:
    xy = canvas.landmarks[..., :2]
    low, high = xy.amin(1), xy.amax(1)
    share = (high - low).amax(1) / SIZE
    smallest, largest = faces.config.face
    assert (share > smallest - 1e-4).all()
    assert (share < largest + 1e-4).all()
    assert ((low + high) / 2 / SIZE - 0.5).abs().max() <= faces.config.shift + 1e-4


def test_landmarks_are_the_projection_of_the_rendered_mesh(faces: SyntheticFaces) -> None:
    key = random.keys(7, 2, torch.arange(6))
    pose = draw_pose(key, faces.config)
    solid = faces._solid(key, pose)
    camera = frame(rotate(pose.head, solid.face), pose, SIZE)
    scene = faces._scene(key, solid, pose, camera)
    landmarks = faces(7, 2, torch.arange(6)).landmarks
    n = 468
    mesh = scene.head[:, :n]
    at = mesh[..., :2] / mesh[..., 2:]
    at = at * camera.focal[:, None, None] + camera.middle[:, None]
    torch.testing.assert_close(landmarks[:, :n, :2], at, rtol=1e-5, atol=1e-3)
    depth = (mesh[..., 2] - mesh[..., 2].mean(1, keepdim=True)) * (camera.focal / camera.distance)[
        :, None
    ]
    torch.testing.assert_close(landmarks[:, :n, 2], depth, rtol=1e-4, atol=1e-3)


def test_depth_of_the_mesh_has_mean_0_and_the_nose_is_nearest(topology: Topology) -> None:
    made = SyntheticFaces(topology, SIZE, STILL)(0, 0, torch.arange(8))
    z = made.landmarks[..., 2]
    assert z[:, :468].mean(1).abs().max() < 1e-3
    assert (z[:, 4] < z[:, [33, 263, 234, 454, 152]].amin(1)).all()


def test_irises_take_the_mean_depth_of_their_lids(topology: Topology, canvas: Canvas) -> None:
    for iris in topology.irises:
        expected = canvas.landmarks[:, list(iris.z_from), 2].mean(1)
        for point in iris.indices:
            torch.testing.assert_close(canvas.landmarks[:, point, 2], expected, rtol=0, atol=1e-3)


def test_a_frontal_face_is_nearly_symmetric(topology: Topology) -> None:
    calm = replace(STILL, shape=0.0, expression=0.0, fov=(10.0, 10.0))
    points = SyntheticFaces(topology, SIZE, calm)(0, 0, torch.arange(4)).landmarks
    mirrored = points[:, topology.mirror.tolist()]
    mirrored[..., 0] = SIZE - mirrored[..., 0]
    size = (points[:, 33] - points[:, 263]).norm(dim=1)
    assert ((points - mirrored).norm(dim=-1).amax(1) / size).max() < 0.03


def test_the_subjects_right_eye_is_on_the_left_of_the_image(topology: Topology) -> None:
    points = SyntheticFaces(topology, SIZE, STILL)(0, 0, torch.arange(4)).landmarks
    assert (points[:, 468, 0] < points[:, 473, 0]).all()
    assert (points[:, 10, 1] < points[:, 152, 1]).all()


def test_points_on_the_far_side_are_hidden(topology: Topology) -> None:
    config = replace(STILL, fov=(10.0, 10.0))
    frontal = SyntheticFaces(topology, SIZE, config)(0, 0, torch.arange(6)).visibility
    assert frontal[:, :468].mean() > 0.93
    faces = SyntheticFaces(topology, SIZE, replace(config, yaw=80.0))
    key = random.keys(0, 0, torch.arange(40))
    turn = torch.atan2(draw_pose(key, faces.config).head[:, 0, 2], torch.tensor(1.0))
    shown = faces(0, 0, torch.arange(40)).visibility
    sides = [list(iris.z_from) for iris in topology.irises]
    far = torch.where(turn[:, None] < 0, shown[:, sides[1]], shown[:, sides[0]]).mean(1)
    near = torch.where(turn[:, None] < 0, shown[:, sides[0]], shown[:, sides[1]]).mean(1)
    strong = turn.abs() > math.radians(30)
    assert strong.sum() >= 3
    assert far[strong].mean() < near[strong].mean()


def test_a_mask_hides_the_mouth(topology: Topology) -> None:
    config = replace(STILL, mask=1.0)
    shown = SyntheticFaces(topology, SIZE, config)(0, 0, torch.arange(4)).visibility
    assert (shown[:, list(topology.regions[0].indices)] == 0).all()
    assert shown[:, [10, 33, 263, 151]].all()


def test_a_hand_is_visible_and_hides_points(topology: Topology) -> None:
    without = SyntheticFaces(topology, SIZE, STILL)(0, 0, torch.arange(6))
    with_ = SyntheticFaces(topology, SIZE, replace(STILL, hand=1.0))(0, 0, torch.arange(6))
    torch.testing.assert_close(with_.landmarks, without.landmarks)
    changed = (with_.pictures.int() - without.pictures.int()).abs().amax(1) > 3
    assert (changed.float().mean((1, 2)) > 0.01).all()
    assert (with_.visibility <= without.visibility).all()
    assert with_.visibility.sum() < without.visibility.sum()


def test_a_face_is_the_same_at_another_picture_size(topology: Topology) -> None:
    small, large = (SyntheticFaces(topology, s)(3, 0, torch.arange(3)) for s in (64, 128))
    torch.testing.assert_close(small.landmarks * 2, large.landmarks, rtol=1e-4, atol=1e-2)


def test_no_state_is_kept_and_nothing_is_saved(faces: SyntheticFaces) -> None:
    assert faces.state_dict() == {}
    assert not list(faces.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"yaw": 100.0}, r"yaw is 100.0, .*0 to 85"),
        ({"hair": -0.1}, r"hair is -0.1.* 0 to 1"),
        ({"fov": (60.0, 10.0)}, r"fov is \(60.0, 10.0\).*two numbers"),
        ({"face": (0.01, 0.5)}, r"face is .* from 0.05 to 1"),
    ],
)
def test_an_invalid_range_is_refused(change: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        SynthConfig(**change)


def test_other_topologies_and_tiny_pictures_are_refused(topology: Topology) -> None:
    with pytest.raises(UserError, match="size is 8, expected 32 or more"):
        SyntheticFaces(topology, 8)
    other = replace(load(), name="mine")
    with pytest.raises(UserError, match="topology 'face478', not for 'mine'"):
        SyntheticFaces(other)
