import math
from collections.abc import Callable

import numpy as np
import pytest
from evaluated_faces import cells

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.labels.groups import source_groups
from amesh.evaluation.tables.depth import depth_rows, depth_section, face_depth
from amesh.metrics.depth import DepthAgreement
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def _own(label: MakeLabel, face: np.ndarray) -> LabelledFace:
    return label(face, scheme="face478", points=face.copy())


def test_face_that_is_too_flat(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    truth, flat = pose(yaw=20), pose(yaw=20)
    flat[:, 2] = 0.5 * flat[:, 2] + 40
    found = face_depth(_own(label, truth), flat, topology)
    assert found is not None
    assert found.slope == pytest.approx(0.5)
    assert found.correlation == pytest.approx(1.0)
    eyes = math.dist(truth[33], truth[263])  # in 3-D, as far as on the face that looks ahead
    assert eyes == pytest.approx(math.dist(pose()[33], pose()[263]))
    assert found.rms == pytest.approx(100 * 0.5 * np.std(truth[:, 2]) / eyes)


def test_points_of_another_scheme(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    face = pose(yaw=70)
    points = topology.map_points(face, "ibug68")
    points[17:68:2, 2] += 3.0
    points[:17, 2] += 1000.0  # the jaw marks no landmark
    found = face_depth(label(face, scheme="aflw2000_3d68", points=points), face, topology)
    assert found is not None
    share = 26 / 51  # of the points are 3 px behind
    expected = 3 * math.sqrt(share * (1 - share))
    eyes = math.dist(points[36], points[45])
    assert found.rms == pytest.approx(100 * expected / eyes)
    points[20, 2] = np.nan
    some = face_depth(label(face, scheme="aflw2000_3d68", points=points), face, topology)
    assert some is not None
    assert some.rms == pytest.approx(100 * 1.5 / eyes, rel=1e-3)


def test_without_a_depth_there_is_nothing_to_compare(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose()
    assert face_depth(label(face), face, topology) is None
    assert face_depth(_own(label, face), None, topology) is None
    assert face_depth(label(face, scheme=None), face, topology) is None
    points = face.copy()
    points[33, 2] = np.nan
    assert face_depth(label(face, scheme="face478", points=points), face, topology) is None


def test_rows_are_over_the_same_faces(pose: Pose, label: MakeLabel) -> None:
    labels = [label(pose()) for _ in range(3)]
    first = [DepthAgreement(4.0, 0.8, 0.9), DepthAgreement(8.0, 0.6, 0.7), None]
    second = [DepthAgreement(2.0, 0.9, 1.0), DepthAgreement(7.0, 0.8, 0.8)] * 2
    groups = source_groups(labels)
    found = {"old": first, "new": second[:3]}
    rows = depth_rows(labels, found, groups, Comparison("old", 50, 0))
    assert [(row.quantity, row.faces) for row in rows] == [
        ("rms [%]", 2),
        ("correlation", 2),
        ("slope", 2),
    ]
    assert [row.values["new"].value for row in rows] == pytest.approx([4.5, 0.85, 0.9])
    assert rows[0].changes["new"].value == pytest.approx(-25.0)
    assert rows[1].changes == {}
    lines = cells(depth_section(rows))
    assert lines[0] == ["group", "quantity", "faces", "old", "new", "new: change [%]"]
    assert lines[2][:3] == ["helen", "rms [%]", "2 (few)"]
    assert lines[2][5].startswith("-25.00 (")
    assert lines[3][5] == ""
