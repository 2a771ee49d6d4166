"""Exports a network as an ONNX file, with functions to run and time it."""

from collections.abc import Callable

from amesh.blazeface.network import DetectorNetwork
from amesh.deploy.artefact import Artefact, artefact_of
from amesh.deploy.onnx.detector import export_detector
from amesh.deploy.onnx.export import export_onnx
from amesh.deploy.onnx.opsets import OPSET
from amesh.deploy.onnx.picture import TurnedPictures, export_onnx_picture, run_turned
from amesh.deploy.onnx.quantise import export_int8
from amesh.deploy.onnx.runner import OnnxFile
from amesh.deploy.request import Request

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def onnx_artefact(request: Request) -> Artefact:
    """Exports an ONNX file.

    Raises:
        UserError: See `amesh.deploy.onnx.export.export_onnx` and
            `amesh.deploy.onnx.quantise.export_int8`.
    """
    if request.samples is not None:
        return _with_crop(request, request.samples)
    file = OnnxFile(content := _content(request))
    return artefact_of(file, content, _PACKAGES)


def _with_crop(request: Request, samples: int) -> Artefact:
    assert not isinstance(request.net, DetectorNetwork)  # `export` refuses those
    content = export_onnx_picture(
        request.net, request.precision, samples, opset=request.opset or OPSET, verify=False
    )
    file = OnnxFile(content)
    reference = TurnedPictures(request.net, samples)
    return artefact_of(file, content, _PACKAGES, run=run_turned(file), reference=reference)


def timed_call(request: Request, threads: int) -> Callable[[], object]:
    """Prepares one ONNX Runtime call, with its input ready, for `amesh benchmark` to time.

    Args:
        request: The network to run, with a fixed batch.
        threads: Threads per call.

    Raises:
        UserError: As for `onnx_artefact`.
    """
    return OnnxFile(_content(request), threads).timed_call()


def _content(request: Request) -> bytes:
    opset = request.opset or OPSET
    if isinstance(request.net, DetectorNetwork):
        return export_detector(request.net, request.batch, opset=opset, verify=False)
    if request.precision == "int8":
        crops = request.calibrated_on
        return export_int8(request.target, crops, request.batch, opset=opset, verify=False)
    return export_onnx(
        *(request.target, request.precision, request.batch),
        opset=opset,
        byte_input=request.byte_input,
        verify=False,
    )
