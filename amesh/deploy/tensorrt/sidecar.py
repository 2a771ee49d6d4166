"""The sidecar of an engine, and checks that engine, machine and sidecar match."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amesh.deploy import sidecar as sidecar_file
from amesh.deploy.sidecar import Sidecar, sha256
from amesh.deploy.signature import check_points
from amesh.deploy.tensorrt.library import Gpu, release
from amesh.errors import UserError


def read_sidecar(engine: Path) -> dict[str, Any]:
    """Reads an engine's sidecar.

    Raises:
        UserError: The engine or its sidecar is missing, or amesh did not write the sidecar.
    """
    if not engine.is_file():
        raise UserError(f"no engine {engine}; `amesh export tensorrt` builds one")
    found = sidecar_file.read_unchecked(engine)
    if found.kind != "tensorrt":
        raise UserError(f"{engine}: its sidecar belongs to a file for {found.kind}")
    return found.to_dict()


def check(sidecar: Mapping[str, Any], content: bytes, engine: Path) -> None:
    """Compares an engine with its sidecar.

    Raises:
        UserError: Hash or topology do not match.
    """
    found = Sidecar.from_dict(sidecar)
    sidecar_file.check(found, content, engine)
    check_points(engine, {name: spec.shape for name, spec in found.outputs.items()}, found.topology)


def check_place(sidecar: Mapping[str, Any], engine: Path, here: str, device: Gpu) -> None:
    """Compares the version and GPU that an engine was built for with those present.

    Args:
        sidecar: The engine's sidecar.
        engine: The engine, for the message.
        here: The installed version of TensorRT.
        device: The GPU in this machine.

    Raises:
        UserError: The version or the GPU does not match.
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
    """Reads the ONNX file that provides a stripped engine's weights.

    Args:
        sidecar: The engine's sidecar.
        engine: The engine.
        model: The ONNX file; by default the one with the original name next to the engine.

    Raises:
        UserError: The file is missing, or is another one.
    """
    wanted = sidecar["onnx"]
    path = model or engine.with_name(wanted["file"])
    if not path.is_file():
        raise UserError(f"{engine}: stripped of weights; needs {wanted['file']}, not found")
    content = path.read_bytes()
    if sha256(content) != wanted["sha256"]:
        raise UserError(f"{engine}: stripped of weights; {path} is not the file it was built from")
    return content
