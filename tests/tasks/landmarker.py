"""Runs MediaPipe Tasks' Face Landmarker in a separate environment; does not import amesh.

    python tests/tasks/landmarker.py BUNDLE.task FRAMES.npz ANSWERS.npz

FRAMES has `frames` (n h w 3), uint8 RGB. ANSWERS gets `image` and `video` (n 478 3): each frame on
its own, and all of them as a video, in Tasks' normalised coordinates; NaN if no face was found. It
also gets `blendshapes` (n 52), of each frame on its own.
"""

import sys
from pathlib import Path

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

POINTS, SHAPES = 478, 52
INTERVAL = 33  # of the video [ms]


def landmarker(bundle: bytes, mode: vision.RunningMode) -> vision.FaceLandmarker:
    """The task on the CPU with its default thresholds: the network must call the crop a face."""
    return vision.FaceLandmarker.create_from_options(
        vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=bundle),
            running_mode=mode,
            output_face_blendshapes=mode is vision.RunningMode.IMAGE,
        )
    )


def points(result: vision.FaceLandmarkerResult) -> np.ndarray:
    """The first face."""
    if not result.face_landmarks:
        return np.full((POINTS, 3), np.nan)
    return np.array([(point.x, point.y, point.z) for point in result.face_landmarks[0]])


def shapes(result: vision.FaceLandmarkerResult) -> np.ndarray:
    """The values of the first face, in Tasks' order."""
    if not result.face_blendshapes:
        return np.full(SHAPES, np.nan)
    return np.array([one.score for one in result.face_blendshapes[0]])


def main(bundle: Path, frames: Path, answers: Path) -> None:
    """Runs both modes."""
    content = bundle.read_bytes()
    pictures = [
        mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
        for frame in np.load(frames)["frames"]
    ]
    with landmarker(content, vision.RunningMode.IMAGE) as task:
        found = [task.detect(picture) for picture in pictures]
        image, blendshapes = [points(one) for one in found], [shapes(one) for one in found]
    with landmarker(content, vision.RunningMode.VIDEO) as task:
        video = [
            points(task.detect_for_video(picture, i * INTERVAL))
            for i, picture in enumerate(pictures)
        ]
    about = {"version": mediapipe.__version__}
    np.savez(answers, image=image, video=video, blendshapes=blendshapes, **about)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
