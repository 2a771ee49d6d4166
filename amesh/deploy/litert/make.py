"""The content of a TFLite file or a task bundle, and the means to run it."""

import numpy as np
from jaxtyping import Float32

from amesh.deploy.request import Made, Request, _tensors
from amesh.deploy.signature import INPUT
from amesh.errors import UserError
from amesh.nn.cascade import Cascade


def make_litert(request: Request) -> Made:
    """A TFLite file; its batch is 1 where none is asked for.

    Raises:
        UserError: See `amesh.deploy.litert.export_litert`; or LiteRT is not installed,
            which is needed to check the file.
    """
    from amesh.deploy.litert.export import export_litert, export_parts
    from amesh.deploy.litert.runner import LitertFile

    step = request.batch or 1
    if request.part and isinstance(request.net, Cascade):
        content = export_parts(request.net, request.precision, step)[request.part]
    else:
        content = export_litert(request.net, request.precision, step)
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
        UserError: See `amesh.deploy.litert.task.export_task`; a batch or a part is asked for; or
            LiteRT is not installed, which is needed to check the file.
    """
    from amesh.deploy.litert import task
    from amesh.deploy.litert.export import TASK_SIZE
    from amesh.deploy.litert.runner import LitertFile

    if request.part or request.batch not in (None, 1):
        raise UserError("a .task bundle holds the whole network, one face per run")
    content = task.export_task(request.net, request.precision)
    file = LitertFile(task.read_bundle(content)[task.LANDMARKS])

    def run(crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        outputs = file.run_crops(task.as_task_crops(crops))
        points = outputs["landmarks"].reshape(len(crops), -1, 3)
        scale = np.float32(crops.shape[1] / TASK_SIZE)
        return {"landmarks": points * scale, "face_flag": outputs["face_flag"].reshape(-1)}

    shapes = _tensors(file.shapes), _tensors(file.output_shapes)
    return Made(content, run, *shapes, "nhwc", ("ai-edge-litert",))
