from collections.abc import Callable

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.groups import (
    Group,
    eye_bins,
    face_attributes,
    main_groups,
    mouth_bins,
    person_groups,
    source_groups,
    yaw_bins,
)
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def _names(groups: list[Group]) -> dict[str, list[int]]:
    return {group.name: group.members.tolist() for group in groups}


def test_groups_are_pools_and_sources(pose: Pose, label: MakeLabel) -> None:
    plan = ["helen", "lfpw", "aflw", "aflw", "imm_frontal"]
    labels = [label(pose(), source=source) for source in plan]
    expected = {"in the wild": [0, 1], "aflw": [2, 3], "imm_frontal": [4]}
    assert _names(main_groups(labels)) == expected
    assert _names(source_groups(labels)) == expected | {"helen": [0], "lfpw": [1]}


def test_stated_yaw_overrides_the_estimate(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels = [label(pose(yaw=10), source="x", yaw=yaw) for yaw in (-30.0, 89.0, 12.0, -94.0, None)]
    known = face_attributes(labels, topology)
    assert known.estimated.tolist() == [False, False, False, False, True]
    assert known.yaw[4] == pytest.approx(10, abs=2)
    assert _names(yaw_bins(labels, known)) == {
        "x, yaw 0 to 30": [2, 4],
        "x, yaw 30 to 60": [0],
        "x, yaw 60 to 90": [1, 3],
    }


def test_a_face_without_points_is_in_no_bin(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    nobody = label(pose(), scheme=None, points=np.zeros((0, 2)))
    outlined = label(pose(), scheme="frl83", points=np.zeros((83, 2)))
    known = face_attributes([nobody, outlined], topology)
    assert np.isnan(np.stack([known.yaw, known.eyes, known.mouth])).all()
    assert not known.estimated.any()
    assert eye_bins([nobody, outlined], known) == []


def _opened(face: np.ndarray, topology: Topology, name: str, height: float) -> np.ndarray:
    """A face whose opening is so high, relative to what it was."""
    loop = topology.contours[name][0]
    half = len(loop) // 2
    for lower, upper in zip(loop[1:half], reversed(loop[half + 1 : -1]), strict=True):
        middle = (face[lower] + face[upper]) / 2
        for point in (lower, upper):
            face[point] = middle + height * (face[point] - middle)
    return face


def test_openings_of_eyes_and_mouth_choose_the_bin(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    wink = _opened(pose(), topology, "left_eye", 0.0)
    narrow = _opened(pose(), topology, "right_eye", 0.5)
    faces = [pose(), wink, narrow, _opened(pose(), topology, "lips_inner", 40.0)]
    labels = [label(face, scheme="face478", points=face, source="x") for face in faces]
    known = face_attributes(labels, topology)
    assert _names(eye_bins(labels, known)) == {
        "x, eyes closed": [1],
        "x, eyes narrow": [2],
        "x, eyes open": [0, 3],
    }
    assert _names(mouth_bins(labels, known)) == {
        "x, mouth closed": [0, 1, 2],
        "x, mouth open": [3],
    }


def test_human_labels_give_the_same_attributes(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    wink = label(_opened(pose(), topology, "left_eye", 0.0))
    known = face_attributes([label(pose()), wink], topology)
    assert known.eyes[0] > 0.14
    assert known.eyes[1] < 0.06
    assert label_scheme("ibug68", topology).mouth is not None


def test_groups_are_split_as_the_source_states_them(pose: Pose, label: MakeLabel) -> None:
    groups = ["age 20-29, skin V", "age 30-39, skin V", "", "skin I"]
    labels = [label(pose(), source="x", group=group) for group in groups]
    assert _names(person_groups(labels)) == {
        "x, age 20-29": [0],
        "x, age 30-39": [1],
        "x, skin I": [3],
        "x, skin V": [0, 1],
    }
