from pathlib import Path

import numpy as np
import pytest
from clips import ramp, write_clip
from followed_faces import Follower

from amesh.errors import UserError
from amesh.evaluation.clips import follow

pytest.importorskip("av", reason="needs PyAV: pip install '.[video]'")


def test_trackers_see_every_frame_at_its_time(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", ramp(5), times=[0.0, 0.1, 0.15, 0.4, 0.5])
    face = np.ones((4, 3), np.float32)
    trackers = {
        "sure": Follower([face * i for i in range(5)]),
        "unsure": Follower([face, None, face, None, None]),
    }
    found = follow(trackers, clip, 4)
    assert [each.frames for each in found.values()] == [5, 5]
    sure, unsure = (each.tracks[0] for each in found.values())
    np.testing.assert_allclose(sure.times, [0.0, 0.1, 0.15, 0.4, 0.5], atol=1e-3)
    assert sure.landmarks[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert unsure.frames.tolist() == [0, 2]
    follow(trackers, clip, 4)
    assert trackers["sure"].resets == 2  # before each clip


def test_messages_name_the_tracker_and_the_clip(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", ramp(2))
    with pytest.raises(UserError, match=r"ours, .*a\.mp4, frame 0: 4 landmarks"):
        follow({"ours": Follower([np.ones((4, 3), np.float32)] * 2)}, clip, 5)
    with pytest.raises(UserError, match=r"none\.mp4: no such file"):
        follow({}, tmp_path / "none.mp4", 5)
