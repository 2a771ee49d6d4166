"""Compares the CPU time of a picture, from its pixels to landmarks, with MediaPipe's.

    python tests/peer_speed/pictures.py PEER_PYTHON [FOLDER] [--rounds 5] [--output FILE.json]

PEER_PYTHON is the interpreter of an environment with tests/golden/requirements-oracle.txt;
`nox -s pictures` creates one. Every program sees each picture in turn, so that other load on the
machine affects all alike; CPU time counts all threads of a process. Then `amesh run FOLDER` with
one worker, with one per core, and MediaPipe's loop over the folder take turns: pictures per second,
which say little on a machine that is busy with anything else.

Without a folder, the pictures are renderings of one portrait at several sizes. Pictures with one
face each compare best: MediaPipe stops at the first face, amesh looks at all before it chooses.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import cycle, islice
from pathlib import Path

import cv2
import numpy as np

from amesh.pipeline.listing import list_images
from amesh.pipeline.parallel import cores

HERE = Path(__file__).parent
PEER = "MediaPipe"
# Side of the default pictures [px], and how much of the portrait they show, around its face.
RENDERINGS = ((256, 1.0), (512, 1.0), (1024, 1.0), (2048, 1.0), (256, 0.5), (1024, 0.5))
MANY = 200  # pictures that throughput is measured on, at least
FACE = (225, 125)  # centre of the face in the portrait [px]


def renderings(folder: Path) -> None:
    """Writes the default pictures: NASA's portrait of Eileen Collins, in the public domain."""
    from skimage import data

    portrait = data.astronaut()[:, :, ::-1]
    for side, share in RENDERINGS:
        length = round(portrait.shape[0] * share)
        left, top = (int(np.clip(c - length / 2, 0, portrait.shape[0] - length)) for c in FACE)
        cut = portrait[top : top + length, left : left + length]
        picture = cv2.resize(cut, (side, side), interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / f"{side}-{share}.png"), picture)


