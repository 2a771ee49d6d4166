"""Compares the CPU time of a frame of video with MediaPipe's, by the face's size and by faces.

    python tests/peer_speed/tracking.py PEER_PYTHON [--rounds 15] [--output FOLDER]

PEER_PYTHON is the interpreter of an environment with tests/golden/requirements-oracle.txt;
`nox -s tracking` creates one. On both sides, everything from the frame's pixels to the landmarks of
the tracked faces is timed. The programs take bursts of frames in turn, so that other load on the
machine affects all alike; a burst's time is its median, and a ratio is the median of those of
neighbouring bursts. CPU time counts all threads of a process; amesh has one.

The frames show one portrait, moved a little from each to the next: alone in square frames that its
face fills, and side by side in squares of 320 px. Then 10,000 frames show whether memory grows.
"""

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np

from amesh.benchmark import machine

HERE = Path(__file__).parent
PEER = "MediaPipe"
MODELS = ("released-192", "paper-256", "face-landmarker-v2")
SIDES = (179, 512, 819, 1280)  # of the frames [px]
GRIDS = {1: (1, 1), 2: (2, 1), 4: (2, 2), 8: (4, 2), 16: (4, 4)}  # columns and rows by faces
TILE = 320
# Centre of the face in NASA's portrait of Eileen Collins, and the side of what a frame shows [px]:
# the square of the face is nine tenths of it.
FACE, SHOWN = (225.0, 118.0), 179
LENGTH, BURST = 24, 12  # frames


def clip(side: int) -> np.ndarray:
    """Frames in which the face moves by up to 0.3 % of the side and turns by up to 1 degree."""
    from skimage import data

    portrait = data.astronaut()
    frames = []
    for i in range(LENGTH):
        phase = 2 * math.pi * i / LENGTH
        angle = math.radians(4) * math.sin(phase)
        cos, sin = (side / SHOWN * part for part in (math.cos(angle), math.sin(angle)))
        linear = np.array([[cos, -sin], [sin, cos]])
        to = np.array([side / 2 + 0.01 * side * math.cos(phase), side / 2])
        affine = np.column_stack([linear, to - linear @ FACE])
        frames.append(
            cv2.warpAffine(portrait, affine, (side, side), borderMode=cv2.BORDER_REPLICATE)
        )
    return np.stack(frames)


def write_clips(folder: Path) -> dict[str, tuple[Path, int]]:
    """Clips and numbers of faces, by what the table calls them."""
    tile, clips = clip(TILE), {}
    for side in SIDES:
        np.save(folder / f"{side}.npy", clip(side))
        clips[f"1 face, fills {side} px"] = (folder / f"{side}.npy", 1)
    for faces, (columns, rows) in GRIDS.items():
        np.save(folder / f"faces-{faces}.npy", np.tile(tile, (1, rows, columns, 1)))
        name = f"{faces} face{'s' * (faces > 1)}, {TILE * columns} x {TILE * rows} px"
        clips[name] = (folder / f"faces-{faces}.npy", faces)
    return clips


def asking(process: "subprocess.Popen[str]") -> Callable[[str], list[float]]:
    """Sends a line and returns the numbers of the answer."""

    def ask(line: str) -> list[float]:
        process.stdin.write(f"{line}\n")
        process.stdin.flush()
        return [float(number) for number in process.stdout.readline().split()]

    return ask


def compare(
    programs: dict[str, Callable[[str], list[float]]], clip: Path, faces: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Times [ms] and ratios of programs on a clip."""
    line = f"{clip} {faces} {BURST}"
    for ask in programs.values():
        ask(line), ask(line)  # finds the faces
    answers = np.array([[ask(line) for ask in programs.values()] for _ in range(rounds)])
    times, found = answers[..., 0], answers[..., 1]
    return {
        name: {
            "ms": round(float(np.median(times[:, i])), 2),
            "ratio": round(float(np.median(times[:, i] / times[:, 0])), 2),
            "faces": int(found[:, i].min()),
        }
        for i, name in enumerate(programs)
    }


def markdown(rows: dict[str, dict[str, dict[str, float]]], about: dict[str, object]) -> str:
    """The report."""
    programs = list(next(iter(rows.values())))
    heads = [f"{name} [ms]" for name in programs] + [f"{name} / {PEER}" for name in programs[1:]]
    lines = ["# Time of a frame of video", ""]
    lines += [f"* {key}: {value}" for key, value in about.items()]
    lines += [
        "",
        "CPU time from a frame's pixels to the landmarks of all faces followed in it, of all",
        f"threads of a process, medians; {PEER} is `FaceMesh(refine_landmarks=True)` of 0.10.21.",
        "The programs take turns, and the ratios are medians over neighbouring turns. The frames",
        "of the first rows are filled by one face; in the others, faces of 200 px are side by",
        "side. Where a program follows fewer faces than another, their number is in brackets.",
        "",
        f"| Faces and frame | {' | '.join(heads)} |",
        f"|---|{'--:|' * len(heads)}",
    ]
    for row, cells in rows.items():
        most = max(cell["faces"] for cell in cells.values())
        times = [
            f"{cell['ms']:.2f}" + (f" ({cell['faces']})" if cell["faces"] < most else "")
            for cell in cells.values()
        ]
        ratios = [f"{cell['ratio']:.2f}" for cell in list(cells.values())[1:]]
        lines.append(f"| {row} | {' | '.join(times + ratios)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Compares and reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", help="Python of MediaPipe's environment")
    parser.add_argument("--runtime", default="litert", help="amesh's runtime")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--frames", type=int, default=10_000, help="to watch memory; 0 for none")
    parser.add_argument("--output", type=Path, help="folder for tracking.md and tracking.json")
    options = parser.parse_args()
    if 0 < options.frames <= 1000:
        parser.error("--frames: memory is compared with frame 1,000; give more, or 0")
    commands = {PEER: [options.peer, str(HERE / "mediapipe_tracking.py")]}
    for model in MODELS:
        ours = str(HERE / "amesh_tracking.py")
        commands[model] = [sys.executable, ours, model, options.runtime]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    pipes |= {"text": True, "env": os.environ | {"OMP_NUM_THREADS": "1"}}  # type: ignore[dict-item]
    about: dict[str, object] = {**machine.about(), "runtime": options.runtime}
    about["turns"] = f"{options.rounds} of {BURST} frames"
    rows = {}
    print(f"{'':24}", *commands, sep="   ")
    with ExitStack() as stack:
        clips = write_clips(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        programs = {}
        for name, command in commands.items():
            process = stack.enter_context(subprocess.Popen(command, **pipes))  # type: ignore[call-overload]
            stack.callback(process.stdin.close)
            programs[name] = asking(process)
        for row, (path, faces) in clips.items():
            rows[row] = compare(programs, path, faces, options.rounds)
            cells = (f"{c['ms']:8} ms ({c['ratio']:.2f}, {c['faces']})" for c in rows[row].values())
            print(f"{row:24}", *cells, flush=True)
        if options.frames:
            smallest = next(iter(clips.values()))[0]
            [grown] = programs[MODELS[0]](f"memory {smallest} {options.frames}")
            about["memory"] = f"{grown:+z.1f} MB from frame 1,000 to {options.frames:,}"
            print(f"memory: {about['memory']}")
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / "tracking.md").write_text(markdown(rows, about))
        report = json.dumps({"about": about, "rows": rows}, indent=1) + "\n"
        (options.output / "tracking.json").write_text(report)


if __name__ == "__main__":
    main()
