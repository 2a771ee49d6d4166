"""Exports a network as a TensorRT engine, via an ONNX file of the same precision."""

from dataclasses import replace
from pathlib import Path

from amesh.deploy.artefact import Artefact
from amesh.deploy.network.cascade_parts import Part
from amesh.deploy.onnx.export import export_onnx
from amesh.deploy.onnx.quantise import export_int8
from amesh.deploy.request import Request
from amesh.deploy.signature import landmark_outputs
from amesh.deploy.tensorrt.export import Origin, building, engine_artefact
from amesh.deploy.tensorrt.library import Batches
from amesh.deploy.tensorrt.plan import BuildOptions
from amesh.errors import UserError


def tensorrt_artefact(request: Request) -> Artefact:
    """Builds an engine for the GPU in this machine; its ONNX file is kept as `ENGINE.onnx`.

    Raises:
        UserError: See `amesh.deploy.onnx.export.export_onnx`,
            `amesh.deploy.onnx.quantise.export_int8` and
            `amesh.deploy.tensorrt.export.engine_artefact`.
    """
    options = build_options(request)
    target = request.target
    config = target.config
    if request.precision == "int8":
        content = export_int8(target, request.calibrated_on, request.batch, verify=False)
    else:
        content = export_onnx(
            *(target, request.precision, request.batch, "gpu"),
            byte_input=request.byte_input,
            verify=False,
        )
    engine = request.output or Path(f"{config.name}-{request.precision}.engine")
    # Names without a folder: the two stay together, wherever they go.
    name = Path(engine.name)
    whole = landmark_outputs(config.predicts_errors)
    outputs = target.outputs if isinstance(target, Part) else whole
    origin = Origin(config.name, config.topology, outputs)
    with building(engine):
        made = engine_artefact(content, Path(f"{name}.onnx"), name, origin, options)
    return replace(made, beside={"{name}.onnx": content})


def build_options(request: Request) -> BuildOptions:
    """The options of a build.

    Raises:
        UserError: They do not fit together.
    """
    options = {name: value for name, value in request.options.items() if name != "input"}
    if "batches" in options:
        if request.batch is not None:
            raise UserError("an engine has one batch or a range of them, not both")
        options["batches"] = Batches(*options["batches"])
    return BuildOptions(precision=request.precision, **options)
