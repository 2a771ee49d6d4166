"""TensorRT itself: version, GPU, log, loading engines, and the inspector's report."""

import ctypes
import json
import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from amesh.deploy.signature import INPUT
from amesh.errors import UserError, how_to_install

if TYPE_CHECKING:
    import tensorrt as trt

# From this version on, strongly typed networks need only one code path.
_OLDEST = (10, 12)
_INSTALL = how_to_install("tensorrt")


class Gpu(NamedTuple):
    """A GPU that an engine is tied to.

    Attributes:
        name: Its name in the driver.
        capability: Compute capability, `9.0`.
    """

    name: str
    capability: str


class Batches(NamedTuple):
    """One optimisation profile.

    Attributes:
        smallest: Smallest batch [crops].
        typical: Batch that it is tuned for [crops].
        largest: Largest batch [crops].
    """

    smallest: int
    typical: int
    largest: int


def version() -> str:
    """Version of the installed TensorRT.

    Raises:
        UserError: TensorRT is not installed, cannot be loaded, or is too old.
    """
    try:
        import tensorrt as trt
    except ModuleNotFoundError as error:
        raise UserError(f"TensorRT is not installed; {_INSTALL}") from error
    except (ImportError, OSError) as error:
        raise UserError(f"TensorRT cannot be loaded ({error}); {_INSTALL}") from error
    found = str(trt.__version__)
    if release(found) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise UserError(f"TensorRT {found} is too old, need {oldest} or newer; {_INSTALL}")
    return found


def release(text: str) -> tuple[int, int]:
    """`10.13.3.9.post1` becomes (10, 13)."""
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def gpu(device: int | None = None) -> Gpu:
    """A GPU by its number; by default PyTorch's current one.

    Raises:
        UserError: There is none, or this PyTorch cannot use it.
    """
    if not torch.cuda.is_available():
        raise UserError(
            "TensorRT needs an NVIDIA GPU, its driver and a CUDA build of PyTorch; "
            f"torch {torch.__version__} sees no GPU"
        )
    if device is not None and not 0 <= device < torch.cuda.device_count():
        raise UserError(f"no GPU {device}; there are {torch.cuda.device_count()}, from 0")
    capability = torch.cuda.get_device_capability(device)
    return Gpu(torch.cuda.get_device_name(device), "{}.{}".format(*capability))


def on(device: int | None) -> AbstractContextManager[Any]:
    """Makes a GPU the current one for a block; None leaves it as it is."""
    return nullcontext() if device is None else torch.cuda.device(device)


def load_lean() -> None:
    """Loads the runtime that a version-compatible engine carries, so that the builder finds it.

    Raises:
        UserError: It is not installed.
    """
    try:
        import tensorrt_lean_libs  # noqa: F401, loads it
    except ImportError:
        try:  # where TensorRT is no Python package but the system's
            ctypes.CDLL(f"libnvinfer_lean.so.{release(version())[0]}")
        except OSError as error:
            raise UserError(
                "version-compatible engines carry TensorRT's lean runtime, which is not "
                f"installed; {how_to_install('tensorrt-lean')}"
            ) from error


def check_machine() -> None:
    """Checks that engines can be built and run on this machine.

    Raises:
        UserError: TensorRT is too old or cannot be loaded, or there is no usable GPU.
    """
    version()
    gpu()


class Log:
    """Collects TensorRT's warnings and errors instead of printing them.

    Attributes:
        sink: The logger object for TensorRT.
        errors: Errors, in order.
        warnings: Warnings, in order.
    """

    def __init__(self) -> None:
        """Creates the logger, a subclass of TensorRT's own."""
        import tensorrt as trt

        errors: list[str] = []
        warnings: list[str] = []

        def log(_self: object, severity: "trt.ILogger.Severity", text: str) -> None:
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                errors.append(text.strip())
            elif severity == trt.ILogger.Severity.WARNING:
                warnings.append(text.strip())

        self.errors, self.warnings = errors, warnings
        self.sink: trt.ILogger = type("Log", (trt.ILogger,), {"log": log})()

    def last(self) -> str:
        """The latest errors on one line."""
        return "; ".join(self.errors[-3:]) or "it gave no reason"


def deserialise(plan: bytes, log: Log, host_code: bool = False) -> "trt.ICudaEngine":
    """Loads the engine in a plan.

    Args:
        plan: Output of the builder.
        log: Collects the reasons of a failure.
        host_code: Allow the plan to include its own runtime, as version-compatible ones do.

    Raises:
        UserError: TensorRT cannot load it.
    """
    import tensorrt as trt

    runtime = trt.Runtime(log.sink)
    runtime.engine_host_code_allowed = host_code
    engine: trt.ICudaEngine | None = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise UserError(
            f"TensorRT {trt.__version__} cannot load the engine ({log.last()}); it may be from "
            "another version, for another GPU, or need a newer driver: build it again here"
        )
    return engine


def refit(engine: "trt.ICudaEngine", model: bytes, log: Log) -> None:
    """Restores a stripped engine's weights from the ONNX file it was built from.

    Raises:
        UserError: The weights do not fit.
    """
    import tensorrt as trt

    refitter = trt.Refitter(engine, log.sink)
    parser = trt.OnnxParserRefitter(refitter, log.sink)
    if not parser.refit_from_bytes(model):
        reasons = [parser.get_error(i).desc() for i in range(parser.num_errors)]
        raise UserError(f"weights do not fit the engine: {'; '.join(reasons) or log.last()}")
    if not refitter.refit_cuda_engine():
        raise UserError(f"weights do not fit the engine: {log.last()}")


def profiles(engine: "trt.ICudaEngine") -> tuple[Batches, ...]:
    """Batches of each optimisation profile, in order."""
    shapes = (
        engine.get_tensor_profile_shape(INPUT, index)
        for index in range(engine.num_optimization_profiles)
    )
    return tuple(Batches(*(int(shape[0]) for shape in three)) for three in shapes)


def layers(engine: "trt.ICudaEngine") -> dict[str, Any]:
    """The inspector's report, including types, which are known only once the shapes are."""
    import tensorrt as trt

    context = engine.create_execution_context()
    typical = engine.get_tensor_profile_shape(INPUT, 0)[1]
    context.set_input_shape(INPUT, tuple(typical[:]))
    inspector = engine.create_engine_inspector()
    inspector.execution_context = context
    report: dict[str, Any] = json.loads(
        inspector.get_engine_information(trt.LayerInformationFormat.JSON)
    )
    return report
