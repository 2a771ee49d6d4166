"""What effects cost: CPU time of each on one face of a frame."""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from amesh.benchmark.machine import about
from amesh.effects.blendshapes import Blendshapes
from amesh.effects.camera import Camera
from amesh.effects.drawing import draw_gaze, draw_pose
from amesh.effects.eye_tracker import EyeTracker
from amesh.effects.eyes import eyes
from amesh.effects.head_pose import head_pose
from amesh.effects.makeup import apply, blush, eye_shadow, eyeliner, iris_tint, lipstick
from amesh.effects.texture import paint, unwrap
from amesh.errors import UserError
from amesh.evaluation.markdown import table
from amesh.face_mesh import FaceMesh
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.frames import VideoFrame
from amesh.pipeline.images import read_image
from amesh.streaming import ifacialmocap, json_text, osc, vmc
from amesh.streaming.state import StateTracker

WIDTH, HEIGHT, FACE = 1280, 720, 400  # of the frame, and the longer side of the face in it [px]
_MEASURES = "EyeTracker, Blendshapes"
_TEXTURE = 512


def describe(picture: str | Path, rounds: int = 100) -> str:
    """Times the effects on the largest face of a picture; returns the report, as Markdown.

    Args:
        picture: The file.
        rounds: Calls of each effect.

    Raises:
        UserError: The picture cannot be read, or shows no face.
    """
    image = read_image(picture)
    faces = FaceMesh()(image)
    if not faces:
        raise UserError(f"{picture}: no face found; give a picture of a face")
    largest = max((face.landmarks for face in faces), key=lambda one: float(np.ptp(one[:, 1])))
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # NumPy's; a process reads it when it starts
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        measured = in_frame(image, np.asarray(largest, np.float64))
        times = process.submit(costs, *measured, rounds).result()
    facts = "\n".join(f"* {name}: {value}" for name, value in about().items())
    return f"""# Time of effects

Written by `amesh effects benchmark`.

{facts}

CPU time for one face of {FACE} px in a frame of {WIDTH} x {HEIGHT}, medians of {rounds} calls in
turn. `eyes` and `EyeTracker` include the pose of the head. Drawing and makeup include the copy of
the frame, {times["a copy of the frame"]:.2f} ms; textures have {_TEXTURE} x {_TEXTURE} texels. To
stream a frame is to measure its faces and to write them in a protocol; sending is not timed.

{table(("Effect", "CPU time [ms]"), [(name, f"{ms:.2f}") for name, ms in times.items()])}
"""


def in_frame(
    image: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "478 3"]
) -> tuple[UInt8[np.ndarray, "720 1280 3"], Float[np.ndarray, "478 3"]]:
    """The picture and its landmarks, enlarged or reduced to a frame with the face in its middle."""
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    scale = FACE / float((high - low).max())
    shift = np.array([WIDTH, HEIGHT]) / 2 - scale * (low + high) / 2
    # OpenCV counts from pixel centres.
    matrix = np.column_stack([scale * np.eye(2), shift + (scale - 1) / 2])
    frame = cv2.warpAffine(
        image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(frame), scale * landmarks + (*shift, 0)


def costs(
    frame: UInt8[np.ndarray, "h w 3"], landmarks: Float[np.ndarray, "478 3"], rounds: int
) -> dict[str, float]:
    """The median CPU time of each effect [ms].

    Args:
        frame: RGB.
        landmarks: Of the face in it [px].
        rounds: Calls of each.
    """
    camera = Camera.from_fov(frame.shape[1], frame.shape[0])
    tracker, blendshapes = EyeTracker(), Blendshapes()
    pose, seen = head_pose(landmarks, camera), eyes(landmarks, camera)
    texture = unwrap(frame, landmarks, _TEXTURE)
    products = {
        product.name: product
        for product in (lipstick(), eyeliner(), eye_shadow(), blush(), iris_tint())
    }
    calls: dict[str, Callable[[], object]] = {
        "head_pose": lambda: head_pose(landmarks, camera),
        "eyes": lambda: eyes(landmarks, camera),
        "EyeTracker": lambda: tracker(landmarks, camera),
        "Blendshapes": lambda: blendshapes(landmarks),
        _MEASURES: lambda: (tracker(landmarks, camera), blendshapes(landmarks)),
        "a copy of the frame": frame.copy,
        "draw_pose": lambda: draw_pose(frame, pose),
        "draw_gaze": lambda: draw_gaze(frame, seen),
        **{name: partial(apply, frame, landmarks, product) for name, product in products.items()},
        "all five products": lambda: apply(frame, landmarks, list(products.values())),
        "unwrap": lambda: unwrap(frame, landmarks, _TEXTURE),
        "paint": lambda: paint(frame, texture, landmarks),
        **streaming(frame, landmarks, blendshapes),
    }
    try:
        released = Blendshapes("released")
    except UserError:  # not imported
        pass
    else:
        calls['Blendshapes("released")'] = lambda: released(landmarks)
    return cpu_ms(calls, rounds)


def streaming(
    frame: UInt8[np.ndarray, "h w 3"],
    landmarks: Float[np.ndarray, "478 3"],
    blendshapes: Blendshapes,
) -> dict[str, Callable[[], object]]:
    """What `amesh run --stream` does with a face: measure it, and write it in each protocol."""
    face = Face(0, 1.0, landmarks.astype(np.float32), Roi.at(0, 0, 1))
    seen, tracker = VideoFrame(0, 0.0, frame), StateTracker("", blendshapes)
    state = tracker(seen, [face])
    return {
        "stream: measure": lambda: tracker(seen, [face]),
        "stream: vmc": lambda: vmc.packets(state),
        "stream: osc": lambda: osc.packets(state),
        "stream: ifacialmocap": lambda: ifacialmocap.packets(state),
        "stream: jsonl": lambda: json_text.line(state),
    }


def cpu_ms(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The median CPU time of calls, which take turns [ms]; OpenCV on one thread meanwhile.

    Threads that wait for each other use CPU time, too.
    """
    times: dict[str, list[int]] = {name: [] for name in calls}
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        for call in calls.values():
            call()
        for _ in range(rounds):
            for name, call in calls.items():
                start = time.process_time_ns()
                call()
                times[name].append(time.process_time_ns() - start)
    finally:
        cv2.setNumThreads(threads)
    return {name: statistics.median(found) / 1e6 for name, found in times.items()}
