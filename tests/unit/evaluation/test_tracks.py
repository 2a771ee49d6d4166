import numpy as np
import pytest
from followed_faces import Followed

from amesh.errors import UserError
from amesh.evaluation.tracks import TrackBuilder
from amesh.pipeline.results import FaceResult, PictureResult


def _face(identity: int, value: float, raw: float | None = None) -> Followed:
    def points(each: float) -> np.ndarray:
        return np.full((2, 3), each, np.float32)

    return Followed(identity, points(value), None if raw is None else points(raw))


def _builder() -> TrackBuilder:
    return TrackBuilder("ours, a.mp4", 2)


def test_each_identity_has_a_track() -> None:
    builder = _builder()
    builder.add(0, 0.0, [_face(3, 1.0, 1.5)])
    builder.add(1, 0.1, [_face(3, 2.0), _face(5, 7.0)])
    builder.add(2, 0.2, [])
    builder.add(4, 0.4, [_face(3, 4.0, 4.5)])
    found = builder.finish()
    assert found.frames == 5
    assert found.tracks.keys() == {3, 5}
    track = found.tracks[3]
    assert track.frames.tolist() == [0, 1, 4]
    assert track.times.tolist() == [0.0, 0.1, 0.4]
    assert track.landmarks[:, 0, 0].tolist() == [1, 2, 4]
    np.testing.assert_array_equal(track.raw[:, 1, 2], [1.5, np.nan, 4.5])
    assert builder.finish(9).frames == 9
    assert _builder().finish().frames == 0


def test_lines_of_a_file_become_tracks() -> None:
    builder = _builder()
    face = FaceResult(id=1, score=0.5, landmarks=[[1, 2, 3]] * 2, raw=[[4, 5, 6]] * 2)
    line = PictureResult(source="a.mp4", frame=7, time=0.5, size=[9, 9], faces=[face])
    builder.add_result(line)
    builder.add_result(PictureResult(source="a.mp4", frame=8, time=0.6, size=None, error="cut"))
    found = builder.finish()
    assert found.frames == 8  # the clip broke off
    assert found.tracks[1].landmarks.tolist() == [[[1, 2, 3]] * 2]
    assert found.tracks[1].raw.tolist() == [[[4, 5, 6]] * 2]


def test_a_time_may_repeat_but_not_go_back() -> None:
    builder = _builder()
    builder.add(3, 0.5, [])
    builder.add(4, 0.5, [])
    with pytest.raises(UserError, match=r"frame 5 at 0\.4 s follows frame 4"):
        builder.add(5, 0.4, [])
    with pytest.raises(UserError, match="give the frames of a clip in order"):
        builder.add(4, 0.6, [])


def test_what_is_no_face_is_refused() -> None:
    with pytest.raises(UserError, match="frame 0: two faces have the id 1"):
        _builder().add(0, 0.0, [_face(1, 0.0), _face(1, 0.0)])
    wrong = np.zeros((3, 3), np.float32)
    with pytest.raises(UserError, match=r"ours, a\.mp4, frame 2: 3 landmarks"):
        _builder().add(2, 0.0, [Followed(0, wrong)])
    with pytest.raises(UserError, match="3 landmarks, expected 2 of"):
        _builder().add(2, 0.0, [Followed(0, wrong[:2], wrong)])
