"""Exports a network as OpenVINO's IR, an .xml file with its weights in a .bin beside it."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from amesh.blazeface.network import DetectorNetwork
from amesh.deploy.artefact import Artefact, artefact_of
from amesh.deploy.onnx.detector import export_detector
from amesh.deploy.onnx.export import export_onnx
from amesh.deploy.openvino.runner import ABOUT, WEIGHTS_SHA256, OpenvinoFile
from amesh.deploy.request import Request
from amesh.errors import UserError

_UNKNOWN = "No conversion rule found for operations:"


def openvino_artefact(request: Request) -> Artefact:
    """Exports an .xml file and its .bin; half precision is that of the weights.

    Raises:
        UserError: See `amesh.deploy.onnx.export.export_onnx`; or OpenVINO does not know an
            operator.
    """
    xml, weights = _content(request)
    file = OpenvinoFile((xml, weights))
    packages = ("onnx", "onnxscript", "openvino")
    return artefact_of(file, xml, packages, beside={"{stem}.bin": weights})


def timed_call(request: Request, threads: int) -> Callable[[], object]:
    """Prepares one OpenVINO call, with its input ready, for `amesh benchmark` to time.

    Args:
        request: The network to run, with a fixed batch.
        threads: Threads per call.

    Raises:
        UserError: As for `openvino_artefact`.
    """
    return OpenvinoFile(_content(request), threads).timed_call()


def convert(onnx_file: bytes, half: bool = False) -> tuple[bytes, bytes]:
    """Converts an ONNX file to the contents of an .xml and a .bin file.

    Args:
        onnx_file: Its content.
        half: Store weights in half precision, and say so in the metadata; OpenVINO widens them when
            it loads the file.

    Raises:
        UserError: OpenVINO does not know an operator; the message names all that it lacks.
    """
    import openvino

    try:
        model = openvino.Core().read_model(onnx_file)
    except RuntimeError as error:
        lines = str(error).splitlines()
        unknown = next((line for line in lines if _UNKNOWN in line), None)
        problem = unknown.partition(_UNKNOWN)[2].strip() if unknown else lines[-1]
        raise UserError(f"OpenVINO cannot convert this network: {problem}") from error

    if half:
        about = json.loads(model.get_rt_info(list(ABOUT)).astype(str)) | {"precision": "fp16"}
        model.set_rt_info(json.dumps(about, sort_keys=True), list(ABOUT))

    def save() -> tuple[bytes, bytes]:
        openvino.save_model(model, path, compress_to_fp16=half)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.xml"
        _, weights = save()
        # So that the two files cannot be mixed up.
        model.set_rt_info(hashlib.sha256(weights).hexdigest(), [WEIGHTS_SHA256])
        return save()


def _content(request: Request) -> tuple[bytes, bytes]:
    half = request.precision == "fp16"
    if isinstance(request.net, DetectorNetwork):
        return convert(export_detector(request.net, request.batch, verify=False), half)
    # PReLU as an operator, which OpenVINO fuses into the convolution before it.
    content = export_onnx(request.target, "fp32", request.batch, target="gpu", verify=False)
    return convert(content, half)
