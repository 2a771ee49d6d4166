"""Exports a network as a TensorRT engine, via an ONNX file of the same precision."""

from pathlib import Path

from amesh.deploy.artefact import Artefact
from amesh.deploy.network.cascade_parts import Part
from amesh.deploy.onnx.export import export_onnx
from amesh.deploy.onnx.quantise import export_int8
from amesh.deploy.request import Request
from amesh.deploy.signature import landmark_outputs
from amesh.deploy.tensorrt.export import Origin, engine_artefact
from amesh.deploy.tensorrt.plan import BuildOptions


def tensorrt_artefact(request: Request) -> Artefact:
    """Builds an engine for the GPU in this machine.

    Raises:
        UserError: See `amesh.deploy.onnx.export.export_onnx`,
            `amesh.deploy.onnx.quantise.export_int8` and
            `amesh.deploy.tensorrt.export.engine_artefact`.
    """
    target = request.target
    config = target.config
    if request.precision == "int8":
        content = export_int8(target, request.calibrated_on, request.batch, verify=False)
    else:
        content = export_onnx(target, request.precision, request.batch, target="gpu", verify=False)
    file = Path(f"{config.name}-{request.precision}.onnx")
    whole = landmark_outputs(config.predicts_errors)
    outputs = target.outputs if isinstance(target, Part) else whole
    origin = Origin(config.name, config.topology, outputs)
    options = BuildOptions(precision=request.precision)
    return engine_artefact(content, file, file.with_suffix(".engine"), origin, options)
