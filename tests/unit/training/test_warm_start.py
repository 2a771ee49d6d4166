import json
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED, MeshConfig, RegionConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.output import MeshOutput
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import PlainMesh
from amesh.training.warm_start import resampled, warm_start

SMALL = MeshConfig("small", input_size=192, crop_size=16, depth=1, mesh_irises=False)
GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "released_192.npz"


def test_the_same_member_is_copied_whole():
    source, net = AttentionMesh(SMALL), AttentionMesh(SMALL)
    transfer = warm_start(net, source)
    assert not transfer.converted + transfer.fresh + transfer.unused
    image = torch.rand(1, 3, 192, 192)
    assert torch.equal(net(image).landmarks, source(image).landmarks)


def test_a_larger_member_takes_everything_and_scales_its_heads():
    source = AttentionMesh(SMALL)
    net = AttentionMesh(replace(SMALL, input_size=256, crop_size=24, mesh_irises=True))
    transfer = warm_start(net, source)
    assert not transfer.fresh + transfer.unused
    assert "mesh.head.points.weight" in transfer.converted
    bias, old = net.mesh.head.points.bias.view(478, 3), source.mesh.head.points.bias.view(468, 3)
    assert torch.allclose(bias[:468], old * 256 / 192)
    # The right iris, which the source's mesh does not have, starts inside the right eye.
    eye = bias[list(NAMED["paper-256"].load_topology().regions[1].iris.z_from), :2]
    assert (bias[468, :2] > eye.amin(0)).all()
    assert (bias[468, :2] < eye.amax(0)).all()
    lips = net.regions["lips"].branches["lips"].head.points.bias
    assert torch.allclose(lips, source.regions["lips"].branches["lips"].head.points.bias * 1.5)


def test_a_plain_mesh_takes_over_a_plain_mesh_of_another_size():
    plain = PlainConfig("plain", input_size=128, widths=(2, 2, 2, 2, 2, 2, 2), depth=0)
    source, same, large = (PlainMesh(replace(plain, input_size=s)) for s in (128, 128, 256))
    assert not warm_start(same, source).converted
    image = torch.rand(1, 3, 128, 128)
    assert torch.equal(same(image).landmarks, source(image).landmarks)
    transfer = warm_start(large, source)
    assert not transfer.fresh + transfer.unused
    assert transfer.converted == ("points.weight", "points.bias", "face_flag.weight")
    assert torch.allclose(large.points.bias, 2 * source.points.bias)


def test_a_plain_mesh_and_an_attention_mesh_have_nothing_in_common():
    plain = PlainMesh(PlainConfig("plain", widths=(2, 2, 2, 2, 2, 2, 2), depth=0))
    with pytest.raises(UserError, match="nothing of small fits into plain"):
        warm_start(plain, AttentionMesh(SMALL))
    with pytest.raises(UserError, match="nothing of plain fits into small"):
        warm_start(AttentionMesh(SMALL), plain)


@pytest.mark.parametrize("size", [3, 4])
def test_a_resampled_kernel_answers_a_constant_map_as_before(size):
    kernel = torch.randn(5, 7, 2, 2)
    new = resampled(kernel, size)
    assert torch.allclose(new.sum((2, 3)), kernel.sum((2, 3)), atol=1e-5)


def test_a_resampled_kernel_nearly_answers_an_enlarged_map_as_before():
    kernel, features = torch.randn(40, 8, 3, 3), torch.randn(1, 8, 3, 3)
    enlarged = F.interpolate(features, size=4, mode="bilinear", align_corners=False)
    old, new = F.conv2d(features, kernel), F.conv2d(enlarged, resampled(kernel, 4))
    assert torch.nn.functional.cosine_similarity(old.flatten(), new.flatten(), 0) > 0.9


def test_the_released_sizes_resample_their_kernels():
    kernel = torch.randn(3, 2, 3, 3)
    assert torch.allclose(resampled(kernel, 3).sum((2, 3)), kernel.sum((2, 3)), atol=1e-4)


def test_baselines_take_their_parts():
    source = AttentionMesh(replace(SMALL, mesh_irises=True))
    mesh, cascade = MeshOnly(source.config), Cascade(source.config)
    transfer = warm_start(mesh, source)
    assert not transfer.fresh
    assert str(transfer).endswith("not used: regions")
    assert not warm_start(cascade, source).fresh
    stem = cascade.regions["lips"].shared.stem.convolution.weight
    assert torch.equal(stem, source.shared.stem.convolution.weight)


def test_what_does_not_fit_is_reported():
    net = AttentionMesh(replace(SMALL, widths=(8, 32, 64, 128, 128, 128)))
    transfer = warm_start(net, AttentionMesh(SMALL))
    assert "shared.stem, " in str(transfer).split("fresh:")[1]
    assert "shared.stem.convolution.weight" in transfer.fresh


NOSE = RegionConfig(points="nose", anchors=(48, 278))


def outputs(net: AttentionMesh) -> MeshOutput:
    torch.manual_seed(1)
    with torch.no_grad():
        return net.eval()(torch.rand(2, 3, 192, 192))


