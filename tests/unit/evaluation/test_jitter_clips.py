from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from jittering_faces import Jittering, frames

from amesh.errors import UserError
from amesh.evaluation.jitter_clips import follow, read_frames
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]


def test_a_face_is_followed_by_its_own_landmarks_until_it_is_lost(
    topology: Topology, pose: Pose
) -> None:
    model = Jittering(pose(), 0.0)
    [first, second] = follow({"x": model}, frames(20, blank=9), "", topology)["x"]
    # Detected in frame 0, lost in 9, detected again in 10.
    assert (len(first), len(second)) == (8, 9)
    assert model.detections == 2
    assert model.rois[3].centre[0].tolist() == model.rois[4].centre[0].tolist()


def test_frames_of_a_video_are_rgb(tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 16))
    for _ in range(4):
        writer.write(np.full((16, 32, 3), (0, 0, 250), np.uint8))  # red, in OpenCV's order
    writer.release()
    found = list(read_frames(path))
    assert [frame.shape for frame in found] == [(16, 32, 3)] * 4
    assert found[0][..., 0].min() > 200
    assert found[0][..., 2].max() < 50


def test_files_that_are_no_videos_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("av")
    with pytest.raises(UserError, match=r"none\.mp4: no such file"):
        next(read_frames(tmp_path / "none.mp4"))
    (tmp_path / "a.mp4").write_bytes(b"text")
    with pytest.raises(UserError, match=r"a\.mp4: not a video that can be read"):
        next(read_frames(tmp_path / "a.mp4"))