@contextmanager
def worker(command: Sequence[str], **environment: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that answers each line with times."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    own = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    own |= environment
    with subprocess.Popen(command, text=True, env=own, **pipes) as process:  # type: ignore[call-overload]
        yield process
        process.stdin.close()


def measure(
    peer: str, pictures: Sequence[Path], model: str, faces: int, rounds: int
) -> tuple[dict[str, np.ndarray], dict[str, int]]:
    """CPU time by program (pictures) [ms], the median over the rounds; and how many faces."""
    ours = [sys.executable, str(HERE / "amesh_pictures.py"), str(faces)]
    with ExitStack() as stack:
        theirs = worker([peer, str(HERE / "mediapipe_pictures.py"), str(faces)])
        workers = {PEER: stack.enter_context(theirs)}
        for detector in ("short", "auto", "full"):
            one = worker([*ours, detector, model], OMP_NUM_THREADS="1")
            workers[f"amesh, detector={detector}"] = stack.enter_context(one)
        for detector in ("short", "auto"):
            one = worker([*ours, detector, model, "once"], OMP_NUM_THREADS="1")
            workers[f"amesh, {detector}, look_again=False"] = stack.enter_context(one)
        usual = worker([*ours, "auto", model])
        workers["amesh, auto, OMP_NUM_THREADS unset"] = stack.enter_context(usual)
        times = {name: np.empty((rounds + 1, len(pictures))) for name in workers}
        found = dict.fromkeys(workers, 0)
        for i in range(rounds + 1):
            for j, picture in enumerate(pictures):
                for name, process in workers.items():
                    process.stdin.write(f"{picture}\n")
                    process.stdin.flush()
                    cpu, count = process.stdout.readline().split()
                    times[name][i, j] = float(cpu)
                    found[name] += int(count) if i == 0 else 0
    return {name: np.median(rows[1:], axis=0) for name, rows in times.items()}, found


def table(times: dict[str, np.ndarray], found: dict[str, int]) -> list[dict[str, object]]:
    """A row for each program; ratios are to MediaPipe's time on the same picture."""
    return [
        {
            "program": name,
            "mean_ms": round(float(own.mean()), 2),
            "median_ms": round(float(np.median(own)), 2),
            "ratio_of_means": round(float(own.mean() / times[PEER].mean()), 2),
            "median_ratio": round(float(np.median(own / times[PEER])), 2),
            "faces": found[name],
        }
        for name, own in times.items()
    ]


def throughput(
    peer: str, pictures: Sequence[Path], model: str, faces: int, rounds: int
) -> list[dict[str, object]]:
    """A row for each way through a folder, files read and results written as text: medians.

    The ways take turns; ratios are to one worker of the same round.
    """
    ways = {"amesh run --workers 1": 1, f"amesh run --workers {cores()}": cores(), PEER: 0}
    with ExitStack() as stack:
        place = stack.enter_context(tempfile.TemporaryDirectory())
        for i, picture in enumerate(islice(cycle(pictures), max(MANY, len(pictures)))):
            shutil.copy(picture, Path(place, f"{i:04}{picture.suffix}"))
        ours = [sys.executable, str(HERE / "amesh_folder.py"), str(faces), "auto", model, place]
        theirs = [peer, str(HERE / "mediapipe_folder.py"), str(faces), place]
        processes = [stack.enter_context(worker(one)) for one in (ours, theirs)]
        times = np.empty((rounds + 1, len(ways), 2))
        for i in range(rounds + 1):
            for j, workers in enumerate(ways.values()):
                process = processes[0 if workers else 1]
                process.stdin.write(f"{workers}\n")
                process.stdin.flush()
                times[i, j] = [float(word) for word in process.stdout.readline().split()]
    wall, cpu = np.moveaxis(times[1:], 2, 0)
    return [
        {
            "way": name,
            "pictures_per_second": round(1e3 / float(np.median(wall[:, j])), 1),
            "ratio": round(float(np.median(wall[:, 0] / wall[:, j])), 2),
            "cpu_ms": round(float(np.median(cpu[:, j])), 2),
        }
        for j, name in enumerate(ways)
    ]


def main() -> None:
    """Compares and reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", help="Python of MediaPipe's environment")
    parser.add_argument("folder", nargs="?", type=Path, help="pictures, best with one face each")
    parser.add_argument("--model", default="paper-256", help="amesh's landmark network")
    parser.add_argument("--faces", type=int, default=1, help="faces per picture, at most")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path, help="JSON")
    options = parser.parse_intermixed_args()  # the folder may follow the options
    with ExitStack() as stack:
        folder = options.folder
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            renderings(folder)
        pictures = list_images(folder)
        what = (options.peer, pictures, options.model, options.faces, options.rounds)
        times, found = measure(*what)
        ways = throughput(*what)
    rows = table(times, found)
    print(f"CPU time per picture, {len(pictures)} pictures, {options.model}, one face each:")
    print(f"{'':46}{'mean':>8}{'median':>8}  ratio (means, median)   faces")
    for row in rows:
        print(
            f"{row['program']:46}{row['mean_ms']:8}{row['median_ms']:8}"
            f"{row['ratio_of_means']:8}{row['median_ratio']:8}{row['faces']:16}"
        )
    print(f"Through a folder, {cores()} cores, load {os.getloadavg()[0]:.1f} at the end:")
    for way in ways:
        print(
            f"{way['way']:46}{way['pictures_per_second']:8} pictures per second{way['ratio']:6} "
            f"of one worker's,{way['cpu_ms']:6} ms of CPU each"
        )
    if options.output:
        report = {"machine": platform.processor() or platform.machine(), "model": options.model}
        report |= {"pictures": len(pictures), "rounds": options.rounds}
        report |= {"cpu": rows, "folder": ways}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
