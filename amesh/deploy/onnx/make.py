"""An ONNX file's content, and the means to run it."""

from amesh.deploy.request import Made, Request, _tensors


def make_onnx(request: Request) -> Made:
    """An ONNX file.

    Raises:
        UserError: See `amesh.deploy.onnx.export.export_onnx` and
            `amesh.deploy.onnx.quantise.export_int8`.
    """
    from amesh.deploy.onnx.export import export_onnx
    from amesh.deploy.onnx.quantise import export_int8
    from amesh.deploy.onnx.runner import OnnxFile

    if request.precision == "int8":
        content = export_int8(request.target, request.calibrated_on, request.batch, verify=False)
    else:
        content = export_onnx(request.target, request.precision, request.batch, verify=False)
    file = OnnxFile(content)
    packages = ("onnx", "onnxscript", "onnxruntime")
    return Made(
        content, file.run_crops, _tensors(file.inputs), _tensors(file.outputs), "nchw", packages
    )
