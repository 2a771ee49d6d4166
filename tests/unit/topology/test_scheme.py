import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.topology import Topology, load, parse

SHIPPED = ["face478", "ibug68"]


@pytest.fixture(params=SHIPPED)
def scheme(request: pytest.FixtureRequest) -> Topology:
    return load(request.param)


def minimal() -> dict:
    return {
        "name": "three",
        "points": 3,
        "anchors": [0, 1],
        "regions": [{"name": "eye", "indices": [0, 1], "anchors": [0, 1]}],
        "contours": {"eye": [[0, 1, 2, 0]]},
        "normalisers": {"eye": [0, 1]},
        "mirror": [1, 0, 2],
        "template": [[-0.5, 0, 0], [0.5, 0, 0], [0, 1, 0]],
    }


def test_regions_of_the_released_network_in_the_order_of_its_outputs():
    face = load("face478")
    assert [region.name for region in face.regions] == ["lips", "right_eye", "left_eye"]
    assert [len(region.indices) for region in face.regions] == [80, 71, 71]
    lips, right_eye, left_eye = face.regions
    assert lips.indices[:11] == (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291)
    assert right_eye.indices[:9] == (33, 7, 163, 144, 145, 153, 154, 155, 133)
    assert left_eye.anchors == (362, 263)
    assert [iris.indices for iris in face.irises] == [
        tuple(range(468, 473)),
        tuple(range(473, 478)),
    ]
    assert right_eye.iris is not None
    assert right_eye.iris.z_from == right_eye.indices[:16]


def test_left_and_right_are_those_of_the_subject():
    face = load("face478")
    right, left = face.normalisers["right_eye"], face.normalisers["left_eye"]
    assert face.template[list(right), 0].max() < 0 < face.template[list(left), 0].min()


def test_surface_covers_the_468_points():
    face = load("face478")
    assert face.triangles.shape == (852, 3)
    assert len({frozenset(t) for t in face.triangles.tolist()}) == 852
    assert face.triangles.max() == 467
    assert face.edges.shape == (1322, 2)
    assert (face.edges[:, 0] < face.edges[:, 1]).all()


def test_mirror_maps_the_surface_onto_itself_except_the_diagonals_of_ten_quads():
    face = load("face478")
    triangles = {frozenset(t) for t in face.triangles.tolist()}
    mirrored = {frozenset(t) for t in face.mirror[face.triangles].tolist()}
    assert len(triangles - mirrored) == 20
    # What differs covers the same landmarks: the quads are the same, cut along the other diagonal.
    assert set().union(*(triangles - mirrored)) == set().union(*(mirrored - triangles))


def test_mirror_is_its_own_inverse_and_swaps_sides(scheme: Topology):
    assert (scheme.mirror[scheme.mirror] == np.arange(scheme.points)).all()
    for region in scheme.regions:
        swapped = region.name.translate(str.maketrans({}))
        for one, other in (("right", "left"), ("left", "right")):
            if region.name.startswith(one):
                swapped = region.name.replace(one, other)
        partner = next(r for r in scheme.regions if r.name == swapped)
        assert set(scheme.mirror[list(region.indices)]) == set(partner.indices)


def test_mirror_pairs_are_each_others_nearest_mirrored_neighbours_on_the_template():
    face = load("face478")
    mirrored = face.template * [-1, 1, 1]
    distance = np.linalg.norm(face.template[:, None] - mirrored[None], axis=-1)
    np.testing.assert_array_equal(distance.argmin(1), face.mirror)


def test_template_has_unit_eye_distance_and_is_upright(scheme: Topology):
    right, left = scheme.template[list(scheme.anchors)]
    np.testing.assert_allclose(left - right, [1, 0, 0], atol=1e-4)
    lips = next(region for region in scheme.regions if region.name == "lips")
    assert scheme.template[list(lips.indices), 1].min() > 0.5  # below the eyes: y points down


def test_nose_tip_is_nearest_the_camera():
    assert load("face478").template[:, 2].argmin() in (1, 4)


@pytest.mark.parametrize("name", SHIPPED)
def test_closed_contours_end_at_their_first_landmark(name: str):
    for contour in ("lips_outer", "lips_inner", "right_eye", "left_eye"):
        [line] = load(name).contours[contour]
        assert line[0] == line[-1]


def test_ibug68_is_both_a_map_of_face478_and_a_scheme():
    face, ibug = load("face478"), load("ibug68")
    mapped = face.map_points(face.template, "ibug68")
    np.testing.assert_allclose(mapped, ibug.template, atol=2e-5)
    np.testing.assert_allclose(face.map_matrix("ibug68").sum(1), 1)
    # A landmark that stands alone, and the middle of two.
    np.testing.assert_allclose(mapped[36], face.template[33])
    np.testing.assert_allclose(mapped[3], (face.template[132] + face.template[58]) / 2)


def test_ibug68_map_is_mirror_symmetric():
    face, ibug = load("face478"), load("ibug68")
    matrix = face.map_matrix("ibug68")
    mirrored = matrix[:, face.mirror][ibug.mirror]
    differ = np.flatnonzero(np.abs(matrix - mirrored).sum(1))
    assert differ.tolist() == []


def test_a_custom_scheme_is_a_file(tmp_path):
    path = tmp_path / "own.json"
    path.write_text(json.dumps(minimal()))
    own = load(str(path))
    assert own.points == 3
    assert own.edges.shape == (0, 2)
    assert own.irises == ()


