"""Builds TensorRT engines from ONNX, opens and inspects them. Files are checked before writing.

An engine is tied to a TensorRT version and a GPU. Its sidecar, `ENGINE.json`, records both, along
with inputs and outputs; opening an engine compares them with the installed version and GPU.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from amesh.deploy import parity, sidecar
from amesh.deploy.artefact import Artefact, write
from amesh.deploy.crops import NAME, parity_crops
from amesh.deploy.formats import Precision
from amesh.deploy.onnx import export as onnx_file
from amesh.deploy.onnx.runner import OnnxFile
from amesh.deploy.parity import Run
from amesh.deploy.signature import (
    BYTES,
    EXPECTED_ERROR,
    INPUT,
    NORMALISATION,
    OUTPUTS,
    check_points,
    landmark_outputs,
)
from amesh.deploy.tensorrt import readiness
from amesh.deploy.tensorrt.library import (
    Log,
    deserialise,
    gpu,
    layers,
    on,
    refit,
    version,
)
from amesh.deploy.tensorrt.plan import BuildOptions, build_plan, trtexec, wanted_profiles
from amesh.deploy.tensorrt.report import census, require_precision
from amesh.deploy.tensorrt.runner import TensorRTRunner
from amesh.deploy.tensorrt.sidecar import check, check_place, read_sidecar, weights_for
from amesh.errors import UserError
from amesh.files import locked
from amesh.topology import load

Verify = Callable[[Run], Mapping[str, Any]]


@dataclass(frozen=True)
class Origin:
    """The network in an engine.

    Attributes:
        name: Name of the network.
        topology: Name of its landmark scheme.
        outputs: Names of its outputs; those of a part of a cascade are not landmarks.
    """

    name: str
    topology: str = "face478"
    outputs: tuple[str, ...] = OUTPUTS

    @classmethod
    def of(cls, model: onnx.ModelProto, path: Path) -> "Origin":
        """Reads the facts in an ONNX file; without any, the file's name is used."""
        facts = onnx_file.about(model)
        outputs = tuple(value.name for value in model.graph.output)
        return cls(
            facts.get("model", path.stem),
            facts.get("topology", "face478"),
            outputs if "part" in facts else landmark_outputs(EXPECTED_ERROR in outputs),
        )


def against_onnx(model: bytes, origin: Origin, precision: Precision) -> Verify:
    """Makes a function that compares an engine with ONNX Runtime on the package's crops.

    Args:
        model: The ONNX file that the engine was built from.
        origin: The network.
        precision: Precision that sets the tolerance.
    """

    def verify(run: Run) -> dict[str, Any]:
        file = OnnxFile(model, threads=0)
        size = int(file.inputs[INPUT][2])  # in either layout
        images = parity_crops(size).images
        outputs = load(origin.topology).outputs
        compared = parity.compare(run(images), file.run_crops(images), outputs, size, NAME)
        parity.require(compared, precision, f"{origin.name} against ONNX Runtime")
        return {"against": "ONNX Runtime", **compared.to_dict()}

    return verify


@contextmanager
def building(engine: Path) -> Iterator[None]:
    """Keeps a second process from building the same engine at the same time.

    Raises:
        UserError: Another process is building it.
    """
    taken = f"{engine}: another process is building it; wait for that one"
    with locked(engine.with_name(f".{engine.name}.lock"), taken):
        yield


def engine_artefact(
    content: bytes, model: Path, engine: Path, origin: Origin, options: BuildOptions
) -> Artefact:
    """Builds an engine and checks that it has the requested precision.

    Args:
        content: The ONNX file, in the precision of the engine.
        model: Path of the ONNX file.
        engine: Path of the engine.
        origin: The network.
        options: How to build.

    Raises:
        UserError: The graph is not ready, TensorRT or a GPU is missing, the build fails, or the
            engine is not as requested.
    """
    graph = readiness.require(onnx.load_from_string(content), model, origin.outputs)
    if graph.cuts_crops:
        raise UserError(
            f"{model}: cuts its own crops, which amesh's runner for engines does not; build it "
            f"for your own program: {trtexec(model, engine, graph, options)}"
        )
    if graph.precision != options.precision:
        raise UserError(
            f"{model}: asked for {options.precision}, but the graph is {graph.precision}; TensorRT "
            f"follows the graph: run `amesh export onnx --precision {options.precision}` first"
        )
    outputs = {name: graph.shapes[name] for name in origin.outputs}
    check_points(model, outputs, origin.topology)
    plan = build_plan(content, graph, options)
    log = Log()
    loaded = deserialise(plan, log, host_code=options.version_compatible)
    if options.strip_weights:
        refit(loaded, content, log)
    report = layers(loaded)
    built = require_precision(report, graph.convolutions)
    details = {
        "onnx": {"file": model.name, "sha256": sidecar.sha256(content)},
        "convolutions": dict(Counter("+".join(sorted(types)) for types in built.values())),
        "numbers": dict(census(report)),
        "profiles": [list(batches) for batches in wanted_profiles(graph, options)],
        "tensorrt": version(),
        "gpu": gpu()._asdict(),
        "hardware": options.hardware,
        "version_compatible": options.version_compatible,
        "stripped": options.strip_weights,
        "trtexec": trtexec(model, engine, graph, options),
    }
    return Artefact(
        content=plan,
        run=TensorRTRunner(loaded, origin.name, origin.topology).run_any,
        inputs={INPUT: graph.shapes[INPUT]},
        outputs=outputs,
        layout="nhwc" if graph.byte_input else "nchw",
        dtypes={INPUT: "uint8"} if graph.byte_input else {},
        normalisation=BYTES if graph.byte_input else NORMALISATION,
        packages=("onnx", "onnxruntime"),
        details=details,
    )


