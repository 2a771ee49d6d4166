import json
from dataclasses import replace

import numpy as np
import pytest
from labelled_pictures import Pose

from amesh.data.posing import fit_pose
from amesh.data.schemes import known_schemes, label_map, place_template, to_landmarks
from amesh.errors import UserError
from amesh.topology.scheme import Topology, load

FOREIGN = ["ibug68", "aflw2000_3d68", "wflw98", "lapa106", "face_synthetics70"]


def map_of(scheme: str) -> str:
    return "ibug68" if scheme == "aflw2000_3d68" else scheme


@pytest.mark.parametrize("scheme", FOREIGN)
@pytest.mark.parametrize("yaw", [0, 35])
def test_labels_taken_from_a_face_reproduce_it(
    topology: Topology, pose: Pose, scheme: str, yaw: float
) -> None:
    face = pose(yaw=yaw, roll=20, size=100.0)
    points = topology.map_points(face, map_of(scheme)).astype(np.float32)
    found = to_landmarks(points, label_map(scheme, topology), topology)
    assert np.abs(found.landmarks - face).max() < 0.15
    assert found.landmarks.dtype == np.float32


@pytest.mark.parametrize("scheme", FOREIGN)
def test_labelled_points_are_reproduced_exactly(
    topology: Topology, pose: Pose, scheme: str
) -> None:
    known = label_map(scheme, topology)
    rng = np.random.default_rng(0)
    points = topology.map_points(pose(size=100.0), map_of(scheme))[:, :2]
    # wflw98's jaw says some things twice, so only consistent labels can be met exactly
    points = points + (rng.normal(0, 3, points.shape) if scheme == "ibug68" else 0)
    found = to_landmarks(points, known, topology)
    mapped = (known.matrix @ found.landmarks)[:, :2]
    used = known.weights > 0
    np.testing.assert_allclose(mapped[used], points[used], atol=1e-3)
    assert (found.weight_z == 0).all()


def test_weights_of_single_points_midpoints_and_the_jaw(topology: Topology, pose: Pose) -> None:
    points = topology.map_points(pose(), "ibug68")[:, :2]
    found = to_landmarks(points, label_map("ibug68", topology), topology)
    assert found.weight_xy[33] == 1  # an eye corner
    assert found.weight_xy[152] == pytest.approx(0.2)  # the chin: jaw counts less
    assert found.weight_xy[132] == pytest.approx(0.1)  # half of a jaw point
    assert found.weight_xy[58] == pytest.approx(0.2)  # half of two
    assert found.weight_xy[468] == 0  # irises are not labelled
    assert (
        found.weight_xy > 0
    ).sum() == 13 + 6 + 51  # single jaw points, those of midpoints, the rest


def test_a_point_without_a_label_has_no_weight_and_moves_nothing(
    topology: Topology, pose: Pose
) -> None:
    face = pose(size=100.0)
    points = topology.map_points(face, "ibug68")[:, :2]
    points[36] = (-500.0, -500.0)
    weights = np.ones(68)
    weights[36] = 0
    seen = np.ones(68)
    seen[45] = 0
    known = label_map("ibug68", topology)
    found = to_landmarks(points, known, topology, weights, None, seen)
    assert found.weight_xy[33] == 0
    assert np.abs(found.landmarks - face).max() < 0.15
    assert found.visibility[263] == 0
    assert found.visibility[33] == 1


def test_depth_is_shifted_to_the_templates_zero(topology: Topology, pose: Pose) -> None:
    face = pose(yaw=20, size=100.0)
    points = topology.map_points(face, "ibug68")
    points[:, 2] += 1234.0
    found = to_landmarks(points, label_map("ibug68", topology), topology)
    assert np.abs(found.landmarks[33, 2] - face[33, 2]) < 0.15
    assert found.weight_z[33] == 1
    assert found.weight_z[468] == 0


def test_labels_in_the_own_scheme_are_unchanged(topology: Topology, pose: Pose) -> None:
    face = pose()
    found = to_landmarks(face, label_map("face478", topology), topology)
    assert np.array_equal(found.landmarks, face)
    assert (found.weight_xy == 1).all()
    assert (found.weight_z == 1).all()
    flat = to_landmarks(face[:, :2], label_map("face478", topology), topology)
    np.testing.assert_allclose(flat.landmarks, face, atol=0.2)
    assert (flat.weight_z == 0).all()


def test_another_topology_trains_on_its_own_scheme(pose: Pose, topology: Topology) -> None:
    small = load("ibug68")
    points = topology.map_points(pose(), "ibug68")
    found = to_landmarks(points, label_map("ibug68", small), small)
    assert np.array_equal(found.landmarks, points.astype(np.float32))
    assert known_schemes(small) == ("aflw2000_3d68", "ibug68")


def test_two_topologies_mixed_are_refused() -> None:
    with pytest.raises(UserError, match=r"'face478'.*'ibug68'"):
        label_map("face478", load("ibug68"))
    with pytest.raises(UserError, match=r"'imm73'.*'face478'.*wflw98"):
        label_map("imm73", load())


def test_a_topology_without_a_template_cannot_take_foreign_labels(topology: Topology) -> None:
    bare = replace(topology, name="bare", template=np.zeros((478, 3)))
    with pytest.raises(UserError, match="'bare' has no template face"):
        label_map("ibug68", bare)


def test_wrong_count_and_too_few_points(topology: Topology, pose: Pose) -> None:
    known = label_map("ibug68", topology)
    with pytest.raises(UserError, match="5 points, but scheme 'ibug68' has 68"):
        to_landmarks(np.zeros((5, 2)), known, topology)
    with pytest.raises(UserError, match=r"68 .*points.* 3 "):
        to_landmarks(np.ones((68, 2)), known, topology)
    weights = np.zeros(68)
    weights[:2] = 1
    points = topology.map_points(pose(), "ibug68")[:, :2]
    with pytest.raises(UserError, match="2 labelled points"):
        to_landmarks(points, known, topology, weights)


@pytest.mark.parametrize("scheme", FOREIGN)
def test_maps_are_mirror_symmetric(topology: Topology, scheme: str) -> None:
    matrix = topology.map_matrix(map_of(scheme))
    rows = {tuple(row) for row in matrix}
    assert rows == {tuple(row[topology.mirror]) for row in matrix}


def test_pose_from_a_few_points_in_a_plane_stays_near_frontal(
    topology: Topology, pose: Pose
) -> None:
    face = pose(roll=15, size=80.0)
    landmarks = [33, 133, 362, 263, 61, 291]
    fitted = fit_pose(topology.template, np.eye(478)[landmarks], face[landmarks, :2])
    posed = fitted.apply(topology.template)
    assert fitted.facing > 0.9
    assert np.abs(posed[:, :2] - face[:, :2]).max() < 2


def test_the_template_fills_a_box(topology: Topology) -> None:
    placed = place_template((10.0, 20.0, 110.0, 220.0), topology)
    low, high = placed[:, :2].min(0), placed[:, :2].max(0)
    np.testing.assert_allclose((low + high) / 2, [60, 120], atol=1e-3)
    assert (high - low).max() >= 200


def test_every_scheme_with_weights_has_its_map(topology: Topology) -> None:
    from importlib import resources

    entries = json.loads((resources.files("amesh.data") / "schemes.json").read_text())
    for name, entry in entries.items():
        if name != "about":
            points = len(topology.maps[entry["map"]])
            assert all(first < after <= points for first, after, _ in entry["weights"])
