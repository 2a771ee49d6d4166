"""`FaceMesh`: the Python interface for pictures."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, get_args

from amesh.deploy.cache import exported, is_current
from amesh.errors import UserError
from amesh.nn.names import DEFAULT
from amesh.pipeline.detector import Detector, DetectorKind
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import Runner, TorchRunner
from amesh.weights import store

RuntimeName = Literal["auto", "litert", "onnx", "torch", "tensorrt"]

_BY_SUFFIX: Mapping[str, RuntimeName] = {
    ".onnx": "onnx",
    ".tflite": "litert",
    ".engine": "tensorrt",
}
_PACKAGES = {"litert": "ai_edge_litert", "onnx": "onnxruntime"}


class FaceMesh(FacePipeline):
    """Finds faces and their landmarks in pictures.

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
        runtime: RuntimeName = "auto",
        detector: DetectorKind = "both",
        max_faces: int | None = None,
        min_score: float = 0.5,
        mediapipe_crop: bool = False,
    ) -> None:
        """Loads the landmark network and the detector.

        Args:
            model: Name of installed weights, a weights file, or a runner of your own.
            runtime: What runs the network; `auto` picks the fastest that is installed.
            detector: `short` for faces near the camera, `full` for small and distant ones, or
                `both`; `crowd` also searches tiles of the picture.
            max_faces: Maximum number of faces to return; all by default.
            min_score: Faces below this confidence are dropped.
            mediapipe_crop: Crop exactly as MediaPipe does, half-pixel error included.

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
        )


def open_runner(model: str | Path, runtime: RuntimeName = "auto") -> Runner:
    """A landmark network on a runtime.

    Args:
        model: Installed weights by name, or a file: `.safetensors`, or an exported `.onnx`,
            `.tflite` or `.engine`, which says its runtime itself.
        runtime: `auto` takes the fastest that is installed and has a file made from these weights:
            LiteRT, ONNX Runtime, PyTorch.

    Raises:
        UserError: There is no such network, or the runtime is not installed or cannot run it.
    """
    if runtime not in get_args(RuntimeName):
        raise UserError(f"no runtime {runtime!r}; choose one of {', '.join(get_args(RuntimeName))}")
    path = Path(model)
    runtime = _BY_SUFFIX.get(path.suffix, runtime)
    if runtime == "auto":
        runtime = next(
            (name for name in ("litert", "onnx") if _is_ready(name, str(model))), "torch"
        )
    if runtime == "torch":
        return TorchRunner.open(model)
    if path.suffix not in _BY_SUFFIX:
        store.find(model)  # a misspelt name is told as such, not as a missing export
        path = exported(str(model), runtime)
        if not path.is_file():
            raise UserError(
                f"no {path.suffix} file of {model}; `amesh export {runtime} --model {model} "
                f"--output FILE` writes one, then give that file as the model"
            )
        if runtime in _PACKAGES and not is_current(str(model), runtime):
            raise UserError(
                f"{path} was made from other weights than {model} has now; "
                f"`amesh export {runtime} --model {model} --output {path}` makes it again"
            )
    if runtime == "litert":
        from amesh.deploy.litert.runner import LitertRunner

        return LitertRunner(path)
    if runtime == "onnx":
        from amesh.deploy.onnx.runner import OnnxRunner

        return OnnxRunner(path)
    from amesh.deploy.tensorrt.export import open_engine

    return open_engine(path)


def _is_ready(runtime: str, model: str) -> bool:
    """Whether a network was exported, as it is now, for a runtime that is installed here."""
    return (
        exported(model, runtime).is_file()
        and find_spec(_PACKAGES[runtime]) is not None
        and is_current(model, runtime)
    )
