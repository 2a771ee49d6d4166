"""What a config refuses; regions added, changed and left out on one landmark scheme."""

import json
from dataclasses import replace

import pytest
import torch

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED, MeshConfig, RegionConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.template import template_in_crop
from amesh.topology import Iris

TINY = NAMED["tiny-128"]
NOSE = RegionConfig(points="nose", anchors=(48, 278))


def test_without_changes_the_regions_are_those_of_the_topology():
    topology = TINY.load_topology()
    assert TINY.refined_regions == topology.regions
    assert TINY.outputs == topology.outputs
    assert list(TINY.outputs) == ["lips", "right_eye", "right_iris", "left_eye", "left_iris"]


def test_an_added_region_comes_after_those_of_the_topology():
    config = replace(TINY, regions={"nose": NOSE})
    assert [region.name for region in config.refined_regions] == [
        *(region.name for region in TINY.refined_regions),
        "nose",
    ]
    nose = config.outputs["nose"]
    assert nose[:7] == (168, 6, 197, 195, 5, 4, 1)
    assert len(nose) == len(set(nose)) == 24
    assert config.load_topology().name == "face478"


@pytest.mark.parametrize("kind", [AttentionMesh, Cascade])
def test_an_added_region_is_refined(kind: type[AttentionMesh] | type[Cascade]):
    torch.manual_seed(0)
    config = replace(TINY, regions={"nose": NOSE})
    output = kind(config).eval()(torch.rand(2, 3, 128, 128))
    assert output.thetas.shape == (2, 4, 2, 3)
    nose = list(config.outputs["nose"])
    assert torch.equal(output.landmarks[:, nose, :2], output.regions["nose"])
    assert not torch.equal(output.mesh[:, nose, :2], output.regions["nose"])
    # It starts at the mean face, as every region does.
    away = output.regions["nose"] - template_in_crop(config)[:, nose, :2]
    assert away.abs().max() < 0.05 * config.input_size


def test_a_region_keeps_its_points_where_only_its_capacity_changes():
    config = replace(TINY, regions={"lips": RegionConfig(depth=1)})
    assert config.refined_regions == TINY.refined_regions


def test_points_of_a_known_region_change_and_its_anchors_and_iris_stay():
    config = replace(TINY, regions={"right_eye": RegionConfig(points=(33, 7, 163, 144))})
    _, eye, _ = config.refined_regions
    _, before, _ = TINY.refined_regions
    assert eye.indices == (33, 7, 163, 144)
    assert (eye.anchors, eye.iris) == (before.anchors, before.iris)


def test_a_region_that_is_left_out_is_the_mesh_s():
    config = replace(TINY, mesh_irises=False, regions={"right_eye": None})
    assert list(config.outputs) == ["lips", "left_eye", "left_iris"]
    # Its iris has no other place to come from.
    assert set(range(468, 473)) < set(config.mesh_indices)
    assert not set(range(473, 478)) & set(config.mesh_indices)
    landmarks = AttentionMesh(config).eval()(torch.rand(1, 3, 128, 128)).landmarks
    assert landmarks.shape == (1, 478, 3)


def test_without_any_region_only_mesh_only_can_be_built():
    config = replace(TINY, regions=dict.fromkeys(["lips", "right_eye", "left_eye"]))
    assert MeshOnly(config).eval()(torch.rand(1, 3, 128, 128)).regions == {}
    with pytest.raises(UserError, match="no regions left"):
        AttentionMesh(config)


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ({"nose": RegionConfig()}, "'nose' is not in topology face478"),
        ({"nose": RegionConfig(points="nose")}, "give its points and anchors"),
        ({"nose": replace(NOSE, points="snout")}, "no part 'snout'"),
        ({"nose": replace(NOSE, points=(1, 478))}, "no point 478; expected 0 to 477"),
        ({"nose": replace(NOSE, points=(1, -1))}, "no point -1"),
        ({"nose": replace(NOSE, points=(1, 1))}, "nose lists a point twice"),
        ({"nose": replace(NOSE, points=())}, "nose lists a point twice, or has"),
        ({"nose": replace(NOSE, anchors=(4, 4))}, "anchors are the same point"),
        ({"nose": replace(NOSE, anchors=(4, 900))}, "does not predict point 900"),
        ({"mesh": NOSE}, "region name 'mesh' is taken"),
        ({"right_iris": NOSE}, "region name 'right_iris' is taken"),
        ({"my nose": NOSE}, "'my nose' .* not a plain word"),
        ({"lip": None}, "no region 'lip' to leave out"),
    ],
)
def test_a_region_that_cannot_be_is_refused(regions: dict, message: str):
    with pytest.raises(UserError, match=message):
        replace(TINY, regions=regions)


