"""A TensorRT that builds nothing, for the flow around it where there is no GPU.

`tests/trt_stubs/resolve.py` holds every name in here against the real bindings of both majors.
"""

import json
from enum import Enum
from types import SimpleNamespace
from typing import Any

import onnx

__version__ = "10.13.3.9"

# What the next build does; tests change it.
will: dict[str, Any] = {}


def reset() -> None:
    """Back to a build that works, in half precision."""
    built.clear()
    will.clear()
    will.update(errors=[], plan=b"plan", half=1000, single=10, quarter=0, cache_fits=True)
    will.update(convolved="")  # the type of every convolution, if not the graph's


# What was asked of the builder, by name.
built: dict[str, Any] = {}


class ILogger:
    class Severity(Enum):
        INTERNAL_ERROR = 0
        ERROR = 1
        WARNING = 2
        INFO = 3

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class Dims:
    def __init__(self, shape: list[int]) -> None:
        self.shape = list(shape)

    def __getitem__(self, index: Any) -> Any:
        found = self.shape[index]
        return tuple(found) if isinstance(index, slice) else found


class BuilderFlag(Enum):
    TF32 = 1
    VERSION_COMPATIBLE = 2
    STRIP_PLAN = 3
    REFIT_IDENTICAL = 4


class NetworkDefinitionCreationFlag(Enum):
    STRONGLY_TYPED = 1

    def __int__(self) -> int:
        return self.value


class HardwareCompatibilityLevel(Enum):
    NONE = 0
    AMPERE_PLUS = 1
    SAME_COMPUTE_CAPABILITY = 2


class MemoryPoolType(Enum):
    WORKSPACE = 0


class ProfilingVerbosity(Enum):
    DETAILED = 1


class DataType(Enum):
    FLOAT = 0
    UINT8 = 5


class ExecutionContextAllocationStrategy(Enum):
    USER_MANAGED = 2


class LayerInformationFormat(Enum):
    JSON = 1


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> bytes:
        return self.content + b"+timed"

    def combine(self, input_cache: "ITimingCache", ignore_mismatch: bool) -> bool:
        self.content += b"+" + input_cache.content if input_cache.content != self.content else b""
        return True


class IOptimizationProfile:
    def set_shape(self, input: str, min: Dims, opt: Dims, max: Dims) -> None:
        built.setdefault("profiles", []).append((input, min[:], opt[:], max[:]))


class IBuilderConfig:
    builder_optimization_level = 3
    profiling_verbosity: Any = None
    hardware_compatibility_level: Any = HardwareCompatibilityLevel.NONE

    def __init__(self) -> None:
        self.on: set[BuilderFlag] = {BuilderFlag.TF32}
        built["config"] = self

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        built["workspace"] = pool_size

    def set_flag(self, flag: BuilderFlag) -> None:
        self.on.add(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:
        self.on.discard(flag)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        return len(built["profiles"]) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(serialized_timing_cache)

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        fits = not cache.content or will["cache_fits"]
        if fits:
            built["cache"] = cache.content
        return fits


class Builder:
    def __init__(self, logger: ILogger) -> None:
        self._log = logger

    def create_network(self, flags: int = 0) -> SimpleNamespace:
        built["network_flags"] = flags
        return SimpleNamespace()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: Any, config: IBuilderConfig) -> bytes | None:
        if will["plan"] is None:
            self._log.log(ILogger.Severity.ERROR, "no kernel fits")
        return will["plan"]


class ParserError:
    def __init__(self, node: str, operator: str, text: str) -> None:
        self._node, self._operator, self._text = node, operator, text

    def node_name(self) -> str:
        return self._node

    def node_operator(self) -> str:
        return self._operator

    def desc(self) -> str:
        return self._text


class OnnxParser:
    def __init__(self, network: Any, logger: ILogger) -> None:
        self.num_errors = len(will["errors"])

    def parse(self, model: bytes) -> bool:
        graph = onnx.load_from_string(model)
        onnx.checker.check_model(graph)
        half = {w.name for w in graph.graph.initializer if w.data_type == onnx.TensorProto.FLOAT16}
        built["convolutions"] = {
            node.name: "Half" if node.input[1] in half else "Float"
            for node in graph.graph.node
            if node.op_type == "Conv"
        }
        return not will["errors"]

    def get_error(self, index: int) -> ParserError:
        return ParserError(*will["errors"][index])


class IExecutionContext:
    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        return True


class EngineInspector:
    execution_context: Any = None

    def get_engine_information(self, format: LayerInformationFormat) -> str:
        assert self.execution_context is not None, "types are unknown before the shapes are"
        types = {"Float": "single", "Half": "half", "Int8": "quarter"}
        outputs = [
            {"Name": word, "Dimensions": [1, will[key]], "Format/Datatype": word}
            for word, key in types.items()
            if will[key]
        ]
        kernels = [
            {
                "Name": name,
                "LayerType": "CaskConvolution",
                "Inputs": [{"Format/Datatype": will["convolved"] or kind}],
            }
            for name, kind in built["convolutions"].items()
        ]
        layers = [{"Name": "all", "Outputs": outputs}, *kernels]
        return json.dumps({"Layers": layers, "Bindings": []})


class ICudaEngine:
    num_layers = 1
    device_memory_size_v2 = 4096

    def __init__(self, size: int = 128) -> None:
        self._size = size

    @property
    def num_optimization_profiles(self) -> int:
        return len(built["profiles"])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        return [Dims(list(shape)) for shape in built["profiles"][profile_index][1:]]

    def get_tensor_shape(self, name: str) -> Dims:
        rest = {"landmarks": [478, 3], "face_flag": []}.get(name, [3, self._size, self._size])
        return Dims([-1, *rest])

    def get_tensor_dtype(self, name: str) -> DataType:
        return DataType.FLOAT

    def create_execution_context(
        self, strategy: ExecutionContextAllocationStrategy | None = None
    ) -> IExecutionContext:
        return IExecutionContext()

    def create_engine_inspector(self) -> EngineInspector:
        return EngineInspector()


class Runtime:
    engine_host_code_allowed = False

    def __init__(self, logger: ILogger) -> None:
        self._log = logger

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
        built["host_code"] = self.engine_host_code_allowed
        if serialized_engine == will["plan"]:
            return ICudaEngine()
        self._log.log(ILogger.Severity.ERROR, "magic tag does not match")
        return None


class Refitter:
    def __init__(self, engine: ICudaEngine, logger: ILogger) -> None:
        pass

    def refit_cuda_engine(self) -> bool:
        return True


class OnnxParserRefitter:
    def __init__(self, refitter: Refitter, logger: ILogger) -> None:
        self.num_errors = 0

    def refit_from_bytes(self, model: bytes) -> bool:
        built["refitted"] = model
        return True

    def get_error(self, index: int) -> ParserError:
        raise IndexError(index)