def test_a_new_region_leaves_the_others_as_they_were():
    source = AttentionMesh(SMALL)
    net = AttentionMesh(replace(SMALL, regions={"nose": NOSE}))
    transfer = warm_start(net, source)
    assert not transfer.converted + transfer.unused
    assert set(transfer.fresh) == {
        f"regions.nose.branches.nose.head.points.{kind}" for kind in ("weight", "bias")
    }
    assert "\n" not in str(transfer)
    assert "new region nose starts from the features of lips" in str(transfer)
    assert str(transfer).endswith("fresh: regions.nose.branches.nose.head.points")
    before, after = outputs(source), outputs(net)
    for name, points in before.regions.items():
        assert torch.equal(after.regions[name], points), name
    assert torch.equal(after.mesh, before.mesh)
    assert torch.equal(after.face_flag, before.face_flag)
    lips, nose = source.regions["lips"].branches["lips"], net.regions["nose"].branches["nose"]
    assert torch.equal(nose.head.reduce.weight, lips.head.reduce.weight)


def test_a_new_region_of_another_capacity_starts_afresh():
    net = AttentionMesh(replace(SMALL, regions={"nose": replace(NOSE, depth=0)}))
    transfer = warm_start(net, AttentionMesh(SMALL))
    assert str(transfer).endswith("; fresh: regions.nose")
    assert not transfer.features_of


def test_a_region_of_other_points_keeps_its_features_and_not_its_head():
    fewer = RegionConfig(points="lips_outer")
    net = AttentionMesh(replace(SMALL, regions={"lips": fewer, "left_eye": None}))
    source = AttentionMesh(SMALL)
    transfer = warm_start(net, source)
    head = "regions.lips.branches.lips.head.points"
    # The mesh head takes over the iris of the region that is gone.
    assert set(transfer.converted) == {"mesh.head.points.weight", "mesh.head.points.bias"}
    assert set(transfer.fresh) == {f"{head}.weight", f"{head}.bias"}
    assert "not used: regions.lips.branches.lips.head.points, regions.left_eye" in str(transfer)
    assert torch.equal(outputs(net).regions["right_eye"], outputs(source).regions["right_eye"])


def test_regressed_crops_are_kept_region_by_region():
    config = replace(SMALL, crop_source="regressed")
    source, net = AttentionMesh(config), AttentionMesh(replace(config, regions={"nose": NOSE}))
    own = net.theta.bias[18:].clone()
    transfer = warm_start(net, source)
    assert "theta.bias" in transfer.converted
    assert torch.equal(net.theta.bias[:18], source.theta.bias)
    assert torch.equal(net.theta.bias[18:], own)


def test_the_landmarks_count_and_not_the_name_of_their_scheme(tmp_path: Path):
    data = json.loads((resources.files("amesh.topology") / "schemes/face478.json").read_text())
    copy = tmp_path / "mine.json"
    copy.write_text(json.dumps(data | {"name": "mine"}))
    transfer = warm_start(AttentionMesh(replace(SMALL, topology=str(copy))), AttentionMesh(SMALL))
    assert not transfer.converted + transfer.fresh + transfer.unused


def test_on_other_landmarks_the_features_and_the_face_flag_are_kept():
    net = AttentionMesh(replace(SMALL, topology="ibug68"))
    transfer = warm_start(net, AttentionMesh(SMALL))
    assert {name.rsplit(".", 1)[0] for name in transfer.fresh} == {
        "mesh.head.points",
        *(f"regions.{name}.branches.{name}.head.points" for name in net.config.outputs),
    }
    assert "mesh.face_flag.weight" in transfer.copied


def test_another_kind_of_network_is_refused():
    with pytest.raises(UserError, match="Linear does not predict landmarks"):
        warm_start(AttentionMesh(SMALL), torch.nn.Linear(2, 2))


@pytest.mark.weights
def test_the_released_weights_carry_over_to_the_paper_s_size_as_far_as_they_do(released):
    crops = np.load(GOLDEN)["crops"]
    image = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    large = F.interpolate(image, size=(256, 256), mode="bilinear", align_corners=False)
    net = AttentionMesh(MeshConfig())
    transfer = warm_start(net, released)
    assert not transfer.fresh + transfer.unused
    with torch.no_grad():
        truth = released(image)
        output = net(large, released.normaliser(truth.landmarks))
    # The released network never saw a face a third larger: what it says there is a start to train
    # from, not an answer (2026-11: regions 9 %, mesh 17 % of the outer corners' distance).
    size = (truth.landmarks[:, 33] - truth.landmarks[:, 263]).norm(dim=-1)
    regions = [
        (output.regions[name] * 0.75 - truth.regions[name]).norm(dim=-1) for name in truth.regions
    ]
    mesh = (output.mesh[:, :468] * 0.75 - truth.mesh)[..., :2].norm(dim=-1)
    errors = [100 * (e.mean(1) / size).median().item() for e in (torch.cat(regions, 1), mesh)]
    assert errors[0] < 12
    assert errors[1] < 20
