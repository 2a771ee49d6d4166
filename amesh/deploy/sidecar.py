"""The sidecar of an exported file: `FILE.json` describes FILE and identifies it by its hash."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from amesh.deploy.signature import NORMALISATION, Shapes
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.json_lines import parse
from amesh.topology import Topology, load
from amesh.version import __version__


@dataclass(frozen=True)
class TensorSpec:
    """An input or output.

    Attributes:
        shape: None stands for a dynamic axis.
        dtype: NumPy's name of the type.
    """

    shape: tuple[int | None, ...]
    dtype: str = "float32"


def tensor_specs(shapes: Shapes, dtypes: Mapping[str, str] | None = None) -> dict[str, TensorSpec]:
    """Specs of inputs or outputs; anything in a shape that is not a number is dynamic.

    Args:
        shapes: By name.
        dtypes: Types other than float32, by name.
    """
    return {
        name: TensorSpec(
            tuple(n if isinstance(n, int) else None for n in shape),
            (dtypes or {}).get(name, "float32"),
        )
        for name, shape in shapes.items()
    }


# Counts changes of the exporters after which cached files have to be made again: what earlier ones
# wrote answers differently, fails or is slow. Changes of names and metadata do not count.
# 2: a crop that is not a number no longer fails the others in its batch.
EXPORTERS = "2"


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """Description of an exported file.

    Attributes:
        kind: Its format; see `amesh.deploy.formats`.
        sha256: Hash of the file.
        bytes: Size of the file, with those beside it.
        model: Name of the network.
        architecture: Class of the network; empty if the source file does not state it.
        part: Name of a cascade's network; empty for a whole network.
        topology: Name of its landmark scheme; empty for a face detector.
        topology_sha256: Hash of everything that gives outputs their meaning; see `topology_hash`.
        precision: Precision of its arithmetic, or of its weights (LiteRT).
        layout: Order of the image's axes.
        normalisation: Value range of the image.
        inputs: Specs by name.
        outputs: Specs by name.
        weights_sha256: Hash of the weights it was made from, if known; see
            `amesh.weights.hashes`.
        weights: Origin of these weights.
        parity: The comparison with PyTorch; see `amesh.deploy.parity`.
        versions: Versions of the packages that wrote it.
        details: Further entries for the runtime; stored at the top level of the file.
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
        """Converts the sidecar to plain JSON types."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        details = data.pop("details")
        return {**data, **details}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Sidecar":
        """Restores the sidecar that `to_dict` wrote.

        Raises:
            ValueError: `data` is not the output of `to_dict`.
        """
        known = {field.name for field in fields(cls)} - {"details"}
        given = {name: value for name, value in data.items() if name in known}
        details = {name: value for name, value in data.items() if name not in known}
        return msgspec.convert({**given, "details": details}, cls)


def sidecar_file(artefact: Path) -> Path:
    """Path of an exported file's sidecar."""
    return artefact.with_name(f"{artefact.name}.json")


def write(artefact: Path, sidecar: Sidecar) -> None:
    """Writes the sidecar of an exported file atomically; write the file itself first."""
    write_atomically(
        sidecar_file(artefact), json.dumps(sidecar.to_dict(), indent=2).encode() + b"\n"
    )


def read(artefact: Path) -> Sidecar:
    """Reads a sidecar and checks that it matches its file.

    Raises:
        UserError: The file or its sidecar is missing or damaged, they do not match, or the
            topology has changed.
    """
    sidecar = read_unchecked(artefact)
    check(sidecar, content_of(artefact), artefact)
    return sidecar


def read_unchecked(artefact: Path) -> Sidecar:
    """Reads a sidecar without checking that it matches its file.

    Raises:
        UserError: The file or its sidecar is missing, or the sidecar is damaged.
    """
    path = sidecar_file(artefact)
    if not artefact.exists():
        raise UserError(f"no file {artefact}")
    if not path.is_file():
        raise UserError(f"{artefact}: no {path.name} beside it; export it again")
    try:
        return Sidecar.from_dict(parse(path.read_bytes(), dict, str(path)))
    except (UserError, OSError, ValueError) as error:
        raise damaged(artefact) from error


def damaged(artefact: Path) -> UserError:
    """What to say of a sidecar that does not hold what was written."""
    return UserError(f"{sidecar_file(artefact)}: damaged, or not written by `amesh export`")


def content_of(artefact: Path) -> bytes:
    """What the hash of an exported file is of: its content, or the listing of a folder."""
    if not artefact.is_dir():
        return artefact.read_bytes()
    paths = (path for path in artefact.rglob("*") if path.is_file())
    return listing({path.relative_to(artefact).as_posix(): path.read_bytes() for path in paths})


def listing(files: Mapping[str, bytes]) -> bytes:
    """Hashes and paths of the files in a folder, as `sha256sum` prints them."""
    return "".join(f"{sha256(files[path])}  {path}\n" for path in sorted(files)).encode()


def check(sidecar: Sidecar, content: bytes, artefact: Path) -> None:
    """Checks an exported file against its sidecar.

    Raises:
        UserError: The hash does not match, or the topology has changed.
    """
    found = sha256(content)
    if found != sidecar.sha256:
        raise UserError(
            f"{artefact}: SHA-256 {found[:12]}, but its sidecar says {sidecar.sha256[:12]}; "
            "damaged or replaced: export it again"
        )
    here = topology_hash(load(sidecar.topology)) if sidecar.topology else ""
    if here != sidecar.topology_sha256:
        raise UserError(
            f"{artefact}: made for another version of topology {sidecar.topology} "
            f"({sidecar.topology_sha256[:12]}, installed: {here[:12]}); export it again"
        )


def sha256(content: bytes) -> str:
    """Hash of a file's content."""
    return hashlib.sha256(content).hexdigest()


def topology_hash(topology: Topology) -> str:
    """Hash of what gives a network's outputs their meaning: points, regions and mirror."""
    meaning = {
        "points": topology.points,
        "regions": [asdict(region) for region in topology.regions],
        "mirror": topology.mirror.tolist(),
    }
    return sha256(json.dumps(meaning, sort_keys=True).encode())


def versions(*packages: str) -> dict[str, str]:
    """Versions of this package, its exporters, Python, and the given packages if installed."""
    found = {"amesh": __version__, "exporters": EXPORTERS, "python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
