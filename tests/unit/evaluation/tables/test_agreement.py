import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.evaluation.labels.predictions import Predictions
from amesh.evaluation.tables.agreement import agreement_section, compare, match_faces
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]


def test_distances_equal_a_plain_loop(topology: Topology, pose: Pose) -> None:
    generator = np.random.default_rng(0)
    first = {f"{i}.jpg": [pose(size=50.0 + i)] for i in range(6)}
    second = {
        name: [face[0] + generator.normal(size=face[0].shape)] for name, face in first.items()
    }
    by_face, by_landmark = [], []
    for name in first:
        a, b = first[name][0], second[name][0]
        length = math.dist(a[33, :2], a[263, :2])
        found = [100 * math.dist(p[:2], q[:2]) / length for p, q in zip(a, b, strict=True)]
        by_face.append(sum(found) / len(found))
        by_landmark += found
    found = compare(Predictions("ours", first), Predictions("theirs", second), topology)
    assert (found.pictures, found.faces, found.missed) == (6, 6, 0.0)
    assert found.mean == pytest.approx(np.mean(by_face))
    assert found.median == pytest.approx(np.median(by_face))
    assert found.p95 == pytest.approx(np.quantile(by_face, 0.95))
    assert found.landmarks_p95 == pytest.approx(np.quantile(by_landmark, 0.95))
    assert found.worst[0] == (f"{int(np.argmax(by_face))}.jpg", pytest.approx(max(by_face)))


def test_constant_displacement_shows_as_a_shift(topology: Topology, pose: Pose) -> None:
    moved = pose() + np.array([0.6, -1.2, 0.0])
    found = compare(
        Predictions("ours", {"a.jpg": [pose()]}),
        Predictions("theirs", {"a.jpg": [moved]}),
        topology,
    )
    assert found.shift == pytest.approx((1.0, -2.0))
    almost = agreement_section([replace(found, shift=(-0.0002, -0.0006))])
    assert "| +0.000, -0.001 " in almost


def test_faces_found_by_only_one_set_are_counted(topology: Topology, pose: Pose) -> None:
    left, right = pose(), pose(centre=(300.0, 90.0))
    first = Predictions("ours", {"in/a.jpg": [left, right], "in/b.jpg": [left], "in/x.jpg": [left]})
    second = Predictions("theirs", {"a.jpg": [right], "b.jpg": [left, right], "y.jpg": []})
    found = compare(first, second, topology)
    assert (found.pictures, found.faces) == (2, 2)
    assert (found.only_first, found.only_second) == (1, 1)
    assert found.missed == pytest.approx(50.0)
    assert found.mean == 0.0


def test_no_face_in_common_gives_no_distance(topology: Topology, pose: Pose) -> None:
    found = compare(
        Predictions("ours", {"a.jpg": [pose()]}), Predictions("theirs", {"a.jpg": []}), topology
    )
    assert (found.faces, found.only_first, found.missed) == (0, 1, 100.0)
    assert math.isnan(found.mean)


def test_sets_without_a_common_picture_are_refused(topology: Topology) -> None:
    with pytest.raises(UserError, match="no picture in common"):
        compare(Predictions("ours", {"a.jpg": []}), Predictions("theirs", {"b.jpg": []}), topology)


def test_overlapping_faces_are_paired_best_first(pose: Pose) -> None:
    first = [pose(), pose(centre=(130.0, 90.0))]
    second = [pose(centre=(128.0, 90.0)), pose(centre=(96.0, 90.0))]
    assert match_faces(first, second) == [(0, 1), (1, 0)]
