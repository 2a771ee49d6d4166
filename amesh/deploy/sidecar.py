"""The description beside an artefact: `FILE.json` says what FILE is, and whether it still is."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.topology import Topology, load
from amesh.version import __version__

NORMALISATION = "RGB / 255, in [0, 1]"


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
        shape: None is the dynamic batch.
        dtype: As NumPy calls it.
    """

    shape: tuple[int | None, ...]
    dtype: str = "float32"


@dataclass(frozen=True)
class Sidecar:
    """What an artefact is.

    Attributes:
        kind: `onnx`, `litert`, ...
        sha256: Of the file.
        bytes: Its size.
        model: Name of the network.
        architecture: Its class.
        part: Which network of a cascade; empty for a whole network.
        topology: Name of its landmark scheme.
        topology_sha256: Of everything that gives outputs their meaning; see `topology_hash`.
        precision: Of its arithmetic, or of its weights (LiteRT).
        layout: Order of the image's axes.
        normalisation: What the image holds.
        inputs: By name.
        outputs: By name.
        weights_sha256: Of the weights it was made from; see `weights_hash`.
        weights: Where these come from.
        parity: The comparison with PyTorch; see `amesh.deploy.parity`.
        versions: What wrote it.
    """

    kind: str
    sha256: str
    bytes: int
    model: str
    architecture: str
    topology: str
    topology_sha256: str
    precision: str
    layout: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    weights_sha256: str
    parity: Mapping[str, Any]
    part: str = ""
    normalisation: str = NORMALISATION
    weights: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def sidecar_file(artefact: Path) -> Path:
    """Where an artefact's description lies."""
    return artefact.with_name(f"{artefact.name}.json")


def write(artefact: Path, sidecar: Sidecar) -> None:
    """Writes the description of an artefact, whole or not at all.

    After the artefact: an interruption between the two leaves a hash that does not match, never a
    wrong match.
    """
    write_atomically(sidecar_file(artefact), json.dumps(asdict(sidecar), indent=2).encode() + b"\n")


def read(artefact: Path) -> Sidecar:
    """The description of an artefact, compared with the artefact.

    Raises:
        UserError: One of the two is missing or damaged, or they do not match; or the topology is
            another one here.
    """
    sidecar = read_unchecked(artefact)
    check(sidecar, artefact.read_bytes(), artefact)
    return sidecar


def read_unchecked(artefact: Path) -> Sidecar:
    """The description of an artefact; the artefact itself is not looked into.

    Raises:
        UserError: One of the two is missing, or the description is damaged.
    """
    path = sidecar_file(artefact)
    if not artefact.is_file():
        raise UserError(f"no file {artefact}")
    if not path.is_file():
        raise UserError(f"{artefact}: no {path.name} beside it; export it again")
    try:
        data = json.loads(path.read_bytes())
        for group in ("inputs", "outputs"):
            data[group] = {
                name: Tensor(tuple(entry["shape"]), entry["dtype"])
                for name, entry in data[group].items()
            }
        return Sidecar(**data)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{path}: damaged, or not written by `amesh export`") from error


def check(sidecar: Sidecar, content: bytes, artefact: Path) -> None:
    """Compares an artefact with its description.

    Raises:
        UserError: Its hash does not match, or its topology is another one here.
    """
    found = sha256(content)
    if found != sidecar.sha256:
        raise UserError(
            f"{artefact}: SHA-256 {found[:12]}, but its sidecar says {sidecar.sha256[:12]}; "
            "damaged or replaced: export it again"
        )
    here = topology_hash(load(sidecar.topology))
    if here != sidecar.topology_sha256:
        raise UserError(
            f"{artefact}: made for another version of topology {sidecar.topology} "
            f"({sidecar.topology_sha256[:12]}, here is {here[:12]}); export it again"
        )


def sha256(content: bytes) -> str:
    """Hash of a file's content."""
    return hashlib.sha256(content).hexdigest()


def weights_hash(net: nn.Module) -> str:
    """Hash of a network's weights: names, shapes and values, whatever file they were in."""
    return tensors_hash(net.state_dict())


def tensors_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """The same of tensors by name, as `amesh.weights.store.tensors` reads them from a file."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        values = np.ascontiguousarray(tensor.detach().cpu().numpy())
        digest.update(f"{name} {values.shape} {values.dtype}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def topology_hash(topology: Topology) -> str:
    """Hash of what gives a network's outputs their meaning: points, regions, mirror."""
    meaning = {
        "points": topology.points,
        "regions": [asdict(region) for region in topology.regions],
        "mirror": topology.mirror.tolist(),
    }
    return sha256(json.dumps(meaning, sort_keys=True).encode())


def versions(*packages: str) -> dict[str, str]:
    """Versions of this package, of Python, and of packages that are installed."""
    found = {"amesh": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
