"""The canonical face, turned and seen by a camera: landmarks whose pose is known."""

import numpy as np

from amesh.effects.camera import Camera
from amesh.effects.canonical import canonical_face


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """The rotation of these angles [degrees], by signs and order written out here."""
    (a, b, c), (d, e, f) = (
        np.cos(np.radians([yaw, pitch, roll])),
        np.sin(np.radians([yaw, pitch, roll])),
    )
    about_y = np.array([[a, 0, -d], [0, 1, 0], [d, 0, a]])
    about_x = np.array([[1, 0, 0], [0, b, -e], [0, e, b]])
    about_z = np.array([[c, -f, 0], [f, c, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def seen(
    camera: Camera,
    rotation: np.ndarray,
    place: tuple[float, float, float],
    points: np.ndarray | None = None,
) -> np.ndarray:
    """Landmarks (478, 3) of a posed face, the canonical one unless others are given."""
    points = canonical_face().points if points is None else points
    placed = points @ rotation.T + place
    return np.concatenate([camera.project(placed), placed[:, 2:] - place[2]], axis=1)


def angle_between(first: np.ndarray, second: np.ndarray) -> float:
    """The angle of the rotation that leads from one to the other [degrees]."""
    cosine = (np.trace(first.T @ second) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
