"""Builds TensorRT plans from ONNX graphs: strongly typed, no precision flag, for 10.12+ and 11."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from amesh.deploy.formats import Precision
from amesh.deploy.signature import PICTURE
from amesh.deploy.tensorrt.library import Batches, Gpu, Log, gpu, load_lean, version
from amesh.deploy.tensorrt.readiness import Readiness
from amesh.errors import UserError
from amesh.files import as_user_error, locked, make_folder, write_atomically

if TYPE_CHECKING:
    import tensorrt as trt

_MIB = 1 << 20
ANY_BATCH = Batches(1, 8, 64)
# Height and width of pictures that crops are cut from: smallest, typical, largest.
_SIZES = ((32, 32), (1080, 1920), (4320, 7680))
Hardware = Literal["this", "capability", "ampere"]


@dataclass(frozen=True)
class BuildOptions:
    """How an engine is built.

    Attributes:
        precision: Precision of the ONNX file; checked against the file and the engine.
        batches: The dynamic profile; ignored if the graph's batch is fixed.
        hardware: `this` GPU only, every GPU of its compute `capability`, or `ampere` and newer.
        version_compatible: Also runs in later minor versions of TensorRT; carries their lean
            runtime, which the extra `tensorrt-lean` installs.
        strip_weights: Leaves weights out of the engine; they are restored from its ONNX file.
        optimisation_level: 0 builds fastest, 5 searches longest.
        workspace: Maximum scratch memory of a layer [MiB].
        timing_cache: Folder of timing caches, one per TensorRT version and GPU; None for no cache.

    Raises:
        UserError: The batches are not in ascending order, or the level does not exist.
    """

    precision: Precision = "fp16"
    batches: Batches = ANY_BATCH
    hardware: Hardware = "this"
    version_compatible: bool = False
    strip_weights: bool = False
    optimisation_level: int = 3
    workspace: int = 1024
    timing_cache: Path | None = None

    def __post_init__(self) -> None:
        """Rejects what TensorRT would reject later and less clearly."""
        smallest, typical, largest = self.batches
        if not 1 <= smallest <= typical <= largest:
            raise UserError(
                f"batches {smallest}, {typical}, {largest}: expected 1 <= smallest <= typical "
                "<= largest"
            )
        if not 0 <= self.optimisation_level <= 5:
            raise UserError(f"optimisation level {self.optimisation_level} is not one of 0 to 5")


def wanted_profiles(graph: Readiness, options: BuildOptions) -> tuple[Batches, ...]:
    """The dynamic profile and one for batch 1; for a fixed batch, only that batch's profile."""
    if graph.batch is not None:
        return (Batches(graph.batch, graph.batch, graph.batch),)
    alone = Batches(1, 1, 1)
    return (options.batches,) if options.batches == alone else (options.batches, alone)


def input_shapes(graph: Readiness, batches: Batches) -> dict[str, list[list[int]]]:
    """Smallest, typical and largest shape of each input in a profile."""
    found = {}
    for name in graph.inputs:
        lengths = graph.shapes[name]
        if name == PICTURE:
            found[name] = [[*size, int(lengths[2])] for size in _SIZES]
        else:
            found[name] = [[batch, *map(int, lengths[1:])] for batch in batches]
    return found


def build_plan(model: bytes, graph: Readiness, options: BuildOptions) -> bytes:
    """Builds the plan; takes minutes at high levels without a timing cache.

    Args:
        model: The ONNX file.
        graph: Its census; see `amesh.deploy.tensorrt.readiness.require`.
        options: How to build.

    Raises:
        UserError: TensorRT or a GPU is missing, the graph cannot be parsed (the message lists all
            reasons), or no kernel fits.
    """
    found = version()
    device = gpu()
    store = cache_file(options.timing_cache, found, device)
    if store is not None:  # before the work that it keeps
        with as_user_error(store):
            make_folder(store.parent)
    if options.version_compatible:
        load_lean()
    import tensorrt as trt

    log = Log()
    builder = trt.Builder(log.sink)
    # Needed by 10.12+, ignored by 11, where every network is strongly typed.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parse(network, model, log)
    config = configure(builder, options)
    for batches in wanted_profiles(graph, options):
        profile = builder.create_optimization_profile()
        for name, shapes in input_shapes(graph, batches).items():
            low, middle, high = map(trt.Dims, shapes)
            profile.set_shape(name, low, middle, high)
        if config.add_optimization_profile(profile) < 0:
            raise UserError(f"TensorRT refuses the profile {tuple(batches)}: {log.last()}")
    cache = attach_cache(config, store)
    plan: trt.IHostMemory | None = builder.build_serialized_network(network, config)
    if plan is None:
        raise UserError(f"TensorRT {found} cannot build the engine: {log.last()}")
    if store is not None and cache is not None:
        keep_cache(config, cache, store)
    return bytes(memoryview(plan))


