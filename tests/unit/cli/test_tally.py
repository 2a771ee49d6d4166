import pytest

from amesh.cli.tally import Tally


@pytest.mark.parametrize(
    ("results", "code", "text"),
    [
        ("pp", 0, "2 faces in 2 pictures"),
        ("pP", 1, "1 face in 1 picture"),
        ("P", 2, "0 faces in 0 pictures"),
        ("vv", 0, "1 track in 2 frames"),
        ("vvV", 1, "1 track in 2 frames"),
        ("V", 2, "0 tracks in 0 frames"),
        ("pV", 1, "1 face in 1 picture; 0 tracks in 0 frames"),
        ("PV", 2, "0 faces in 0 pictures; 0 tracks in 0 frames"),
        ("pv", 0, "1 face in 1 picture; 1 track in 1 frame"),
    ],
)
def test_exit_codes_and_summaries(results: str, code: int, text: str) -> None:
    """p is a picture, v a frame of a video, and a capital letter one that cannot be read."""
    tally = Tally({"clip.mp4"} if "v" in results.lower() else ())
    for letter in results:
        name = "clip.mp4" if letter in "vV" else "a.jpg"
        failed = letter.isupper()
        tally.add(name, "damaged" if failed else None, [] if failed else [0])
    assert (tally.code, str(tally)) == (code, text)


def test_a_track_is_counted_once() -> None:
    tally = Tally({"a.mp4", "b.mp4"})
    for name in ("a.mp4", "b.mp4"):
        for ids in ([0, 1], [1], [0, 2]):
            tally.add(name, None, ids)
    assert str(tally) == "6 tracks in 6 frames"
    assert tally.done == "6 frames"
