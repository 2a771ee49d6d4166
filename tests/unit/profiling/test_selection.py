from collections.abc import Callable

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import ListSource
from amesh.profiling.options import ProfileConfig
from amesh.profiling.selection import select, why_not
from amesh.topology import Topology

CONFIG = ProfileConfig(min_face=60)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"face": False}, "no face"),
        ({"scheme": "ibug68", "points": np.ones((68, 2), np.float32)}, "not labelled in face478"),
        ({"weight_xy": np.full(478, 0.2)}, "labels disagree"),
        ({"weight_xy": np.eye(478)[0] * -0.9 + 0.9}, "labels disagree"),  # one is missing
    ],
)
def test_a_face_is_left_out_for_a_reason(
    changes: dict[str, object],
    reason: str,
    face: Callable[..., LabelledFace],
    topology: Topology,
) -> None:
    assert why_not(face(1, **changes), topology, CONFIG) == reason


def test_labels_that_no_head_fits_are_left_out(
    face: Callable[..., LabelledFace], topology: Topology
) -> None:
    points = face(1).points
    assert why_not(face(1), topology, ProfileConfig(min_face=100)) == "small"
    scattered = points + np.random.default_rng(0).normal(0, 8, points.shape).astype(np.float32)
    assert why_not(face(1, points=scattered), topology, CONFIG) == "labels unlike a face"


def points_at(yaw: float, topology: Topology) -> np.ndarray:
    c, s = np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw))
    points = 60 * topology.template @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]).T + 100
    return points.astype(np.float32)


@pytest.mark.parametrize(
    ("yaw", "reason"), [(35, ""), (45, "less than 10 degrees from the largest yaw")]
)
def test_faces_without_room_to_turn_further_are_left_out(
    yaw: float, reason: str, face: Callable[..., LabelledFace], topology: Topology
) -> None:
    turned = face(1, points=points_at(yaw, topology))
    assert why_not(turned, topology, ProfileConfig(min_face=60, most=50)) == reason


@pytest.mark.parametrize(("yaw", "reason"), [(55, ""), (65, "in profile already")])
def test_faces_in_profile_are_left_out(
    yaw: float, reason: str, face: Callable[..., LabelledFace], topology: Topology
) -> None:
    turned = face(1, points=points_at(yaw, topology))
    assert why_not(turned, topology, CONFIG) == reason
    assert why_not(turned, topology, ProfileConfig(min_face=60, max_yaw=70)) == ""


def test_pictures_with_several_faces_are_left_out(
    face: Callable[..., LabelledFace], topology: Topology
) -> None:
    faces = [face(1, key="a.jpg#0:0"), face(1, key="a.jpg#0:1"), face(1, key="b.jpg#0:0")]
    found = select(ListSource("ours", faces), topology, CONFIG)
    assert found.numbers == [2]
    assert found.left_out == {"several faces in the picture": 2}


def test_the_order_does_not_depend_on_that_of_the_source(
    face: Callable[..., LabelledFace], topology: Topology
) -> None:
    faces = [face(1, key=f"{i}.jpg") for i in range(8)]
    there, back = (
        [one[i].key for i in select(ListSource("ours", one), topology, CONFIG).numbers]
        for one in (faces, faces[::-1])
    )
    assert there == back != [one.key for one in faces]
