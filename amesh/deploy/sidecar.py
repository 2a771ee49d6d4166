"""The description beside an artefact: `FILE.json` says what FILE is, and whether it still is."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from amesh.deploy.signature import Shapes
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.topology import Topology, load
from amesh.version import __version__

NORMALISATION = "RGB / 255, in [0, 1]"


@dataclass(frozen=True)
class TensorSpec:
    """An input or output.

    Attributes:
        shape: None is the dynamic batch.
        dtype: As NumPy calls it.
    """

    shape: tuple[int | None, ...]
    dtype: str = "float32"


def tensor_specs(shapes: Shapes) -> dict[str, TensorSpec]:
    """Specs of inputs or outputs; whatever is no number in a shape is dynamic."""
    return {
        name: TensorSpec(tuple(n if isinstance(n, int) else None for n in shape))
        for name, shape in shapes.items()
    }


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """What an artefact is.

    Attributes:
        kind: Its format; see `amesh.deploy.formats`.
        sha256: Of the file.
        bytes: Its size.
        model: Name of the network.
        architecture: Its class; empty if the artefact was made from a file that does not say.
        part: Which network of a cascade; empty for a whole network.
        topology: Name of its landmark scheme.
        topology_sha256: Of everything that gives outputs their meaning; see `topology_hash`.
        precision: Of its arithmetic, or of its weights (LiteRT).
        layout: Order of the image's axes.
        normalisation: What the image holds.
        inputs: By name.
        outputs: By name.
        weights_sha256: Of the weights it was made from; see `weights_hash`. May be empty, too.
        weights: Where these come from.
        parity: The comparison with PyTorch; see `amesh.deploy.parity`.
        versions: What wrote it.
        details: What its runtime has to know beside; in the file, keys among the others.
    """

    kind: str
    sha256: str
    bytes: int
    model: str
    architecture: str = ""
    part: str = ""
    topology: str
    topology_sha256: str
    precision: str
    layout: str
    normalisation: str = NORMALISATION
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    weights_sha256: str = ""
    weights: Mapping[str, Any] = field(default_factory=dict)
    parity: Mapping[str, Any]
    versions: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        details = data.pop("details")
        return {**data, **details}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Sidecar":
        """The sidecar that `to_dict` wrote.

        Raises:
            TypeError, KeyError, AttributeError: It did not.
        """
        known = {field.name for field in fields(cls)} - {"details"}
        given = {name: value for name, value in data.items() if name in known}
        for group in ("inputs", "outputs"):
            given[group] = {
                name: TensorSpec(tuple(entry["shape"]), entry["dtype"])
                for name, entry in data[group].items()
            }
        return cls(**given, details={n: v for n, v in data.items() if n not in known})


def sidecar_file(artefact: Path) -> Path:
    """Where an artefact's description lies."""
    return artefact.with_name(f"{artefact.name}.json")


def write(artefact: Path, sidecar: Sidecar) -> None:
    """Writes the description of an artefact, whole or not at all; after the artefact itself."""
    write_atomically(
        sidecar_file(artefact), json.dumps(sidecar.to_dict(), indent=2).encode() + b"\n"
    )


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
        return Sidecar.from_dict(json.loads(path.read_bytes()))
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
    """The same hash of tensors by name, as `amesh.weights.store.tensors` reads them from a file."""
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
