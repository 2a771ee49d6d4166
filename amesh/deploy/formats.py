"""The table of runtimes and file formats, which is the only place that lists them.

The command line, `export`, the cache, `open_runner` and `benchmark` all read it. To add a runtime,
add a row here and two modules, one that exports and one that runs. The rows name code as
"module:function" and import it on use, so reading the table costs nothing at start-up.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from amesh.errors import UserError, how_to_install
from amesh.lazy import resolve

Precision = Literal["fp32", "fp16", "int8"]
# Faces per run as requested: a number, `dynamic` for any number, a range (smallest, typical,
# largest), or None for the default.
Batch = int | Literal["dynamic"] | tuple[int, int, int] | None

AUTO = "auto"  # lets amesh choose the runtime

# Types of `image`; the first is that of all formats.
INPUTS = ("float32", "uint8")
# Samples along each side of a crop pixel, in files that cut their own crops.
SAMPLES = range(1, 9)
# Options of some formats, with the value that describes the files of all others.
_ANYWAY = {"input": INPUTS[0], "web": False}


@dataclass(frozen=True)
class Format:
    """A runtime and the file that it runs.

    Attributes:
        name: Its name on the command line and in sidecars.
        summary: What the file is for, as shown in the help.
        suffix: Suffix of its files.
        package: The package that checks and runs an exported file.
        extra: The extra of amesh that installs the package; empty if the base installation does.
        exporter: Function from `amesh.deploy.request.Request` to `amesh.deploy.artefact.Artefact`;
            empty if the runtime runs weights files themselves.
        runner: Opens a file as `amesh.runner.Runner`; empty if amesh only writes such files.
        detector: Opens a face detector's file as `amesh.detector_runner.DetectorRunner`; empty if
            it runs none.
        reader: Opens any of its files as `amesh.deploy.exported_file.ExportedFile`, to describe it;
            empty if only its sidecar does.
        timer: Function (request, threads) that returns one call for `amesh benchmark` to time;
            empty if it is not timed there.
        check: Function that raises `UserError` if the machine lacks something else, such as a GPU.
        precisions: Precisions in which it can be exported.
        batches: `any`: a fixed number or dynamic (the default); `fixed`: a number, 1 by default;
            `one`: always 1.
        options: Further options of its exporter, which other formats do not have.
        auto: Whether `auto` may choose it; the cache then keeps such files of installed weights.
        opsets: Versions of ONNX's operators that its files can have; none if they are not ONNX.
        errors: Whether its files have the errors that a network expects, if it predicts them.
        with_crop: Whether there are files that cut their own crops.
    """

    name: str
    summary: str
    suffix: str
    package: str
    extra: str = ""
    exporter: str = ""
    runner: str = ""
    detector: str = ""
    reader: str = ""
    timer: str = ""
    check: str = ""
    precisions: tuple[Precision, ...] = ("fp32", "fp16")
    batches: Literal["any", "fixed", "one"] = "any"
    options: tuple[str, ...] = ()
    auto: bool = False
    opsets: range = range(0)
    errors: bool = True
    with_crop: bool = False

    @property
    def is_installed(self) -> bool:
        """Whether its package is installed; does not import it."""
        return find_spec(self.package) is not None

    def require(self) -> None:
        """Checks that the runtime works on this machine, before any long work starts.

        Raises:
            UserError: Its package is not installed, or the machine lacks something else.
        """
        if not self.is_installed:
            how = how_to_install(self.extra) if self.extra else f"pip install {self.package}"
            raise UserError(f"{self.name} needs {self.package}, which is not installed: {how}")
        if self.check:
            resolve(self.check)()

    def export(self, request: Any) -> Any:
        """Exports a `Request` to an `Artefact`."""
        return resolve(self.exporter)(request)

    def open(self, file: str | Path, threads: int = 1) -> Any:
        """Opens a file as an `amesh.runner.Runner`."""
        return resolve(self.runner)(file, threads=threads)

    def open_detector(self, file: str | Path, threads: int = 1) -> Any:
        """Opens a file as an `amesh.detector_runner.DetectorRunner`."""
        return resolve(self.detector)(file, threads=threads)

    def read(self, file: Path) -> Any:
        """Opens any of its files as an `amesh.deploy.exported_file.ExportedFile`."""
        return resolve(self.reader)(file)

    def time(self, request: Any, threads: int) -> Any:
        """Returns a function without arguments that runs the network of a `Request` once."""
        return resolve(self.timer)(request, threads)

    def check_precision(self, precision: str) -> None:
        """Checks that the format supports a precision.

        Raises:
            UserError: It does not.
        """
        if precision not in self.precisions:
            raise UserError(
                f"{self.name} has no precision {precision!r}; it has: {', '.join(self.precisions)}"
            )

    def check_opset(self, opset: int | None) -> None:
        """Checks that files of the format can have this opset; None is the default.

        Raises:
            UserError: They cannot.
        """
        if opset is not None and opset not in self.opsets:
            known = f"{self.opsets[0]} to {self.opsets[-1]}" if self.opsets else "none to choose"
            raise UserError(f"{self.name} has no opset {opset}; it has: {known}")

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Checks that the format has further options of an exporter.

        Args:
            options: Values by name. What every file does anyway may be said of any format.

        Raises:
            UserError: It lacks some.
        """
        asked = [name for name, value in options.items() if value != _ANYWAY.get(name)]
        if strange := [name for name in asked if name not in self.options]:
            flags = ", ".join(f"--{name.replace('_', '-')}" for name in strange)
            raise UserError(f"{self.name} has no option {flags}")

    def check_output(self, output: Path) -> None:
        """Checks that the name of a file to write is not that of another format.

        Raises:
            UserError: It is, so nothing could open the file.
        """
        if output.suffix != self.suffix and (other := format_of(output)):
            raise UserError(
                f"{output}: {other.suffix} is for {other.name}; "
                f"{self.name} files end in {self.suffix}"
            )

    def check_runs(self, file: str | Path, runtime: str) -> None:
        """Checks that a file of this format can be run, and on the runtime that was asked for.

        Args:
            file: The file, for the message.
            runtime: Name of a runtime; `auto` is any.

        Raises:
            UserError: amesh only writes such files, or another runtime was asked for.
        """
        if not self.runner:
            suffixes = ", ".join(row.suffix for row in runtimes())
            raise UserError(
                f"{file}: {self.summary}, which amesh writes but does not run; it runs {suffixes}"
            )
        if runtime not in (AUTO, self.name):
            raise UserError(
                f"{file}: {self.suffix} is for {self.name}, not for {runtime}; "
                "leave the runtime out, or give weights"
            )

    def batch_size(self, batch: Batch) -> int | None:
        """Resolves the requested faces per run; None is dynamic.

        Raises:
            UserError: The format does not support this batch.
        """
        if batch is None:
            return None if self.batches == "any" else 1
        if batch == "dynamic":
            if self.batches != "any":
                raise UserError(f"{self.name} has no dynamic batch; give a number")
            return None
        if isinstance(batch, tuple):
            if "batches" not in self.options:
                raise UserError(f"{self.name} has no range of batches; give a number")
            return None
        if batch < 1 or (self.batches == "one" and batch != 1):
            expected = "always 1" if self.batches == "one" else "1 or more"
            raise UserError(f"{self.name}: batch {batch}, expected {expected}")
        return batch


