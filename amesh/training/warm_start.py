"""Warm start: another network's weights, brought into any member of the family.

Most tensors of two members have the same name and shape and are copied. What differs by rule is
converted:

- A head's kernel covers its whole map, 3 x 3 in one member and 4 x 4 in another; it is resampled.
- Points are pixels of the input, so the last convolutions are scaled to the new size.
- The released mesh head has no irises. Their new rows start as the mean of the eye's outline.
- A cascade's region networks have stems of their own: each starts as the one stem there is.

What remains starts afresh, and is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from amesh.errors import UserError
from amesh.nn.cascade import Cascade
from amesh.nn.config import MESH_STRIDE, REGION_STRIDE, MeshConfig
from amesh.nn.template import template_in_crop

_DAMPING = 0.3


@dataclass(frozen=True)
class Transfer:
    """What a warm start did.

    Attributes:
        copied: Names of tensors that were taken as they are.
        converted: Those that were resampled, scaled or extended.
        fresh: Those that kept their random start.
        unused: Those of the source that found no place.
    """

    copied: tuple[str, ...]
    converted: tuple[str, ...]
    fresh: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        """One line for the log, then what starts afresh and what is left over, by part."""
        text = f"{len(self.copied)} tensors copied, {len(self.converted)} converted"
        for label, names in (("fresh", self.fresh), ("not used", self.unused)):
            if names:
                text += f"; {label}: {', '.join(_parts(names))}"
        return text


@torch.no_grad()
def warm_start(net: nn.Module, source: nn.Module) -> Transfer:
    """Fills `net` with what fits of `source`.

    Raises:
        UserError: Nothing fits.
    """
    new, old = _config(net), _config(source)
    state = dict(source.state_dict())
    comparable = _same_landmarks(new, old)
    copied: list[str] = []
    converted: list[str] = []
    fresh: list[str] = []
    used: set[str] = set()
    for name, tensor in net.state_dict().items():
        origin = name if name in state else _counterpart(name, isinstance(net, Cascade))
        if origin not in state:
            fresh.append(name)
            continue
        head = _is_head(name)
        if head and not comparable:
            fresh.append(name)
            continue
        value = _converted(origin, state[origin], new, old) if head else state[origin]
        if value.shape != tensor.shape:
            fresh.append(name)
            continue
        (converted if head and not _equal(value, state[origin]) else copied).append(name)
        used.add(origin)
        tensor.copy_(value)
    if not used:
        raise UserError(f"warm start: nothing of {old.name} fits into {new.name}")
    unused = tuple(name for name in state if name not in used)
    return Transfer(tuple(copied), tuple(converted), tuple(fresh), unused)


def resampled(kernel: Float[Tensor, "n c k k"], size: int) -> Float[Tensor, "n c s s"]:
    """A kernel over a whole map, for the same map in `size` x `size` cells.

    If the new map is the old one enlarged, the new kernel gives nearly what the old one gives; on a
    constant map exactly. Nearly: the exact answer (no damping) would also amplify differences of
    neighbouring cells, and the new member's map is not quite the old one enlarged. A damping of 0.3
    served released-192 -> paper-256 best over its 38 golden crops.
    """
    old = kernel.shape[-1]
    identity = torch.eye(old, dtype=kernel.dtype)
    enlarge = F.interpolate(identity[None], size=size, mode="linear", align_corners=False)[0].T
    back = torch.linalg.solve(enlarge.T @ enlarge + _DAMPING * identity, enlarge.T)  # k s
    back = (back / back.sum(1, keepdim=True)).to(kernel)
    out: Tensor = back.T @ kernel @ back
    return out


def _converted(name: str, tensor: Tensor, new: MeshConfig, old: MeshConfig) -> Tensor:
    """A tensor of a last convolution as the new member needs it."""
    if name == "mesh.head.points.bias" or name == "mesh.head.points.weight":
        tensor = _mesh_rows(name, tensor, new, old) * (new.input_size / old.input_size)
        size = new.input_size // MESH_STRIDE
    elif name.startswith("regions."):
        tensor = tensor * (new.crop_size / old.crop_size)
        size = new.crop_size // REGION_STRIDE
    else:  # the face flag, thetas: no pixels
        size = new.input_size // MESH_STRIDE
    if name.endswith(".weight") and tensor.shape[-1] != size:
        tensor = resampled(tensor, size)
    return tensor


def _mesh_rows(name: str, tensor: Tensor, new: MeshConfig, old: MeshConfig) -> Tensor:
    """The rows of the landmarks that the new mesh head predicts, in its order [old px]."""
    rows = tensor.unflatten(0, (-1, 3))  # 3m ... -> m 3 ...
    row_of = {landmark: row for row, landmark in enumerate(old.mesh_indices)}
    template = template_in_crop(old)[0].to(tensor)
    outlines = {i: list(iris.z_from) for iris in old.load_topology().irises for i in iris.indices}
    taken = []
    for landmark in new.mesh_indices:
        if landmark in row_of:
            taken.append(rows[row_of[landmark]])
            continue
        around = outlines[landmark]
        mean = rows[[row_of[i] for i in around]].mean(0)
        if name.endswith(".bias"):
            mean = mean + template[landmark] - template[around].mean(0)
        taken.append(mean)
    return torch.stack(taken).flatten(0, 1)


def _counterpart(name: str, cascade: bool) -> str:
    """Where a network without stems of their own keeps what a region's network holds."""
    parts = name.split(".")
    if cascade and parts[0] == "regions":
        if parts[2] == "shared":
            return ".".join(parts[2:])
        if parts[2] == "submodel":
            return ".".join([*parts[:2], *parts[3:]])
    return name


def _is_head(name: str) -> bool:
    """Whether a tensor belongs to a convolution whose kernel covers its map."""
    return name.rsplit(".", 1)[0].endswith(("head.points", "face_flag", "theta"))


def _same_landmarks(new: MeshConfig, old: MeshConfig) -> bool:
    mine, theirs = new.load_topology(), old.load_topology()
    return mine.points == theirs.points and mine.regions == theirs.regions


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(torch.equal(one, other))


def _config(net: nn.Module) -> MeshConfig:
    config = getattr(net, "config", None)
    if not isinstance(config, MeshConfig):
        raise UserError(f"warm start: {type(net).__name__} is not a landmark network")
    return config


def _parts(names: tuple[str, ...]) -> Mapping[str, None]:
    """The modules that hold these tensors, each once, in order."""
    return dict.fromkeys(name.rsplit(".", 1)[0] for name in names)
