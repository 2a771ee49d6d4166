"""Prepares a network for export: copies it, folds every BatchNorm and checks the weights."""

from dataclasses import replace
from typing import Any, TypeVar, cast, get_args

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from amesh.blazeface.network import DetectorNetwork, build_detector
from amesh.deploy.network.cascade_parts import MeshPart, Part, RegionPart, take_part
from amesh.deploy.network.structure import check_structure
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.plain_mesh import PlainMesh
from amesh.nn.spatial_transformer import SpatialTransformer

Family = AttentionMesh | MeshOnly | Cascade  # the paper's networks, described by one config
Network = Family | PlainMesh
_NETWORKS = get_args(Network)
_Net = TypeVar("_Net", bound=Network | Part | DetectorNetwork)


def prepare(net: _Net, half: bool = False) -> _Net:
    """Copies a network to the CPU in single precision, and folds its BatchNorms.

    Args:
        net: A landmark network, a part of a cascade, or a face detector; trained or not.
        half: Convert the blocks to half precision; coordinates and thetas stay single.

    Raises:
        UserError: A weight is not finite, or not in half precision; or the network contains
            something that its config does not describe.
    """
    check_finite(net, net.config.name)
    ready = _build(net)
    check_structure(net, ready)
    ready.load_state_dict(net.state_dict())
    for module in ready.modules():
        if isinstance(module, SpatialTransformer) and module.sampler == "affine":
            module.sampler = "gather"  # the same results from operators that every runtime has
    fold_batch_norm(ready)
    if half:
        halve(ready)
        check_finite(ready, f"{net.config.name} in half precision")
    return cast(_Net, ready.eval())


def without_errors(net: Network) -> Network:
    """Returns a network without the head that predicts errors, for formats that have no place."""
    if isinstance(net, PlainMesh) or not net.config.predicts_errors:
        return net
    with torch.random.fork_rng(devices=[]):
        bare = type(net)(replace(net.config, error_width=0))
    state = {k: v for k, v in net.state_dict().items() if not k.startswith("mesh.error_head.")}
    bare.load_state_dict(state)
    return bare.eval()


def _build(net: Network | Part | DetectorNetwork) -> Network | Part | DetectorNetwork:
    """Builds a fresh network, or part, of the same kind and config."""
    with torch.random.fork_rng(devices=[]):  # leave the caller's random state alone
        if isinstance(net, DetectorNetwork):
            return build_detector(net.config)
        if isinstance(net, MeshPart | RegionPart):
            return take_part(Cascade(net.config), net.name)
        if type(net) in _NETWORKS:
            return type(net)(cast(Any, net.config))
    known = ", ".join(kind.__name__ for kind in _NETWORKS)
    raise UserError(f"a {type(net).__name__} cannot be exported; these can: {known}")


def check_finite(net: nn.Module, name: str) -> None:
    """Rejects weights that are not finite.

    Raises:
        UserError: A weight is not finite; the message names the first.
    """
    for key, tensor in net.state_dict().items():
        if not tensor.isfinite().all():
            raise UserError(f"{name}: weight {key} is not finite; nothing to export")


def fold_batch_norm(net: nn.Module) -> None:
    """Folds every BatchNorm into the preceding convolution: exact, for evaluation only.

    Raises:
        UserError: A BatchNorm does not follow a block's convolution, or lacks running statistics.
    """
    for block in net.modules():
        norm = getattr(block, "norm", None)
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        name = "pointwise" if hasattr(block, "pointwise") else "convolution"
        convolution = getattr(block, name)
        if norm.running_mean is None or norm.running_var is None:
            raise UserError("a BatchNorm without running statistics cannot be folded")
        weight, bias = fuse_conv_bn_weights(
            *(convolution.weight, convolution.bias, norm.running_mean, norm.running_var),
            *(norm.eps, norm.weight, norm.bias),
        )
        convolution.weight, convolution.bias = weight, bias
        block.norm = nn.Identity()
    for name, module in net.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            kind = type(module).__name__
            raise UserError(f"module {name} ({kind}) follows no convolution to fold it into")


def halve(net: nn.Module) -> None:
    """Converts the blocks to half precision; last convolutions and coordinates stay single."""
    single = {"points", "face_flag", "theta"}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.PReLU) and name.rpartition(".")[2] not in single:
            module.half()
