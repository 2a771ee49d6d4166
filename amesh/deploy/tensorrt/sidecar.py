"""What lies beside an engine, and whether engine, machine and description belong together."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amesh.deploy.sidecar import sha256, sidecar_file, topology_hash
from amesh.deploy.signature import OUTPUTS
from amesh.deploy.tensorrt.library import Gpu, release
from amesh.errors import UserError
from amesh.topology import load


def read_sidecar(engine: Path) -> dict[str, Any]:
    """An engine's description.

    Raises:
        UserError: The engine or its sidecar is missing, or the sidecar is not one of ours.
    """
    path = sidecar_file(engine)
    if not engine.is_file():
        raise UserError(f"no engine {engine}; `amesh export tensorrt` builds one")
    if not path.is_file():
        raise UserError(f"{engine}: no sidecar {path.name} beside it; build it again")
    try:
        sidecar: dict[str, Any] = json.loads(path.read_bytes())
        if sidecar["kind"] != "tensorrt":
            raise KeyError("kind")
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged, or not the sidecar of a TensorRT engine") from error
    return sidecar


def check(sidecar: Mapping[str, Any], content: bytes, engine: Path) -> None:
    """Compares an engine with its sidecar.

    Raises:
        UserError: Hash or topology do not match.
    """
    found = sha256(content)
    if found != sidecar["sha256"]:
        raise UserError(
            f"{engine}: SHA-256 {found[:12]}, its sidecar says {sidecar['sha256'][:12]}; "
            "damaged or replaced: build it again"
        )
    landmarks, topology = sidecar["outputs"].get(OUTPUTS[0]), sidecar["topology"]
    if landmarks and landmarks["shape"][1] != load(topology).points:
        raise UserError(
            f"{engine}: {landmarks['shape'][1]} landmarks, but topology {topology} has "
            f"{load(topology).points}"
        )
    if topology_hash(load(topology)) != sidecar["topology_sha256"]:
        raise UserError(
            f"{engine}: made for another version of topology {topology}; build it again"
        )


def check_place(sidecar: Mapping[str, Any], engine: Path, here: str, device: Gpu) -> None:
    """Compares where an engine was built for with where it is.

    Args:
        sidecar: The engine's.
        engine: Its file, for the message.
        here: The version of TensorRT that is installed.
        device: The GPU that is present.

    Raises:
        UserError: Version or GPU do not fit.
    """
    built = sidecar["tensorrt"]
    later = release(here)[0] == release(built)[0] and release(here) >= release(built)
    if here != built and not (sidecar["version_compatible"] and later):
        raise UserError(f"{engine}: built by TensorRT {built}, here is {here}; build it again")
    origin = Gpu(**sidecar["gpu"])
    fits = {
        "this": origin == device,
        "capability": origin.capability == device.capability,
        "ampere": float(device.capability) >= 8.0,
    }
    if not fits[sidecar["hardware"]]:
        raise UserError(
            f"{engine}: built for {origin.name} ({origin.capability}), here is {device.name} "
            f"({device.capability}); build it again here"
        )


def weights_for(sidecar: Mapping[str, Any], engine: Path, model: Path | None) -> bytes:
    """The ONNX file that a stripped engine takes its weights from.

    Args:
        sidecar: The engine's.
        engine: Its file.
        model: The ONNX file; by default the one of the old name beside the engine.

    Raises:
        UserError: It is missing, or another one.
    """
    wanted = sidecar["onnx"]
    path = model or engine.with_name(wanted["file"])
    if not path.is_file():
        raise UserError(f"{engine}: stripped of weights; needs {wanted['file']}, found none")
    content = path.read_bytes()
    if sha256(content) != wanted["sha256"]:
        raise UserError(f"{engine}: stripped of weights; {path} is not the file it was built from")
    return content
