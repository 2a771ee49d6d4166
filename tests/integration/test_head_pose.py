"""Head pose on a real picture, without labels: when the camera turns, the head turns against it."""

import numpy as np
import pytest
from posed_heads import angle_between
from turned_camera import turned_poses

from amesh import FaceMesh


@pytest.fixture(scope="module")
def face_mesh() -> FaceMesh:
    return FaceMesh("paper-256", runtime="torch")


@pytest.mark.parametrize("vertical", [45.0, 63.0])
def test_a_turned_camera_turns_the_pose_within_1_degree(
    vertical: float, astronaut: np.ndarray, face_mesh: FaceMesh
) -> None:
    for found, expected in turned_poses(face_mesh, astronaut, vertical, (8, -15, 22, -22)):
        assert angle_between(found, expected) < 1.0
