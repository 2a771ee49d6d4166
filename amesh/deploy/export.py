"""`amesh export`: a network leaves as a file of a runtime, checked before anyone can use it."""

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from torch import nn

from amesh.deploy import parity, sidecar
from amesh.deploy.litert import make as litert
from amesh.deploy.network.prepare import Network
from amesh.deploy.onnx import make as onnx
from amesh.deploy.request import Made, Request
from amesh.deploy.sidecar import Sidecar
from amesh.deploy.signature import Precision
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly
from amesh.weights import store

Format = Literal["onnx", "litert", "tensorrt", "task"]
Architecture = Literal["attention_mesh", "mesh_only", "cascade"]
Say = Callable[[str], None]

_SUFFIXES: Mapping[Format, str] = {
    "onnx": ".onnx",
    "litert": ".tflite",
    "tensorrt": ".engine",
    "task": ".task",
}
_ARCHITECTURES: Mapping[Architecture, Callable[..., Network]] = {
    "attention_mesh": AttentionMesh,
    "mesh_only": MeshOnly,
    "cascade": Cascade,
}


def export(
    model: str | Path | nn.Module,
    kind: Format = "onnx",
    output: Path | None = None,
    precision: Precision = "fp32",
    batch: int | None = None,
    part: str | None = None,
    untrained: Architecture | None = None,
    calibration: parity.Images | None = None,
    say: Say = print,
) -> Path:
    """Exports a network, compares the file with PyTorch, and leaves it with a sidecar beside it.

    Args:
        model: Installed weights by name, a weights file, or a network.
        kind: The runtime.
        output: The file to write; by default named after the network, in the current folder.
        precision: See the runtime's own exporter.
        batch: Faces per run; by default any number, and 1 for LiteRT.
        part: Only this network of a cascade: `mesh`, or a region.
        untrained: `model` names a member of the family, which gets fresh weights: to time it.
        calibration: RGB crops in [0, 1] that int8 takes its ranges from, faces as the network will
            see them; by default those that come with the package.
        say: Receives what happened, a line at a time.

    Returns:
        The file.

    Examples:
        >>> file = export("paper-256", "onnx", Path("face.onnx"), say=lambda line: None)
        >>> file.name, Path("face.onnx.json").is_file()
        ('face.onnx', True)

    Raises:
        UserError: There is no such network or format, the format's extra is not installed, or the
            file would not compute what the network does. Nothing is written then; an earlier file
            of that name stays.
    """
    _check(kind, get_args(Format), "format")
    _check(precision, get_args(Precision), "precision")
    if calibration is not None and precision != "int8":
        raise UserError(f"{precision} needs no calibration; only int8 does")
    net, origin = open_network(model, untrained)
    request = Request(net, part, precision, batch, calibration)
    target = request.target
    name = "-".join((net.config.name, *([part] if part else []), precision))
    output = output or Path(f"{name}{_SUFFIXES[kind]}")
    if output.is_dir():
        raise UserError(f"{output}: a folder; name a file to write to")
    say(f"exporting {name} for {kind}")
    if precision == "int8" and kind in ("onnx", "tensorrt"):  # others refuse it
        whose = "of the package" if calibration is None else "given"
        say(f"calibrating on the {len(request.calibrated_on)} crops {whose}")
    if kind == "tensorrt":
        _export_engine(request, output, say)
    else:
        made = _make(kind, request)
        compared = _compared(made.run, target, request, output, say)
        write_atomically(output, made.content)
        sidecar.write(output, _describe(kind, request, made, compared, origin))
    say(f"{output}: {output.stat().st_size / 1e6:.1f} MB, and {sidecar.sidecar_file(output).name}")
    return output


def open_network(
    model: str | Path | nn.Module, untrained: Architecture | None = None
) -> tuple[Network, dict[str, Any]]:
    """A network of the family, and where its weights come from.

    Raises:
        UserError: There is none of that name, or it predicts no landmarks.
    """
    origin: dict[str, Any]
    if isinstance(model, nn.Module):
        net, origin = model, {"source": "memory"}
    elif untrained is not None:
        net, origin = _fresh(str(model), untrained), {"source": "untrained"}
    else:
        net, origin = store.load(model), store.header(store.find(model))["origin"]
    if not isinstance(net, AttentionMesh | MeshOnly | Cascade):
        raise UserError(f"{model}: a {type(net).__name__} predicts no landmarks to export")
    return net.eval(), dict(origin)


def _make(kind: Format, request: Request) -> Made:
    if kind == "onnx":
        return onnx.make_onnx(request)
    return litert.make_task(request) if kind == "task" else litert.make_litert(request)


def _check(value: str, known: tuple[str, ...], what: str) -> None:
    if value not in known:
        raise UserError(f"no {what} {value!r}; there is: {', '.join(known)}")


def _fresh(name: str, architecture: Architecture) -> Network:
    _check(name, tuple(NAMED), "network named")
    _check(architecture, get_args(Architecture), "architecture")
    if architecture == "mesh_only" and not NAMED[name].mesh_irises:
        raise UserError(f"{name}: its mesh has no irises, so mesh_only would miss them")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # the same file whenever it is made
        return _ARCHITECTURES[architecture](NAMED[name])


def _compared(
    run: parity.Run, target: nn.Module, request: Request, output: Path, say: Say
) -> dict[str, Any]:
    found = parity.verify(run, target, request.precision, str(output))
    say(f"against PyTorch in single precision, {found.count} crops ({found.crops}):")
    for line in found.lines():
        say(f"  {line}")
    return found.to_dict()


def _describe(
    kind: Format, request: Request, made: Made, compared: dict[str, Any], origin: dict[str, Any]
) -> Sidecar:
    net = request.net
    return Sidecar(
        kind=kind,
        sha256=sidecar.sha256(made.content),
        bytes=len(made.content),
        model=net.config.name,
        architecture=type(net).__name__,
        part=request.part or "",
        topology=net.config.topology,
        topology_sha256=sidecar.topology_hash(net.config.load_topology()),
        precision=request.precision,
        layout=made.layout,
        inputs=made.inputs,
        outputs=made.outputs,
        weights_sha256=sidecar.weights_hash(net),
        weights=origin,
        parity=compared,
        versions=sidecar.versions("torch", *made.packages),
    )


def _export_engine(request: Request, output: Path, say: Say) -> None:
    """Through an ONNX file of the same precision, which TensorRT's builder reads."""
    from amesh.deploy.onnx.export import export_onnx
    from amesh.deploy.onnx.quantise import export_int8
    from amesh.deploy.tensorrt.export import build
    from amesh.deploy.tensorrt.plan import BuildOptions

    if request.precision == "int8":
        content = export_int8(request.target, request.calibrated_on, request.batch, verify=False)
    else:
        content = export_onnx(
            *(request.target, request.precision, request.batch), target="gpu", verify=False
        )
    with tempfile.TemporaryDirectory(prefix="amesh-") as folder:
        path = Path(folder) / f"{output.stem}.onnx"
        path.write_bytes(content)
        build(
            path,
            output,
            options=BuildOptions(precision=request.precision),
            verify=lambda run: _compared(run, request.target, request, output, say),
        )
