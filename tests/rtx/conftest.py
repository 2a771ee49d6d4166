"""NVIDIA's own parser and builder, without a GPU: TensorRT for RTX under the name of TensorRT.

It builds engines on a CPU, but only a GPU can open them, so the engine's inspector is out of reach.
The builder's log lists the same layers; `Built` reads it. `nox -s tensorrt_rtx` runs these tests.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import onnx
import pytest

from amesh.deploy.tensorrt import library, plan, readiness
from amesh.deploy.tensorrt.library import Gpu
from amesh.deploy.tensorrt.plan import BuildOptions

HERE = Path(__file__).resolve().parent
# Steps of the host, not kernels.
_NO_KERNELS = {"signal", "wait", "shape_call"}
_TENSOR = re.compile(r"\{ Name: ([^,{}]*), [^{}]*?Dimensions: \[([^\]]*)\][^{}]*?Datatype: (\w+)")
_LAYER = re.compile(r"\s*Name: (.*?), LayerType: (\w+), Inputs: (.*)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips this folder's tests where TensorRT for RTX is not installed."""
    if find_spec("tensorrt_rtx") is None:
        for item in items:
            if HERE in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs `nox -s tensorrt_rtx`"))


@dataclass(frozen=True)
class Built:
    """What the builder made of a graph.

    Attributes:
        graph: The graph's own account.
        plan: The engine.
        profiles: Per profile, its layers as the inspector would report them.
    """

    graph: readiness.Readiness
    plan: bytes
    profiles: tuple[dict[str, Any], ...]

    def kernels(self, profile: int = -1) -> int:
        """Number of kernels that one run launches; by default those of a single crop."""
        kinds = [layer["LayerType"] for layer in self.profiles[profile]["Layers"]]
        return sum(kind not in _NO_KERNELS for kind in kinds)


@pytest.fixture(autouse=True)
def rtx(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Puts TensorRT for RTX in TensorRT's place; returns what it logs."""
    import tensorrt_rtx as trt

    kept: list[str] = []

    class Verbose(library.Log):
        def __init__(self) -> None:
            super().__init__()
            errors = self.errors
            worst = (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)

            def log(_self: object, severity: Any, text: str) -> None:
                kept.append(text)
                if severity in worst:
                    errors.append(text.strip())

            self.sink = type("Verbose", (trt.ILogger,), {"log": log})()

    configure = plan.configure

    def for_ampere(builder: Any, options: BuildOptions) -> Any:
        config = configure(builder, options)
        config.num_compute_capabilities = 1
        config.set_compute_capability(trt.ComputeCapability.SM86, 0)
        return config

    monkeypatch.setitem(sys.modules, "tensorrt", trt)
    monkeypatch.setattr(plan, "version", lambda: str(trt.__version__))
    monkeypatch.setattr(plan, "gpu", lambda: Gpu("none", "8.6"))
    monkeypatch.setattr(plan, "Log", Verbose)
    monkeypatch.setattr(plan, "configure", for_ampere)
    return kept


@pytest.fixture
def build(rtx: list[str]) -> Callable[..., Built]:
    """Builds an ONNX file and reads the log."""
    return partial(_build, rtx)


def _build(log: list[str], content: bytes, outputs: tuple[str, ...], **options: Any) -> Built:
    log.clear()
    graph = readiness.check(onnx.load_from_string(content), outputs)
    assert graph.problems == ()
    wanted = BuildOptions(precision=graph.precision, **options)
    made = plan.build_plan(content, graph, wanted)
    found = [layer for text in log for line in text.splitlines() if (layer := _layer(line))]
    count = len(plan.wanted_profiles(graph, wanted))
    profiles = tuple(
        {"Layers": [layer for layer in found if layer["profile"] == index]}
        for index in range(count)
    )
    assert sum(len(one["Layers"]) for one in profiles) == len(found)
    return Built(graph, made, profiles)


def _layer(line: str) -> dict[str, Any] | None:
    if not (match := _LAYER.match(line)):
        return None
    reads, _, rest = match[3].partition(", Outputs: ")
    reads = reads.partition(", Constants: ")[0]
    writes, _, rest = rest.partition(", TacticName: ")
    profile = re.search(r"\[profile (\d+)\]", line)
    return {
        "Name": match[1],
        "LayerType": match[2],
        "Inputs": _tensors(reads),
        "Outputs": _tensors(writes),
        "Metadata": rest.partition("Metadata: ")[2],
        "profile": int(profile[1]) if profile else 0,
    }


def _tensors(text: str) -> list[dict[str, Any]]:
    return [
        {
            "Name": name,
            "Dimensions": [n for n in lengths.split(",") if re.fullmatch(r"\s*-?\d+\s*", n)],
            "Datatype": kind,
        }
        for name, lengths, kind in _TENSOR.findall(text)
    ]
