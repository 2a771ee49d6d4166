"""Compares LiteRT with our export to MediaPipe with Google's file: same weights, one thread.

Bursts alternate, so that other load on the machine affects both. On our side, everything from the
picture's floats to the output arrays is timed; on MediaPipe's, only the InferenceCalculator (see
`mediapipe_worker.py`). A burst's time is its median; the report has quartiles over the bursts, and
the median of the ratios of neighbouring bursts.

    python tests/peer_speed/compare.py PEER_PYTHON [--rounds 60] [--output build/peer_speed.json]

PEER_PYTHON is the interpreter of an environment with tests/golden/requirements-oracle.txt;
`nox -s peer_speed` creates one.
"""

import argparse
import json
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from amesh.deploy.litert.export import export_litert
from amesh.deploy.litert.interpreter import open_interpreter
from amesh.weights import store

WORKER = Path(__file__).with_name("mediapipe_worker.py")
BURST = 25
KINDS = ("wall", "cpu")


def burst(interpreter: Any, crop: np.ndarray) -> np.ndarray:
    """Median wall and CPU time of one run [ms]."""
    [given] = interpreter.get_input_details()
    wanted = [one["index"] for one in interpreter.get_output_details()]
    times = np.empty((BURST, 2))
    for row in times:
        wall, cpu = time.perf_counter(), time.process_time()
        interpreter.set_tensor(given["index"], crop)
        interpreter.invoke()
        results = [interpreter.get_tensor(index) for index in wanted]
        row[:] = time.perf_counter() - wall, time.process_time() - cpu
        del results
    return np.median(times, axis=0) * 1e3


def main() -> None:
    """Compares and reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", help="Python of MediaPipe's environment")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--precision", choices=("fp32", "fp16"), default="fp32")
    parser.add_argument("--output", type=Path, help="JSON")
    options = parser.parse_args()
    net = store.load("released-192")
    interpreter = open_interpreter(export_litert(net, options.precision))
    crop = np.random.default_rng(0).random((1, 192, 192, 3), np.float32)
    command = [options.peer, str(WORKER)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as worker:  # type: ignore[call-overload]

        def peer() -> np.ndarray:
            worker.stdin.write("\n")
            worker.stdin.flush()
            return np.array(worker.stdout.readline().split(), dtype=float)

        for _ in range(2):
            peer(), burst(interpreter, crop)  # warm
        times = np.array([(burst(interpreter, crop), peer()) for _ in range(options.rounds)])
        worker.stdin.close()
    report: dict[str, object] = {"machine": platform.processor() or platform.machine()}
    report |= {"rounds": options.rounds, "burst": BURST, "precision": options.precision}
    for i, kind in enumerate(KINDS):
        ours, theirs = times[:, 0, i], times[:, 1, i]
        quartiles = {
            "litert_ms": np.quantile(ours, [0, 0.25, 0.5, 0.75]).round(3).tolist(),
            "mediapipe_ms": np.quantile(theirs, [0, 0.25, 0.5, 0.75]).round(3).tolist(),
            "ratio_of_neighbours": round(float(np.median(ours / theirs)), 3),
            "ratio_of_medians": round(float(np.median(ours) / np.median(theirs)), 3),
        }
        report[kind] = quartiles
        print(f"{kind:5}", *(f"{name} {value}" for name, value in quartiles.items()))
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
