"""The content of a TFLite file or a task bundle, and the means to run it."""

from amesh.deploy.request import Made, Request, _tensors
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

    batch = request.batch or 1
    if request.part and isinstance(request.net, Cascade):
        parts = export_parts(request.net, request.precision, batch, verify=False)
        content = parts[request.part]
    else:
        content = export_litert(request.net, request.precision, batch, verify=False)
    file = LitertFile(content)
    shapes = _tensors(file.shapes), _tensors(file.output_shapes)
    return Made(content, file.run_crops, *shapes, "nhwc", ("ai-edge-litert",))


def make_task(request: Request) -> Made:
    """A bundle for MediaPipe Tasks; what is run is the landmark network in it.

    Raises:
        UserError: See `amesh.deploy.litert.task.export_task`; a batch or a part is asked for; or
            LiteRT is not installed, which is needed to check the file.
    """
    from amesh.deploy.litert import task
    from amesh.deploy.litert.task_runner import TaskFile

    if request.part or request.batch not in (None, 1):
        raise UserError("a .task bundle holds the whole network, one face per run")
    content = task.export_task(request.net, request.precision, verify=False)
    file = TaskFile(task.read_bundle(content)[task.LANDMARKS])
    shapes = _tensors(file.shapes), _tensors(file.output_shapes)
    return Made(content, file.run_crops, *shapes, "nhwc", ("ai-edge-litert",))
