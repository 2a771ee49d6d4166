"""Head pose on a real picture, without labels: when the camera turns, the head turns against it."""

import cv2
import numpy as np
import pytest
from posed_heads import angle_between, turned

from amesh import Camera, FaceMesh, Roi, head_pose, load_topology
from amesh.geometry import roi

FACE = (222.0, 122.0)  # its middle in the picture [px]
SIDE, TURNED = 512, 1128  # of the picture, and of those that the turned camera takes [px]
# From pixel centres, which OpenCV counts, to our coordinates.
HALF = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])


@pytest.fixture(scope="module")
def face_mesh() -> FaceMesh:
    return FaceMesh("paper-256", runtime="torch")


def pose_at(
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


@pytest.mark.parametrize("vertical", [45.0, 63.0])
def test_a_turned_camera_turns_the_pose_within_1_degree(
    vertical: float, astronaut: np.ndarray, face_mesh: FaceMesh
) -> None:
    """A camera turned by R sees the picture under K R K^-1; the face starts in the middle."""
    before = Camera.from_fov(SIDE, SIDE, vertical)
    after = Camera(TURNED, TURNED, before.fx, before.fy, TURNED / 2, TURNED / 2)
    shift = np.array([[1, 0, SIDE / 2 - FACE[0]], [0, 1, SIDE / 2 - FACE[1]], [0, 0, 1]])
    start = cv2.warpPerspective(astronaut, shift, (SIDE, SIDE))
    pose = pose_at(face_mesh, start, np.full(2, SIDE / 2), before)
    for yaw in (8, -15, 22, -22):
        turn = turned(yaw)
        homography = after.matrix @ turn @ np.linalg.inv(before.matrix)
        warp = np.linalg.inv(HALF) @ homography @ HALF @ shift
        image = cv2.warpPerspective(astronaut, warp, (TURNED, TURNED), flags=cv2.INTER_CUBIC)
        x, y, w = homography @ (SIDE / 2, SIDE / 2, 1)
        found = pose_at(face_mesh, image, np.array([x, y]) / w, after)
        assert angle_between(found, turn @ pose) < 1.0, yaw