def test_the_documented_example_is_complete(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "topology.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```json\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    path = tmp_path / "eyes12.json"
    path.write_text(example)
    eyes = load(str(path))
    ibug = load("ibug68").template
    mapped = eyes.map_matrix("ibug68") @ eyes.template
    np.testing.assert_allclose(mapped[36:48], ibug[36:48], atol=1e-3)
    assert not mapped[:36].any()
    # The table of keys has all of them, and no other.
    required, optional = set(minimal()) | {"roi"}, {"triangles", "maps", "about", "midline"}
    table = text.split("## Keys")[1].split("## The crop")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == required | optional
    assert set(json.loads(example)) == (required | optional) - {"midline"}  # it has eyes alone


def test_an_identical_mirror_is_for_landmarks_in_the_middle():
    with pytest.raises(ValueError, match="mirror changes nothing, but landmark 0"):
        parse(minimal() | {"mirror": [0, 1, 2]})
    middle = {"template": [[0, 0, 0], [0, 0.5, 0], [0.01, 1, 0]], "mirror": [0, 1, 2]}
    assert parse(minimal() | middle).mirror.tolist() == [0, 1, 2]


def test_one_scheme_has_the_landmarks_of_another_whatever_it_is_called():
    face = load("face478")
    assert replace(face, name="mine", regions=()).has_landmarks_of(face)
    assert not replace(face, name="mine", template=face.template * 1.1).has_landmarks_of(face)
    assert not replace(face, name="mine", mirror=np.arange(478)).has_landmarks_of(face)
    assert not load("ibug68").has_landmarks_of(face)


def test_unknown_scheme_lists_the_shipped_ones():
    with pytest.raises(UserError, match=r"'dog'.*face478, ibug68"):
        load("dog")


def test_unknown_map_lists_the_known_ones():
    with pytest.raises(UserError, match=r"'dog106'.*ibug68"):
        load("face478").map_matrix("dog106")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mirror": [1, 2, 0]}, "mirror is not a permutation"),
        ({"mirror": [1, 0]}, "mirror is not a permutation"),
        ({"contours": {"eye": [[0, 3]]}}, "contour eye refers to landmark 3"),
        ({"template": [[0, 0, 0]]}, "template has 1 points, expected 3"),
        ({"normalisers": {"eye": [0, -1]}}, "normaliser eye refers to landmark -1"),
        ({"triangles": []}, "triangles is empty"),
        ({"mirror": [0, 1, 10**20]}, "expected `int` <= 2147483647"),
        ({"mirror": [0, 1, None]}, r"mirror\[2\]: expected `int`"),
        ({"points": 10**9}, "points: expected `int` <= 100000"),
        ({"points": "3"}, "points: expected `int`"),
        ({"regions": [{"name": "eye"}]}, "regions.*`indices`"),
        ({"maps": {"other": [["a"]]}}, "maps.*expected `int`"),
        ({"triangles": [[0, 1, 7]]}, "triangles refers to landmark 7"),
        ({"midline": [2, 7]}, "midline refers to landmark 7"),
        ({"midline": [0, 2]}, "midline has landmark 0, which mirror moves to another"),
        ({"midline": [2, 2]}, "midline does not go down the face of template"),
    ],
)
def test_an_inconsistent_scheme_is_refused(change: dict, message: str):
    with pytest.raises(ValueError, match=message):
        parse(minimal() | change)


def test_region_names_must_be_plain_words():
    data = minimal()
    data["regions"][0]["name"] = "left.eye"
    with pytest.raises(ValueError, match=r"'left\.eye' is not a plain word"):
        parse(data)


def test_an_iris_must_take_its_z_from_the_mesh():
    data = minimal()
    data["regions"][0]["iris"] = {"name": "iris", "indices": [2], "z_from": [1, 2]}
    with pytest.raises(ValueError, match="iris iris takes its z from an iris"):
        parse(data)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "odd.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"topology .*odd\.json: "):
        load(str(path))


def test_two_regions_with_one_name_are_refused():
    data = minimal()
    data["regions"] *= 2
    with pytest.raises(ValueError, match="two regions share a name: eye, eye"):
        parse(data)


def test_a_deeply_nested_file_is_refused(tmp_path):
    path = tmp_path / "odd.json"
    path.write_text('{"name": ' + "[" * 5000)
    with pytest.raises(UserError, match=r"odd\.json: .*JSON"):
        load(str(path))


def test_a_missing_key_is_named(tmp_path):
    data = minimal()
    del data["mirror"]
    path = tmp_path / "own.json"
    path.write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"own\.json: .*`mirror`"):
        load(str(path))


def test_parts_have_names():
    face = load("face478")
    assert face.indices("lips_outer")[:3] == (61, 146, 91)
    assert len(face.indices("lips_outer")) == 20  # closed, but each landmark once
    assert face.indices("right_iris") == tuple(range(468, 473))  # with its centre
    assert len(face.indices("right_eye")) == 16  # the contour, not the region's 71 points
    assert face.indices("lips") == face.regions[0].indices
    assert len(face.indices("left_eyebrow")) == 10
    assert all(face.indices(name) for name in face.names)


def test_an_unknown_part_lists_the_names():
    with pytest.raises(UserError, match=r"no part 'mouth'; .*lips_outer"):
        load("face478").indices("mouth")
