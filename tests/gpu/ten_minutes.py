"""Ten minutes on a GPU: the shipped weights in TensorRT, the most important things first.

`python tests/gpu/ten_minutes.py --output FOLDER` needs a GPU, the extra `tensorrt`, and the
installed weights. It prints one JSON line per step and adds it to `results.jsonl` in the folder, so
a machine that is taken away leaves what was found before. It goes on after a step that fails. A
step starts only if enough time may be left for it.
"""

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from amesh.deploy.crops import parity_crops
from amesh.deploy.sidecar import sidecar_file
from amesh.deploy.tensorrt import export, library
from amesh.deploy.tensorrt.runner import benchmark
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.nn.names import DEFAULT
from amesh.runner import TorchRunner
from amesh.weights import store

TIMED = (1, 8, 64)
# Largest distance from PyTorch in single precision [px].
TOLERANCE = {"fp32": 0.01, "fp16": 0.5}
Step = tuple[str, float, Callable[[], Mapping[str, Any]]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the script; 0: every step worked, 1: some did not, 2: no TensorRT or no GPU."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--output", type=Path, default=Path("build/gpu"), help="engines and results"
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="no step starts after these")
    options = parser.parse_args(arguments)
    try:
        library.check_machine()
    except UserError as error:
        print(f"ten_minutes.py: {error}", file=sys.stderr)
        return 2
    end = time.monotonic() + 60 * options.minutes
    results = keep(run(steps(options.output), end), options.output / "results.jsonl")
    return 0 if all(result["ok"] for result in results) else 1


def keep(results: Iterable[dict[str, Any]], path: Path) -> list[dict[str, Any]]:
    """Writes the file again after each result, whole: it is complete whenever the run ends."""
    kept = []
    for result in results:
        kept.append(result)
        write_atomically(path, "".join(json.dumps(one) + "\n" for one in kept).encode())
    return kept


def run(chosen: Sequence[Step], end: float) -> Iterator[dict[str, Any]]:
    """Runs steps in order and yields what they found.

    Args:
        chosen: Name, the time that it may take [s], and the step itself.
        end: When the time is over, by the monotonic clock.
    """
    for name, seconds, step in chosen:
        start = time.monotonic()
        result: dict[str, Any] = {"step": name, "ok": False}
        if start + seconds > end:
            result["error"] = f"needs {seconds:.0f} s, {max(0.0, end - start):.0f} s are left"
        else:
            try:
                result |= {"ok": True, **step()}
            except Exception as error:  # whatever it is, the next steps are worth their time
                result |= {"ok": False, "error": f"{type(error).__name__}: {error}"}
        result["seconds"] = round(time.monotonic() - start, 1)
        print(json.dumps(result), flush=True)
        yield result


def steps(folder: Path) -> list[Step]:
    """The steps, most important first."""
    half, single = folder / "half.engine", folder / "single.engine"
    old = folder / "released.engine"
    portable = folder / "portable.engine"
    return [
        ("machine", 1, machine),
        ("fp16: build", 90, lambda: build(DEFAULT, "fp16", half, folder)),
        ("fp16: parity", 20, lambda: parity(DEFAULT, "fp16", half)),
        ("fp16: times", 20, lambda: times(half)),
        ("fp16: times without graphs", 20, lambda: times(half, cuda_graphs=False)),
        ("fp16: build again, timings kept", 60, lambda: build(DEFAULT, "fp16", half, folder)),
        ("fp32: build", 90, lambda: build(DEFAULT, "fp32", single, folder)),
        ("fp32: parity", 20, lambda: parity(DEFAULT, "fp32", single)),
        ("fp32: times", 20, lambda: times(single)),
        ("released-192: build", 90, lambda: build("released-192", "fp16", old, folder)),
        ("released-192: parity", 20, lambda: parity("released-192", "fp16", old)),
        ("released-192: times", 20, lambda: times(old)),
        (
            "same capability",
            90,
            lambda: build(DEFAULT, "fp16", portable, folder, "--hardware", "capability"),
        ),
        ("same capability: parity", 20, lambda: parity(DEFAULT, "fp16", portable)),
        ("a picture", 30, lambda: picture(half, folder)),
        ("trtexec", 120, lambda: trtexec(half)),
        ("tests", 180, tests),
    ]


