"""A network's habits are found again, and taken out."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amesh.data.correction import Correction, face_axes, load_correction
from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.correction import fit_correction
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import face_errors
from amesh.topology.scheme import Topology

Make = Callable[..., np.ndarray]
_POSES = [(0, 0, 0), (20, 5, -10), (-25, 0, 12), (10, -15, 0), (-5, 10, 30), (0, -5, -40)]


@pytest.fixture
def outlined(topology: Topology) -> Callable[[np.ndarray], LabelledFace]:
    """A label in the scheme of outlines, read off a face: points of a curve lie on the curve."""

    def make(face: np.ndarray) -> LabelledFace:
        scheme = label_scheme("frl189", topology)
        points = np.full((189, 2), np.nan)
        for parts in scheme.measures.values():
            for part in parts:
                places = part.matrix @ face[:, :2]
                chosen = np.linspace(0, len(places) - 1, len(part.labelled) + 2)[1:-1].astype(int)
                points[list(part.labelled)] = places[chosen] if part.curve else places
        where = "labels.jsonl, line 1"
        return LabelledFace(Path("a.jpg"), "frl", where, where, "frl189", points, "CC0")

    return make


def _habit(topology: Topology) -> np.ndarray:
    """Lids too close together, corners of the mouth too far in: as shares of the eyes' distance."""
    shifts = np.zeros((topology.points, 2))
    for eye in ("right_eye", "left_eye"):
        loop = topology.contours[eye][0][:-1]
        half = len(loop) // 2
        shifts[loop[1:half], 1] = -0.02
        shifts[loop[half + 1 :], 1] = 0.02
    right, left = topology.normalisers["lips"]
    shifts[right, 0], shifts[left, 0] = 0.03, -0.03
    return shifts


def test_correction_removes_a_systematic_error_from_other_faces(
    topology: Topology, pose: Make, outlined: Callable[[np.ndarray], LabelledFace]
) -> None:
    true = [pose(*angles) for angles in _POSES]
    seen = [face.copy() for face in true]
    for face in seen:
        face[:, :2] += _habit(topology) @ face_axes(face, topology)
    found = fit_correction([outlined(face) for face in true[:4]], seen[:4], topology)

    scheme = label_scheme("frl189", topology)
    for face, wrong in zip(true[4:], seen[4:], strict=True):
        points = outlined(face).points
        before = face_errors(scheme, wrong, points)
        after = face_errors(scheme, found(wrong, topology), points)
        for name in ("lids", "lip_corners"):
            assert before[name] > 0.5
            assert after[name] < 0.2 * before[name], name
        for name in ("pupils", "irises"):
            assert after[name] < 0.1
    chin = topology.contours["face_oval"][0][18]
    assert np.abs(found.shifts[chin]).max() < 1e-3  # no label speaks of it
    np.testing.assert_allclose(found.shifts[topology.mirror] * (-1, 1), found.shifts, atol=1e-9)


def test_only_the_named_measures_are_used(
    topology: Topology, pose: Make, outlined: Callable[[np.ndarray], LabelledFace]
) -> None:
    true = pose()
    seen = true.copy()
    seen[:, :2] += _habit(topology) @ face_axes(seen, topology)
    found = fit_correction([outlined(true)], [seen], topology, ["lip_corners"])

    assert abs(found.shifts[topology.normalisers["lips"][0], 0] + 0.03) < 0.005
    assert np.abs(found.shifts[list(topology.contours["right_eye"][0])]).max() < 1e-3


@pytest.mark.parametrize("yaw", [80, 90, -100])
def test_profiles_among_frontal_faces_are_ignored(
    topology: Topology, pose: Make, outlined: Callable[[np.ndarray], LabelledFace], yaw: int
) -> None:
    frontal = [pose(*angles) for angles in _POSES]
    expected = fit_correction([outlined(face) for face in frontal], frontal, topology)
    profile = pose(yaw)
    seen = profile + np.array([3.0, 0, 0])  # seen 3 px off, that would be a large share of nothing
    if yaw == 90:  # exactly: the axes are parallel
        right, left = topology.normalisers["outer_eye_corners"]
        seen[[right, left], :2] = seen[right, :2]
    labels = [outlined(face) for face in (*frontal, profile)]
    found = fit_correction(labels, [*frontal, seen], topology)

    about = {"faces": len(_POSES), "measures": [], "licences": {"CC0": len(_POSES)}}
    assert expected.about == {**about, "turned": 0}
    assert found.about == {**about, "turned": 1}  # the profile's terms are not among them
    np.testing.assert_array_equal(found.shifts, expected.shifts)
    with pytest.raises(UserError, match=r"all of 1 .*turned"):
        fit_correction(labels[-1:], [seen], topology)


def test_points_that_measures_share_count_once(
    topology: Topology, pose: Make, label: Callable[..., LabelledFace]
) -> None:
    """The 68 points: eyes and lips are among the inner 51, and again by their own widths."""
    true = pose()
    seen = true.copy()
    seen[:, :2] += _habit(topology) @ face_axes(true, topology)
    labels = [label(true)]
    everything = fit_correction(labels, [seen], topology)
    inner = fit_correction(labels, [seen], topology, ["inner_51"])
    np.testing.assert_array_equal(everything.shifts, inner.shifts)
    overlapping = ["inner_51", "lips", "lips_by_width", "eyes"]
    twice = fit_correction(labels, [seen], topology, overlapping)
    np.testing.assert_array_equal(twice.shifts, inner.shifts)
    assert abs(inner.shifts[topology.normalisers["lips"][0], 0] + 0.03) < 0.005
    jaw = fit_correction(labels, [true + np.array([5.0, 0, 0])], topology, ["all_68"])
    assert not np.array_equal(jaw.shifts, inner.shifts)  # asked for by name, it counts


def test_a_face_without_such_labels_is_refused(
    topology: Topology, pose: Make, label: Callable[..., LabelledFace]
) -> None:
    with pytest.raises(UserError, match="no labelled face has lids"):
        fit_correction([label(pose())], [pose()], topology, ["lids"])


def test_a_correction_survives_its_file(topology: Topology, pose: Make, tmp_path: Path) -> None:
    made = Correction(topology.name, _habit(topology), {"faces": 3})
    made.save(tmp_path / "correction.json")
    read = load_correction(tmp_path / "correction.json")

    np.testing.assert_allclose(read.shifts, made.shifts, atol=1e-6)
    assert read.about == {"faces": 3}
    np.testing.assert_allclose(read(pose(), topology), made(pose(), topology), atol=1e-4)


def test_bad_files_are_refused(topology: Topology, pose: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="`amesh correct` writes it"):
        load_correction(tmp_path / "none.json")
    (tmp_path / "a.json").write_text('{"version": 1, "shifts": 3}')
    with pytest.raises(UserError, match="not a correction"):
        load_correction(tmp_path / "a.json")
    (tmp_path / "b.json").write_text('{"version": 7}')
    with pytest.raises(UserError, match="version 7, expected 1"):
        load_correction(tmp_path / "b.json")
    other = Correction("other", np.zeros((68, 2)))
    with pytest.raises(UserError, match="does not fit landmarks of face478"):
        other(pose(), topology)