# In the order in which `auto` prefers them: fastest on a CPU first.
FORMATS: tuple[Format, ...] = (
    Format(
        name="litert",
        summary="LiteRT on Android and CPUs, a .tflite file",
        suffix=".tflite",
        package="ai_edge_litert",
        extra="litert",
        exporter="amesh.deploy.litert.artefact:litert_artefact",
        runner="amesh.deploy.litert.runner:LitertRunner",
        detector="amesh.deploy.litert.runner:open_detector",
        reader="amesh.deploy.litert.runner:LitertFile",
        timer="amesh.deploy.litert.artefact:timed_call",
        batches="fixed",
        options=("web",),
        auto=True,
    ),
    Format(
        name="onnx",
        summary="ONNX Runtime",
        suffix=".onnx",
        package="onnxruntime",
        exporter="amesh.deploy.onnx.artefact:onnx_artefact",
        runner="amesh.deploy.onnx.runner:OnnxRunner",
        detector="amesh.deploy.onnx.runner:open_detector",
        reader="amesh.deploy.onnx.runner:OnnxFile",
        timer="amesh.deploy.onnx.artefact:timed_call",
        precisions=("fp32", "fp16", "int8"),
        opsets=range(18, 24),
        options=("input",),
        auto=True,
        with_crop=True,
    ),
    Format(
        name="torch",
        summary="PyTorch, which runs the weights themselves",
        suffix=".safetensors",
        package="torch",
        runner="amesh.runner:TorchRunner.open",
        detector="amesh.detector_runner:TorchDetector.open",
        timer="amesh.deploy.network.timing:timed_call",
        precisions=("fp32",),
        auto=True,
    ),
    Format(
        name="openvino",
        summary="OpenVINO on Intel's CPUs, an .xml file with its .bin",
        suffix=".xml",
        package="openvino",
        extra="openvino",
        exporter="amesh.deploy.openvino.artefact:openvino_artefact",
        runner="amesh.deploy.openvino.runner:OpenvinoRunner",
        detector="amesh.deploy.openvino.runner:open_detector",
        reader="amesh.deploy.openvino.runner:OpenvinoFile",
        timer="amesh.deploy.openvino.artefact:timed_call",
    ),
    Format(
        name="coreml",
        summary="Core ML on Apple's systems, an .mlpackage folder",
        suffix=".mlpackage",
        package="coremltools",
        extra="coreml",
        exporter="amesh.deploy.coreml.artefact:coreml_artefact",
        precisions=("fp32",),
        batches="fixed",
    ),
    Format(
        name="tensorrt",
        summary="an engine for the NVIDIA GPU in this machine",
        suffix=".engine",
        package="tensorrt",
        extra="tensorrt",
        exporter="amesh.deploy.tensorrt.artefact:tensorrt_artefact",
        runner="amesh.deploy.tensorrt.export:open_engine",
        check="amesh.deploy.tensorrt.library:check_machine",
        precisions=("fp32", "fp16", "int8"),
        options=("input", "batches", "hardware", "version_compatible", "timing_cache"),
    ),
    Format(
        name="task",
        summary="a bundle for MediaPipe's Face Landmarker",
        suffix=".task",
        package="ai_edge_litert",
        extra="litert",
        exporter="amesh.deploy.litert.artefact:task_artefact",
        reader="amesh.deploy.litert.task:open_task",
        batches="one",
        errors=False,
    ),
)


