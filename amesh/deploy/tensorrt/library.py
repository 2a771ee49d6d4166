"""TensorRT itself: version, GPU, log, loading engines, and the inspector's report."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from amesh.deploy.formats import Precision
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


def gpu() -> Gpu:
    """The current GPU.

    Raises:
        UserError: There is none, or this PyTorch cannot use it.
    """
    if not torch.cuda.is_available():
        raise UserError(
            "TensorRT needs an NVIDIA GPU, its driver and a CUDA build of PyTorch; "
            f"torch {torch.__version__} sees no GPU"
        )
    return Gpu(torch.cuda.get_device_name(), "{}.{}".format(*torch.cuda.get_device_capability()))


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
        raise UserError(f"TensorRT {trt.__version__} cannot load the engine: {log.last()}")
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


def census(report: Mapping[str, Any]) -> Counter[str]:
    """Counts the layers' output values and weights by type: fp32, fp16, int8, other.

    Args:
        report: The inspector's report, of either major version.
    """
    counts: Counter[str] = Counter()
    for layer in report.get("Layers", ()):
        if isinstance(layer, str):  # a plan without details: names only
            continue
        for tensor in layer.get("Outputs", ()):
            size = 1
            for length in tensor.get("Dimensions", ()):
                size *= abs(int(length))
            counts[_type(tensor)] += size
        for key, value in layer.items():
            if isinstance(value, Mapping) and "Type" in value and "Count" in value:
                counts[_type({"Datatype": value["Type"], "of": key})] += int(value["Count"])
    return counts


def _type(tensor: Mapping[str, Any]) -> str:
    """Short name of a type, from `Format/Datatype` (10) or `Format` and `Datatype` (11)."""
    keys = ("Datatype", "DataType", "Format/Datatype", "Format")
    text = next((str(tensor[key]) for key in keys if tensor.get(key)), "").lower()
    if re.search(r"bf16|bfloat16|fp8|float8|fp4|int4|int32|int64|bool", text):
        return "other"
    if re.search(r"fp16|half|float16", text):
        return "fp16"
    if "int8" in text:
        return "int8"
    return "fp32" if re.search(r"fp32|float", text) else "other"


def assert_precision(counts: Mapping[str, int], wanted: Precision) -> None:
    """Rejects an engine that was built in another precision than requested.

    Args:
        counts: See `census`.
        wanted: The requested precision.

    Raises:
        UserError: The precision differs, or the inspector does not report it.
    """
    single, half, quarter = (counts.get(name, 0) for name in ("fp32", "fp16", "int8"))
    if not single + half + quarter:
        raise UserError("the engine does not tell its types (no details); cannot check precision")
    built = {
        "fp32": half == 0 and quarter == 0,
        "fp16": half > single and quarter == 0,
        "int8": quarter > 0 and half + quarter > single,
    }
    if not built[wanted]:
        found = ", ".join(f"{name} {counts.get(name, 0)}" for name in ("fp32", "fp16", "int8"))
        raise UserError(f"asked for {wanted}, but the engine was built otherwise: {found} numbers")
