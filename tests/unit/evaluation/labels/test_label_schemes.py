import math
from collections.abc import Callable

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import (
    face_errors,
    face_offset,
    labelled_measures,
    normaliser_length,
    opening,
)
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]


def _labels_of(name: str, topology: Topology, face: np.ndarray) -> np.ndarray:
    """Points of a scheme that lie exactly where the face has them, elsewhere along outlines."""
    scheme = label_scheme(name, topology)
    points = np.full((scheme.points, 2), 1e3)
    for parts in scheme.measures.values():
        for part in parts:
            ours = part.matrix @ face[:, :2]
            if part.curve:  # a third of the way along some of its segments
                steps = np.linspace(0, len(ours) - 2, len(part.labelled)).astype(int)
                ours = ours[steps] + (ours[steps + 1] - ours[steps]) / 3
            points[list(part.labelled)] = ours
    return points


@pytest.mark.parametrize(
    "name",
    [
        *("ibug68", "aflw2000_3d68", "wflw98", "lapa106", "face_synthetics70"),
        *("imm73", "frl189"),
    ],
)
def test_perfect_prediction_has_no_error(name: str, topology: Topology, pose: Pose) -> None:
    face = pose(yaw=10, roll=20)
    errors = face_errors(label_scheme(name, topology), face, _labels_of(name, topology, face))
    assert errors
    assert max(errors.values()) < 1e-9


def test_68_points_equal_a_plain_loop(topology: Topology, pose: Pose) -> None:
    face = pose(yaw=5)
    truth = topology.map_points(face[:, :2], "ibug68")
    truth = truth + np.random.default_rng(0).normal(size=truth.shape)
    ours = topology.map_points(face[:, :2], "ibug68")

    def mean(first: int, last: int, a: int, b: int) -> float:
        lengths = [math.dist(ours[i], truth[i]) for i in range(first, last)]
        return 100 * sum(lengths) / len(lengths) / math.dist(truth[a], truth[b])

    expected = {
        "inner_51": mean(17, 68, 36, 45),
        "eyes": mean(36, 48, 36, 45),
        "lips": mean(48, 68, 36, 45),
        "all_68": mean(0, 68, 36, 45),
        "eyes_by_width": (mean(36, 42, 36, 39) + mean(42, 48, 42, 45)) / 2,
        "lips_by_width": mean(48, 68, 48, 54),
    }
    found = face_errors(label_scheme("ibug68", topology), face, truth)
    assert found == pytest.approx(expected)


def test_profile_labels_are_normalised_by_their_box(topology: Topology, pose: Pose) -> None:
    face = pose(yaw=80)
    truth = topology.map_points(face[:, :2], "ibug68")
    width, height = truth.max(0) - truth.min(0)
    face[:, 0] += 2.0
    found = face_errors(label_scheme("aflw2000_3d68", topology), face, truth)
    assert list(found) == ["inner_51", "eyes", "lips", "all_68"]
    assert found["inner_51"] == pytest.approx(200 / math.sqrt(width * height))


def test_offset_separates_a_shift_from_random_errors(topology: Topology, pose: Pose) -> None:
    truth = topology.map_points(pose()[:, :2], "ibug68")
    scattered = truth.copy()
    scattered[17:67] += np.array([[1.0], [-1.0]])[np.arange(50) % 2]
    scheme = label_scheme("ibug68", topology)
    length = math.dist(truth[36], truth[45])
    face = pose() + np.array([3.0, -6.0, 0.0])
    found = face_offset(scheme, face, truth)
    np.testing.assert_allclose(found, [300 / length, -600 / length])
    np.testing.assert_allclose(face_offset(scheme, pose(), scattered), 0, atol=1e-9)
    assert np.isnan(face_offset(label_scheme("frl83", topology), face, np.zeros((83, 2)))).all()


def test_normaliser_is_3d_where_labels_have_a_depth() -> None:
    points = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]])
    assert normaliser_length((0, 1), points) == pytest.approx(3.0)
    assert normaliser_length((0, 1), points[:, :2]) == pytest.approx(math.sqrt(5))
    assert normaliser_length(None, points) == pytest.approx(math.sqrt(2))


def test_iris_outline_is_an_ellipse_not_a_square(topology: Topology, pose: Pose) -> None:
    face = pose()
    # An iris of radius 6 px around (70, 90) in the eye at the image's left, 5 px in the other.
    for first, centre, radius in ((468, (70, 90), 6.0), (473, (130, 90), 5.0)):
        steps = np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])
        face[first : first + 5, :2] = np.array(centre) + radius * steps
    points = _labels_of("frl189", topology, face)
    angle = np.deg2rad([-10, 30, 75, 140, 190])
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    points[4:9], points[12:17] = (70, 90) + 6.0 * circle, (130, 90) + 5.0 * circle
    scheme = label_scheme("frl189", topology)
    assert face_errors(scheme, face, points)["irises"] < 0.01
    points[4:9] = (70, 90) + 8.0 * circle  # 2 px outside on one eye, exact on the other
    length = math.dist(points[18], points[27])
    assert face_errors(scheme, face, points)["irises"] == pytest.approx(100 / length, rel=1e-2)


def test_pupil_is_compared_with_the_iris_centre(topology: Topology, pose: Pose) -> None:
    face = pose()
    points = _labels_of("imm73", topology, face)
    points[32] += (3.0, 4.0)
    length = math.dist(points[16], points[24])
    found = face_errors(label_scheme("imm73", topology), face, points)
    assert found["pupils"] == pytest.approx(100 * 2.5 / length)
    assert points[32, 0] < points[33, 0]  # image-left first


