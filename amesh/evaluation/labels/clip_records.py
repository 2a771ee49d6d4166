"""What other programs saw in clips, from their records."""

from collections.abc import Sequence
from pathlib import Path, PurePath

from amesh.errors import UserError
from amesh.evaluation.tracks import ClipTracks, TrackBuilder
from amesh.files import may_be_same
from amesh.pipeline.results import PictureResult


class ClipRecords:
    """Picks what is about clips from a program's records."""

    def __init__(self, name: str, clips: Sequence[Path], points: int) -> None:
        """Starts without a record.

        Args:
            name: What tables call the program.
            clips: The clips.
            points: Number of landmarks of each face.
        """
        self._name, self._clips, self._points = name, clips, points
        self._builders: dict[Path, TrackBuilder] = {}

    def take(self, result: PictureResult) -> bool:
        """Keeps a result if it is about one of the clips, and says whether it is.

        Raises:
            UserError: Two clips may be meant, the frames of a clip are out of order, or a face has
                another number of landmarks.
        """
        source = result["source"]
        found = [clip for clip in self._clips if may_be_same(clip, PurePath(source))]
        if not found:
            return False
        if len(found) > 1:
            raise UserError(
                f"{self._name}: {source} may be {found[0]} or {found[1]}; give longer paths"
            )
        [clip] = found
        if clip not in self._builders:
            self._builders[clip] = TrackBuilder(f"{self._name}, {clip}", self._points)
        self._builders[clip].add_result(result)
        return True

    def tracks(self) -> dict[Path, ClipTracks]:
        """The tracks of each clip that has a record."""
        return {clip: builder.finish() for clip, builder in self._builders.items()}
