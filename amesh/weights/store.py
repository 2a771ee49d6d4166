"""Weights on disk: one safetensors file that includes its architecture and config.

The header's metadata has, under `amesh`, JSON with `architecture`, `config` and `origin`. If the
landmark scheme is not one of the package's, the config contains it as JSON text. Under
`checksum` it has the SHA-256 of that JSON and of the tensors; files of earlier versions have none.
Loading is strict: the checksum must match, and tensors in the file and parameters of the network
must correspond one to one.

Files are found, read and checked without PyTorch: only `load` and `untrained` build networks.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import platformdirs
import safetensors
from safetensors.numpy import save as to_bytes

from amesh.blazeface.config import DetectorConfig
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.json_lines import parse
from amesh.nn.config import NAMED
from amesh.nn.names import DEFAULT
from amesh.topology import portable
from amesh.weights import hashes
from amesh.weights.architectures import ARCHITECTURES
from amesh.weights.packages import NETWORKS

if TYPE_CHECKING:
    from torch import nn

_KEY = "amesh"
_CHECKSUM = "checksum"
_ENTRIES = {_KEY, _CHECKSUM, "format"}  # other programs' files have the last one
_SHIPPED = Path(__file__).parent / "shipped"


class _Header(msgspec.Struct):
    architecture: str
    config: dict[str, Any]
    origin: dict[str, Any]


def cache_folder() -> Path:
    """The cache folder: `AMESH_CACHE`, or a folder in the user's cache."""
    return Path(os.environ.get("AMESH_CACHE") or platformdirs.user_cache_dir("amesh"))


def weights_folder() -> Path:
    """The folder in the cache in which `load` looks up names."""
    return cache_folder() / "weights"


def installed() -> dict[str, Path]:
    """Names and files of the weights in the package and in the cache."""
    folders = (weights_folder(), _SHIPPED)
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.safetensors"))}


def find(name_or_path: str | Path) -> Path:
    """Finds the weights file of a name or path.

    Raises:
        UserError: There is no such file; the message lists the installed weights.
    """
    path = Path(name_or_path)
    if path.suffix == ".safetensors":
        if path.is_file():
            return path
        raise UserError(f"no weights file {path}")
    available = installed()
    if str(name_or_path) in available:
        return available[str(name_or_path)]
    if path.is_file() or (path.suffix and path.exists()):
        raise UserError(f"{path}: not a weights file; those end in .safetensors")
    there = ", ".join(available) or "nothing yet"
    released = NETWORKS.get(str(name_or_path))
    hint = f" (run `{released.package.command}`)" if released and released.convert else ""
    raise UserError(f"no weights named {str(name_or_path)!r}; installed: {there}{hint}")


def save(
    net: "nn.Module",
    path: Path,
    origin: Mapping[str, Any],
    half: bool = False,
    name: str | None = None,
) -> None:
    """Writes a network's weights, config and origin to one file, atomically.

    Args:
        net: A network of this package, with its `config`.
        path: The file to write, `.safetensors`.
        origin: Where the weights come from: source, hash, licence, ...
        half: Store numbers with 16 bits. `load` returns float32 in either case.
        name: New name of the network; by default the one in its config.

    Raises:
        UserError: The file cannot be written, or a number is too large for 16 bits.
    """
    config = getattr(net, "config", None)
    if not is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"{type(net).__name__} has no config")
    architecture = "Detector" if isinstance(config, DetectorConfig) else type(net).__name__
    fields = asdict(config)
    if "topology" in fields:
        fields["topology"] = portable(fields["topology"])
    if name is not None:
        fields["name"] = name
    header = json.dumps({"architecture": architecture, "config": fields, "origin": dict(origin)})
    tensors = hashes.in_numpy(net.state_dict())
    if half:
        tensors = {name: _halved(tensor, name) for name, tensor in tensors.items()}
    checksum = hashes.checksum(header, _single(tensors))
    write_atomically(path, to_bytes(tensors, {_KEY: header, _CHECKSUM: checksum}))


