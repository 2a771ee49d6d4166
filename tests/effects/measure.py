"""Measures effects: how far poses, distances and gazes are off, and what a frame costs.

    python tests/effects/measure.py --output docs/benchmark/effects

`nox -s effects` runs it. The truth is known without labels: the canonical face and eyeballs seen by
a camera, and a real picture whose camera is turned.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from skimage.data import astronaut

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from posed_heads import angle_between, looking, seen, turned
from turned_camera import turned_poses

from amesh import Camera, EyeTracker, FaceMesh, eyes, head_pose, load_topology
from amesh.benchmark.machine import about
from amesh.data.random import keys
from amesh.evaluation.markdown import table
from amesh.files import write_atomically
from amesh.synth.model import FaceModel

CAMERA = Camera.from_fov(1280, 720, vertical=50)
PLACE = (90.0, -40.0, 500.0)  # [mm]: a face of 300 px
TRIALS, CALLS, PEOPLE = 100, 500, 24
OUTER_CORNERS = 87.0  # distance of the outer corners of the eyes [mm]


def main() -> None:
    """Prints the report, and writes it where `--output` says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, metavar="FOLDER")
    folder = parser.parse_args().output
    facts = "\n".join(f"* {name}: {value}" for name, value in about().items())
    report = f"""# Effects

{facts}

## How far off

The canonical face, 300 px high, {TRIALS} times with normal noise in x and y. Heads of other shapes
are {PEOPLE} of `amesh synth`, posed before and after a turn. Gazes: eyeballs are turned by up to 25
degrees, and their irises are 22 px wide. Real picture: `paper-256` looks anew at the portrait of
the astronaut, as a camera sees it that is turned to either side.

{table(("What", "95 % of errors", "Largest"), accuracy())}

## Time of a frame

CPU time for one face, median of {CALLS} calls. `eyes` and `EyeTracker` include the pose.

{table(("Effect", "CPU time [ms]"), costs())}
"""
    print(report)
    if folder is not None:
        write_atomically(folder / "effects.md", report.encode())


def accuracy() -> list[tuple[str, str, str]]:
    """Errors against known truths."""
    random = np.random.default_rng(0)
    rows = []
    for yaw in (0, 30, 60, 90):
        face = seen(CAMERA, turned(yaw, 10, -15), PLACE)
        pose = head_pose(face + random.normal(0, 0.4, (TRIALS, 478, 3)), CAMERA)
        errors = [angle_between(one, turned(yaw, 10, -15)) for one in pose.rotation]
        rows.append(row(f"rotation, yaw {yaw}, 0.4 px of noise", errors, "degrees"))
        distance = np.linalg.norm(pose.translation, axis=1) / np.linalg.norm(PLACE) - 1
        rows.append(row(f"distance, yaw {yaw}, 0.4 px of noise", 100 * abs(distance), "%"))
    before, *after = (
        [head_pose(seen(CAMERA, turned(yaw, 5), PLACE, points), CAMERA) for points in people()]
        for yaw in (0, 40, 80)
    )
    for yaw, poses in zip((40, 80), after, strict=True):
        expected = turned(yaw, 5) @ turned(0, 5).T
        pairs = list(zip(before, poses, strict=True))
        errors = [angle_between(b.rotation @ a.rotation.T, expected) for a, b in pairs]
        rows.append(row(f"turn by {yaw} of heads of other shapes, exact points", errors, "degrees"))
    face_mesh = FaceMesh("paper-256", runtime="torch")
    for vertical in (45.0, 63.0):
        for yaw in (8, 15, 22):
            pairs = turned_poses(face_mesh, astronaut(), vertical, (yaw, -yaw))
            errors = [angle_between(*pair) for pair in pairs]
            what = f"rotation, real picture, field of view {vertical:.0f}, camera turned by {yaw}"
            rows.append((what, "", f"{max(errors):.2f} degrees"))
    for noise in (0.0, 0.2):
        for yaw in (0, 30):
            errors = gaze_errors(yaw, noise, random)
            what = f"gaze of both eyes, head turned by {yaw}, {noise} px of noise"
            rows.append(row(what, errors, "degrees"))
    for place in ((0.0, 0.0, 450.0), (420.0, -200.0, 500.0)):
        points = looking(10)
        face = seen(CAMERA, turned(15), place, points)
        found = eyes(face + random.normal(0, 0.2, (TRIALS, 478, 3)), CAMERA)
        truth = np.linalg.norm((points @ turned(15).T + place)[[468, 473]], axis=1)
        off = np.degrees(np.arctan2(np.hypot(*place[:2]), place[2]))
        what = f"distance of irises, {off:.0f} degrees off the axis, 0.2 px of noise"
        rows.append(row(what, 100 * np.abs(found.distance / truth - 1), "%"))
    return rows


def people() -> np.ndarray:
    """The faces of synthetic people, which are not canonical [mm]."""
    model = FaceModel(load_topology())
    key = keys(0, 0, torch.arange(PEOPLE))
    faces = model.shape(key, model.draw_controls(key, 0.0), 1.0)
    return faces.numpy().astype(np.float64) * OUTER_CORNERS


def row(what: str, errors: np.ndarray | list[float], unit: str) -> tuple[str, str, str]:
    """A line of the table."""
    return what, f"{np.percentile(errors, 95):.2f} {unit}", f"{np.max(errors):.2f} {unit}"


def gaze_errors(head: float, noise: float, random: np.random.Generator) -> np.ndarray:
    """The angles between gaze and truth, for eyeballs turned in several directions."""
    errors = []
    for yaw, pitch in ((0, 0), (25, 0), (-25, 0), (0, 20), (0, -20), (17, 17), (-17, -17)):
        face = seen(CAMERA, turned(head), (60.0, -30.0, 450.0), looking(yaw, pitch))
        found = eyes(face + random.normal(0, noise, (TRIALS, 478, 3)), CAMERA, closed=0.0)
        truth = turned(head) @ turned(yaw, pitch) @ (0, 0, -1)
        cosine = found.gaze_of_both @ truth
        errors.append(np.degrees(np.arccos(cosine.clip(-1, 1))))
    return np.concatenate(errors)


def costs() -> list[tuple[str, str]]:
    """CPU time of each effect."""
    noise = np.random.default_rng(0).normal(0, 0.4, (478, 3))
    face = seen(CAMERA, turned(10, 5, 3), PLACE, looking(5, 5)) + noise
    tracker = EyeTracker()
    calls: dict[str, Callable[[], object]] = {
        "head_pose": lambda: head_pose(face, CAMERA),
        "eyes": lambda: eyes(face, CAMERA),
        "EyeTracker": lambda: tracker(face, CAMERA),
    }
    return [(name, f"{cpu_ms(call):.2f}") for name, call in calls.items()]


def cpu_ms(call: Callable[[], object]) -> float:
    """The median CPU time of a call [ms]."""
    times = []
    for _ in range(CALLS):
        start = time.process_time_ns()
        call()
        times.append(time.process_time_ns() - start)
    return statistics.median(times) / 1e6


if __name__ == "__main__":
    main()
