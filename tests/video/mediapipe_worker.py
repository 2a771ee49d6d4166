"""Runs MediaPipe's face trackers on frames, in an environment of its own; does not import amesh.

    python tests/video/mediapipe_worker.py face_mesh RECORDS.jsonl < FRAMES
    python tests/video/mediapipe_worker.py landmarker RECORDS.jsonl --bundle FACE.task < FRAMES

FRAMES alternate: a line of JSON with `source`, `frame`, `time` [s] and `size` (width, height), then
the frame's bytes, RGB. So every program sees the same pixels at the same times, whatever its reader
makes of a video. A new `source` starts a new video.

RECORDS gets a line for each frame, as `amesh run --output` writes it, and `raw`: the landmarks
before smoothing; from Face Landmarker also `blendshapes`, by name. `face_mesh` does not smooth.
`landmarker`, Face Landmarker in video mode, always does; but its filter forgets what is long ago,
and nothing else in it depends on time. So it runs a second time on the same frames a day apart, and
that gives `raw`.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import mediapipe
import numpy as np

# Finds landmarks (n 3) [px], the same before smoothing, and blendshapes by name, in the next frame
# at a time [s].
Found = tuple[np.ndarray, np.ndarray, dict[str, float]]
Follow = Callable[[np.ndarray, float], Found | None]

CONFIDENCE = 0.5  # the default of both programs, and ours
DAY = 24 * 60 * 60 * 1000  # [ms]: the filter then keeps 4e-5 of the frame before


def face_mesh(_: Path | None) -> Follow:
    """`solutions.face_mesh` as its documentation shows it for video, with irises."""
    from mediapipe.python.solutions.face_mesh import FaceMesh

    graph = FaceMesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True)

    def follow(image: np.ndarray, time: float) -> Found | None:
        found = graph.process(image).multi_face_landmarks
        points = None if not found else pixels(found[0].landmark, image)
        return None if points is None else (points, points, {})

    return follow


def landmarker(bundle: Path | None) -> Follow:
    """Face Landmarker in video mode."""
    from mediapipe.tasks.python import BaseOptions, vision

    if bundle is None:
        raise SystemExit("landmarker needs --bundle")
    content = bundle.read_bytes()

    def opened(blendshapes: bool) -> Any:
        return vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=content),
                running_mode=vision.RunningMode.VIDEO,
                min_face_detection_confidence=CONFIDENCE,
                min_face_presence_confidence=CONFIDENCE,
                output_face_blendshapes=blendshapes,
            )
        )

    # From 1: the filter does not notice a frame at 0.
    smoothed, unsmoothed, days = opened(True), opened(False), itertools.count(1)

    def follow(image: np.ndarray, time: float) -> Found | None:
        frame = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
        result = smoothed.detect_for_video(frame, 1 + round(1000 * time))
        raw = unsmoothed.detect_for_video(frame, DAY * next(days)).face_landmarks
        if not (result.face_landmarks and raw):
            return None
        shapes = {one.category_name: one.score for one in result.face_blendshapes[0]}
        return pixels(result.face_landmarks[0], image), pixels(raw[0], image), shapes

    return follow


def pixels(found: Any, image: np.ndarray) -> np.ndarray:
    """Landmarks [px]; z is in units of the picture's width, like x."""
    height, width = image.shape[:2]
    return np.array([(p.x, p.y, p.z) for p in found]) * (width, height, width)


def frames(stream: BinaryIO) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """What stands before each frame, and the frame."""
    while line := stream.readline():
        about = json.loads(line)
        width, height = about["size"]
        content = stream.read(width * height * 3)
        yield about, np.frombuffer(content, np.uint8).reshape(height, width, 3)


def main() -> None:
    """Writes the records."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", choices=["face_mesh", "landmarker"])
    parser.add_argument("records", type=Path)
    parser.add_argument("--bundle", type=Path, help="a .task file")
    options = parser.parse_args()
    opened = {"face_mesh": face_mesh, "landmarker": landmarker}[options.program]
    source, follow = None, None
    with options.records.open("w") as records:
        for about, image in frames(sys.stdin.buffer):
            if follow is None or about["source"] != source:
                source, follow = about["source"], opened(options.bundle)
            found = follow(image, about["time"])
            faces: list[dict[str, Any]] = []
            if found is not None:
                points, raw = (each.round(4).tolist() for each in found[:2])
                faces = [{"id": 0, "score": CONFIDENCE, "landmarks": points, "raw": raw}]
                if found[2]:
                    shapes = {name: round(value, 6) for name, value in found[2].items()}
                    faces[0]["blendshapes"] = shapes
            records.write(json.dumps(about | {"faces": faces}) + "\n")
            records.flush()


if __name__ == "__main__":
    main()
