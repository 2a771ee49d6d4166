import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from amesh import face_tracker
from amesh.errors import UserError
from amesh.face_tracker import FaceTracker, Frame, track
from amesh.pipeline.frames import Source, VideoFrame

IMAGE = np.zeros((9, 12, 3), np.uint8)


class Clip(Source):
    """Three frames, of which the last comes after a pause."""

    closed = False

    def __iter__(self) -> Iterator[VideoFrame]:
        for index, time in [(0, 0.0), (1, 0.04), (4, 2.0)]:
            yield VideoFrame(index, time, IMAGE + index)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def clip(monkeypatch: pytest.MonkeyPatch) -> Clip:
    """What `track` opens, whatever is asked for; a tracker that finds nothing follows it."""
    clip = Clip("clip.mp4")
    monkeypatch.setattr(face_tracker, "open_source", lambda _: clip)
    monkeypatch.setattr(FaceTracker, "__init__", lambda _, **options: None)
    monkeypatch.setattr(FaceTracker, "process", lambda _, image, time: [(time, image[0, 0, 0])])
    return clip


def test_frames_come_with_the_sources_index_and_time(clip: Clip):
    frames = list(track("clip.mp4"))
    assert [(frame.index, frame.time) for frame in frames] == [(0, 0.0), (1, 0.04), (4, 2.0)]
    assert [frame.faces for frame in frames] == [[(0.0, 0)], [(0.04, 1)], [(2.0, 4)]]
    np.testing.assert_array_equal(frames[2].image, IMAGE + 4)
    assert isinstance(frames[0], Frame)
    assert clip.closed


def test_a_source_is_closed_when_the_caller_stops(clip: Clip):
    frames = track(0)
    next(frames)
    assert not clip.closed
    frames.close()
    assert clip.closed


def test_a_source_that_is_cut_short_gives_its_frames_and_a_warning(clip: Clip):
    clip.problem = "clip.mp4: cut short after 3 frames"
    frames = track("clip.mp4")
    with pytest.warns(UserWarning, match="cut short after 3 frames"):
        assert len(list(frames)) == 3


def test_a_good_source_gives_no_warning(clip: Clip):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(track("clip.mp4"))) == 3


def test_mistakes_are_reported_at_the_call():
    with pytest.raises(UserError, match="no runtime 'fast'"):
        track("clip.mp4", runtime="fast")
    with pytest.raises(TypeError, match="max_face"):
        track("clip.mp4", max_face=2)
