"""Exports a face detector as an ONNX file."""

from amesh.blazeface.network import DetectorNetwork
from amesh.deploy import parity
from amesh.deploy.network.prepare import prepare
from amesh.deploy.onnx.export import IMAGE, finish, trace
from amesh.deploy.onnx.opsets import OPSET
from amesh.deploy.onnx.runner import OnnxFile
from amesh.deploy.signature import DETECTOR_OUTPUTS, INPUT, about_detector


def export_detector(
    net: DetectorNetwork, batch: int | None = None, *, opset: int = OPSET, verify: bool = True
) -> bytes:
    """Exports an ONNX file: `image` (b 3 s s) to `boxes` (b anchors 16) and `scores` (b anchors).

    Args:
        net: One of the two detectors.
        batch: Pictures per run; any number by default.
        opset: Version of the operators; see `amesh.deploy.onnx.opsets`.
        verify: Compare the file with PyTorch; otherwise the caller must.

    Raises:
        UserError: A weight is not finite, the network holds something that its config does not
            describe, or the file's outputs differ from PyTorch's.
    """
    size = net.config.input_size
    model = trace(prepare(net), {INPUT: (batch, 3, size, size)}, DETECTOR_OUTPUTS)
    content = finish(model, about_detector(net.config) | IMAGE, opset=opset)
    if verify:
        parity.verify(OnnxFile(content).run_crops, net, "fp32", "the ONNX file")
    return content
