"""What the exporters do not know is refused by name, wherever in a network it stands."""

from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec

import pytest
import torch
from torch import nn

from amesh.deploy.litert.export import export_for_task, export_litert, export_parts
from amesh.deploy.network.cascade_parts import take_part
from amesh.deploy.network.prepare import Network, fold_batch_norm, prepare
from amesh.deploy.onnx.export import export_onnx
from amesh.deploy.onnx.picture import export_onnx_picture
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly

TINY = NAMED["tiny-128"]
# The exporters of TFLite files compare them: without LiteRT they refuse before they look.
needs_litert = pytest.mark.skipif(find_spec("ai_edge_litert") is None, reason="needs LiteRT")


class Doubled(nn.PReLU):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def dilate(block: nn.Module) -> None:
    block.depthwise.dilation = (2, 2)


def reflect(block: nn.Module) -> None:
    block.depthwise.padding_mode = "reflect"


def reorder(block: nn.Module) -> None:
    block._modules["depthwise"] = block._modules.pop("depthwise")


def drop_bias(block: nn.Module) -> None:
    block.pointwise.bias = None


# How to change a residual block, and what the message has to say after the block's own name.
CHANGES: dict[str, tuple[Callable[[nn.Module], object], str]] = {
    "Hardswish for PReLU": (
        lambda block: setattr(block, "activation", nn.Hardswish()),
        r"\.activation \(Hardswish\) is in place of",
    ),
    "Hardswish for Identity": (
        lambda block: setattr(block, "norm", nn.Hardswish()),
        r"\.norm \(Hardswish\) is in place of",
    ),
    "LeakyReLU": (
        lambda block: setattr(block, "activation", nn.LeakyReLU()),
        r"\.activation \(LeakyReLU\) is in place of",
    ),
    "BatchNorm that the config lacks": (
        lambda block: setattr(block, "norm", nn.BatchNorm2d(block.pointwise.out_channels)),
        r"\.norm \(BatchNorm2d\) is in place of",
    ),
    "Dropout": (
        lambda block: block.add_module("dropout", nn.Dropout()),
        r"\.dropout \(Dropout\) is not part",
    ),
    "parameter": (
        lambda block: block.register_parameter("scale", nn.Parameter(torch.ones(1))),
        r" \(ResidualBlock\) has an unknown parameter 'scale'",
    ),
    "buffer": (
        lambda block: block.register_buffer("shift", torch.ones(1)),
        r" \(ResidualBlock\) has an unknown buffer 'shift'",
    ),
    "custom module": (
        lambda block: setattr(block, "activation", Doubled(block.activation.num_parameters)),
        r"\.activation \(Doubled\) is in place of",
    ),
    "dilation": (dilate, r"\.depthwise \(Conv2d\) has dilation \(2, 2\)"),
    "padding mode": (reflect, r"\.depthwise \(Conv2d\) has padding_mode 'reflect'"),
    "missing bias": (drop_bias, r"\.pointwise \(Conv2d\) has no parameter 'bias'"),
    "order": (reorder, r"pointwise \(Conv2d\) does not run in its usual order"),
}
PLACES = {
    "block": "shared.blocks.0",
    "region": "regions.lips.trunk.0.0",
    "head": "regions.right_eye.branches.right_iris.head.block",
}


@needs_litert
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("change", CHANGES)
def test_exporters_refuse_what_the_config_does_not_describe(change: str, place: str):
    net = AttentionMesh(TINY).eval()
    apply, message = CHANGES[change]
    apply(net.get_submodule(PLACES[place]))
    path = PLACES[place].replace(".", r"\.")
    for export in (export_litert, export_onnx):
        with pytest.raises(UserError, match=rf"module {path}.*{message}"):
            export(net)


@needs_litert
@pytest.mark.parametrize("part", ["mesh", "lips"])
def test_exporters_refuse_changed_parts_of_a_cascade(part: str):
    net = Cascade(TINY).eval()
    places = {"mesh": "mesh.head.activation", "lips": "regions.lips.shared.stem.activation"}
    holder, _, name = places[part].rpartition(".")
    setattr(net.get_submodule(holder), name, nn.Hardswish())
    own = places[part].removeprefix("regions.lips.")
    with pytest.raises(UserError, match=rf"module {own} \(Hardswish\)"):
        export_onnx(take_part(net, part))
    with pytest.raises(UserError, match=rf"module {places[part]} \(Hardswish\)"):
        export_parts(net)


@needs_litert
@pytest.mark.parametrize("export", [export_for_task, export_onnx_picture])
def test_other_exporters_refuse_them_too(export: Callable[[Network], bytes]):
    net = MeshOnly(TINY).eval()
    net.shared.down.norm = nn.Hardswish()
    with pytest.raises(UserError, match=r"shared\.down\.norm \(Hardswish\)"):
        export(net)


@needs_litert
@pytest.mark.parametrize("export", [export_litert, export_onnx])
def test_a_subclass_is_refused(export: Callable[[Network], object]):
    class Louder(MeshOnly):
        pass

    with pytest.raises(UserError, match="a Louder cannot be exported"):
        export(Louder(TINY))


def test_indices_that_do_not_follow_from_the_config_are_refused():
    net = AttentionMesh(TINY)
    net.assembly.xy_rows[0] = 5
    with pytest.raises(UserError, match=r"assembly \(Assembly\) has a buffer xy_rows"):
        prepare(net)


def test_batch_norm_of_distributed_training_is_folded():
    config = replace(TINY, batch_norm=True)
    plain = AttentionMesh(config).eval()
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(AttentionMesh(config)).eval()
    synchronised.load_state_dict(plain.state_dict())
    found, expected = prepare(synchronised).state_dict(), prepare(plain).state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in found.items())
    assert not any("norm" in name for name in found)


def test_a_batch_norm_without_its_convolution_is_refused():
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    with pytest.raises(UserError, match=r"module 1 \(BatchNorm2d\) follows no"):
        fold_batch_norm(net)


def test_preparing_leaves_the_random_numbers_alone():
    net = MeshOnly(TINY)
    state = torch.get_rng_state()
    prepare(net)
    assert torch.equal(torch.get_rng_state(), state)