def exported() -> tuple[Format, ...]:
    """The formats that `amesh export` writes."""
    return tuple(row for row in FORMATS if row.exporter)


def runtimes() -> tuple[Format, ...]:
    """The runtimes that run landmark networks."""
    return tuple(row for row in FORMATS if row.runner)


def with_detectors() -> tuple[Format, ...]:
    """The formats that `amesh export` writes for face detectors."""
    return tuple(row for row in exported() if row.detector)


def detecting() -> tuple[Format, ...]:
    """The runtimes that run face detectors."""
    return tuple(row for row in FORMATS if row.detector)


def timed() -> tuple[Format, ...]:
    """The runtimes that `amesh benchmark` times."""
    return tuple(row for row in FORMATS if row.timer)


def cached() -> tuple[Format, ...]:
    """The formats whose files the cache keeps for `auto`."""
    return tuple(row for row in exported() if row.auto)


def runtime_names() -> tuple[str, ...]:
    """The values of `--runtime`."""
    return (AUTO, *names(runtimes()))


def names(rows: Iterable[Format]) -> tuple[str, ...]:
    """Names of rows."""
    return tuple(row.name for row in rows)


def precisions(rows: Iterable[Format]) -> tuple[Precision, ...]:
    """The precisions that any of the rows supports, each once."""
    return tuple(dict.fromkeys(precision for row in rows for precision in row.precisions))


def format_named(name: str) -> Format:
    """Finds a format that `amesh export` writes.

    Raises:
        UserError: There is none of that name.
    """
    return _find(name, exported(), "format", names(exported()))


def runtime_named(name: str) -> Format:
    """Finds a runtime.

    Raises:
        UserError: There is none of that name.
    """
    return _find(name, runtimes(), "runtime", runtime_names())


def require_runtime(name: str) -> None:
    """Checks that the requested runtime works on this machine, before any long work starts.

    Raises:
        UserError: There is none of that name, or it does not work here.
    """
    if name != AUTO:
        runtime_named(name).require()


def timed_named(name: str) -> Format:
    """Finds a runtime that `amesh benchmark` times.

    Raises:
        UserError: There is none of that name.
    """
    return _find(name, timed(), "runtime to time", names(timed()))


def format_of(file: Path) -> Format | None:
    """Finds the format of an exported file by its suffix; None for weights and their names."""
    return next((row for row in exported() if row.suffix == file.suffix), None)


def runtime_among(model: str, models: Iterable[str], runtime: str) -> str:
    """The runtime for one of several models that are compared or combined.

    The one asked for is that of the weights among them; exported files run on their own. Where
    there are only files, it is passed on, so that one which contradicts a file is refused.
    """
    weights = any(format_of(Path(other)) is None for other in models)
    return AUTO if weights and format_of(Path(model)) else runtime


def _find(name: str, rows: Iterable[Format], kind: str, known: Iterable[str]) -> Format:
    for row in rows:
        if row.name == name:
            return row
    raise UserError(f"no {kind} {name!r}; choose one of {', '.join(known)}")
