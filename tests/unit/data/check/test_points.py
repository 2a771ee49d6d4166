from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import Pose

from amesh.data.check.points import suspicious_points
from amesh.data.check.report import describe
from amesh.data.check.run import check
from amesh.data.loading.dataset import make_sample
from amesh.data.schemes import label_map
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource
from amesh.topology.scheme import Topology

Judge = Callable[..., list[str]]
MISSING = [10, 33, 263]
HINT = "; give a missing point weight 0"


@pytest.fixture
def judge(topology: Topology) -> Judge:
    def of(points: np.ndarray, scheme: str = "face478", **changes: object) -> list[str]:
        face = LabelledFace(Path("a.png"), "ours", "a", "a", scheme, points)
        return suspicious_points(replace(face, **changes), label_map(scheme, topology), topology)

    return of


@pytest.mark.parametrize("scheme", ["face478", "ibug68", "wflw98"])
@pytest.mark.parametrize("yaw", [0.0, 30.0, -60.0, 80.0])
def test_good_points_are_not_suspicious(
    judge: Judge, topology: Topology, pose: Pose, scheme: str, yaw: float
) -> None:
    points = pose(yaw=yaw, roll=20.0)
    if scheme != "face478":
        points = topology.map_points(points, scheme)
    noise = np.random.default_rng(0).normal(0, 0.5, points.shape)
    assert judge(points + noise, scheme) == []
    assert judge(np.round(points[:, :2]), scheme) == []  # several points share a pixel


@pytest.mark.parametrize("value", [-1.5, -1.0, -0.5, 0.0, 0.5])
def test_placeholders_of_missing_points_are_found(judge: Judge, pose: Pose, value: float) -> None:
    points = pose(yaw=20.0, size=60.0, centre=(200.0, 150.0))
    points[MISSING, :2] = value
    assert judge(points) == [f"3 points at ({value:g}, {value:g}){HINT}"]
    ones = np.ones(478)
    ones[MISSING] = 0
    assert judge(points, weight_xy=ones) == []


def test_distinct_points_in_one_place_are_found(judge: Judge, pose: Pose) -> None:
    points = pose()
    points[MISSING, :2] = points[4, :2] + 1  # within the face
    x, y = points[10, :2].tolist()
    assert judge(points) == [f"3 points at one place, ({x:g}, {y:g}){HINT}"]


@pytest.mark.parametrize("scheme", ["face478", "ibug68"])
def test_a_single_point_far_from_the_others_is_found(
    judge: Judge, topology: Topology, pose: Pose, scheme: str
) -> None:
    points = pose(yaw=40.0)
    if scheme != "face478":
        points = topology.map_points(points, scheme)
    points[17, :2] += (70.0, -30.0)  # the eyes are 30 px apart
    assert judge(points, scheme) == [f"1 point far from the others, such as point 17{HINT}"]


@pytest.mark.parametrize("yaw", [0.0, 50.0])
def test_reversed_depth_is_found(judge: Judge, pose: Pose, yaw: float) -> None:
    points = pose(yaw=yaw) * (1, 1, -1)
    assert judge(points) == ["z has the wrong sign: smaller is nearer to the camera"]
    assert judge(points, weight_z=np.zeros(478)) == []
    assert judge(points * (1, 1, 0)) == []


def test_the_report_names_the_faces(
    record: Callable[..., LabelledFace], topology: Topology, pose: Pose
) -> None:
    points = pose()
    points[MISSING, :2] = -1.0
    faces = [record(0), record(1, points=points), record(2)]
    report = check([ListSource("a", faces)], topology, Problems("skip"))
    assert report.misplaced == [1]
    assert not report.clean
    assert 1 in report.worth_a_look(2)
    line = f"ours: face 1: 3 points at (-1, -1){HINT}"
    assert f"missing or misplaced: 1\n  {line}\n" in describe(report)


@pytest.mark.parametrize("value", [-1.0, 0.0, 1e6])
@pytest.mark.parametrize("scheme", ["face478", "ibug68"])
def test_points_of_weight_0_never_move_the_crop(
    record: Callable[..., LabelledFace], topology: Topology, pose: Pose, scheme: str, value: float
) -> None:
    points = pose(yaw=10.0)
    if scheme != "face478":
        points = topology.map_points(points, scheme)
    weights = np.ones(len(points))
    weights[MISSING[:2]] = 0
    whole = make_sample(record(scheme=scheme, points=points), topology, 64, 1.5)
    points = points.copy()
    points[MISSING[:2]] = value
    sample = make_sample(record(scheme=scheme, points=points, weight_xy=weights), topology, 64, 1.5)
    assert np.abs(np.subtract(sample.image.shape, whole.image.shape)).max() <= 4
    np.testing.assert_allclose(sample.landmarks[:, :2], whole.landmarks[:, :2], atol=3.0)
    assert np.abs(sample.landmarks[:, 2]).max() < 60
