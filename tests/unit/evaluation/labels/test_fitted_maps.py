from collections.abc import Callable

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels import fitted_maps
from amesh.evaluation.labels.fitted_maps import (
    FittedMaps,
    dump,
    fitted_scheme,
    half_of,
    load,
    pairs_matrix,
)
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import face_errors
from amesh.evaluation.scores import score_matched
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]


def test_halves_depend_on_the_person_or_the_name_of_the_picture(
    pose: Pose, label: MakeLabel
) -> None:
    face = pose()
    assert half_of(label(face, "images/lfpw_0002.jpg")) == 1  # first byte of the SHA-256: odd
    assert half_of(label(face, "elsewhere/lfpw_0002.jpg")) == 1
    assert half_of(label(face, "lfpw_0003.jpg")) == 0
    halves = {half_of(label(face, f"{i}.jpg", person="anna")) for i in range(20)}
    assert len(halves) == 1
    many = [half_of(label(face, f"{i}.jpg")) for i in range(400)]
    assert 150 < sum(many) < 250


def test_shipped_maps_are_complete_and_symmetric(topology: Topology) -> None:
    maps = load(topology.name)
    assert set(maps.about["teachers"]) == {"released-192", "face-landmarker-v2"}
    assert set(maps.pairs) == {"ibug68", "aflw2000_3d68"}
    jaw, brows = [(i, 16 - i) for i in range(17)], [(17 + i, 26 - i) for i in range(5)]
    lips = [(48, 54), (51, 51), (57, 57), (62, 62), (66, 66), (33, 33), (27, 27), (36, 45)]
    for halves in maps.pairs.values():
        assert [len(half) for half in halves] == [68, 68]
        for half in halves:
            for point, opposite in jaw + brows + lips:
                mirrored = sorted(topology.mirror[list(half[point])].tolist())
                assert mirrored == sorted(half[opposite])
            assert max(max(pair) for pair in half) < 468  # no iris


def test_a_face_is_scored_by_the_map_of_the_other_half(
    topology: Topology, pose: Pose, label: MakeLabel, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [(i, i) for i in range(68)]
    second = [(i, i + 100) for i in range(68)]
    maps = FittedMaps({}, {"ibug68": [first, second]})
    monkeypatch.setattr(fitted_maps, "load", lambda _: maps)
    fitted_maps._scheme.cache_clear()
    face = pose()
    faces = [label(face, name) for name in ("lfpw_0003.jpg", "lfpw_0002.jpg")]
    for one, pairs in zip(faces, (first, second), strict=True):
        matrix = pairs_matrix(pairs, topology)
        points = (matrix @ face)[:, :2]
        points[36:48] += (0.3, 0.4)
        scheme = fitted_scheme(one, topology)
        assert scheme is not None
        unit = np.linalg.norm(points[36] - points[45])
        found = face_errors(scheme, face, points)
        assert found["eyes"] == pytest.approx(100 * 0.5 / unit)
        assert found["inner_51"] == pytest.approx(100 * 0.5 * 12 / 51 / unit)
        assert found["lips"] == pytest.approx(0.0, abs=1e-9)
    fitted_maps._scheme.cache_clear()


def test_scores_by_the_fitted_map(topology: Topology, pose: Pose, label: MakeLabel) -> None:
    face = pose()
    labels = [label(face, "lfpw_0001.jpg"), label(face, "lfpw_0003.jpg")]
    by_name = score_matched(labels, [face, face], topology)
    fitted = score_matched(labels, [face, face], topology, fitted_scheme)
    assert by_name.errors["inner_51"].max() < 1e-9
    assert fitted.errors["inner_51"].min() > 0.5  # the labels lie where the topology says
    assert list(fitted.errors) == list(by_name.errors)


def test_only_the_68_points_have_fitted_maps(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    assert fitted_scheme(label(pose(), scheme="face478", points=pose()), topology) is None
    assert fitted_scheme(label(pose(), scheme=None), topology) is None
    assert load("another").pairs == {}


def test_maps_change_nothing_but_what_points_are_compared_with(topology: Topology) -> None:
    plain = label_scheme("ibug68", topology)
    fitted = fitted_maps.with_map(plain, np.zeros((68, topology.points)))
    assert list(fitted.measures) == list(plain.measures)
    for name, parts in fitted.measures.items():
        for new, old in zip(parts, plain.measures[name], strict=True):
            assert (new.labelled, new.normaliser) == (old.labelled, old.normaliser)
            assert new.matrix.shape == old.matrix.shape
            assert not new.matrix.any()


def test_the_file_is_written_as_it_is_read() -> None:
    name = fitted_maps.FILE
    shipped = (fitted_maps.resources.files("amesh.evaluation.labels") / name).read_bytes()
    assert dump(load("face478")) == shipped
