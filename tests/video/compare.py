"""Follows faces in clips with our tracker and with MediaPipe's, and compares jitter and lag.

    python tests/video/compare.py TASKS_PYTHON FACE_MESH_PYTHON FACE.task CLIP...

The two environments have the MediaPipe of the noxfile and that of
`tests/golden/requirements-oracle.txt`. FACE.task is Google's bundle, face_landmarker.task. The
report goes to docs/accuracy/video unless `--output` says otherwise.

Face Landmarker runs with Google's bundle and with bundles of our own weights: the same networks
behind its tracker and its filter, and behind ours. `mediapipe` is to reproduce that filter, so the
jitter of the two has to agree.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from amesh.cli import main as amesh
from amesh.deploy.export import open_network
from amesh.deploy.litert.task import export_task
from amesh.evaluation.over_time import ALL
from amesh.pipeline.video import open_source

ROOT = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("mediapipe_worker.py")
# Our networks, and what tables call each of them in MediaPipe's program.
GOOGLE = "Face Landmarker"
MODELS = {
    "paper-256": f"paper-256 in {GOOGLE}",
    "released-192": f"released-192 in {GOOGLE}",
    "face-landmarker-v2": GOOGLE,  # its own network
}
REFERENCE = next(iter(MODELS))
SMOOTHING = ("off", "light", "mediapipe", "strong")
ALLOWED = 0.15  # by which the jitter may differ from Face Landmarker's, on the same weights


def main() -> int:
    """Writes the records and the report; returns 1 if our filter does not do as MediaPipe's."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", help="Python of an environment with MediaPipe Tasks")
    parser.add_argument("face_mesh", help="Python of the environment of tests/golden/oracle.py")
    parser.add_argument("landmarker", help="Google's bundle, face_landmarker.task")
    parser.add_argument("clips", nargs="+", help="videos")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "accuracy" / "video")
    parser.add_argument(
        "--records", type=Path, default=ROOT / "build" / "video", help="folder for records"
    )
    options = parser.parse_args()
    folder = options.records
    folder.mkdir(parents=True, exist_ok=True)
    programs = {"MediaPipe FaceMesh": (options.face_mesh, "face_mesh")}
    for model, program in MODELS.items():
        bundle = options.landmarker
        if program != GOOGLE:
            bundle = str(folder / f"{model}.task")
            Path(bundle).write_bytes(export_task(open_network(model)[0], "fp32"))
        programs[program] = (options.tasks, "landmarker", "--bundle", bundle)
    given = []
    for name, (python, program, *words) in programs.items():
        records = folder / f"{name.replace(' ', '_')}.jsonl"
        feed([python, str(WORKER), program, str(records), *words], options.clips)
        given.append(f"{name}={records}")
    ours = ("--video", *options.clips, "--model", *MODELS, "--smoothing", *SMOOTHING)
    report = ("--reference", REFERENCE, "--output", str(options.output))
    code = amesh(["evaluate", *ours, "--predictions", *given, *report])
    if code:
        return code
    found = json.loads((options.output / "evaluation.json").read_text())
    return agree(found["over_time"]["clips"])


def feed(command: Sequence[str], clips: Sequence[str]) -> None:
    """Sends the frames of clips to a worker."""
    with subprocess.Popen(command, stdin=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        for clip in clips:
            with open_source(clip) as source:
                for index, time, image in source:
                    size = (image.shape[1], image.shape[0])
                    about = {"source": clip, "frame": index, "time": round(time, 6), "size": size}
                    worker.stdin.write(json.dumps(about).encode() + b"\n" + image.tobytes())
        worker.stdin.close()
    if worker.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {worker.returncode}")


def agree(clips: dict[str, dict[str, dict[str, dict[str, float]]]]) -> int:
    """Prints how our jitter compares with Face Landmarker's; returns 1 if it differs too much."""
    worst = 0.0
    for model, program in MODELS.items():
        pairs = [
            (ours[ALL], theirs[ALL])
            for clip in clips.values()
            if (ours := clip[f"{model}, mediapipe"]["jitter"])
            and (theirs := clip[program]["jitter"])
        ]
        ours, theirs = np.mean(pairs, axis=0)
        off = ours / theirs - 1
        worst = max(worst, abs(off))
        print(f"{model}: jitter {ours:.4f} %, in {GOOGLE} {theirs:.4f} %: {off:+z.1%}")
    return int(not worst <= ALLOWED)


if __name__ == "__main__":
    sys.exit(main())