def test_closed_eye_is_not_scored_by_the_other_lid(topology: Topology, pose: Pose) -> None:
    face = pose()
    loop = topology.contours["right_eye"][0]
    points = _labels_of("imm73", topology, face)
    # The predicted upper lid lies where the lower one is; people labelled it open.
    for upper, lower in zip(loop[9:16], reversed(loop[1:8]), strict=True):
        face[upper] = face[lower]
    opening = face_errors(label_scheme("imm73", topology), face, points)["lids"]
    assert opening > 1.0


def test_own_scheme_gives_table_2(topology: Topology, pose: Pose) -> None:
    face = pose(yaw=25)
    truth = face.copy()
    face[:, 0] += 1.0
    found = face_errors(label_scheme("face478", topology), face, truth)
    outer, lips = (math.dist(truth[a], truth[b]) for a, b in ((33, 263), (61, 291)))
    assert outer == pytest.approx(60.0)  # in 3-D, turned as it is
    assert found["all"] == pytest.approx(100 / outer)
    assert found["lips_by_width"] == pytest.approx(100 / lips)
    assert {"eyes", "eyes_by_width", "lips", "irises"} <= set(found)


@pytest.mark.parametrize("name", ["frl106", "frl83"])
def test_machine_made_labels_have_no_measures(name: str, topology: Topology) -> None:
    assert not label_scheme(name, topology).measures


def test_unknown_scheme_lists_the_known(topology: Topology) -> None:
    with pytest.raises(UserError, match=r"'wflw'.*aflw2000_3d68, face478"):
        label_scheme("wflw", topology)


def test_98_points_are_scored_by_their_own_corners(topology: Topology, pose: Pose) -> None:
    face = pose(yaw=5)
    truth = topology.map_points(face[:, :2], "wflw98")
    truth[60:76, 0] += 3.0  # both eyes together: their widths stay
    found = face_errors(label_scheme("wflw98", topology), face, truth)
    widths = [math.dist(truth[60], truth[64]), math.dist(truth[68], truth[72])]
    expected = 100 * 3.0 * (1 / widths[0] + 1 / widths[1]) / 2
    assert found["eyes_by_width"] == pytest.approx(expected)
    assert found["inner_65"] == pytest.approx(100 * 3.0 * 16 / 65 / math.dist(truth[60], truth[72]))
    assert found["lips_by_width"] == pytest.approx(0.0)
    assert label_scheme("wflw98", topology).columns["All"] == "inner_65"


def test_points_without_a_landmark_are_left_out(topology: Topology) -> None:
    scheme = label_scheme("lapa106", topology)
    assert next(iter(scheme.measures)) == "inner_65"
    [part] = scheme.measures["all_98"]
    assert 55 not in part.labelled  # between the bridge and the nostrils, the map has no landmark


def test_points_without_a_label_do_not_count(topology: Topology, pose: Pose) -> None:
    face = pose()
    truth = face.copy()
    truth[:, 0] += 3.0
    truth[[1, 5, 61]] = np.nan  # a corner of the lips among them
    scheme = label_scheme("face478", topology)
    found = face_errors(scheme, face, truth)
    assert found["all"] == pytest.approx(100 * 3 / 60)
    assert "lips_by_width" not in found
    assert "lips" in found
    assert labelled_measures(scheme, truth) == list(found)
    np.testing.assert_allclose(face_offset(scheme, face, truth), [-5.0, 0.0], atol=1e-9)


def test_length_is_2d_where_a_depth_is_unknown() -> None:
    points = np.array([[0.0, 0.0, np.nan], [3.0, 4.0, 2.0]])
    assert normaliser_length((0, 1), points) == pytest.approx(5.0)
    assert math.isnan(normaliser_length((0, 1), np.full((2, 2), np.nan)))


@pytest.mark.parametrize("name", ["ibug68", "wflw98", "face478"])
def test_opening_is_height_over_width(name: str, topology: Topology) -> None:
    """Lids on a parabola, the opening's height a fifth of its width: the mean is two thirds."""
    scheme = label_scheme(name, topology)
    for eye in scheme.eyes:
        points = np.zeros((scheme.points, 2))
        points[list(eye.corners)] = [[0.0, 0.0], [30.0, 0.0]]
        for edge, sign in ((eye.upper, -1), (eye.lower, 1)):
            x = np.linspace(0, 30, len(edge) + 2)[1:-1]
            points[list(edge)] = np.stack([x, sign * 3.0 * (1 - (x / 15 - 1) ** 2)], axis=-1)
        share = opening(points, eye)
        coarse = {2: 0.12, 3: 0.07, 7: 0.02}[len(eye.upper)]  # straight lines between few points
        assert share == pytest.approx(0.2 * 2 / 3, rel=coarse)
        for upper, lower in zip(eye.upper, eye.lower, strict=True):
            points[upper] = points[lower]
        assert opening(points, eye) == pytest.approx(0.0)  # closed, although the lid is bent


def test_mouth_opening_does_not_change_with_yaw_if_labels_have_a_depth(
    topology: Topology, pose: Pose
) -> None:
    mouth = label_scheme("face478", topology).mouth
    assert mouth is not None
    straight, turned = opening(pose(), mouth), opening(pose(yaw=50, roll=30), mouth)
    assert turned == pytest.approx(straight)
    assert opening(pose(yaw=50)[:, :2], mouth) > 1.2 * straight
    assert math.isnan(opening(np.full((478, 3), np.nan), mouth))
