"""`FaceMesh`: the Python interface for pictures."""

from pathlib import Path

from amesh.deploy import cache, formats
from amesh.deploy.formats import Format
from amesh.nn.names import DEFAULT
from amesh.pipeline.detector import Detector
from amesh.pipeline.detector_kind import DetectorKind
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import Runner


class FaceMesh(FacePipeline):
    """Finds faces and their landmarks in pictures.

    Several threads may share one, and so may tasks of asyncio by `asyncio.to_thread`. On LiteRT and
    TensorRT their calls of the landmark network take turns. It can be pickled to other processes
    (multiprocessing) and copied, except on TensorRT; a copy opens exported files again.

    Examples:
        >>> face_mesh = FaceMesh()
        >>> [face] = face_mesh("photo.jpg")
        >>> face.landmarks.shape
        (478, 3)
        >>> face["lips_outer"].shape
        (20, 3)

        Where the faces are known already, the detector is skipped:

        >>> [face] = face_mesh("photo.jpg", boxes=[[150, 60, 300, 220]])
        >>> bool(face.score > 0.9)
        True
    """

    def __init__(
        self,
        model: str | Path | Runner = DEFAULT,
        runtime: str = formats.AUTO,
        detector: DetectorKind = "both",
        max_faces: int | None = None,
        min_score: float = 0.5,
        mediapipe_crop: bool = False,
        look_again: bool = True,
    ) -> None:
        """Loads the landmark network and the detector.

        Args:
            model: Name of installed weights, a weights file, or a runner of your own.
            runtime: What runs the network, a name in `amesh.deploy.formats`; `auto` picks
                the fastest that is installed.
            detector: `short` for faces near the camera, `full` for small and distant ones, or
                `both`; `crowd` also searches tiles of the picture.
            max_faces: Maximum number of faces to return; all by default.
            min_score: Faces below this confidence are dropped.
            mediapipe_crop: Crop exactly as MediaPipe does, half-pixel error included, and look once
                at each face.
            look_again: Look again at faces that the network is not sure of, up to eight times. This
                finds faces that are upside down or on their side.

        Raises:
            UserError: The weights are missing or damaged, or an option is wrong.
        """
        runner = open_runner(model, runtime) if isinstance(model, str | Path) else model
        super().__init__(
            runner,
            Detector.open(detector, mediapipe_crop=mediapipe_crop),
            max_faces,
            min_score,
            mediapipe_crop,
            look_again,
        )


def open_runner(model: str | Path, runtime: str = formats.AUTO) -> Runner:
    """A landmark network on a runtime.

    Args:
        model: Installed weights by name, a weights file, or an exported file, whose suffix says its
            runtime.
        runtime: A name in `amesh.deploy.formats`; `auto` takes the fastest that is installed and
            has a file made from these weights: LiteRT, ONNX Runtime, PyTorch.

    Raises:
        UserError: There is no such network, or the runtime is not installed or cannot run it.
    """
    wanted = None if runtime == formats.AUTO else formats.runtime_named(runtime)
    file_runtime = formats.runtime_of(Path(model))
    chosen = file_runtime or wanted or _fastest(str(model))
    chosen.require()
    file = model if file_runtime or not chosen.exporter else cache.current(str(model), chosen)
    runner: Runner = chosen.open(file)
    return runner


def _fastest(model: str) -> Format:
    """The runtime that is installed and has this network's current file; PyTorch needs none."""
    ready = (row for row in formats.cached() if cache.is_ready(model, row))
    return next(ready, formats.runtime_named("torch"))
