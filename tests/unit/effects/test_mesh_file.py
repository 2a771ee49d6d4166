"""Meshes as files, read back by trimesh."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import trimesh

from amesh.effects.canonical import canonical_face
from amesh.effects.mesh_file import normals, write_mesh
from amesh.errors import UserError
from amesh.topology import load

FACE = load().template * 100 + (160, 120, 0)
TEXTURE = np.zeros((16, 16, 4), np.uint8)
TEXTURE[:8, :, 0] = 200  # the upper half is red


def read(path: Path) -> trimesh.Trimesh:
    loaded = trimesh.load(path, process=False, maintain_order=True)
    return next(iter(loaded.geometry.values())) if isinstance(loaded, trimesh.Scene) else loaded


def glb_parts(path: Path) -> tuple[dict, bytes]:
    """The JSON and the binary chunk, by the layout of the specification."""
    content = path.read_bytes()
    magic, version, length, json_length, kind = struct.unpack_from("<4sIII4s", content)
    assert (magic, version, length, kind) == (b"glTF", 2, len(content), b"JSON")
    start = 20 + json_length
    size, kind = struct.unpack_from("<I4s", content, start)
    assert kind == b"BIN\0"
    assert start % 4 == size % 4 == 0
    assert start + 8 + size == length
    return json.loads(content[20:start]), content[start + 8 :]


@pytest.mark.parametrize("name", ["face.glb", "face.obj"])
def test_an_independent_reader_finds_the_face(tmp_path: Path, name: str) -> None:
    write_mesh(tmp_path / name, canonical_face().points, TEXTURE)
    mesh = read(tmp_path / name)
    face = canonical_face()
    np.testing.assert_array_equal(mesh.faces, face.triangles)
    expected = face.points * [0.001, -0.001, -0.001]  # metres, y up, z to the viewer
    expected -= expected[face.rigid].mean(axis=0)
    np.testing.assert_allclose(mesh.vertices, expected, atol=2e-7)
    uv = face.uv * [1, -1] + [0, 1]  # trimesh counts from the bottom
    np.testing.assert_allclose(mesh.visual.uv, uv, atol=2e-6)
    np.testing.assert_allclose(mesh.vertex_normals, normals(expected), atol=2e-5)
    material = mesh.visual.material
    picture = np.asarray(getattr(material, "baseColorTexture", None) or material.image)
    np.testing.assert_array_equal(picture, TEXTURE[..., :3])


def test_uv_of_glb_counts_from_the_top(tmp_path: Path) -> None:
    write_mesh(tmp_path / "face.glb", FACE)
    document, content = glb_parts(tmp_path / "face.glb")
    number = document["meshes"][0]["primitives"][0]["attributes"]["TEXCOORD_0"]
    view = document["bufferViews"][document["accessors"][number]["bufferView"]]
    uv = np.frombuffer(content, "<f4", 478 * 2, view["byteOffset"]).reshape(478, 2)
    np.testing.assert_allclose(uv, canonical_face().uv, atol=1e-6)


def test_units_and_place_of_landmarks_do_not_matter(tmp_path: Path) -> None:
    write_mesh(tmp_path / "a.glb", FACE)
    write_mesh(tmp_path / "b.glb", FACE * 7 - 300)
    a, b = read(tmp_path / "a.glb").vertices, read(tmp_path / "b.glb").vertices
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert 0.13 < np.ptp(a[:, 0]) < 0.18  # as wide as a face [m]


def test_normals_point_outwards_and_are_units() -> None:
    found = normals(canonical_face().points * [1, -1, -1])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    assert found[4, 2] > 0.9  # the tip of the nose
    assert found[234, 0] < -0.7  # before the subject's right ear
    assert found[454, 0] > 0.7


def test_normals_where_triangles_have_no_area() -> None:
    np.testing.assert_array_equal(normals(np.zeros((478, 3))), np.tile([0.0, 0.0, 1.0], (478, 1)))


def test_shapes_become_named_morph_targets(tmp_path: Path) -> None:
    face = canonical_face()
    lower = np.zeros((478, 3))
    lower[152] = (0, 10, -5)  # the chin moves down and forwards [mm]
    shapes = {"jawOpen": lower, **{f"shape{n}": lower * n for n in range(50)}}
    write_mesh(tmp_path / "face.glb", face.points, shapes=shapes)
    document, content = glb_parts(tmp_path / "face.glb")
    mesh = document["meshes"][0]
    assert mesh["extras"]["targetNames"] == list(shapes)
    assert mesh["weights"] == [0.0] * 51
    targets = mesh["primitives"][0]["targets"]
    assert len(targets) == 51
    accessor = document["accessors"][targets[0]["POSITION"]]
    assert (accessor["componentType"], accessor["type"], accessor["count"]) == (5126, "VEC3", 478)
    start = document["bufferViews"][accessor["bufferView"]]["byteOffset"]
    moved = np.frombuffer(content, "<f4", 478 * 3, start).reshape(478, 3)
    np.testing.assert_allclose(moved[152], [0, -0.01, 0.005], rtol=1e-6)
    assert np.count_nonzero(moved) == 2
    np.testing.assert_allclose(accessor["min"], [0, -0.01, 0], rtol=1e-6)
    np.testing.assert_allclose(accessor["max"], [0, 0, 0.005], rtol=1e-6)
    assert len(read(tmp_path / "face.glb").vertices) == 478


def test_obj_names_its_material_and_texture(tmp_path: Path) -> None:
    write_mesh(tmp_path / "me.obj", FACE, TEXTURE)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["me.mtl", "me.obj", "me.png"]
    lines = (tmp_path / "me.obj").read_text().splitlines()
    assert lines[0] == "mtllib me.mtl"
    assert "map_Kd me.png" in (tmp_path / "me.mtl").read_text().splitlines()
    write_mesh(tmp_path / "bare.obj", FACE)
    assert "map_Kd" not in (tmp_path / "bare.mtl").read_text()


@pytest.mark.parametrize(
    ("name", "landmarks", "shapes", "message"),
    [
        ("face.stl", FACE, None, r"face\.stl.*\.glb or \.obj"),
        ("face.obj", FACE, {"jawOpen": FACE}, "write a .glb"),
        ("face.glb", FACE[:468], None, r"\(468, 3\)"),
        ("face.glb", FACE * np.nan, None, "not finite"),
        ("face.glb", np.ones((478, 3)), None, "one point"),
        ("face.glb", np.full((478, 3), 0.1), None, "one point"),  # their mean is not 0.1
        ("face.glb", FACE, {"jawOpen": FACE[:3]}, r"shape jawOpen.*\(3, 3\)"),
    ],
)
def test_bad_input_is_refused_and_leaves_no_file(
    tmp_path: Path, name: str, landmarks: np.ndarray, shapes: dict | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        write_mesh(tmp_path / name, landmarks, shapes=shapes)
    assert not list(tmp_path.iterdir())


def test_shapes_without_names_are_refused(tmp_path: Path) -> None:
    write_unchecked = getattr(write_mesh, "__wrapped__", write_mesh)
    with pytest.raises(UserError, match="shapes are a list; give a mapping from names"):
        write_unchecked(tmp_path / "face.glb", FACE, shapes=[FACE])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "texture",
    [
        np.ones((16, 16, 3)),
        np.ones((16, 16), np.uint8),
        np.ones((16, 8, 3), np.uint8),
        np.ones((0, 0, 3), np.uint8),
    ],
)
def test_what_is_no_texture_is_refused(tmp_path: Path, texture: np.ndarray) -> None:
    with pytest.raises(UserError, match=r"a picture is|a texture is square"):
        write_mesh(tmp_path / "face.glb", FACE, texture)
    assert not list(tmp_path.iterdir())
