"""`FaceMesh`: the Python interface for pictures."""

from pathlib import Path
from typing import Literal

from amesh.errors import UserError
from amesh.nn.runner import Runner, TorchRunner
from amesh.pipeline.detector import Detector, DetectorKind
from amesh.pipeline.face_pipeline import FacePipeline

RuntimeName = Literal["auto", "torch"]


class FaceMesh(FacePipeline):
    """Finds faces and their landmarks in pictures.

    Example:
        >>> face_mesh = FaceMesh("released-192")
        >>> [face] = face_mesh(read_image("portrait.jpg"))
        >>> face.landmarks.shape
        (478, 3)
    """

    def __init__(
        self,
        model: str | Path | Runner = "released-192",
        runtime: RuntimeName = "auto",
        detector: DetectorKind = "both",
        max_faces: int | None = None,
        min_score: float = 0.5,
        mediapipe_crop: bool = False,
    ) -> None:
        """Loads the landmark network and the detector.

        Args:
            model: Installed weights by name, a weights file, or a runner of your own.
            runtime: What runs the network; `auto` takes the fastest that is installed.
            detector: `short` for faces near the camera, `full` for small and far ones, or `both`;
                `crowd` also searches tiles of the picture.
            max_faces: Return this many faces at most; all by default.
            min_score: A face that the network is less sure of is dropped.
            mediapipe_crop: Reproduce MediaPipe's way of cutting crops, half-pixel error included.

        Raises:
            UserError: The weights are not installed or damaged, or there is no such runtime.
        """
        runner = open_runner(model, runtime) if isinstance(model, str | Path) else model
        super().__init__(
            runner,
            Detector.open(detector, mediapipe_crop=mediapipe_crop),
            max_faces,
            min_score,
            mediapipe_crop,
        )


def open_runner(model: str | Path, runtime: str = "auto") -> Runner:
    """A landmark network on a runtime.

    Raises:
        UserError: There are no such weights or no such runtime.
    """
    if runtime not in ("auto", "torch"):
        raise UserError(f"no runtime {runtime!r}; there is: auto, torch")
    return TorchRunner.open(model)
