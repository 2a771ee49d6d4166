"""Latency of the networks: the paper's Table 1 on the installed runtimes.

The networks of one runtime and number of threads are timed in turn, round after round, so that
other load on the machine affects them equally; each figure is the median over the rounds. A process
of its own times each such group: a runtime's threads keep cores busy after a call, waiting for the
next one.
"""

import multiprocessing
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby, product
from pathlib import Path

import numpy as np
import torch

from amesh.deploy import formats
from amesh.deploy.formats import Precision
from amesh.deploy.network.prepare import Network
from amesh.deploy.request import Request
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import MeshConfig
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import PlainMesh
from amesh.pipeline.crops import crop_image

# The rows of the paper's Table 1, and those that add up to its cascade.
ATTENTION, CASCADE = "Attention Mesh", "Cascade (mesh + lips + 2 x eye)"
PARTS = {"Mesh": "mesh", "Lips": "lips", "Eye & iris": "right_eye"}
PLAIN = "Plain mesh (Face Landmarker V2)"
CASCADE_OF = ("Mesh", "Lips", "Eye & iris", "Eye & iris")
_WARM_UP = 5


@dataclass(frozen=True)
class Setting:
    """How a network is run.

    Attributes:
        runtime: Name of the runtime in `amesh.deploy.formats`.
        precision: Precision of the exported file.
        threads: Number of threads.
        batch: Faces per run.
    """

    runtime: str
    precision: Precision
    threads: int
    batch: int


@dataclass(frozen=True)
class Timing:
    """Duration of one call.

    Attributes:
        name: Name of the network.
        setting: How it was run.
        median: Median over the rounds [ms].
        low: First quartile [ms].
        high: Third quartile [ms].
    """

    name: str
    setting: Setting
    median: float
    low: float
    high: float


Call = Callable[[], object]


def table_1(
    config: MeshConfig,
    settings: Sequence[Setting],
    rounds: int,
    google: Path | None = None,
    plain: PlainConfig | None = None,
) -> list[Timing]:
    """Times the networks of Table 1, with fresh weights since latency does not depend on them.

    Args:
        config: The member of the family to time.
        settings: How to run the networks.
        rounds: Number of calls of each.
        google: The unpacked wheel's `mediapipe/modules` folder. If given, also times the cascade
            that Google shipped, in LiteRT.
        plain: A plain mesh to time with them.

    Raises:
        UserError: A runtime is not installed, or a network cannot be exported for it.
    """
    for runtime in {setting.runtime for setting in settings}:
        formats.timed_named(runtime).require()
    groups = [list(group) for _, group in groupby(settings, lambda one: (one.runtime, one.threads))]
    if len(groups) == 1:
        return _table_1(config, settings, rounds, google, plain)
    found: list[Timing] = []
    for group in groups:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
            found += process.submit(_table_1, config, group, rounds, google, plain).result()
    return found


def _table_1(
    config: MeshConfig,
    settings: Sequence[Setting],
    rounds: int,
    google: Path | None,
    plain: PlainConfig | None,
) -> list[Timing]:
    from amesh.deploy.litert import runner as litert

    calls: dict[tuple[str, Setting], Call] = {}
    torch.manual_seed(0)
    attention, cascade = AttentionMesh(config).eval(), Cascade(config).eval()
    for setting in settings:
        for name, part in PARTS.items():
            calls[name, setting] = timed_call(cascade, part, setting)
        calls[ATTENTION, setting] = timed_call(attention, None, setting)
        if plain is not None:
            calls[PLAIN, setting] = timed_call(PlainMesh(plain).eval(), None, setting)
        if google is not None and setting.runtime == "litert" and setting.batch == 1:
            for name, file in GOOGLE.items():
                content = (google / file).read_bytes()
                calls[name, setting] = litert.timed_call(content, setting.threads)
    timings = measure(calls, rounds)
    for setting in settings:
        timings.append(_sum(CASCADE, CASCADE_OF, setting, timings))
        if ("Google's mesh", setting) in calls:
            timings.append(_sum(GOOGLE_CASCADE, GOOGLE_CASCADE_OF, setting, timings))
    return timings


GOOGLE = {
    "Google's mesh": "face_landmark/face_landmark.tflite",
    "Google's iris": "iris_landmark/iris_landmark.tflite",
}
GOOGLE_CASCADE = "Google's cascade (mesh + 2 x iris)"
GOOGLE_CASCADE_OF = ("Google's mesh", "Google's iris", "Google's iris")


def cutting(config: MeshConfig, rounds: int) -> dict[str, float]:
    """Times cropping from a picture [ms]: the face, and the three further crops of a cascade.

    A cascade crops the face, then lips and eyes, each at four times the attention crop's size.
    """
    random = np.random.default_rng(0)
    image = random.integers(0, 255, (720, 1280, 3), np.uint8)
    side = 4 * config.crop_size

    def cut(size: int, extent: float) -> np.ndarray:
        scale = extent / size
        return crop_image(image, np.array([[scale, 0.1, 300.0], [-0.1, scale, 120.0]]), size)

    def regions() -> None:
        for _ in range(3):
            cut(side, 130.0)

    empty = Setting("torch", "fp32", 1, 1)
    calls: Mapping[tuple[str, Setting], Call] = {
        ("face", empty): lambda: cut(config.input_size, 400.0),
        ("regions", empty): regions,
    }
    return {timing.name: timing.median for timing in measure(calls, rounds)}


def timed_call(net: Network, part: str | None, setting: Setting) -> Call:
    """Prepares one call of a network, or of a part of a cascade, with its input ready."""
    request = Request(net, part, setting.precision, setting.batch)
    call: Call = formats.timed_named(setting.runtime).time(request, setting.threads)
    return call


def measure(calls: Mapping[tuple[str, Setting], Call], rounds: int) -> list[Timing]:
    """Times all calls in turn, round after round."""
    if rounds < 1:
        raise UserError(f"rounds is {rounds}; expected 1 or more")
    for call in calls.values():
        for _ in range(_WARM_UP):
            call()
    taken: dict[tuple[str, Setting], list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            start = time.perf_counter()
            call()
            taken[key].append(1e3 * (time.perf_counter() - start))
    return [
        Timing(name, setting, *(float(np.quantile(times, q)) for q in (0.5, 0.25, 0.75)))
        for (name, setting), times in taken.items()
    ]


def settings_of(
    runtimes: Sequence[str],
    precisions: Sequence[Precision],
    threads: Sequence[int],
    batches: Sequence[int],
) -> list[Setting]:
    """Lists every valid combination; not every runtime supports every precision.

    Raises:
        UserError: A runtime does not exist, or there is no valid combination.
    """
    available = {name: formats.timed_named(name).precisions for name in runtimes}
    found = [
        Setting(runtime, precision, count, batch)
        for runtime, count, precision, batch in product(runtimes, threads, precisions, batches)
        if precision in available[runtime]
    ]
    if not found:
        raise UserError(f"{', '.join(runtimes)}: nothing to time in {', '.join(precisions)}")
    return found


def _sum(name: str, parts: Sequence[str], setting: Setting, timings: Sequence[Timing]) -> Timing:
    of = {timing.name: timing for timing in timings if timing.setting == setting}
    values = (
        sum(getattr(of[part], field) for part in parts) for field in ("median", "low", "high")
    )
    return Timing(name, setting, *values)
