"""Runs a .task bundle on pictures in MediaPipe Tasks, in a separate environment without amesh.

    python tests/tasks/pictures.py BUNDLE.task RECORDS.jsonl PICTURE...

Picture mode, up to 10 faces per picture, Face Landmarker's default thresholds. RECORDS gets one
JSON object per line for each picture, like the output of `amesh run --output`. Face Landmarker does
not report its confidence: `score` is the threshold that the face passed, so a lower bound.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision

MAX_FACES = 10
CONFIDENCE = 0.5  # of the detector and of the network: the default of Tasks, and ours


def main() -> None:
    """Writes the records; a picture that cannot be read gets an error."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("records", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    options = parser.parse_args()
    wanted = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=options.bundle.read_bytes()),
        running_mode=vision.RunningMode.IMAGE,
        num_faces=MAX_FACES,
        min_face_detection_confidence=CONFIDENCE,
        min_face_presence_confidence=CONFIDENCE,
    )
    with vision.FaceLandmarker.create_from_options(wanted) as task:
        lines = [json.dumps(record(task, picture)) for picture in options.pictures]
    options.records.write_text("".join(f"{line}\n" for line in lines))


def record(task: vision.FaceLandmarker, path: Path) -> dict[str, Any]:
    """The faces of a picture, read as it is displayed (cv2 applies EXIF); landmarks [image px]."""
    line: dict[str, Any] = {"source": path.as_posix(), "frame": 0, "time": 0.0, "size": None}
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        return line | {"error": "not a readable picture"}
    height, width = image.shape[:2]
    pixels = np.ascontiguousarray(image[:, :, ::-1])  # BGR -> RGB
    answer = task.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=pixels))
    faces = []
    for number, face in enumerate(answer.face_landmarks):
        # z is in units of the picture's width, like x.
        points = np.array([(p.x, p.y, p.z) for p in face]) * (width, height, width)
        faces.append({"id": number, "score": CONFIDENCE, "landmarks": points.round(3).tolist()})
    return line | {"size": [width, height], "faces": faces}


if __name__ == "__main__":
    main()
