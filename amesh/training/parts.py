"""Parts of a network: those that are frozen, and those that compute in half precision."""

import re
from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn

from amesh.errors import UserError
from amesh.nn.blocks import PointHead
from amesh.nn.mesh_submodel import MeshSubmodel, SharedFeatures
from amesh.nn.plain_mesh import PlainMesh
from amesh.nn.region_submodel import Branch, RegionSubmodel


def of_the_face_flag(net: nn.Module) -> tuple[str, ...]:
    """What the face flag is computed from: all before the last layer of the points."""
    if isinstance(net, PlainMesh):
        return "stem", "stages", "face_flag"
    head = ("mesh.head.reduce", "mesh.head.activation", "mesh.head.block")
    return "shared", "mesh.stages", *head, "mesh.face_flag"


def freeze(net: nn.Module, parts: Iterable[str]) -> None:
    """Keeps parts from training.

    Args:
        net: Any network of the family.
        parts: Names of its modules, such as `shared`, `mesh`, `regions` or `regions.lips`.

    Raises:
        UserError: There is no such part.
    """
    for part in parts:
        module(net, part).requires_grad_(False)


def module(net: nn.Module, part: str) -> nn.Module:
    """The module of that name.

    Raises:
        UserError: There is none, or it has no weights.
    """
    modules: dict[str, nn.Module]
    modules = {name: m for name, m in net.named_modules() if name and _has_weights(m)}
    if part in modules:
        return modules[part]
    shown = [name for name in modules if "." not in name or re.fullmatch(r"regions\.\w+", name)]
    raise UserError(f"freeze: no part {part!r} in {type(net).__name__}; it has: {', '.join(shown)}")


def half_trunks(net: nn.Module, dtype: torch.dtype = torch.bfloat16) -> None:
    """Makes the convolutional trunks compute in half precision, and nothing else.

    Autocast over the whole network would also round thetas and the heads' coordinates: in bfloat16
    that is up to half a pixel. Heads, geometry and sampling stay in single precision.
    """
    for trunk in trunks(net):
        trunk.forward = partial(_in_half, trunk.forward, dtype)


def trunks(net: nn.Module) -> list[nn.Module]:
    """Where the operations are: everything between the picture or a crop and a head."""
    found: list[nn.Module] = []
    for module in net.modules():
        if isinstance(module, SharedFeatures):
            found.append(module)
        elif isinstance(module, PlainMesh):
            found += [module.stem, module.stages]
        elif isinstance(module, MeshSubmodel):
            found.append(module.stages)
        elif isinstance(module, RegionSubmodel):
            found.append(module.trunk)
        elif isinstance(module, Branch):
            found.append(module.blocks)
    if any(isinstance(inner, PointHead) for trunk in found for inner in trunk.modules()):
        raise TypeError("a trunk holds a head: coordinates would be rounded")
    return found


def _has_weights(module: nn.Module) -> bool:
    return any(True for _ in module.parameters())


def _in_half(forward: Callable[[Tensor], Tensor], dtype: torch.dtype, x: Tensor) -> Tensor:
    with torch.autocast(x.device.type, dtype):
        return forward(x).to(x.dtype)
