"""A real picture as a turned camera sees it: poses that are known to differ by this turn."""

import cv2
import numpy as np
from posed_heads import turned

from amesh import Camera, FaceMesh, Roi, head_pose, load_topology
from amesh.geometry import roi

FACE = (222.0, 122.0)  # its middle in the portrait of the astronaut [px]
SIDE, TURNED = 512, 1128  # of the picture, and of those that the turned camera takes [px]
# From pixel centres, which OpenCV counts, to our coordinates.
HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])


def turned_poses(
    face_mesh: FaceMesh, astronaut: np.ndarray, vertical: float, yaws: tuple[float, ...]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rotations of the head that are measured, and that are expected, for each turn.

    What a camera turned by R sees is the picture under K R K^-1. The face starts in the middle.

    Args:
        face_mesh: The network, which looks at every picture anew.
        astronaut: The portrait.
        vertical: Field of view of the camera [degrees].
        yaws: Its turns [degrees].
    """
    before = Camera.from_fov(SIDE, SIDE, vertical)
    after = Camera(TURNED, TURNED, before.fx, before.fy, TURNED / 2, TURNED / 2)
    shift = np.array([[1, 0, SIDE / 2 - FACE[0]], [0, 1, SIDE / 2 - FACE[1]], [0, 0, 1]])
    start = cv2.warpPerspective(astronaut, shift, (SIDE, SIDE))
    pose = _rotation(face_mesh, start, np.full(2, SIDE / 2), before)
    found = []
    for yaw in yaws:
        turn = turned(yaw)
        homography = after.matrix @ turn @ np.linalg.inv(before.matrix)
        warp = np.linalg.inv(HALF) @ homography @ HALF @ shift
        image = cv2.warpPerspective(astronaut, warp, (TURNED, TURNED), flags=cv2.INTER_CUBIC)
        x, y, w = homography @ (SIDE / 2, SIDE / 2, 1)
        found.append((_rotation(face_mesh, image, np.array([x, y]) / w, after), turn @ pose))
    return found


def _rotation(
    face_mesh: FaceMesh, image: np.ndarray, place: np.ndarray, camera: Camera
) -> np.ndarray:
    """The rotation of the face at this place, whose region follows it as in a video."""
    region, topology = Roi.at(*place, 185.0), load_topology()
    for _ in range(3):
        (face,) = face_mesh(image, rois=region)
        points = face.landmarks[None, :, :2].astype(np.float64)
        anchors = points[:, list(topology.anchors)]
        region = roi.from_landmarks(points, anchors, topology.landmark_rule)
    return head_pose(face.landmarks, camera).rotation
