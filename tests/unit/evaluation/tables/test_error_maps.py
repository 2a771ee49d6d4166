from collections.abc import Callable

import cv2
import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.tables.error_maps import draw_maps, error_maps
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def _decode(content: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_mean_error_of_each_landmark(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    face = pose()
    points = face.copy()
    points[3] = np.nan
    labels = [label(face, scheme="face478", points=p) for p in (face, points)]
    labels += [label(face), label(face, scheme=None, points=np.zeros((0, 2)))]
    moved = face.copy()
    moved[[3, 10], 0] += 6.0
    predicted = {"good": [face] * 3 + [None], "bad": [moved] * 3 + [None]}
    own, people = error_maps(labels, predicted, topology)
    assert (own.scheme, own.faces) == ("face478", 2)
    assert own.errors["bad"][10] == pytest.approx(10.0)
    assert own.errors["bad"][3] == pytest.approx(10.0)  # over the one face that labels it
    assert own.errors["bad"].sum() == pytest.approx(20.0)
    assert not own.errors["good"].any()
    assert (people.scheme, people.errors["good"].shape) == ("ibug68", (51,))
    assert not len(people.triangles)


def test_faces_that_some_network_has_not_seen_are_left_out(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose()
    labels = [label(face, scheme="face478", points=face)]
    assert error_maps(labels, {"a": [face], "b": [None]}, topology) == []
    outlined = label(face, scheme="imm73", points=np.ones((73, 2)))
    assert error_maps([outlined], {"a": [face]}, topology) == []  # too few points one to one


def test_maps_share_a_scale_and_differences_have_signs(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose()
    labels = [label(face, scheme="face478", points=face)]
    worse = face + np.array([3.0, 0, 0])
    mouth = face.copy()
    mouth[list(topology.regions[0].indices), 0] += 12.0  # the lips
    predicted = {"even": [worse], "mouth": [mouth]}
    [found] = error_maps(labels, predicted, topology)
    files = draw_maps(found, "even")
    assert list(files) == [
        "error_map-face478-even.png",
        "error_map-face478-mouth.png",
        "error_map-face478-mouth_minus_even.png",
    ]
    even, mouth_map, change = (_decode(content).astype(int) for content in files.values())
    assert even.shape == mouth_map.shape == change.shape
    cheek, lip = _place(found.places, 205), _place(found.places, 84)
    # One scale: the same error has the same colour; the bar at the right is the same picture.
    np.testing.assert_array_equal(even[150:700, -60:], mouth_map[150:700, -60:])
    assert mouth_map[cheek].sum() < even[cheek].sum() < mouth_map[lip].sum()
    red, blue = change[lip], change[cheek]
    assert red[0] > red[2] + 50
    assert blue[2] > blue[0] + 50


def _place(places: np.ndarray, landmark: int) -> tuple[int, int]:
    """Row and column of a landmark in a drawn map."""
    low, high = places.min(0), places.max(0)
    x, y = (places[landmark] - (low + high) / 2) * 700 / (high - low).max() + [380, 64 + 380]
    return int(y), int(x)
