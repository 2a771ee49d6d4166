"""TensorRT engines: build from ONNX, open, inspect. Nothing reaches the disk before it is checked.

An engine belongs to a version of TensorRT and to a GPU. Its sidecar, `ENGINE.json`, says which,
and what goes in and comes out; opening compares it with what is there.
"""

from collections.abc import Callable, Mapping
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
from amesh.deploy.signature import INPUT, OUTPUTS, check_points
from amesh.deploy.tensorrt import readiness
from amesh.deploy.tensorrt.library import (
    Log,
    assert_precision,
    census,
    deserialise,
    gpu,
    layers,
    refit,
    version,
)
from amesh.deploy.tensorrt.plan import BuildOptions, build_plan, trtexec, wanted_profiles
from amesh.deploy.tensorrt.runner import TensorRTRunner
from amesh.deploy.tensorrt.sidecar import check, check_place, read_sidecar, weights_for
from amesh.errors import UserError
from amesh.topology import load

Verify = Callable[[Run], Mapping[str, Any]]


@dataclass(frozen=True)
class Origin:
    """What an engine is an engine of.

    Attributes:
        name: What the network is called.
        topology: Name of its landmark scheme.
        outputs: What it gives; a part of a cascade has others than landmarks.
    """

    name: str
    topology: str = "face478"
    outputs: tuple[str, ...] = OUTPUTS

    @classmethod
    def of(cls, model: onnx.ModelProto, path: Path) -> "Origin":
        """What the facts in an ONNX file say; the file's name where it carries none."""
        facts = onnx_file.about(model)
        outputs = tuple(value.name for value in model.graph.output)
        return cls(
            facts.get("model", path.stem),
            facts.get("topology", "face478"),
            outputs if "part" in facts else OUTPUTS,
        )


def against_onnx(model: bytes, origin: Origin, precision: Precision) -> Verify:
    """Compares an engine with ONNX Runtime on the crops that come with the package.

    Args:
        model: The ONNX file that it was built from.
        origin: What the network is.
        precision: Whose tolerance holds.
    """

    def verify(run: Run) -> dict[str, Any]:
        file = OnnxFile(model, threads=0)
        size = int(file.inputs[INPUT][2])
        images = parity_crops(size).images
        outputs = load(origin.topology).outputs
        compared = parity.compare(run(images), file.run_crops(images), outputs, size, NAME)
        parity.require(compared, precision, f"{origin.name} against ONNX Runtime")
        return {"against": "ONNX Runtime", **compared.to_dict()}

    return verify


def engine_artefact(
    content: bytes, model: Path, engine: Path, origin: Origin, options: BuildOptions
) -> Artefact:
    """Builds an engine and checks that its precision is the one asked for.

    Args:
        content: The ONNX file, in the precision that the engine shall have.
        model: What the ONNX file is called.
        engine: What the engine will be called.
        origin: What the network is.
        options: How to build.

    Raises:
        UserError: The graph is not ready, TensorRT or a GPU is missing, the build fails, or the
            engine is not what was asked for.
    """
    graph = readiness.require(onnx.load_from_string(content), model, origin.outputs)
    if graph.precision != options.precision:
        raise UserError(
            f"{model}: asked for {options.precision}, but the graph is {graph.precision}; TensorRT "
            f"builds what the graph says: `amesh export onnx --precision {options.precision}` first"
        )
    outputs = {name: graph.shapes[name] for name in origin.outputs}
    check_points(model, outputs, origin.topology)
    plan = build_plan(content, graph, options)
    log = Log()
    loaded = deserialise(plan, log, host_code=options.version_compatible)
    if options.strip_weights:
        refit(loaded, content, log)
    counts = census(layers(loaded))
    assert_precision(counts, options.precision)
    details = {
        "onnx": {"file": model.name, "sha256": sidecar.sha256(content)},
        "numbers": dict(counts),
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
        layout="nchw",
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
        model: The ONNX file, in the precision that the engine shall have.
        engine: The file to write, `.engine` or `.plan`.
        origin: What the network is; by default, what the ONNX file says of itself.
        options: How to build.
        verify: Compares the running engine with a reference; returns the figures for the sidecar,
            and raises UserError if they are out of tolerance. By default `against_onnx`.

    Returns:
        The sidecar.

    Raises:
        UserError: As for `engine_artefact`, or the ONNX file is missing or damaged. No file is left
            then; an earlier one stays.
    """
    options = options or BuildOptions()
    parsed = readiness.read(model)
    content = model.read_bytes()
    described = sidecar.sidecar_file(model).is_file()
    source = sidecar.read(model) if described else None  # damaged or replaced files are refused
    origin = origin or Origin.of(parsed, model)
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
    engine: Path, model: Path | None = None, cuda_graphs: bool = True
) -> TensorRTRunner:
    """Opens an engine for running, once everything about it fits.

    Args:
        engine: The engine, with its sidecar beside it.
        model: The ONNX file it was built from; only a stripped engine needs it.
        cuda_graphs: Replay a captured launch instead of launching each kernel.

    Raises:
        UserError: It is missing or damaged, belongs to another GPU or TensorRT, or lacks weights.
    """
    description = read_sidecar(engine)
    content = engine.read_bytes()
    check(description, content, engine)
    check_place(description, engine, version(), gpu())
    log = Log()
    loaded = deserialise(content, log, host_code=description["version_compatible"])
    if description["stripped"]:
        refit(loaded, weights_for(description, engine, model), log)
    return TensorRTRunner(loaded, description["model"], description["topology"], cuda_graphs)


def inspect(engine: Path) -> dict[str, Any]:
    """The sidecar, and what the engine itself says: layers, types, memory.

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
