"""From a network to the content of a file, per runtime, and the means to run that content."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32

from amesh.deploy import parity
from amesh.deploy.crops import parity_crops
from amesh.deploy.parity import Images, Run
from amesh.deploy.parts import Part, take_part
from amesh.deploy.sidecar import Tensor
from amesh.deploy.signature import INPUT, Precision
from amesh.deploy.wrapper import Network
from amesh.errors import UserError
from amesh.nn.cascade import Cascade


@dataclass(frozen=True)
class Request:
    """What shall be exported.

    Attributes:
        net: The network.
        part: Only this network of a cascade.
        precision: Of the artefact.
        batch: Faces per run; None leaves it to the format.
        calibration: Crops that int8 takes its ranges from; those of the package by default.
    """

    net: Network
    part: str | None
    precision: Precision
    batch: int | None
    calibration: Images | None = None

    @property
    def target(self) -> Network | Part:
        """The network or its part."""
        return take_part(self.net, self.part) if self.part else self.net

    @property
    def calibrated_on(self) -> Images:
        """The crops that int8 takes its ranges from."""
        if self.calibration is not None:
            return self.calibration
        return parity_crops(parity.input_size(self.target)).images


@dataclass(frozen=True)
class Made:
    """A file's content before it is written.

    Attributes:
        content: Its bytes.
        run: Runs exactly these bytes.
        inputs: By name.
        outputs: By name.
        layout: Order of the image's axes.
        packages: What made it.
    """

    content: bytes
    run: Run
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    layout: str
    packages: tuple[str, ...]


def make_onnx(request: Request) -> Made:
    """An ONNX file.

    Raises:
        UserError: See `amesh.deploy.onnx.export_onnx` and `amesh.deploy.quantise.export_int8`.
    """
    from amesh.deploy.onnx import export_onnx
    from amesh.deploy.onnx_runner import OnnxFile
    from amesh.deploy.quantise import export_int8

    if request.precision == "int8":
        content = export_int8(request.target, request.calibrated_on, request.batch)
    else:
        content = export_onnx(request.target, request.precision, request.batch)
    file = OnnxFile(content)
    packages = ("onnx", "onnxscript", "onnxruntime")
    return Made(
        content, file.run_crops, _tensors(file.inputs), _tensors(file.outputs), "nchw", packages
    )


def make_litert(request: Request) -> Made:
    """A TFLite file; its batch is 1 where none is asked for.

    Raises:
        UserError: See `amesh.deploy.litert.export_litert`; or LiteRT is not installed, which is
            needed to check the file.
    """
    from amesh.deploy import litert
    from amesh.deploy.litert_runner import LitertFile

    step = request.batch or 1
    if request.part and isinstance(request.net, Cascade):
        content = litert.export_parts(request.net, request.precision, step)[request.part]
    else:
        content = litert.export_litert(request.net, request.precision, step)
    file = LitertFile(content)

    def run(crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        padded = np.concatenate([crops, np.zeros_like(crops[: -len(crops) % step])])
        found = [file(**{INPUT: padded[i : i + step]}) for i in range(0, len(padded), step)]
        return {
            name: np.concatenate([one[name] for one in found])[: len(crops)] for name in found[0]
        }

    shapes = _tensors(file.shapes), _tensors(file.output_shapes)
    return Made(content, run, *shapes, "nhwc", ("ai-edge-litert",))


def make_task(request: Request) -> Made:
    """A bundle for MediaPipe Tasks; what is run is the landmark network in it.

    Raises:
        UserError: See `amesh.deploy.task.export_task`; a batch or a part is asked for; or LiteRT is
            not installed, which is needed to check the file.
    """
    from amesh.deploy import litert, task
    from amesh.deploy.litert_runner import LitertFile

    if request.part or request.batch not in (None, 1):
        raise UserError("a .task bundle holds the whole network, one face per run")
    content = task.export_task(request.net, request.precision)
    file = LitertFile(task.read_bundle(content)[task.LANDMARKS])

    def run(crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        outputs = file.run_crops(task.as_task_crops(crops))
        points = outputs["landmarks"].reshape(len(crops), -1, 3)
        scale = np.float32(crops.shape[1] / litert.TASK_SIZE)
        return {"landmarks": points * scale, "face_flag": outputs["face_flag"].reshape(-1)}

    shapes = _tensors(file.shapes), _tensors(file.output_shapes)
    return Made(content, run, *shapes, "nhwc", ("ai-edge-litert",))


def _tensors(shapes: Mapping[str, tuple[Any, ...]]) -> dict[str, Tensor]:
    return {
        name: Tensor(tuple(n if isinstance(n, int) else None for n in shape))
        for name, shape in shapes.items()
    }
