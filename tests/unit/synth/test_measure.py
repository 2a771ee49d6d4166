from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import ListSource
from amesh.errors import UserError
from amesh.synth import controls, measure
from amesh.synth.albedo import vertex_normals
from amesh.synth.masks import NAMES, region_masks
from amesh.synth.model import read_model
from amesh.synth.texture_map import fill, flatten, openings, texels
from amesh.topology import Topology
from amesh.topology.lids import lips_inside


def turned(topology: Topology, yaw: float, scale: float, rng: np.random.Generator) -> np.ndarray:
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    face = topology.template + 0.01 * rng.standard_normal(topology.template.shape)
    return (scale * face @ turn.T + [60.0, 50.0, 3.0]).astype(np.float32)


@pytest.fixture
def records(record: Callable[..., LabelledFace], topology: Topology) -> list[LabelledFace]:
    rng = np.random.default_rng(0)
    return [
        record(i, points=turned(topology, 0.1 * (i % 3), 45.0, rng), licence="CC0-1.0")
        for i in range(6)
    ]


def test_a_rotated_face_is_aligned_to_the_template(topology: Topology) -> None:
    c, s = np.cos(0.4), np.sin(0.4)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    face = measure.align(30.0 * topology.template @ turn.T + [5.0, 6.0, 7.0], topology)
    np.testing.assert_allclose(face.points, topology.template, atol=1e-9)
    np.testing.assert_allclose(face.turn, turn, atol=1e-9)
    assert face.scale == pytest.approx(30.0)


@pytest.mark.parametrize(
    ("licence", "message"),
    [(None, "no licence is stated"), ("research-only", "does not permit releasing weights")],
)
def test_a_picture_without_a_permissive_licence_is_refused(
    records: list[LabelledFace], record: Callable[..., LabelledFace], topology: Topology,
    licence: str | None, message: str,
) -> None:  # fmt: skip
    bad = record(9, licence=licence)
    with pytest.raises(UserError, match=message):
        measure.measure(ListSource("mixed", [*records, bad]), topology)


def test_known_statistics_are_recovered(records: list[LabelledFace], topology: Topology) -> None:
    result = measure.measure(ListSource("few", records), topology)
    mean = result["mean_shape"]
    assert np.abs(mean - topology.template).max() < 0.05
    np.testing.assert_allclose(
        mean, mean[topology.mirror] * [-1.0, 1.0, 1.0], atol=1e-9, err_msg="not symmetric"
    )
    assert result["about"]["licences"] == {"CC0-1.0": 6}
    assert result["about"]["faces_for_colour"] >= 3
    assert np.isfinite(result["colour_mean"]).all()
    assert len(measure.pack(result)) < 1_500_000


def test_a_set_without_faces_is_an_error(
    topology: Topology, record: Callable[..., LabelledFace]
) -> None:
    far = record(0, points=(0.2 * record(0).points).astype(np.float32))
    with pytest.raises(UserError, match="0 faces of a usable size and pose"):
        measure.measure(ListSource("small", [far]), topology)


def test_the_command_reports_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure.main([str(tmp_path / "none"), "--output", str(tmp_path / "o.npz")]) == 2
    assert "no such file or folder" in capsys.readouterr().err


def test_the_packaged_file_states_its_origin() -> None:
    about = read_model()["about"]
    assert about["faces"] > 1000
    assert sum(about["licences"].values()) == about["faces"]
    assert any("CC-BY-4.0" in line for line in about["credits"])


def test_controls_are_measured_on_a_face_and_swap_sides_in_a_mirror(topology: Topology) -> None:
    faces = topology.template[None] + 0.02 * np.random.default_rng(1).standard_normal((5, 478, 3))
    known = controls.read(faces, topology)
    mirror = faces[:, topology.mirror] * [-1.0, 1.0, 1.0]
    np.testing.assert_allclose(controls.read(mirror, topology), controls.mirrored(known), atol=1e-9)
    wide = faces.copy()
    wide[:, 14, 1] += 0.1
    change = controls.read(wide, topology) - known
    assert change[:, controls.NAMES.index("mouth_open")] == pytest.approx(np.full(5, 0.1))


def test_the_flat_map_has_no_folds(topology: Topology) -> None:
    flat, holes = flatten(topology), openings(topology)
    corners = flat[np.concatenate([topology.triangles, *holes.eyes, holes.mouth])]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    assert (area < 0).all()
    assert area.sum() / -2 > 0.8, "the map is well used"
    used = np.unique(topology.triangles)
    mirror = flat[topology.mirror[used]] * [-1, 1] + [1, 0]
    np.testing.assert_allclose(flat[used], mirror, atol=0.02)


def test_texels_interpolate_their_own_position(topology: Topology) -> None:
    flat = flatten(topology)
    found = texels(flat, topology.triangles, 40)
    inside = found.triangle >= 0
    corners = flat[topology.triangles[found.triangle[inside]]]
    place = (corners * found.weights[inside][..., None]).sum(1)
    row, column = np.nonzero(inside)
    np.testing.assert_allclose(place * 40 - 0.5, np.stack([column, row], 1), atol=1e-6)


def test_openings_are_closed_by_triangles_that_face_the_camera(topology: Topology) -> None:
    for triangles in (*openings(topology).eyes, fill(lips_inside(topology))):
        a, b, c = (topology.template[triangles[:, i]] for i in range(3))
        assert (np.cross(b - a, c - a)[:, 2] < 0).all()


def test_normals_point_at_the_camera(topology: Topology) -> None:
    normal = vertex_normals(topology.template, topology.triangles)
    assert normal[4, 2] < -0.5
    np.testing.assert_allclose(
        np.linalg.norm(normal[np.unique(topology.triangles)], axis=1), 1.0, atol=1e-6
    )


def test_masks_are_where_their_names_say(topology: Topology) -> None:
    side = 80
    masks = dict(zip(NAMES, region_masks(topology, side), strict=True))
    flat = (flatten(topology) * side).astype(int).clip(0, side - 1)

    def at(name: str, point: int) -> float:
        return float(masks[name][flat[point, 1], flat[point, 0]])

    assert at("lips", 0) > 0.4
    assert at("lips", 4) < 0.05
    assert at("brows", 105) > 0.4
    assert at("brows", 152) < 0.05
    assert at("beard", 152) > 0.9
    assert at("beard", 10) < 0.05
    assert at("medical", 0) > 0.9
    assert at("medical", 168) < 0.05
    assert all(mask.min() >= 0 and mask.max() <= 1 for mask in masks.values())
