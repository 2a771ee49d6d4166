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


def looking(yaw: float = 0, pitch: float = 0) -> np.ndarray:
    """The canonical face with eyeballs turned right and down [degrees], irises 11.7 mm wide."""
    points = canonical_face().points.copy()
    turn = turned(yaw, pitch)
    for outer, inner, first, side in ((33, 133, 468, -1), (263, 362, 473, 1)):
        ball = points[[outer, inner]].mean(axis=0) + np.array([1.6 * side, -3.0, 7.4])
        depth = np.sqrt(12**2 - 5.85**2)
        rim = [[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]]
        points[first : first + 5] = ball + (np.array(rim) * 5.85 - (0, 0, depth)) @ turn.T
    return points


def lids_at(share: float, points: np.ndarray) -> np.ndarray:
    """A face whose lids are open by a share of what they were; irises follow halfway."""
    lowered = points.copy()
    upper, lower = [246, 161, 160, 159, 158, 157, 173], [7, 163, 144, 145, 153, 154, 155]
    other = [466, 388, 387, 386, 385, 384, 398], [249, 390, 373, 374, 380, 381, 382]
    for up, low in ((upper, lower), other):
        lowered[up] = points[low] + share * (points[up] - points[low])
    lowered[468:478, 1] += 4 * (1 - share)
    return lowered
