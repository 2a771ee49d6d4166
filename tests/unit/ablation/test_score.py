import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_faces import write_faces

from amesh.ablation.cost import Cost, costs
from amesh.ablation.report import Made, about, markdown, write
from amesh.ablation.score import Column, Effect, FaceSet, face_sets, read_faces, score_variants
from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.read import Pictures
from amesh.evaluation.options import LabelledData
from amesh.evaluation.scores import Scores, score_matched
from amesh.metrics.bootstrap import Interval
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED, MeshConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.topology.scheme import Topology
from amesh.weights import store
from amesh.weights.info import macs_by_part

Pose = Callable[..., np.ndarray]
MakeLabel = Callable[..., LabelledFace]
TINY = MeshConfig.from_dict({**NAMED["tiny-128"].to_dict(), "mesh_irises": True})


def _scores(
    labels: list[LabelledFace], face: np.ndarray, times: float, topology: Topology
) -> Scores:
    """Predictions to the right of the face, by one pixel more from label to label."""
    moved = [face + np.array([times * (1 + i), 0.0, 0.0]) for i in range(len(labels))]
    return score_matched(labels, moved, topology)


def test_a_tenth_more_error_on_each_face_is_ten_percent_more(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose()
    labels = [label(face, source=source) for source in ("helen", "lfpw", "helen")]
    # Each seed has errors of its own; of the second variant they are always a tenth larger.
    scores = {
        name: [_scores(labels, face, times * luck, topology) for luck in (1.0, 1.3)]
        for name, times in (("as it is", 1.0), ("worse", 1.1))
    }
    [found] = face_sets(labels, scores, "as it is", topology, resamples=100)
    assert (found.group, found.schemes) == ("in the wild", ("ibug68",))
    assert found.sources == {"helen": 2, "lfpw": 1}
    assert [(column.name, column.measure) for column in found.columns] == [
        ("All", "inner_51"),
        ("Lips", "lips_by_width"),
        ("Eyes", "eyes_by_width"),
    ]
    outer = np.linalg.norm(face[33, :2] - face[263, :2])
    for column in found.columns:
        first, second = column.effects
        assert first.change is None
        assert second.change is not None
        # Known without doubt, though seeds and faces differ: all of it is shared.
        assert second.change == pytest.approx((10.0, 10.0, 10.0))
        assert np.array(second.errors) == pytest.approx(1.1 * np.array(first.errors))
    reference = found.columns[0].effects[0]
    assert reference.errors == pytest.approx((100 * 2 / outer, 100 * 2.6 / outer))
    assert reference.error == pytest.approx(100 * 2.3 / outer)


def test_spread_between_trainings_widens_the_interval(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose()
    labels = [label(face) for _ in range(30)]

    def change(*lucks: float) -> Interval:
        one = [_scores(labels, face, 1.0, topology) for _ in lucks]
        other = [_scores(labels, face, luck, topology) for luck in lucks]
        [found] = face_sets(labels, {"a": one, "b": other}, "a", topology, resamples=400)
        interval = found.columns[0].effects[1].change
        assert interval is not None
        return interval

    assert change(1.1) == pytest.approx((10.0, 10.0, 10.0))  # one seed: over faces alone
    several = change(1.0, 1.1, 1.21)
    assert several.value == pytest.approx(10.0)
    assert several.low < 0 < 21 < several.high


def test_irises_are_scored_where_labelled_and_sets_are_split_by_measure(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose()
    whole = {"scheme": "face478", "points": face, "source": "synthetic"}
    labels = [
        label(face, **whole),
        label(face, **whole),
        label(face, source="synthetic"),
        label(face, scheme="aflw2000_3d68", source="aflw"),
    ]
    scores = {"a": [_scores(labels, face, 1.0, topology)]}
    found = face_sets(labels, scores, "a", topology, resamples=10)
    columns = {(s.group, s.schemes): [c.measure for c in s.columns] for s in found}
    assert columns == {
        ("synthetic", ("face478",)): ["all", "lips_by_width", "eyes_by_width", "irises"],
        ("synthetic", ("ibug68",)): ["inner_51", "lips_by_width", "eyes_by_width"],
        ("aflw", ("aflw2000_3d68",)): ["inner_51", "lips", "eyes"],
    }
    assert found[0].columns[3].faces == 2


def test_a_face_without_a_region_is_left_out_and_a_broken_network_is_reported(
    topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    face = pose()
    labels = [label(face) for _ in range(3)]
    good = [face + 1, face + 2, None]
    scores = {"a": [score_matched(labels, good, topology)]}
    [found] = face_sets(labels, scores, "a", topology, resamples=10)
    assert found.columns[0].faces == 2
    broken = score_matched(labels, [face + 1, face * np.nan, None], topology)
    with pytest.raises(UserError, match="b: its network number 1"):
        face_sets(labels, {**scores, "b": [broken]}, "a", topology)


def test_useless_faces_are_refused_before_training(tmp_path: Path, topology: Topology) -> None:
    line = {"image": "a.jpg", "source": "x", "licence": "CC0", "scheme": None, "points": []}
    path = tmp_path / "faces.jsonl"
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(UserError, match="no face has annotations of All"):
        read_faces(LabelledData((path,), coordinates="corner"), topology)
    line |= {"scheme": "ibug68", "points": [[1.0, 2.0]] * 5}
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(UserError, match=r"faces\.jsonl.*5 points.*ibug68"):
        read_faces(LabelledData((path,), coordinates="corner"), topology)


@pytest.fixture
def trained(tmp_path: Path) -> dict[str, list[Path]]:
    """Fresh networks of two variants, two seeds each."""
    found: dict[str, list[Path]] = {}
    for name, kind in (("Attention mesh", AttentionMesh), ("Mesh only", MeshOnly)):
        for seed in (0, 1):
            torch.manual_seed(seed)
            file = tmp_path / f"{kind.__name__}-{seed}.safetensors"
            store.save(kind(TINY), file, {"version": "9.9", "licences": {"CC0": 40, "MIT": 2}})
            found.setdefault(name, []).append(file)
    return found


def test_networks_are_run_on_faces_and_reported(
    trained: dict[str, list[Path]], tmp_path: Path, topology: Topology
) -> None:
    shards = write_faces(tmp_path / "shards", 6, size=128, negatives=6)
    labels, read = read_faces(LabelledData((shards,)), topology)
    assert len(labels) == 5  # the sixth is none
    assert len(read_faces(LabelledData((shards,)), topology, limit=3)[0]) == 3
    sets, failed = score_variants(trained, "Attention mesh", labels, read, topology, 50)
    assert not failed
    [found] = sets
    assert [column.name for column in found.columns] == ["All", "Lips", "Eyes", "Irises"]
    for column in found.columns:
        assert column.faces == 5
        one, other = column.effects
        assert len({*one.errors, *other.errors}) == 4  # each network is another
        assert other.change is not None
        assert other.change.low < other.change.value < other.change.high
    made = Made(
        "try",
        "Attention mesh",
        (0, 1),
        ("--config=quick",),
        {"Attention mesh": (), "Mesh only": ("--model.architecture=MeshOnly",)},
        {"Attention mesh": "3 steps of 4 faces", "Mesh only": "5 steps of 4 faces"},
    )
    spent = costs({name: files[0] for name, files in trained.items()}, rounds=2)
    told = about(made, trained, [shards], {})
    assert told["networks trained by amesh"] == "9.9"
    assert told["trained on"] == "42 faces (CC0: 40, MIT: 2)"
    assert told["other budgets"] == {"Mesh only": "5 steps of 4 faces"}
    files = write(made, told, sets, spent, 50, tmp_path / "out")
    assert [file.name for file in files] == ["try.json", "try.md"]
    data = json.loads(files[0].read_text())
    [written] = data["sets"]
    effect = written["columns"][0]["effects"][1]
    assert effect["errors"] == pytest.approx(found.columns[0].effects[1].errors)
    assert set(effect["change"]) == {"value", "low", "high"}
    assert data["made"]["seeds"] == [0, 1]
    assert data["costs"][1]["parameters"] == spent[1].parameters


def test_an_unreadable_picture_is_reported(
    trained: dict[str, list[Path]], tmp_path: Path, topology: Topology, pose: Pose, label: MakeLabel
) -> None:
    shards = write_faces(tmp_path / "shards", 1, size=128)
    labels, read = read_faces(LabelledData((shards,)), topology)
    lost = label(pose(), image=str(tmp_path / "lost.jpg"))
    sets, failed = score_variants(trained, "Mesh only", [*labels, lost], read, topology, 10)
    assert [found.group for found in sets] == ["drawn"]
    assert list(failed) == [str(tmp_path / "lost.jpg")]
    assert isinstance(read, Pictures)


def test_costs_are_those_of_the_networks(trained: dict[str, list[Path]]) -> None:
    threads = torch.get_num_threads()
    found = {one.variant: one for one in costs({n: f[0] for n, f in trained.items()}, rounds=1)}
    net = MeshOnly(TINY)
    assert found["Mesh only"].parameters == sum(p.numel() for p in net.parameters())
    macs = sum(macs_by_part(net, torch.zeros(1, 3, 128, 128)).values())
    assert found["Mesh only"].macs == macs
    assert found["Attention mesh"].macs > macs
    assert all(one.time > 0 for one in found.values())
    assert torch.get_num_threads() == threads


def _text(seeds: tuple[int, ...]) -> str:
    change = Interval(-4.5, -6.0, -3.04)
    one = Effect("as it is", (4.0, 5.0, 6.0)[: len(seeds)], None)
    other = Effect("new", (3.0, 5.0, 6.6)[: len(seeds)], change)
    columns = (
        Column("All", "inner_51", 12, (one, other)),
        Column("Irises", "irises", 7, (one, other)),
    )
    faces = FaceSet("in the wild", ("ibug68",), {"helen": 12}, columns)
    spent = [Cost("as it is", 1234567, 2_500_000, 4.0), Cost("new", 10, 1_000_000, 5.0)]
    made = Made("try", "as it is", seeds, ("--a",), {"as it is": (), "new": ("--b", "--c")}, {})
    told = {"seeds": ", ".join(map(str, seeds)), "other budgets": {"new": "x"}}
    return markdown(made, told, [faces], spent, 2000)


def test_tables_have_the_expected_rows() -> None:
    text = _text((0, 1, 2))
    lines = text.splitlines()
    assert "* seeds: 0, 1, 2" in lines
    assert "* other budgets: new: x" in lines
    assert "All is `inner_51`, Irises is `irises` (7 faces)." in lines
    assert (
        "| new      | 4.87    | 4.87       | -4.5 (-6.0 to -3.0) | -4.5 (-6.0 to -3.0) |" in lines
    )
    assert "| new     | -25.0, +0.0, +10.0 | -25.0, +0.0, +10.0 |" in lines
    assert "| as it is | 1,234,567  | 2.50 | 1.00                |" in lines
    assert "| new      | 10         | 1.00 | 1.25                |" in lines
    assert "| new      | `--b --c` |" in lines
    assert "with 2\ndegrees of freedom" in text  # of two variants and three seeds
    assert "One seed each" not in text


def test_a_table_of_one_seed_says_so() -> None:
    text = _text((0,))
    assert "**One seed each**" in text
    assert "seed by seed" not in text
    assert "over faces\nalone" in text
