"""`amesh export`: exports a network for a runtime, and verifies the file before writing it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from amesh.blazeface.network import DetectorNetwork
from amesh.deploy import artefact, formats, parity
from amesh.deploy.artefact import Artefact
from amesh.deploy.formats import INPUTS, SAMPLES, Batch, Format, Precision
from amesh.deploy.network.prepare import Network, without_errors
from amesh.deploy.request import Request, tolerance_of
from amesh.deploy.sidecar import sidecar_file
from amesh.errors import UserError
from amesh.nn.config import NAMED
from amesh.weights import architectures, hashes, store

Say = Callable[[str], None]


def export(
    model: str | Path | nn.Module,
    format: str = "onnx",
    output: Path | None = None,
    precision: Precision = "fp32",
    batch: Batch = None,
    part: str | None = None,
    untrained: str | None = None,
    calibration: parity.Images | None = None,
    say: Say = print,
    samples: int | None = None,
    opset: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Path:
    """Exports a network, compares the file with PyTorch, and writes it with its sidecar.

    Args:
        model: Installed weights by name, a weights file, or a network: of the family, or a face
            detector.
        format: A name in `amesh.deploy.formats`: `onnx`, `litert`, ...
        output: The file to write; by default named after the network, in the current folder.
        precision: Precision of the file; see the format's exporter.
        batch: Faces per run, `dynamic`, or for TensorRT (smallest, typical, largest); the default
            depends on the format.
        part: Export only this network of a cascade: `mesh`, or a region.
        untrained: Export fresh weights of this architecture (`attention_mesh`, ...), for timing;
            `model` then names a member of the family.
        calibration: RGB crops in [0, 1] that set the ranges of int8, with faces as the network will
            see them; by default those that come with the package.
        say: Receives progress messages, one line at a time.
        samples: Export a file that cuts its own crops, from a picture and regions of interest, with
            so many samples along each side of a crop pixel.
        opset: Version of ONNX's operators in an ONNX file, 18 to 23; 19 by default.
        options: Further options of the format. For ONNX and TensorRT `input`: `float32`, the
            default, or `uint8` for a file that takes crops as bytes, (b s s 3), from 0 to 255. For
            LiteRT `web`: a file for browsers; see `amesh.deploy.litert.export.export_litert`. For
            TensorRT `hardware`, `version_compatible` and `timing_cache` of
            `amesh.deploy.tensorrt.plan.BuildOptions`.

    Returns:
        The file's path.

    Examples:
        >>> file = export("paper-256", "onnx", Path("face.onnx"), say=lambda line: None)
        >>> file.name, Path("face.onnx.json").is_file()
        ('face.onnx', True)

    Raises:
        UserError: There is no such network or format, the format's extra is not installed, or the
            file does not match the network. In that case nothing is written, and an earlier file
            of that name stays.
    """
    row = formats.format_named(format)
    row.check_precision(precision)
    row.check_opset(opset)
    batch_size = row.batch_size(batch)
    further = {**(options or {}), **({"batches": batch} if isinstance(batch, tuple) else {})}
    row.check_options(further)
    if (type_ := further.get("input", INPUTS[0])) not in INPUTS:
        raise UserError(f"input {type_!r}: expected {' or '.join(INPUTS)}")
    if calibration is not None and precision != "int8":
        raise UserError(f"{precision} needs no calibration; only int8 does")
    if output is not None:
        if output.is_dir() and output.suffix != row.suffix:
            raise UserError(f"{output}: a folder; name a file to write to")
        row.check_output(output)
    row.require()
    net, origin = open_network(model, untrained)
    model_name, topology = _described(net, row, precision)
    if further.get("input") == "uint8" and (
        precision == "int8" or isinstance(net, DetectorNetwork) or samples is not None
    ):
        raise UserError("--input uint8 is for landmark networks in fp32 and fp16 that take crops")
    if further.get("web") and part:
        raise UserError("--web is for whole networks; leave out --part")
    whole = net if row.errors or isinstance(net, DetectorNetwork) else without_errors(net)
    if samples is not None:
        _check_with_crop(row, net, precision, batch, part, samples)
    kind = [part] if part else ["with-crop"] if samples is not None else []
    kind += ["web"] if further.get("web") else []
    name = "-".join((model_name, *kind, precision))
    output = output or Path(f"{name}{row.suffix}")
    request = Request(
        net=whole,
        part=part,
        precision=precision,
        batch=batch_size,
        calibration=calibration,
        samples=samples,
        opset=opset,
        output=output,
        options=further,
    )
    target = net if isinstance(net, DetectorNetwork) and not part else request.target
    say(f"exporting {name} for {row.name}")
    if precision == "int8":
        whose = "of the package" if calibration is None else "given"
        say(f"calibrating on the {len(request.calibrated_on)} crops {whose}")
    made: Artefact = row.export(request)
    artefact.write(
        made,
        output,
        row.name,
        topology,
        model=model_name,
        architecture=type(net).__name__,
        part=part or "",
        precision=precision,
        weights_sha256=hashes.weights_hash(net),
        weights=origin,
        parity=_compared(made.run, made.reference or target, request, output, say),
    )
    also = ", ".join(file.name for file in (*made.further_files(output), sidecar_file(output)))
    say(f"{output}: {made.size / 1e6:.1f} MB, with {also}")
    return output


def open_network(
    model: str | Path | nn.Module, untrained: str | None = None
) -> tuple[Network | DetectorNetwork, dict[str, Any]]:
    """Opens a network of the family or a face detector, and says where its weights come from.

    Args:
        model: Installed weights by name, a weights file, or a network.
        untrained: As for `export`.

    Raises:
        UserError: There is no such network, or it is another kind of network.
    """
    origin: dict[str, Any]
    if isinstance(model, nn.Module):
        net, origin = model, {"source": "memory"}
    elif untrained is not None:
        net, origin = _fresh(str(model), untrained), {"source": "untrained"}
    else:
        net, origin = store.load(model), store.header(store.find(model))["origin"]
    if not isinstance(net, Network | DetectorNetwork):
        raise UserError(f"{model}: a {type(net).__name__} cannot be exported")
    return net.eval(), dict(origin)


def _described(
    net: Network | DetectorNetwork, row: Format, precision: Precision
) -> tuple[str, str]:
    """Name of the network, and of its landmark scheme; a face detector has none.

    Raises:
        UserError: It is a detector, and the format has no such file.
    """
    if not isinstance(net, DetectorNetwork):
        return net.config.name, net.config.topology
    name = net.config.model
    if not row.detector:
        known = ", ".join(formats.names(formats.with_detectors()))
        raise UserError(f"{name}: {row.name} has no face detectors; these formats have: {known}")
    if precision != "fp32":
        raise UserError(f"{name}: face detectors are exported in fp32, not in {precision}")
    return name, ""


def _check_with_crop(
    row: Format,
    net: Network | DetectorNetwork,
    precision: Precision,
    batch: Batch,
    part: str | None,
    samples: int,
) -> None:
    """Checks that there is such a file that cuts its own crops.

    Raises:
        UserError: There is none.
    """
    problem = None
    if not row.with_crop:
        known = ", ".join(one.name for one in formats.exported() if one.with_crop)
        problem = f"{row.name} has no such files; these formats have: {known}"
    elif isinstance(net, DetectorNetwork) or part:
        problem = "it is for whole landmark networks"
    elif precision == "int8":
        problem = "its precision is fp32 or fp16"
    elif batch not in (None, "dynamic"):
        problem = f"batch {batch}: it takes any number of regions of interest"
    elif samples not in SAMPLES:
        problem = f"samples {samples}: expected {SAMPLES[0]} to {SAMPLES[-1]}"
    if problem:
        raise UserError(f"a file that cuts its own crops: {problem}")


def _fresh(name: str, option: str) -> Network:
    if name not in NAMED:
        raise UserError(f"no network named {name!r}; choose one of {', '.join(NAMED)}")
    architecture = architectures.by_option(option)
    config = NAMED[name]
    if architecture.name == "MeshOnly" and not config.mesh_irises:
        raise UserError(f"{name}: its mesh has no irises, so {option} would lack them")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # makes the file reproducible
        return cast("Network", architecture.build(config))


def _compared(
    run: parity.Run, target: nn.Module, request: Request, output: Path, say: Say
) -> dict[str, Any]:
    tolerance = tolerance_of(request.precision, request.web)
    found = parity.verify(run, target, tolerance, str(output), request.byte_input)
    say(f"distance to PyTorch in single precision, over {found.count} crops:")
    for line in found.lines():
        say(f"  {line}")
    return found.to_dict()