def parse(network: "trt.INetworkDefinition", model: bytes, log: Log) -> None:
    """Fills the network from an ONNX file.

    Raises:
        UserError: The file cannot be parsed; the message lists every error with its node.
    """
    import tensorrt as trt

    parser = trt.OnnxParser(network, log.sink)
    if parser.parse(model):
        return
    reasons = []
    for index in range(parser.num_errors):
        error: trt.ParserError = parser.get_error(index)
        reasons.append(f"{error.node_name()} ({error.node_operator()}): {error.desc()}")
    raise UserError(f"TensorRT cannot parse the graph: {'; '.join(reasons) or log.last()}")


def configure(builder: "trt.Builder", options: BuildOptions) -> "trt.IBuilderConfig":
    """Sets everything but the profiles. There is no precision here: it is in the graph."""
    import tensorrt as trt

    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace * _MIB)
    config.builder_optimization_level = options.optimisation_level
    # Keeps types in the engine, to check its precision.
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    # On by default; its 10-bit mantissas would round a coordinate of 256 px by up to 0.125 px.
    config.clear_flag(trt.BuilderFlag.TF32)
    if options.hardware == "capability":
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY
    elif options.hardware == "ampere":
        config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
    if options.version_compatible:
        config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
    if options.strip_weights:
        config.set_flag(trt.BuilderFlag.STRIP_PLAN)
        # The same weights are restored, so the engine need not allow others.
        config.set_flag(trt.BuilderFlag.REFIT_IDENTICAL)
    return config


def cache_file(folder: Path | None, found: str, device: Gpu) -> Path | None:
    """Path of the timing cache for this version and GPU."""
    if folder is None:
        return None
    name = re.sub(r"[^a-z0-9.]+", "-", f"{device.name}-sm{device.capability}".lower())
    return folder / f"trt{found}-{name}.timing"


def attach_cache(config: "trt.IBuilderConfig", store: Path | None) -> "trt.ITimingCache | None":
    """Attaches earlier timings; replaces damaged or incompatible ones by an empty cache."""
    if store is None:
        return None
    content = store.read_bytes() if store.is_file() else b""
    cache = config.create_timing_cache(content)
    if content and (cache is None or not config.set_timing_cache(cache, False)):
        cache = config.create_timing_cache(b"")
        config.set_timing_cache(cache, False)
    elif not content:
        config.set_timing_cache(cache, False)
    return cache


def keep_cache(config: "trt.IBuilderConfig", cache: "trt.ITimingCache", store: Path) -> None:
    """Writes timings, together with those that other processes have written in the meantime."""
    with locked(store.with_name(f"{store.name}.lock"), wait=True):
        if store.is_file():
            theirs = config.create_timing_cache(store.read_bytes())
            if theirs is not None:
                cache.combine(theirs, False)
        write_atomically(store, bytes(memoryview(cache.serialize())))


def trtexec(model: Path, engine: Path, graph: Readiness, options: BuildOptions) -> str:
    """The command that builds the same engine with NVIDIA's `trtexec`; no precision flag.

    The pip packages do not include the tool. Version 10 needs `--stronglyTyped`; 11 ignores it.
    """
    words = ["trtexec", f"--onnx={model}", f"--saveEngine={engine}", "--stronglyTyped", "--noTF32"]
    if graph.batch is None or graph.cuts_crops:
        for index, batches in enumerate(wanted_profiles(graph, options)):
            words.append(f"--profile={index}")
            shapes = input_shapes(graph, batches)
            for number, kind in enumerate(("min", "opt", "max")):
                inputs = [f"{n}:{'x'.join(map(str, s[number]))}" for n, s in shapes.items()]
                words.append(f"--{kind}Shapes={','.join(inputs)}")
    words.append(f"--builderOptimizationLevel={options.optimisation_level}")
    words.append(f"--memPoolSize=workspace:{options.workspace}M")
    words.append("--profilingVerbosity=detailed")
    levels = {"capability": "sameComputeCapability", "ampere": "ampere+"}
    if options.hardware in levels:
        words.append(f"--hardwareCompatibilityLevel={levels[options.hardware]}")
    if options.version_compatible:
        words.append("--versionCompatible")
    if options.strip_weights:
        words.append("--stripWeights")
    if options.timing_cache is not None:
        words.append(f"--timingCacheFile={options.timing_cache / 'trtexec.timing'}")
    words.append("--skipInference")
    return shlex.join(words)
