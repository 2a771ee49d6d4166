"""From a picture to 478 landmarks with two ONNX files, NumPy and Pillow; amesh is not needed.

    amesh export onnx --model detector-short
    amesh export onnx --with-crop
    python docs/pipeline/two_files.py photo.jpg

It finds one face, the best one. The numbers of the steps are those of docs/pipeline.md.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

DETECTOR, NETWORK = Path("detector-short-fp32.onnx"), Path("paper-256-with-crop-fp32.onnx")
SIZE = 128  # side of the detector's input [px]


def letterbox(picture: Image.Image) -> tuple[np.ndarray, float, np.ndarray]:
    """Step 1: the detector's input; picture pixels per input pixel, and where its corner lies."""
    scale = max(picture.size) / SIZE
    corner = np.array([picture.width - SIZE * scale, picture.height - SIZE * scale]) / 2
    small, factor = picture, 1
    while max(small.size) > 2 * SIZE:
        small, factor = small.reduce(2), 2 * factor
    box = tuple(np.append(corner, corner + SIZE * scale) / factor)
    square = small.transform(
        (SIZE, SIZE), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR, fillcolor=0
    )
    image = np.asarray(square, np.float32).transpose(2, 0, 1)[None] / 255
    return image, scale, corner


def best_face(raw: np.ndarray, logits: np.ndarray) -> np.ndarray | None:
    """Steps 3 to 5: two corners of the box and six keypoints [input px], or None."""
    if not logits.max() >= 0:
        return None
    n = np.arange(896)
    x = np.where(n < 512, 8 * (n // 2 % 16) + 4, 16 * ((n - 512) // 6 % 8) + 8)
    y = np.where(n < 512, 8 * (n // 32) + 4, 16 * ((n - 512) // 48) + 8)
    points = raw.reshape(896, 8, 2).astype(np.float64)
    half = points[:, 1] / 2
    points += np.stack([x, y], axis=1)[:, None]
    points[:, 0], points[:, 1] = points[:, 0] - half, points[:, 0] + half
    points, scores = points[logits >= 0], 1 / (1 + np.exp(-logits[logits >= 0]))
    low, high = points[:, 0], points[:, 1]
    best = scores.argmax()
    shared = (np.minimum(high, high[best]) - np.maximum(low, low[best])).clip(0).prod(axis=1)
    areas = (high - low).prod(axis=1)
    same = shared > 0.3 * (areas + areas[best] - shared)
    face: np.ndarray = np.einsum("n,nkd->kd", scores[same], points[same]) / scores[same].sum()
    return face


def region(face: np.ndarray) -> np.ndarray:
    """Step 7: centre x and y, side, angle of the face's region of interest [picture px]."""
    low, high, right_eye, left_eye = face[:4]
    right, down = left_eye - right_eye
    square = [*(low + high) / 2, 1.5 * (high - low).max(), np.arctan2(down, right)]
    return np.array([square], np.float32)


def landmarks_of(
    picture: Image.Image, detector: Path = DETECTOR, network: Path = NETWORK
) -> np.ndarray | None:
    """Landmarks (478, 3) of the best face of an RGB picture [px], or None."""
    import onnxruntime

    image, scale, corner = letterbox(picture)
    answer = onnxruntime.InferenceSession(detector).run(["boxes", "scores"], {"image": image})
    face = best_face(answer[0][0], answer[1][0])
    if face is None:
        return None
    given = {"picture": np.asarray(picture), "rois": region(face * scale + corner)}  # step 6
    names = ["landmarks", "face_flag"]
    landmarks, flag = onnxruntime.InferenceSession(network).run(names, given)
    found: np.ndarray = landmarks[0]
    return found if flag[0] > 0 else None


if __name__ == "__main__":
    print(landmarks_of(Image.open(sys.argv[1]).convert("RGB")))