def header(path: Path) -> dict[str, Any]:
    """Reads architecture, config and origin from a weights file.

    Raises:
        UserError: The file is damaged, or amesh did not write it.
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
    if _KEY not in metadata:
        raise UserError(f"{path}: not written by amesh (no {_KEY!r} in its metadata)")
    return msgspec.structs.asdict(parse(metadata[_KEY].encode(), _Header, f"{path}: header"))


def load(name_or_path: str | Path = DEFAULT) -> "nn.Module":
    """Loads a network with its weights, in evaluation mode.

    Args:
        name_or_path: Name of installed weights, or the path of a `.safetensors` file.

    Examples:
        >>> import torch
        >>> net = load("paper-256")
        >>> output = net(torch.rand(2, 3, 256, 256))
        >>> output.landmarks.shape
        torch.Size([2, 478, 3])
        >>> list(output.regions)
        ['lips', 'right_eye', 'right_iris', 'left_eye', 'left_iris']

    Raises:
        UserError: There is no such file, it is damaged, or its weights do not fit its config.
    """
    import torch

    path = find(name_or_path)
    about, state = header(path), tensors(path)  # checked before anything is built
    if about["architecture"] not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UserError(
            f"{path}: unknown architecture {about['architecture']!r}; this version knows {known}"
        )
    config = about["config"] | {"name": network_name(path)}
    net = ARCHITECTURES[about["architecture"]].build(config)
    try:
        net.load_state_dict({name: torch.from_numpy(t) for name, t in state.items()}, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise UserError(f"{path}: weights do not fit their own config: {first}") from error
    return net.eval()


def network_name(path: Path) -> str:
    """Name of the network in a weights file.

    Installed weights are known by the name of their file. Other files state the name that training
    gave the network; if that is only the name of a family member, the file's name is used instead.

    Raises:
        UserError: The file is damaged, or amesh did not write it.
    """
    about = header(path)
    own: str = about["config"].get("name", path.stem)
    if about["architecture"] == "Detector":  # its name is its type
        return own
    is_installed = path.resolve().parent in (weights_folder().resolve(), _SHIPPED.resolve())
    return path.stem if is_installed or own in NAMED else own


def tensors(path: Path) -> dict[str, np.ndarray]:
    """Reads the tensors of a weights file by name, converted to float32.

    Raises:
        UserError: The file is damaged: its checksum does not match, or its metadata has an unknown
            entry; or a number is not finite.
    """
    with _opened(path) as file:
        metadata = file.metadata() or {}
        found = _single(_read(file, path))
    if unknown := sorted(set(metadata) - _ENTRIES):  # perhaps the checksum, under a damaged name
        raise UserError(
            f"{path}: damaged, or from a newer amesh: unknown entry {unknown[0]!r} in its metadata"
        )
    expected = metadata.get(_CHECKSUM)
    if expected is not None and expected != hashes.checksum(metadata.get(_KEY, ""), found):
        raise UserError(
            f"{path}: damaged: its SHA-256 does not match; get the file again, with "
            "`amesh weights import` if that installed it"
        )
    for name, tensor in found.items():
        if not np.isfinite(tensor).all():
            raise UserError(
                f"{path}: {name} has a number that is not finite; the training run "
                "diverged, or the file is damaged"
            )
    return found


def file_hash(name_or_path: str | Path) -> str:
    """SHA-256 of a weights file, given by name or path, or of an exported file.

    Raises:
        UserError: There is no such file.
    """
    path = Path(name_or_path)
    if not path.is_file():
        path = find(name_or_path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def untrained(name: str) -> "nn.Module":
    """Builds a named network with fresh weights.

    Raises:
        UserError: There is no network of that name.
    """
    if name not in NAMED:
        raise UserError(f"no network named {name!r}; choose one of {', '.join(NAMED)}")
    return ARCHITECTURES["AttentionMesh"].build(NAMED[name])


def _single(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Floating-point numbers as float32, others as they are."""
    return {name: t.astype(np.float32) if _is_real(t) else t for name, t in tensors.items()}


def _halved(tensor: np.ndarray, name: str) -> np.ndarray:
    if not _is_real(tensor):
        return tensor
    with np.errstate(over="ignore"):
        half = tensor.astype(np.float16)
    if not np.isfinite(half).all():
        raise UserError(f"{name}: has a number too large for 16 bits; nothing was written")
    return half


def _read(file: Any, path: Path) -> dict[str, np.ndarray]:
    names = list(file.keys())
    if all(file.get_slice(name).get_dtype() != "BF16" for name in names):
        return {name: file.get_tensor(name) for name in names}
    from safetensors.torch import load_file  # NumPy has no bfloat16; amesh does not write it

    return hashes.in_numpy(load_file(path))


def _is_real(tensor: np.ndarray) -> bool:
    return tensor.dtype.kind == "f"


def _opened(path: Path) -> Any:
    try:
        return safetensors.safe_open(path, framework="numpy")
    except (safetensors.SafetensorError, OSError) as error:
        raise UserError(f"{path}: damaged or not a safetensors file ({error})") from error
