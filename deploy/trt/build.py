"""Builds the engines of the matrix that belong to this machine, serves and times them.

`build.py --list` shows all jobs of a build farm, on any machine. `build.py --onnx FOLDER` builds,
out of `FOLDER/MODEL-PRECISION.onnx`, into `OUT/CAPABILITY/TENSORRT/MODEL-PRECISION.engine`.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from amesh.deploy.export import export as export_network
from amesh.deploy.tensorrt import export, library
from amesh.deploy.tensorrt.library import Batches, Gpu
from amesh.deploy.tensorrt.plan import BuildOptions
from amesh.deploy.tensorrt.runner import benchmark
from amesh.deploy.tensorrt.triton import write_model
from amesh.errors import UserError
from amesh.files import write_atomically

MATRIX = Path(__file__).with_name("engines.toml")
TIMED = (1, 2, 4, 8, 16, 32, 64)
_ENGINE = {"model", "precision", "batches", "hardware", "version_compatible", "strip_weights"}
_MACHINE = {"gpu", "capability", "tensorrt"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the script; 0: all built, 1: some failed, 2: nothing could be done."""
    options = parser().parse_args(arguments)
    try:
        matrix = read_matrix(options.matrix)
        if options.list:
            for job in jobs(matrix):
                print(json.dumps(job))
            return 0
        here, device = library.version(), library.gpu()
        wanted = list(fitting(matrix, here, device))
    except UserError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 2
    failed = 0
    for engine in wanted:
        try:
            build(engine, options, here, device)
        except UserError as error:
            print(f"build.py: {error}", file=sys.stderr)
            failed += 1
    if failed == len(wanted):
        return 2
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    """The options."""
    made = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    made.add_argument("--matrix", type=Path, default=MATRIX, help="engines and machines (TOML)")
    made.add_argument("--list", action="store_true", help="print all jobs, one JSON object a line")
    made.add_argument("--onnx", type=Path, default=Path("build/onnx"), help="ONNX files")
    made.add_argument("--export", action="store_true", help="export ONNX files that are missing")
    made.add_argument("--output", type=Path, default=Path("build/trt"), help="engines go here")
    made.add_argument(
        "--timing-cache", type=Path, default=Path("build/trt/timings"), help="timing caches"
    )
    made.add_argument("--batch", metavar="MIN:OPT:MAX", help="instead of the matrix's batches")
    made.add_argument("--hardware", choices=("this", "capability", "ampere"), help="likewise")
    made.add_argument("--version-compatible", action="store_true", help="likewise")
    made.add_argument("--level", type=int, default=3, help="0: fast build ... 5: long search")
    made.add_argument("--triton", type=Path, metavar="DIR", help="also fill a Triton repository")
    made.add_argument("--benchmark", action="store_true", help="also time each engine")
    return made


def read_matrix(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Engines and machines.

    Raises:
        UserError: The file is missing, is not TOML, or has a key that is unknown or missing.
    """
    try:
        matrix = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
    for kind, needed, known in (
        ("engine", {"model", "precision", "batches"}, _ENGINE),
        ("machine", _MACHINE, _MACHINE),
    ):
        for entry in matrix.get(kind, ()):
            if strange := sorted(set(entry) - known):
                raise UserError(f"{path}: {kind} has unknown keys: {', '.join(strange)}")
            if missing := sorted(needed - set(entry)):
                raise UserError(f"{path}: {kind} lacks {', '.join(missing)}")
    if not matrix.get("engine") or not matrix.get("machine"):
        raise UserError(f"{path}: needs at least one [[engine]] and one [[machine]]")
    return matrix


def jobs(matrix: Mapping[str, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """One entry per machine and version of TensorRT: what to install, and what gets built."""
    names = [f"{engine['model']}-{engine['precision']}" for engine in matrix["engine"]]
    for machine in matrix["machine"]:
        for requirement in machine["tensorrt"]:
            yield {
                "gpu": machine["gpu"],
                "capability": machine["capability"],
                "install": requirement,
                "engines": names,
            }


def fitting(
    matrix: Mapping[str, list[dict[str, Any]]], here: str, device: Gpu
) -> Iterator[dict[str, Any]]:
    """The engines to build on this machine.

    Raises:
        UserError: The matrix does not know this GPU, or not with this TensorRT.
    """
    known = [machine for machine in matrix["machine"] if machine["gpu"] == device.name]
    if not known:
        listed = ", ".join(sorted({machine["gpu"] for machine in matrix["machine"]}))
        raise UserError(f"{device.name} is not in the matrix ({listed}); add a [[machine]]")
    installs = [requirement for machine in known for requirement in machine["tensorrt"]]
    versions = [requirement.partition("==")[2] for requirement in installs]
    if not any(
        version.removesuffix(".post1") == here.removesuffix(".post1") for version in versions
    ):
        raise UserError(f"TensorRT {here} is not wanted here: {', '.join(installs)}")
    yield from matrix["engine"]


def batches(text: str) -> Batches:
    """Reads `1:8:64`.

    Raises:
        UserError: It is something else.
    """
    try:
        return Batches(*map(int, text.split(":")))
    except (ValueError, TypeError) as error:
        raise UserError(f"--batch {text}: expected MIN:OPT:MAX, such as 1:8:64") from error


def build(
    engine: Mapping[str, Any], options: argparse.Namespace, here: str, device: Gpu
) -> dict[str, Any]:
    """Builds one engine, and serves and times it where asked to.

    Raises:
        UserError: The ONNX file is missing, or the build fails.
    """
    name = f"{engine['model']}-{engine['precision']}"
    model = options.onnx / f"{name}.onnx"
    if options.export and not model.is_file():
        export_network(engine["model"], "onnx", model, engine["precision"])
    if not model.is_file():
        raise UserError(
            f"no {model}; add --export, or run `amesh export onnx --model {engine['model']} "
            f"--precision {engine['precision']} --batch dynamic --output {model}`"
        )
    target = options.output / device.capability / here / f"{name}.engine"
    extra = {key: engine[key] for key in engine if key not in ("model", "precision", "batches")}
    if options.hardware:
        extra["hardware"] = options.hardware
    if options.version_compatible:
        extra["version_compatible"] = True
    wanted = BuildOptions(
        precision=engine["precision"],
        batches=batches(options.batch) if options.batch else Batches(*engine["batches"]),
        optimisation_level=options.level,
        timing_cache=options.timing_cache,
        **extra,
    )
    sidecar = export.build(model, target, options=wanted)
    print(f"{target}\n  {sidecar['trtexec']}")
    if options.triton is not None:
        print(f"  Triton: {write_model(target, options.triton / here, name)}")
    if options.benchmark:
        largest = wanted.batches.largest
        runner = export.open_engine(target)
        timings = benchmark(runner, [batch for batch in TIMED if batch <= largest])
        rows: dict[str, Any] = {"gpu": device._asdict(), "tensorrt": here, "engine": name}
        rows["timings"] = [asdict(timing) for timing in timings]
        content = json.dumps(rows, indent=2).encode() + b"\n"
        write_atomically(target.with_suffix(".timings.json"), content)
        for timing in timings:
            print(
                f"  batch {timing.batch:3d}: {timing.median:7.3f} ms "
                f"({timing.low:.3f} to {timing.high:.3f}), {timing.with_copies:7.3f} ms with "
                f"copies, {timing.crops_per_second:8.0f} crops/s"
            )
    return sidecar


if __name__ == "__main__":
    sys.exit(main())
