"""Warm start: fill a network with another network's weights, head by head.

Most tensors of two members of the family have the same name and shape and are copied. Others are
converted:

- A head's kernel covers its whole map, 3 x 3 in one member and 4 x 4 in another; it is resampled.
- Points are pixels of the input, so the last convolutions are scaled to the new size.
- The released mesh head has no irises. Their new rows start as the mean of the eye's outline.
- A cascade's region networks have stems of their own: each starts as the one stem there is.

Each head is kept where it means the same in both networks: the mesh head where the landmarks do,
a region's where its points and anchors do, the face flag always. A region that the source does not
have starts from the features of the one that lies nearest on the mean face, if the shapes agree.
The rest keeps its random start, and the log names it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from amesh.errors import UserError
from amesh.nn.cascade import Cascade
from amesh.nn.config import MESH_STRIDE, REGION_STRIDE, MeshConfig
from amesh.nn.network_config import NetworkConfig
from amesh.nn.plain_config import PLAIN_STRIDE, PlainConfig
from amesh.nn.template import template_in_crop
from amesh.topology import Region

_DAMPING = 0.3
# Modules that hold one part per region, by the region's name.
_BY_REGION = ("regions", "attention", "cut")


@dataclass(frozen=True)
class Transfer:
    """What a warm start did.

    Attributes:
        copied: Names of the tensors that were copied as they are.
        converted: Those that were resampled, scaled or extended.
        fresh: Those that kept their random start.
        used: Tensors of the source that were copied or converted.
        unused: Tensors of the source that have no place in the network.
        features_of: For each region that the source does not have: the region of the source whose
            features it starts from.
    """

    copied: tuple[str, ...]
    converted: tuple[str, ...]
    fresh: tuple[str, ...]
    used: tuple[str, ...]
    unused: tuple[str, ...]
    features_of: Mapping[str, str]

    def __str__(self) -> str:
        """One line for the log: how much was taken, what is new, what is left over."""
        text = f"{len(self.copied)} tensors copied, {len(self.converted)} converted"
        for region, donor in self.features_of.items():
            text += f"; new region {region} starts from the features of {donor}"
        for label, names, others in (
            ("fresh", self.fresh, self.copied + self.converted),
            ("not used", self.unused, self.used),
        ):
            if names:
                text += f"; {label}: {', '.join(_parts(names, others))}"
        return text


@torch.no_grad()
def warm_start(net: nn.Module, source: nn.Module) -> Transfer:
    """Fills `net` with whatever fits of `source`.

    Raises:
        UserError: Nothing fits.
    """
    new, old = _config(net), _config(source)
    state = dict(source.state_dict())
    donors: Mapping[str, str] = {}
    if isinstance(new, MeshConfig) and isinstance(old, MeshConfig):
        donors = _donors(new, old)
    copied: list[str] = []
    converted: list[str] = []
    fresh: list[str] = []
    used: set[str] = set()
    for name, tensor in net.state_dict().items():
        origin = name if name in state else _counterpart(name, isinstance(net, Cascade))
        origin = _donated(origin, donors, new, old)
        value = state.get(origin)
        if value is not None and _is_head(name):
            value = _converted(name, value, tensor, new, old)
        if value is None or value.shape != tensor.shape:
            fresh.append(name)
            continue
        (copied if torch.equal(value, state[origin]) else converted).append(name)
        used.add(origin)
        tensor.copy_(value)
    if not used:
        raise UserError(f"warm start: nothing of {old.name} fits into {new.name}")
    features_of = {
        name: donor
        for name, donor in donors.items()
        if name != donor and any(f".{name}." in taken for taken in copied)
    }
    return Transfer(
        tuple(copied),
        tuple(converted),
        tuple(fresh),
        tuple(used),
        tuple(name for name in state if name not in used),
        features_of,
    )


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


def _converted(
    name: str, tensor: Tensor, start: Tensor, new: NetworkConfig, old: NetworkConfig
) -> Tensor | None:
    """A tensor of a last convolution as the new network needs it; None if it means something else.

    Args:
        name: Of the tensor in the new network.
        tensor: The source's.
        start: The new network's own, for rows that the source does not have.
        new: The new network.
        old: The source.
    """
    size = new.input_size // (PLAIN_STRIDE if isinstance(new, PlainConfig) else MESH_STRIDE)
    larger = new.input_size / old.input_size
    if "face_flag." not in name and not _same_landmarks(new, old):
        return None
    if name.startswith("points."):
        tensor = tensor * larger
    elif name.startswith("mesh.head.points"):
        tensor = _mesh_rows(name, tensor, new, old) * larger
    elif name.startswith("regions."):
        assert isinstance(new, MeshConfig)  # no other has regions
        assert isinstance(old, MeshConfig)
        output = name.split(".branches.")[1].split(".")[0]
        if _meaning(output, new) != _meaning(output, old):
            return None
        tensor = tensor * (new.crop_size / old.crop_size)
        size = new.crop_size // REGION_STRIDE
    if name.endswith(".weight") and tensor.shape[-1] != size:
        tensor = resampled(tensor, size)
    return _theta_rows(tensor, start, new, old) if name.startswith("theta.") else tensor


def _meaning(output: str, network: NetworkConfig) -> object:
    """What the numbers of a region's output say: of which landmarks, in which crop."""
    for region in network.refined_regions:
        if output in region.outputs:
            return region.outputs[output], set(region.indices), region.anchors
    return None