def test_a_region_needs_points_that_the_mesh_predicts():
    gaze = RegionConfig(points=(468, 473), anchors=(468, 473))
    assert "gaze" in replace(TINY, regions={"gaze": gaze}).outputs
    with pytest.raises(UserError, match="does not predict point 468"):
        replace(TINY, mesh_irises=False, regions={"gaze": gaze})


def test_regions_survive_json():
    tip = Iris("nose_tip", (1, 4), (5,))
    nose = RegionConfig(points=(168, 6, 197), anchors=(48, 278), iris=tip, depth=1)
    config = replace(TINY, regions={"nose": nose, "lips": None, "left_eye": RegionConfig(depth=3)})
    assert MeshConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_a_config_of_an_earlier_version_means_what_it_meant():
    earlier = {"widths": [16, 32, 32], "depth": 1, "head_width": 16}
    config = MeshConfig.from_dict({**TINY.to_dict(), "regions": {"lips": earlier}})
    assert config == replace(TINY, regions={"lips": RegionConfig((16, 32, 32), 1, 16)})
    assert config.refined_regions == TINY.refined_regions


@pytest.mark.parametrize("shape", [(1, 3, 96, 96), (1, 1, 128, 128), (3, 128, 128)])
def test_a_crop_of_another_shape_is_refused(shape: tuple[int, ...]):
    with pytest.raises(UserError, match=r"tiny-128 takes .*\(b, 3, 128, 128\), found"):
        NAMED["tiny-128"].check_image(shape)
    NAMED["tiny-128"].check_image((7, 3, 128, 128))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"input_size": 200}, "input_size 200 is not a multiple of 64"),
        ({"input_size": 0}, "input_size 0 is not a multiple of 64"),
        ({"crop_size": 20}, "crop_size 20 is not a multiple of 8"),
        ({"crop_size": 40}, "crop_size 40 exceeds the shared map's 32"),
        ({"regions": {"nose": RegionConfig()}}, "region 'nose' is not in topology face478"),
        ({"topology": "dog"}, "no topology 'dog'"),
        ({"depth": -3}, "depth -3"),
        ({"widths": (32, 16, 16, 16, 16, 16)}, "never decrease"),
        ({"regions": {"lips": RegionConfig(widths=(8, 8, 8))}}, "lips: widths .* never decrease"),
        ({"depth": 200_000}, "depth 200000; expected 0 to 16"),
        ({"head_width": 10**8}, "head_width 100000000; expected"),
        ({"widths": (64, 64, 64, 64, 64, 60_000)}, "60000.* at most"),
        ({"input_size": 1 << 20}, "input_size 1048576 is above"),
        ({"regions": {"lips": RegionConfig(depth=99)}}, "lips: depth 99; expected"),
        ({"regions": {str(i): NOSE for i in range(40)}}, "40 regions; at most"),
    ],
)
def test_a_config_that_cannot_be_built_is_refused(change: dict, message: str):
    with pytest.raises(UserError, match=message):
        replace(TINY, **change)


def test_a_misspelt_choice_is_refused_outside_of_tests_too(run_python):
    run_python("""
from amesh.errors import UserError
from amesh.nn.config import MeshConfig
for field, value, message in (
    ("sampler", "magic", "sampler 'magic' is none of affine, gather, gaussian"),
    ("theta_rule", "zzz", "theta_rule 'zzz' is none of box, corners"),
    ("crop_source", "oops", "crop_source 'oops' is none of predicted, regressed"),
    ("widths", (8, 16), "widths [8, 16]; expected 6 that never decrease"),
):
    try:
        MeshConfig(**{field: value})
    except UserError as error:
        assert message in str(error), error
    else:
        raise AssertionError(field)
""")


def test_a_config_survives_json():
    config = replace(TINY, regions={"lips": RegionConfig(depth=3)}, theta_rule="corners")
    assert MeshConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"colour": 3}, "config: unknown field 'colour'"),
        ({"regions": {"lips": {"colour": 3}}}, "lips: unknown field 'colour'"),
        ({"depth": "2"}, "depth: expected `int`"),
        ({"depth": None}, "depth: expected `int`"),
        ({"widths": [16, 32, 64, 128, 128, 1.5]}, "widths.*expected `int`"),
        ({"regions": [1]}, "regions: expected `object`"),
        ({"regions": {"lips": {"iris": {"name": 1}}}}, "iris.*expected `str`"),
        ({"batch_norm": 1}, "batch_norm: expected `bool`"),
        ({"input_size": 200}, "input_size 200 is not a multiple"),
    ],
    ids=str,
)
def test_a_config_from_a_file_is_checked(data: dict, message: str):
    with pytest.raises(UserError, match=message):
        MeshConfig.from_dict(data)
