"""What a run of `amesh run` has done, and what is left for `--resume`."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from amesh.cli.parsing import DONE, FAILED, SOME_FAILED, count

if TYPE_CHECKING:
    from amesh.pipeline.inputs import Input
    from amesh.pipeline.results import PictureResult

# Side of a face over the longer side of the picture. Of 14 group pictures in which `crowd` finds
# at least 3 more faces than `both`, 12 have a face smaller than this, or none; of 54 others, 4.
_SMALL = 0.07


@dataclass
class Tally:
    """What the summary says.

    Attributes:
        videos: Names of the videos among the inputs.
        pictures: That have a result, an error included.
        unread: Of these, those with an error.
        frames: Of videos.
        broken: Videos that could not be read, or not to their end.
        faces: In all pictures.
        tracks: Of faces, in all videos: the name of the video, and the id.
        small: Pictures of this run that may have faces too small for the default detector.
    """

    videos: Collection[str] = ()
    pictures: int = 0
    unread: int = 0
    frames: int = 0
    broken: int = 0
    faces: int = 0
    tracks: set[tuple[str, int]] = field(default_factory=set)
    small: int = 0

    def add(self, source: str, error: str | None, ids: Sequence[int]) -> None:
        """Counts a result."""
        if source not in self.videos:
            self.pictures += 1
            self.unread += error is not None
            self.faces += len(ids)
        elif error is None:
            self.frames += 1
            self.tracks.update((source, one) for one in ids)
        else:
            self.broken += 1

    @property
    def code(self) -> int:
        """The exit code."""
        if not self.unread + self.broken:
            return DONE
        return SOME_FAILED if self.pictures > self.unread or self.frames else FAILED

    @property
    def done(self) -> str:
        """`3 pictures`, `20 frames`, or both; empty if there is none."""
        parts = [(self.pictures, "picture"), (self.frames, "frame")]
        return " and ".join(count(number, noun) for number, noun in parts if number)

    def __str__(self) -> str:
        """What was found, and in how much."""
        parts = []
        if self.pictures or not self.videos:
            read = count(self.pictures - self.unread, "picture")
            parts.append(f"{count(self.faces, 'face')} in {read}")
        if self.videos:
            parts.append(f"{count(len(self.tracks), 'track')} in {count(self.frames, 'frame')}")
        return "; ".join(parts)


class Remaining(NamedTuple):
    """What is left to do.

    Attributes:
        inputs: Those that lack results.
        written: How many results of the video that was interrupted, by its name, are there already.
    """

    inputs: "Sequence[Input]"
    written: dict[str, int]


def remaining(
    inputs: "Sequence[Input]", lines: Iterator[bytes], path: Path, tally: Tally, whole: bool = False
) -> Remaining:
    """Counts the results that are there already, and finds the inputs that lack some.

    Inputs are done in order, so only the video of the last result may lack some.

    Args:
        inputs: All inputs.
        lines: The results that are there already.
        path: Their file, for messages.
        tally: Counts them.
        whole: The run was finished, so the last video is complete.

    Raises:
        UserError: A line is not a result.
    """
    from amesh.json_lines import parse
    from amesh.pipeline.results import ResultBrief

    done, last = Counter[str](), None
    for number, line in enumerate(lines, 1):
        brief = parse(line, ResultBrief, f"{path}, line {number}")
        tally.add(brief.source, brief.error, [face.id for face in brief.faces or ()])
        done[brief.source] += 1
        last = brief.source if brief.error is None and not whole else None
    left, written = [], {}
    for one in inputs:
        if not done[one.name]:
            left.append(one)
        elif one.name not in tally.videos:
            done[one.name] -= 1  # a picture may be given twice
        elif one.name == last:
            left.append(one)
            written[one.name] = done[one.name]
    return Remaining(left, written)


def may_have_more(record: "PictureResult") -> bool:
    """Whether a picture may have faces that are too small for the default detector."""
    if "faces" not in record or record["size"] is None:
        return False
    sides = [
        max(max(axis) - min(axis) for axis in list(zip(*face["landmarks"], strict=True))[:2])
        for face in record["faces"]
    ]
    return min(sides, default=0.0) < _SMALL * max(record["size"])
