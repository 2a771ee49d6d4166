"""`FaceMesh`: the Python interface for pictures."""

import math
from pathlib import Path
from typing import get_args

from amesh.blazeface.config import FULL, SHORT, DetectorConfig
from amesh.deploy import cache, formats
from amesh.deploy.formats import Format
from amesh.detector_runner import DetectorRunner
from amesh.errors import UserError
from amesh.nn.names import DEFAULT
from amesh.pipeline.arguments import as_count
from amesh.pipeline.detector import LARGE, Detector
from amesh.pipeline.detector_kind import DetectorKind
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import Runner
from amesh.weights import store

_TILES = 4  # along the longer side of the picture, for a crowd


class FaceMesh(FacePipeline):
    """Finds faces and their landmarks in pictures.

    A list of pictures is processed side by side on all cores; `map` does the same for any number of
    them, without holding them all in memory.

    Several threads may share one, and so may tasks of asyncio by `asyncio.to_thread`; only on
    TensorRT their calls of the landmark network take turns. It can be pickled to other processes
    (multiprocessing) and copied, except on TensorRT; a copy opens exported files again. Start such
    processes with `multiprocessing.get_context("spawn")`: a fork of a process in which a network
    has run hangs, because PyTorch's threads do not survive it.

    Examples:
        >>> face_mesh = FaceMesh()
        >>> [face] = face_mesh("photo.jpg")
        >>> face.landmarks.shape
        (478, 3)
        >>> face["lips_outer"].shape
        (20, 3)

        Several pictures at once, on all cores:

        >>> [len(faces) for faces in face_mesh(["a.jpg", "b.jpg"])]
        [1, 1]

        Where the faces are known already, the detector is skipped:

        >>> [face] = face_mesh("photo.jpg", boxes=[[150, 60, 300, 220]])
        >>> bool(face.score > 0.9)
        True
    """

    def __init__(
        self,
        model: str | Path | Runner = DEFAULT,
        runtime: str = formats.AUTO,
        detector: DetectorKind = "auto",
        max_faces: int | None = None,
        min_score: float = 0.5,
        mediapipe_crop: bool = False,
        look_again: bool = True,
        threads: int = 1,
    ) -> None:
        """Loads the landmark network and the detector.

        Args:
            model: Name of installed weights, a weights file, or a runner of your own.
            runtime: What runs the network, a name in `amesh.deploy.formats`; `auto` picks
                the fastest that is installed. Detectors run on the same one if it has their files.
            detector: `short` for faces near the camera, `full` for small and distant ones; `auto`
                is the first, and both where that finds no large face; `both` is always both;
                `crowd` also searches tiles of the picture.
            max_faces: Maximum number of faces to return; all by default.
            min_score: Faces below this confidence are dropped.
            mediapipe_crop: Crop exactly as MediaPipe does, half-pixel error included, and look once
                at each face.
            look_again: Look again at faces that the network is not sure of, up to five times. This
                finds faces that are upside down or on their side.
            threads: Threads of a CPU that each network may use. One takes the least time in all: to
                use more cores, pass several pictures at once instead.

        Raises:
            UserError: The weights are missing or damaged, or an option is wrong.
        """
        super().__init__(
            as_runner(model, runtime, threads),
            open_detector(detector, runtime, mediapipe_crop, threads),
            max_faces,
            min_score,
            mediapipe_crop,
            look_again,
        )


def as_runner(model: object, runtime: str = formats.AUTO, threads: int = 1) -> Runner:
    """A landmark network from what callers pass.

    Args:
        model: A runner, or what `open_runner` opens.
        runtime: As for `open_runner`.
        threads: As for `open_runner`.

    Raises:
        UserError: It is neither, or `open_runner` refuses it.
    """
    if isinstance(model, str | Path):
        return open_runner(model, runtime, threads)
    if not isinstance(model, Runner) or isinstance(model, type):
        raise UserError(
            f"model is a {type(model).__name__}; give the name of weights, a file, or a runner "
            "(amesh.runner.TorchRunner(net) of a network of your own)"
        )
    return model


def open_runner(model: str | Path, runtime: str = formats.AUTO, threads: int = 1) -> Runner:
    """A landmark network on a runtime.

    Args:
        model: Installed weights by name, a weights file, or an exported file, whose suffix says its
            runtime.
        runtime: A name in `amesh.deploy.formats`; `auto` takes the fastest that is installed and
            has a file made from these weights: LiteRT, ONNX Runtime, PyTorch.
        threads: Threads of a CPU that the network may use.

    Raises:
        UserError: There is no such network, or the runtime is not installed or cannot run it: an
            exported file runs on its own runtime only.
    """
    threads = as_count(threads, "threads")
    wanted = None if runtime == formats.AUTO else formats.runtime_named(runtime)
    exported = formats.format_of(Path(model))
    if exported:
        exported.check_runs(model, runtime)
    chosen = exported or wanted or _fastest(str(model))
    chosen.require()
    file = model if exported or not chosen.exporter else cache.current(str(model), chosen)
    runner: Runner = chosen.open(file, threads)
    return runner


def open_detector(
    kind: DetectorKind = "auto",
    runtime: str = formats.AUTO,
    mediapipe_crop: bool = False,
    threads: int = 1,
) -> Detector:
    """The installed face detectors on a runtime.

    Args:
        kind: `short` for faces near the camera; `full` for smaller ones, less accurate on large
            ones; `auto`: short, and full where that finds no large face; `both`: always both; or
            `crowd`: both, and tiles for the smallest faces.
        runtime: A name in `amesh.deploy.formats`. Where it has no current file of a detector, and
            for `auto`, the fastest runtime that has one is taken; PyTorch needs none.
        mediapipe_crop: As for `amesh.pipeline.detector.Detector`.
        threads: Threads of a CPU that each network may use.

    Raises:
        UserError: There is no such kind, or the detectors are not installed.
    """
    if kind not in get_args(DetectorKind):
        known = ", ".join(get_args(DetectorKind))
        raise UserError(f"no face detector {kind!r}; choose one of {known}")
    threads = as_count(threads, "threads")
    configs = {"short": [SHORT], "full": [FULL]}.get(kind, [SHORT, FULL])
    networks = [_open_network(config, runtime, threads) for config in configs]
    return Detector(
        networks,
        mediapipe_crop,
        tiles=_TILES if kind == "crowd" else 1,
        enough=LARGE if kind == "auto" else math.inf,
    )


def _open_network(config: DetectorConfig, runtime: str, threads: int) -> DetectorRunner:
    name = config.model
    store.find(name)  # not installed: say so, whatever is in the cache
    rows = sorted(formats.detecting(), key=lambda row: row.name != runtime)
    chosen = next(row for row in rows if not row.exporter or cache.is_ready(name, row))
    file = cache.exported(name, chosen) if chosen.exporter else name
    runner: DetectorRunner = chosen.open_detector(file, threads)
    return runner


def _fastest(model: str) -> Format:
    """The runtime that is installed and has this network's current file; PyTorch needs none."""
    ready = (row for row in formats.cached() if cache.is_ready(model, row))
    return next(ready, formats.runtime_named("torch"))
