from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.scores import match, overlap, score, score_matched
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def test_overlap_by_hand() -> None:
    first = np.array([[0.0, 0.0], [4.0, 4.0]])
    assert overlap(first, np.array([[2.0, 2.0], [6.0, 6.0]])) == pytest.approx(4 / 28)
    assert overlap(first, first) == 1.0
    assert overlap(first, np.array([[5.0, 5.0], [6.0, 6.0]])) == 0.0
    assert overlap(np.zeros((2, 2)), np.zeros((2, 2))) == 0.0


def test_prediction_of_another_face_is_no_detection(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labelled = label(pose())
    assert match([labelled], [pose(centre=(300.0, 90.0))], topology) == {}
    assert match([labelled], [], topology) == {}


def test_bad_prediction_of_the_right_face_is_an_error_not_a_miss(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    assert match([label(pose())], [pose(size=25.0, centre=(110.0, 95.0))], topology) == {0: 0}


def test_each_face_gets_its_prediction_whatever_the_order(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    left, right = pose(), pose(centre=(190.0, 90.0))
    found = match([label(left), label(right)], [pose(centre=(400.0, 90.0)), right, left], topology)
    assert found == {0: 2, 1: 1}


def test_one_prediction_serves_one_label(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    near, far = label(pose()), label(pose(centre=(110.0, 90.0)))
    assert match([far, near], [pose()], topology) == {1: 0}


def test_label_without_points_takes_a_face_that_is_left(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    anywhere = label(pose(), scheme=None, points=np.zeros((0, 2)))
    other = pose(centre=(400.0, 90.0))
    assert match([anywhere, label(pose())], [pose(), other], topology) == {0: 1, 1: 0}
    assert match([anywhere], [], topology) == {}


def test_machine_made_outline_finds_its_face(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    outline = label(pose(), scheme="frl106", points=pose()[:106, :2])
    assert match([outline], [pose(centre=(400.0, 90.0)), pose()], topology) == {0: 1}


def test_scores_keep_missed_faces_apart_from_wrong_ones(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels = [
        label(pose(), "a.jpg"),
        label(pose(), "b.jpg"),
        label(pose(), "c.jpg", scheme=None, points=np.zeros((0, 2))),
    ]
    moved = pose()
    moved[:, 0] += 6.0  # a tenth of the outer eye distance
    faces = {"a.jpg": [moved], "b.jpg": [], "c.jpg": [pose()]}
    found = score(labels, lambda label: faces[label.image.name], topology)
    assert found.detected.tolist() == [True, False, True]
    np.testing.assert_allclose(found.errors["inner_51"], [10.0, np.nan, np.nan], rtol=1e-9)
    assert found.labelled["inner_51"].tolist() == [True, True, False]


def test_two_labels_of_one_picture_share_its_predictions(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    left, right = pose(), pose(centre=(190.0, 90.0))
    labels = [label(left, "a.jpg"), label(right, "a.jpg")]
    found = score(labels, lambda _: [right], topology)
    assert found.detected.tolist() == [False, True]


def test_matched_scores_of_nothing_are_all_missed(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    found = score_matched([label(pose())], [None], topology)
    assert not found.detected.any()
    assert np.isnan(found.errors["lips"]).all()
    assert found.labelled["lips"].all()


def test_pictures_are_told_apart_by_their_whole_path(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    labels = [label(pose(), "x/a.jpg"), label(pose(), "y/a.jpg")]
    faces = {Path("x/a.jpg"): [pose()], Path("y/a.jpg"): []}
    found = score(labels, lambda label: faces[label.image], topology)
    assert found.detected.tolist() == [True, False]
