from pathlib import Path

import numpy as np
import pytest
from followed_faces import records

from amesh.errors import UserError
from amesh.evaluation.labels.clip_records import ClipRecords
from amesh.pipeline.results import PictureResult

CLIPS = [Path("videos/a.mp4"), Path("videos/b.mp4")]
FACES = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3)
PICTURE = PictureResult(source="c.png", frame=0, time=0.0, size=[9, 9], faces=[])


def test_clips_are_told_from_pictures() -> None:
    found = ClipRecords("theirs", CLIPS, 3)
    lines = [*records("a.mp4", FACES), PICTURE, *records("/data/videos/b.mp4", FACES + 1, FACES)]
    assert [line for line in lines if not found.take(line)] == [PICTURE]
    tracks = found.tracks()
    assert tracks.keys() == set(CLIPS)
    np.testing.assert_array_equal(tracks[CLIPS[0]].tracks[0].landmarks, FACES)
    np.testing.assert_array_equal(tracks[CLIPS[1]].tracks[0].landmarks, FACES + 1)
    np.testing.assert_array_equal(tracks[CLIPS[1]].tracks[0].raw, FACES)
    assert tracks[CLIPS[1]].frames == 2


def test_without_clips_every_record_is_of_a_picture() -> None:
    found = ClipRecords("theirs", [], 3)
    assert not any(found.take(line) for line in records("a.mp4", FACES))
    assert found.tracks() == {}


def test_messages_name_the_program_and_the_clip() -> None:
    found = ClipRecords("theirs", CLIPS, 4)
    twice = ClipRecords("theirs", [Path("x/a.mp4"), Path("y/a.mp4")], 3)
    with pytest.raises(UserError, match=r"theirs: a\.mp4 may be x/a\.mp4 or"):
        twice.take(next(records("a.mp4", FACES)))
    assert twice.take(next(records("y/a.mp4", FACES)))
    with pytest.raises(UserError, match=r"theirs, videos/a\.mp4, frame 0: 3 landmarks"):
        found.take(next(records("a.mp4", FACES)))
