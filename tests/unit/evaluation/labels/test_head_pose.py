from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.head_pose import label_roi, pose_label, pose_template
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.geometry import roi
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]
POSES = [
    {"yaw": 0.0},
    {"yaw": 35.0, "pitch": -20.0, "roll": 15.0},
    {"yaw": -60.0, "roll": -100.0},
    {"yaw": 85.0, "pitch": 10.0},
]


@pytest.mark.parametrize("angles", POSES)
def test_fit_finds_every_point_of_a_turned_face(
    angles: dict[str, float], topology: Topology, pose: Pose
) -> None:
    face = pose(**angles)
    matrix = topology.map_matrix("ibug68")[17:]
    found = pose_template(topology.template, matrix, matrix @ face[:, :2]).face
    assert np.abs(found - face[:, :2]).max() < 0.02 * 60  # of the eye distance


def test_fit_to_noise_is_no_worse_than_the_best_flat_similarity(
    topology: Topology, pose: Pose
) -> None:
    matrix = topology.map_matrix("ibug68")[17:]
    source = (matrix @ topology.template)[:, :2]
    for seed in range(5):
        points = matrix @ pose(yaw=20)[:, :2]
        points = points + np.random.default_rng(seed).normal(scale=2.0, size=points.shape)
        found = matrix @ pose_template(topology.template, matrix, points).face
        # A similarity is a complex factor: least squares has a closed form.
        a, b = (
            (p - p.mean(0)) @ np.array([1, 1j]) for p in (source, points)
        )  # complex numbers x + iy
        flat = b - a * (a.conj() @ b) / (a.conj() @ a)
        assert ((found - points) ** 2).sum() <= (np.abs(flat) ** 2).sum()


@pytest.mark.parametrize("yaw", [40.0, 80.0, -80.0])
def test_a_nod_does_not_roll_a_profile(
    yaw: float, topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose(yaw=yaw, pitch=10.0, roll=25.0)
    found = label_roi(label(face), topology)
    assert found is not None
    points = face[None, :, :2]
    tracking = roi.from_landmarks(points, points[:, list(topology.anchors)])
    np.testing.assert_allclose(found.centre, tracking.centre, atol=1.0, rtol=0)
    np.testing.assert_allclose(found.size, tracking.size, atol=0, rtol=0.02)
    expected = 25.0 if abs(yaw) > 60 else np.rad2deg(tracking.angle).item()
    assert np.rad2deg(found.angle).item() == pytest.approx(expected, abs=2.0)
    if expected == 25.0:  # what the line between the eyes would say
        assert abs(np.rad2deg(tracking.angle).item() - 25.0) > 30


@pytest.mark.parametrize("name", ["imm73", "frl189"])
def test_every_scheme_gives_the_same_roi(
    name: str, topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose(roll=12)
    common = label_scheme(name, topology).common
    assert common is not None
    points = np.zeros((label_scheme(name, topology).points, 2))
    points[list(common.labelled)] = common.matrix @ face[:, :2]
    expected = label_roi(label(face), topology)
    found = label_roi(label(face, scheme=name, points=points), topology)
    assert expected is not None
    assert found is not None
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=0.1)


def test_roi_follows_the_rule_of_tracking(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    face = pose(yaw=20, roll=-30)
    points = face[None, :, :2]
    expected = roi.from_landmarks(points, points[:, [33, 263]])
    found = label_roi(label(face), topology)
    assert found is not None
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0.01, atol=0.5)


def test_too_few_points_give_no_roi(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    without: LabelledFace = label(pose(), scheme=None, points=np.zeros((0, 2)))
    assert label_roi(without, topology) is None
    assert label_roi(label(pose(), scheme="frl83", points=np.zeros((83, 2))), topology) is None


def test_topology_without_a_template_is_refused(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    bare = replace(topology, template=np.zeros_like(topology.template))
    outlines = np.zeros((73, 2))
    with pytest.raises(UserError, match="face478 has no template face"):
        label_roi(label(pose(), scheme="imm73", points=outlines), bare)
    # Complete labels in its own scheme need none.
    assert label_roi(label(pose(), scheme="face478", points=pose()), bare) is not None


@pytest.mark.parametrize("yaw", [0.0, -20.0, 50.0, 85.0])
def test_yaw_is_found_whatever_nod_and_roll(
    yaw: float, topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    # A head that nods by 25 degrees, turns about the upright axis, and is then rolled by 40.
    nodding, turned, rolled = (
        (pose(**angles, centre=(0.0, 0.0)) / 60)
        for angles in ({"pitch": -25.0}, {"yaw": yaw}, {"roll": 40.0})
    )
    turn, roll = (
        np.linalg.lstsq(topology.template, moved, rcond=None)[0].T for moved in (turned, rolled)
    )
    face = 60 * nodding @ (roll @ turn).T + np.array([100.0, 90.0, 0.0])
    deep = pose_label(label(face, scheme="face478", points=face), topology)
    flat = pose_label(label(face), topology)
    assert deep is not None
    assert flat is not None
    assert deep.yaw == pytest.approx(abs(yaw), abs=1e-6)
    assert flat.yaw == pytest.approx(abs(yaw), abs=2.0)


def test_unlabelled_landmarks_are_ignored(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    face = pose(yaw=20, roll=10)
    points = face.copy()
    points[::3] = np.nan
    expected = label_roi(label(face, scheme="face478", points=face), topology)
    found = label_roi(label(face, scheme="face478", points=points), topology)
    assert expected is not None
    assert found is not None
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
