"""Frames of a moving face: a still under affines that are known, so its landmarks are too.

Coordinates are continuous: the corner of the top-left pixel is (0, 0).
"""

import math

import cv2
import numpy as np

from amesh.geometry.roi import from_landmarks
from amesh.pipeline.face_pipeline import FacePipeline

ASTRONAUT = (225.0, 118.0)  # centre of the face in scikit-image's picture [px]


def motion(
    to: tuple[float, float],
    centre: tuple[float, float] = ASTRONAUT,
    scale: float = 1.0,
    roll: float = 0.0,
) -> np.ndarray:
    """The affine that turns and scales about a centre and moves it.

    Args:
        to: Where the centre goes [px].
        centre: The point of the still.
        scale: Ratio of sizes.
        roll: Angle, clockwise on the screen [radians].
    """
    cos, sin = scale * math.cos(roll), scale * math.sin(roll)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, np.array(to) - linear @ np.array(centre)])


def moved(still: np.ndarray, affine: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The still under an affine in a frame of this width and height, its border continued."""
    return cv2.warpAffine(still, _of_pixels(affine), size, borderMode=cv2.BORDER_REPLICATE)


def paste(frame: np.ndarray, still: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """The frame with the astronaut's head in front."""
    y, x = np.mgrid[: still.shape[0], : still.shape[1]]
    head = ((x - 225) / 75) ** 2 + ((y - 105) / 95) ** 2 < 1
    mask = cv2.GaussianBlur(head.astype(np.float32), (0, 0), 2)
    size = (frame.shape[1], frame.shape[0])
    share = cv2.warpAffine(mask, _of_pixels(affine), size)[..., None]
    return np.uint8(frame * (1 - share) + share * moved(still, affine, size))


def mapped(points: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """x and y of points under an affine."""
    return points[:, :2] @ affine[:, :2].T + affine[:, 2]


def settled(face_mesh: FacePipeline, image: np.ndarray) -> np.ndarray:
    """Landmarks of the only face in the square that they ask for themselves."""
    topology = face_mesh.runner.topology
    [face] = face_mesh(image)
    for _ in range(6):
        points = face.landmarks[None, :, :2].astype(float)
        anchors = points[:, list(topology.anchors)]
        [face] = face_mesh(image, rois=from_landmarks(points, anchors, topology.landmark_rule))
    return face.landmarks


def error(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean distance of landmarks [% of the distance of the outer eye corners]."""
    distances = np.linalg.norm(found[:, :2] - truth[:, :2], axis=1)
    return 100 * float(distances.mean() / np.linalg.norm(truth[33, :2] - truth[263, :2]))


def _of_pixels(affine: np.ndarray) -> np.ndarray:
    """The same affine for OpenCV, which counts from the centre of the first pixel."""
    shifted = affine.copy()
    shifted[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    return shifted
