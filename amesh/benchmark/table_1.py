"""`amesh benchmark`: the paper's Table 1 on this machine, as Markdown, JSON and a chart."""

import json
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amesh.benchmark import machine
from amesh.benchmark.latency import (
    ATTENTION,
    CASCADE,
    GOOGLE,
    GOOGLE_CASCADE,
    PLAIN,
    Setting,
    Timing,
    cutting,
    settings_of,
    table_1,
)
from amesh.benchmark.options import Benchmark
from amesh.charts import Panel, Point, line_charts
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.nn.config import NAMED, MeshConfig
from amesh.nn.names import DEFAULT
from amesh.nn.plain_config import PlainConfig

PAPER_RATIO = 0.741  # Table 1: 16.6 ms of 22.4 ms


def benchmark(wanted: Benchmark) -> int:
    """Times the networks of Table 1 and writes benchmark.md, benchmark.json and benchmark.svg.

    Args:
        wanted: What to time.

    Returns:
        0.

    Raises:
        UserError: The model or a runtime does not exist, or the wheel is not the expected one.
    """
    plain = PlainConfig() if wanted.model == PlainConfig.name else None
    member = DEFAULT if plain else wanted.model
    if member not in NAMED:
        known = ", ".join((*NAMED, PlainConfig.name))
        raise UserError(f"no network named {member!r}; choose one of {known}")
    config = MeshConfig.from_dict({**NAMED[member].to_dict(), "mesh_irises": True})
    settings = settings_of(wanted.runtimes, wanted.precisions, wanted.threads, wanted.batches)
    with tempfile.TemporaryDirectory(prefix="amesh-") as folder:
        modules = None if wanted.google is None else _unpack(wanted.google, Path(folder))
        timings = table_1(config, settings, wanted.rounds, modules, plain)
    cuts = cutting(config, wanted.rounds)
    name = f"{member} and {plain.name}" if plain else member
    about = {"network": name, **machine.about(), "rounds": wanted.rounds}
    text = markdown(timings, settings, cuts, about)
    output = wanted.output
    write_atomically(output / "benchmark.md", text.encode())
    content = {"about": about, "cutting_ms": cuts, "timings": [asdict(one) for one in timings]}
    write_atomically(output / "benchmark.json", json.dumps(content, indent=1).encode())
    if len(wanted.batches) > 1:
        write_atomically(output / "benchmark.svg", throughput_chart(timings).encode())
    print(text)
    return 0


def markdown(
    timings: Sequence[Timing],
    settings: Sequence[Setting],
    cuts: dict[str, float],
    about: dict[str, Any],
) -> str:
    """Formats the tables."""
    lines = ["# Benchmark: the paper's Table 1", ""]
    lines += [f"* {key}: {value}" for key, value in about.items()]
    lines += [
        "",
        "Milliseconds per call, median over the rounds, quartiles in brackets. The networks of one",
        "runtime and number of threads are called in turn, in a process of their own. The cascade",
        "is the sum of its four calls. Its networks have the attention mesh's structure: each",
        "region network is a stem of its own and the region's submodel.",
        f"The paper's ratio of attention mesh to cascade is {PAPER_RATIO}.",
        "",
    ]
    for setting in settings:
        rows = {t.name: t for t in timings if t.setting == setting}
        title = f"{setting.runtime}, {setting.precision}, threads {setting.threads}"
        lines += [f"## {title}, batch {setting.batch}", "", "| network | ms |", "| --- | --- |"]
        for name, row in rows.items():
            lines.append(f"| {name} | {row.median:.2f} ({row.low:.2f} to {row.high:.2f}) |")
        ratio = rows[ATTENTION].median / rows[CASCADE].median
        lines.append(f"| **Attention Mesh / Cascade** | **{ratio:.3f}** |")
        if setting.batch == 1:
            # End to end: the time a caller waits, including cropping.
            whole = rows[ATTENTION].median + cuts["face"]
            parts = rows[CASCADE].median + cuts["face"] + cuts["regions"]
            lines.append(f"| including cropping | {whole / parts:.3f} |")
        if PLAIN in rows:
            plain = rows[PLAIN].median / rows[ATTENTION].median
            lines.append(f"| Plain mesh / Attention Mesh | {plain:.3f} |")
        if GOOGLE_CASCADE in rows:
            shipped = rows[ATTENTION].median / rows[GOOGLE_CASCADE].median
            lines.append(f"| Attention Mesh / Google's cascade | {shipped:.3f} |")
        lines.append("")
    lines += [
        f"Cropping on the CPU, one thread: the face {cuts['face']:.2f} ms, lips and two eyes",
        f"{cuts['regions']:.2f} ms.",
        "",
    ]
    return "\n".join(lines)


def throughput_chart(timings: Sequence[Timing]) -> str:
    """Plots the attention mesh's faces per second against batch size, one panel per runtime."""
    panels: dict[str, dict[str, list[Point]]] = {}
    for timing in sorted(timings, key=lambda one: one.setting.batch):
        if timing.name == ATTENTION:
            s = timing.setting
            rate, low, high = (
                1e3 * s.batch / value for value in (timing.median, timing.high, timing.low)
            )
            name = f"{s.precision}, {s.threads} thread{'s' if s.threads > 1 else ''}"
            lines = panels.setdefault(s.runtime, {})
            lines.setdefault(name, []).append(Point(float(s.batch), rate, low, high))
    drawn = [Panel(runtime, "batch", lines) for runtime, lines in panels.items()]
    return line_charts(drawn, "faces per second")


def _unpack(wheel: Path, folder: Path) -> Path:
    prefix = "mediapipe/modules"
    try:
        with zipfile.ZipFile(wheel) as archive:
            for file in GOOGLE.values():
                archive.extract(f"{prefix}/{file}", folder)
    except (OSError, zipfile.BadZipFile, KeyError) as error:
        raise UserError(f"{wheel}: not a mediapipe wheel with its cascade ({error})") from error
    return folder / prefix