def _theta_rows(
    tensor: Tensor, start: Tensor, new: NetworkConfig, old: NetworkConfig
) -> Tensor | None:
    """Six rows a region: the source's where it has the same region; None where it has none."""
    source = dict(zip(_names(old), tensor.unflatten(0, (-1, 6)), strict=True))
    own = dict(zip(_names(new), start.unflatten(0, (-1, 6)), strict=True))
    kept = {name for name in own if name in source and _meaning(name, new) == _meaning(name, old)}
    if not kept or tensor.shape[1:] != start.shape[1:]:
        return None
    return torch.cat([source[name] if name in kept else own[name] for name in own])


def _names(network: NetworkConfig) -> list[str]:
    return [region.name for region in network.refined_regions]


def _mesh_rows(name: str, tensor: Tensor, new: NetworkConfig, old: NetworkConfig) -> Tensor:
    """The rows of the landmarks that the new mesh head predicts, in its order [old px]."""
    rows = tensor.unflatten(0, (-1, 3))  # 3m ... -> m 3 ...
    row_of = {landmark: row for row, landmark in enumerate(old.mesh_indices)}
    template = template_in_crop(old)[0].to(tensor)
    irises = [region.iris for region in old.refined_regions if region.iris]
    outlines = {i: list(iris.z_from) for iris in irises for i in iris.indices}
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


def _donors(new: MeshConfig, old: MeshConfig) -> dict[str, str]:
    """The region of the source that each region takes its features from, where there is one.

    That of the same name, else the nearest of equal capacity: what lies side by side on a face is
    seen at much the same scale.
    """
    found = {}
    for region in new.refined_regions:
        capacity = new.region(region.name).capacity
        alike = [r for r in old.refined_regions if old.region(r.name).capacity == capacity]
        if region.name in _names(old):
            found[region.name] = region.name
        elif alike:
            place = _centre(region, new)
            away = [float(np.linalg.norm(_centre(other, old) - place)) for other in alike]
            found[region.name] = alike[int(np.argmin(away))].name
    return found


def _centre(region: Region, network: NetworkConfig) -> Float[np.ndarray, " 2"]:
    """Where a region lies on the mean face, which every topology has in the same place."""
    template = network.load_topology().template
    return np.asarray(template[list(region.indices), :2].mean(0))


def _donated(name: str, donors: Mapping[str, str], new: NetworkConfig, old: NetworkConfig) -> str:
    """What a tensor of a region is called in the region that donates it."""
    words = name.split(".")
    if words[0] not in _BY_REGION or donors.get(words[1], words[1]) == words[1]:
        return name
    own, donor = (
        next(region for region in network.refined_regions if region.name == called)
        for network, called in ((new, words[1]), (old, donors[words[1]]))
    )
    words[1] = donor.name
    if "branches" in words:
        place = words.index("branches") + 1
        branches = dict(zip(own.outputs, donor.outputs, strict=False))  # a donor may have no iris
        words[place] = branches.get(words[place], words[place])
    return ".".join(words)


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
    module = name.rsplit(".", 1)[0]
    return module == "points" or module.endswith(("head.points", "face_flag", "theta"))


def _same_landmarks(new: NetworkConfig, old: NetworkConfig) -> bool:
    return new.load_topology().has_landmarks_of(old.load_topology())


def _config(net: nn.Module) -> NetworkConfig:
    config = getattr(net, "config", None)
    if not isinstance(config, NetworkConfig):
        raise UserError(f"warm start: {type(net).__name__} does not predict landmarks")
    return config


def _parts(names: Iterable[str], others: Iterable[str]) -> Mapping[str, None]:
    """The largest modules that hold only these tensors and none of the others, in order."""
    return dict.fromkeys(_largest(name, tuple(others)) for name in names)


def _largest(name: str, others: tuple[str, ...]) -> str:
    words = name.split(".")
    for end in range(1, len(words)):
        module = ".".join(words[:end])
        if not any(other.startswith(f"{module}.") for other in others):
            return module
    return name