def machine() -> dict[str, Any]:
    """Versions and the GPU."""
    import torch

    return {
        "tensorrt": library.version(),
        "gpu": library.gpu()._asdict(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
    }


def build(name: str, precision: str, engine: Path, folder: Path, *further: str) -> dict[str, Any]:
    """Builds an engine by the command line, as a user does."""
    command(
        *("export", "tensorrt", "--model", name, "--precision", precision, "--batch", "1:8:64"),
        *("--timing-cache", str(folder / "timings"), "--output", str(engine), *further),
    )
    described = json.loads(sidecar_file(engine).read_bytes())
    kept = ("bytes", "convolutions", "numbers", "parity")
    return {key: described[key] for key in kept}


def parity(name: str, precision: str, engine: Path) -> dict[str, Any]:
    """Opens an engine anew and compares batches of several sizes with PyTorch."""
    runner = export.open_engine(engine)
    crops = parity_crops(runner.input_size).images
    expected = TorchRunner(store.load(name))(crops).landmarks
    worst = {}
    for batch in (1, 3, len(crops)):
        distance = np.linalg.norm(runner(crops[:batch]).landmarks - expected[:batch], axis=-1)
        # Half of the crops have no upright face: there the middle has to do.
        worst[batch] = [float(np.median(distance)), float(distance.max())]
    if worst[1][1] > TOLERANCE[precision]:
        raise UserError(f"{worst[1][1]:.3f} px off, allowed {TOLERANCE[precision]} px")
    return {"median_and_max_by_batch": worst}


def times(engine: Path, cuda_graphs: bool = True) -> dict[str, Any]:
    """Times an engine; lock the clocks for figures worth keeping (`nvidia-smi -lgc`)."""
    runner = export.open_engine(engine, cuda_graphs=cuda_graphs)
    return {"times": [asdict(timing) for timing in benchmark(runner, TIMED)]}


def picture(engine: Path, folder: Path) -> dict[str, Any]:
    """Runs a photograph through the pipeline by the command line."""
    from skimage import data, io

    photo, found = folder / "astronaut.png", folder / "faces.jsonl"
    io.imsave(photo, data.astronaut())
    found.unlink(missing_ok=True)
    command("run", str(photo), "--model", str(engine), "--output", str(found))
    return {"faces": found.read_text().count('"landmarks"')}


def trtexec(engine: Path) -> dict[str, Any]:
    """Runs the command of the sidecar where NVIDIA's tool is installed."""
    if not shutil.which("trtexec"):
        return {"skipped": "trtexec is not installed"}
    line = json.loads(sidecar_file(engine).read_bytes())["trtexec"]
    line = line.replace(f"--saveEngine={engine.name}", "--saveEngine=trtexec.engine")
    subprocess.run(shlex.split(line), cwd=engine.parent, check=True, capture_output=True)
    return {"bytes": (engine.parent / "trtexec.engine").stat().st_size}


def tests() -> dict[str, Any]:
    """Runs the tests of engines, with a small network."""
    here = Path(__file__).parent
    words = [sys.executable, "-m", "pytest", "-q", str(here / "test_tensorrt.py")]
    done = subprocess.run(words, cwd=here.parents[1], capture_output=True, text=True)
    return {"ok": done.returncode == 0, "tail": done.stdout.splitlines()[-12:]}


def command(*words: str) -> None:
    """Runs amesh's command line.

    Raises:
        UserError: It fails; the message is its last line.
    """
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-m", "amesh", *words],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise UserError((done.stderr.strip().splitlines() or ["no message"])[-1])


if __name__ == "__main__":
    sys.exit(main())
