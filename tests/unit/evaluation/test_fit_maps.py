from collections.abc import Callable

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.fit_maps import fit_maps
from amesh.evaluation.labels.fitted_maps import half_of
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def _annotated(
    topology: Topology, pose: Pose, label: MakeLabel
) -> tuple[list[LabelledFace], list[np.ndarray]]:
    """Faces whose annotators put some points between landmarks."""
    generator = np.random.default_rng(0)
    labels, faces = [], []
    for i in range(12):
        face = pose(yaw=float(generator.uniform(-25, 25)), roll=float(generator.uniform(-20, 20)))
        face[:468, :2] += generator.normal(scale=0.5, size=(468, 2))
        points = topology.map_points(face[:, :2], "ibug68")
        points[19] = (face[66, :2] + face[105, :2]) / 2  # in a brow, and its mirror point
        points[24] = (face[296, :2] + face[334, :2]) / 2
        points[33] = (face[94, :2] + face[2, :2]) / 2  # in the middle
        faces.append(face)
        labels.append(label(face, f"{i}.jpg", points=points))
    return labels, faces


def test_midpoints_are_found_again(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    labels, faces = _annotated(topology, pose, label)
    found = fit_maps(labels, {"one": faces, "two": faces}, topology)
    assert list(found.pairs) == ["ibug68"]
    for half in found.pairs["ibug68"]:
        assert (half[19], half[24]) == ((66, 105), (296, 334))
        assert half[33] == (2, 94)
        assert half[36] == (33, 33)
        assert half[45] == (263, 263)
        assert half[62] == (13, 13)
    assert sum(found.about["faces of each half"]["ibug68"]) == 12
    assert found.about["licences"] == {"CC0": 12}


def test_each_half_gets_the_map_of_the_other(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels, faces = _annotated(topology, pose, label)
    for one, face in zip(labels, faces, strict=True):
        if half_of(one) == 0:
            one.points[36], one.points[45] = face[7, :2], face[249, :2]
    found = fit_maps(labels, {"one": faces}, topology)
    assert [half[36] for half in found.pairs["ibug68"]] == [(33, 33), (7, 7)]
    assert [half[45] for half in found.pairs["ibug68"]] == [(263, 263), (249, 249)]


def test_an_iris_stands_for_no_lid(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    labels, faces = _annotated(topology, pose, label)
    for one, face in zip(labels, faces, strict=True):
        one.points[38], one.points[43] = face[468, :2], face[473, :2]
    found = fit_maps(labels, {"one": faces}, topology)
    for half in found.pairs["ibug68"]:
        assert max(half[38]) < 468


def test_too_few_faces_are_refused(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    face = pose()
    with pytest.raises(UserError, match="ibug68: 1 faces are too few"):
        fit_maps([label(face)], {"one": [face]}, topology)
    with pytest.raises(UserError, match="no labels in a scheme that face478 has a map to"):
        fit_maps([label(face, scheme=None)], {"one": [face]}, topology)
