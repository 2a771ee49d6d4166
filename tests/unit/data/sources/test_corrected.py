from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import Pose

from amesh.data.correction import Correction
from amesh.data.schemes import label_map, to_landmarks
from amesh.data.sources.corrected import Corrected
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.opening import SourceConfig, open_source
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import ListSource
from amesh.errors import UserError
from amesh.topology.scheme import Topology


@pytest.fixture
def correction(topology: Topology) -> Correction:
    """Annotators put both lips lower than the network, by 5 % of the distance between the eyes."""
    shifts = np.zeros((topology.points, 2))
    shifts[list(topology.indices("lips_outer"))] = (0.0, 0.05)
    return Correction(topology.name, shifts, {"licences": ["CC0"]})


def annotated(points: np.ndarray, scheme: str | None) -> ListSource:
    face = LabelledFace(Path("a.png"), "ours", "a.png#1", "a.jsonl, line 1", scheme, points)
    return ListSource("ours", [face])


def test_annotations_lose_the_habit_of_their_annotators(
    topology: Topology, pose: Pose, correction: Correction
) -> None:
    network = pose().astype(np.float32)
    people = correction(network, topology)
    [found] = Corrected(annotated(people, topology.name), correction)
    assert found.scheme == topology.name
    assert np.abs(people - network).max() == pytest.approx(1.5)  # [px]
    assert np.abs(found.points - network).max() < 0.05


def test_annotations_of_another_scheme_become_landmarks_with_the_same_weights(
    topology: Topology, pose: Pose, correction: Correction
) -> None:
    people = topology.map_points(correction(pose(), topology), "ibug68")[:, :2]
    plain = to_landmarks(people, label_map("ibug68", topology), topology)
    [found] = Corrected(annotated(people, "ibug68"), correction)
    moved = plain.landmarks - found.points
    assert np.abs(moved[list(topology.indices("right_eye")), :]).max() == 0
    corner = topology.indices("lips_outer")[0]
    assert plain.weight_xy[corner] == 1
    assert moved[corner] == pytest.approx([0, 1.5, 0], abs=0.01)  # [px]
    again = to_landmarks(
        found.points, label_map(topology.name, topology), topology, *found.weights()
    )
    known = plain.weight_xy > 0
    assert np.array_equal(again.weight_xy, plain.weight_xy)
    assert np.array_equal(again.weight_z, plain.weight_z)
    assert np.allclose(again.landmarks[known, :2], found.points[known, :2], atol=1e-3)


def test_a_region_without_a_face_stays_as_it_is(correction: Correction) -> None:
    source = annotated(np.zeros((0, 2)), None)
    corrected = Corrected(source, correction)
    assert corrected[0] is source[0]
    assert (corrected.name, len(corrected), corrected.schemes) == ("ours", 1, frozenset())
    assert corrected.entries == source.entries


def test_a_set_is_opened_with_its_correction(
    tmp_path: Path, topology: Topology, correction: Correction, record
) -> None:
    from amesh.data.sources.shard_files import ShardWriter

    with ShardWriter(tmp_path / "shards") as writer:
        writer.add(record())
    correction.save(tmp_path / "habit.json")
    plain, corrected = (
        open_source(SourceConfig(tmp_path / "shards", correction=path), Problems())[0]
        for path in (None, tmp_path / "habit.json")
    )
    lips = list(topology.indices("lips_outer"))
    assert (plain.points[lips, :2] != corrected.points[lips, :2]).any(1).all()
    assert np.array_equal(np.delete(plain.points, lips, 0), np.delete(corrected.points, lips, 0))
    with pytest.raises(UserError, match="`amesh correct` writes it"):
        open_source(SourceConfig(tmp_path / "shards", correction=tmp_path / "none"), Problems())
