"""Exports a network as a TFLite file or a task bundle, with functions to run and time it."""

from collections.abc import Callable

from amesh.blazeface.network import DetectorNetwork
from amesh.deploy.artefact import Artefact, artefact_of
from amesh.deploy.litert import runner, task
from amesh.deploy.litert.detector import export_detector
from amesh.deploy.litert.export import export_litert, export_parts
from amesh.deploy.litert.runner import LitertFile
from amesh.deploy.litert.task_runner import TaskFile
from amesh.deploy.network.prepare import Network
from amesh.deploy.request import Request
from amesh.deploy.signature import PLACES
from amesh.errors import UserError
from amesh.nn.cascade import Cascade

_PACKAGES = ("ai-edge-litert",)


def litert_artefact(request: Request) -> Artefact:
    """Exports a TFLite file.

    Raises:
        UserError: See `amesh.deploy.litert.export.export_litert`; or LiteRT, which is needed to
            check the file, is not installed.
    """
    file = LitertFile(content := _content(request))
    details = {} if file.places is None else {PLACES: file.places.tolist()}
    return artefact_of(file, content, _PACKAGES, details=details)


def timed_call(request: Request, threads: int) -> Callable[[], object]:
    """Prepares one LiteRT call, with its input ready, for `amesh benchmark` to time.

    Args:
        request: The network to run.
        threads: Threads per call.

    Raises:
        UserError: As for `litert_artefact`.
    """
    return runner.timed_call(_content(request), threads)


def task_artefact(request: Request) -> Artefact:
    """Exports a bundle for MediaPipe Tasks; `run` runs the landmark network in it.

    Raises:
        UserError: See `amesh.deploy.litert.task.export_task`; a part is requested; or LiteRT,
            which is needed to check the file, is not installed.
    """
    if request.part:
        raise UserError("a .task bundle holds a whole network, not a part")
    assert isinstance(request.net, Network)
    content = task.export_task(request.net, request.precision, verify=False)
    file = TaskFile(task.read_bundle(content)[task.LANDMARKS])
    return artefact_of(file, content, _PACKAGES)


def _content(request: Request) -> bytes:
    batch = request.batch or 1
    if isinstance(request.net, DetectorNetwork):
        return export_detector(request.net, batch, verify=False)
    if request.part and isinstance(request.net, Cascade):
        return export_parts(request.net, request.precision, batch, verify=False)[request.part]
    return export_litert(request.net, request.precision, batch, web=request.web, verify=False)