def build(
    model: Path,
    engine: Path,
    origin: Origin | None = None,
    options: BuildOptions | None = None,
    verify: Verify | None = None,
) -> dict[str, Any]:
    """Builds an engine from an ONNX file, checks its numbers, and writes it with its sidecar.

    Args:
        model: The ONNX file, in the precision of the engine.
        engine: The file to write, `.engine` or `.plan`.
        origin: The network; by default as stated in the ONNX file.
        options: How to build.
        verify: Compares the running engine with a reference. Returns the figures for the sidecar,
            and raises UserError if they are out of tolerance. By default `against_onnx`.

    Returns:
        The sidecar.

    Raises:
        UserError: As for `engine_artefact`, or the ONNX file is missing or damaged. In that case
            nothing is written, and an earlier file stays.
    """
    options = options or BuildOptions()
    parsed = readiness.read(model)
    content = model.read_bytes()
    described = sidecar.sidecar_file(model).is_file()
    source = sidecar.read(model) if described else None  # rejects damaged or replaced files
    origin = origin or Origin.of(parsed, model)
    with building(engine):
        made = engine_artefact(content, model, engine, origin, options)
    figures = (verify or against_onnx(content, origin, options.precision))(made.run)
    facts = onnx_file.about(parsed)
    written = write(
        made,
        engine,
        "tensorrt",
        origin.topology,
        model=origin.name,
        architecture=facts.get("architecture", ""),
        part=facts.get("part", ""),
        precision=options.precision,
        weights_sha256=source.weights_sha256 if source else "",
        weights=source.weights if source else {},
        parity=figures,
    )
    return written.to_dict()


def open_engine(
    engine: Path,
    model: Path | None = None,
    cuda_graphs: bool = True,
    threads: int = 1,
    device: int | None = None,
) -> TensorRTRunner:
    """Opens an engine for running, after checking it, its sidecar and the machine.

    Args:
        engine: The engine, next to its sidecar.
        model: The ONNX file it was built from; needed only for a stripped engine.
        cuda_graphs: Replay a captured launch instead of launching each kernel.
        threads: Of a CPU, as for the other runtimes; an engine has no use for them.
        device: Number of the GPU; by default PyTorch's current one.

    Raises:
        UserError: The engine is missing or damaged, was built for another GPU or TensorRT, or lacks
            its weights.
    """
    description = read_sidecar(engine)
    content = engine.read_bytes()
    check(description, content, engine)
    check_place(description, engine, version(), gpu(device))
    log = Log()
    with on(device):
        loaded = deserialise(content, log, host_code=description["version_compatible"])
        if description["stripped"]:
            refit(loaded, weights_for(description, engine, model), log)
        return TensorRTRunner(loaded, description["model"], description["topology"], cuda_graphs)


def inspect(engine: Path) -> dict[str, Any]:
    """Returns the sidecar and the engine's own report: layers, types and memory.

    Raises:
        UserError: The engine cannot be opened; see `open_engine`.
    """
    description = read_sidecar(engine)
    content = engine.read_bytes()
    check(description, content, engine)
    check_place(description, engine, version(), gpu())
    loaded = deserialise(content, Log(), host_code=description["version_compatible"])
    live: dict[str, Any] = {
        "bytes": len(content),
        "layers": int(loaded.num_layers),
        "device_memory": int(loaded.device_memory_size_v2),
    }
    if not description["stripped"]:
        live["numbers"] = dict(census(layers(loaded)))
    return {**description, "engine": live}
