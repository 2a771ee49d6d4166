"""Predicted faces of many pictures: from a run, a file of results, or a folder of labels."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np
from jaxtyping import Float

from amesh.data.loading.pictures import decode
from amesh.data.sources.keys import picture_of
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.labelled_folder import LABELLED_BY, skipped
from amesh.data.sources.problems import Problems
from amesh.data.sources.shards import ShardSource
from amesh.errors import UserError
from amesh.evaluation.labels.clip_records import ClipRecords
from amesh.evaluation.tracks import ClipTracks
from amesh.files import may_be_same
from amesh.pipeline.results import PictureResult, read_jsonl

Landmarks = Float[np.ndarray, "n 3"]


class Predictions:
    """What one network, or another program, found in pictures and clips."""

    def __init__(
        self,
        name: str,
        faces: Mapping[str, Sequence[Landmarks]],
        sizes: Mapping[str, tuple[int, int]] | None = None,
        failed: Mapping[str, str] | None = None,
        clips: Mapping[Path, ClipTracks] | None = None,
    ) -> None:
        """Indexes the pictures by file name.

        Args:
            name: What tables call it.
            faces: All faces of each picture, by the picture's path.
            sizes: Width and height of each picture [px], where known.
            failed: Why a picture could not be read, by its path; such a picture has no faces.
            clips: The faces of each clip.
        """
        self.name = name
        self.faces = dict(faces)
        self.sizes = dict(sizes or {})
        self.failed = dict(failed or {})
        self.clips = dict(clips or {})
        for source in self.failed:
            self.faces.setdefault(source, [])
        self._by_file: dict[str, list[str]] = defaultdict(list)
        for source in self.faces:
            self._by_file[PurePath(source).name].append(source)

    def find(self, image: str | PurePath) -> str | None:
        """The source that is this picture, or None.

        Folders need not be the same on both sides, as one may be relative: the shorter path has to
        be the end of the longer one.

        Raises:
            UserError: Two sources may be meant.
        """
        if str(image) in self.faces:
            return str(image)
        path = PurePath(image)
        known = self._by_file.get(path.name, ())
        found = [name for name in known if may_be_same(PurePath(name), path)]
        if len(found) > 1:
            raise UserError(
                f"{self.name}: {image} may be {found[0]} or {found[1]}; give longer paths"
            )
        return found[0] if found else None

    def of(self, label: LabelledFace) -> Sequence[Landmarks]:
        """The faces in a labelled picture.

        Raises:
            UserError: The picture is not among the predictions, or has another size.
        """
        source = self.find(label.image)
        if source is None:
            raise UserError(f"{self.name}: no record of {label.image} ({label.where})")
        size = self.sizes.get(source)
        if size and label.size and size != label.size:
            raise UserError(
                f"{self.name}: {source} is {size[0]} x {size[1]} px, but the label says "
                f"{label.size[0]} x {label.size[1]} ({label.where})"
            )
        return self.faces[source]


def parse_predictions(argument: str, points: int, clips: Sequence[Path] = ()) -> Predictions:
    """Reads `NAME=FILE.jsonl` or `NAME=FOLDER`, as given on the command line; the name may be left
    out.

    Args:
        argument: Of the command line.
        points: Number of landmarks of each face.
        clips: Videos that records may be about, beside pictures.

    Raises:
        UserError: The file is missing or wrong, or its faces have another number of landmarks.
    """
    name, separator, file = argument.partition("=")
    path = Path(file if separator else argument)
    name = name if separator and name else path.stem
    if path.is_dir():
        return from_labels(name, path, points)
    return from_results(name, read_jsonl(path), points, clips)


def from_results(
    name: str, results: Iterable[PictureResult], points: int, clips: Sequence[Path] = ()
) -> Predictions:
    """Predictions from results of `amesh run`, or of another program in the same format.

    Raises:
        UserError: A picture comes twice, frames of a clip are out of order, or a face has another
            number of landmarks.
    """
    records = ClipRecords(name, clips, points)
    faces: dict[str, list[Landmarks]] = {}
    sizes: dict[str, tuple[int, int]] = {}
    failed: dict[str, str] = {}
    for result in results:
        if records.take(result):
            continue
        source = result["source"]
        if source in faces:
            raise UserError(
                f"{name}: two results for {source}; if it is a video, name it with --video"
            )
        faces[source] = [
            np.array(face["landmarks"], dtype=np.float64) for face in result.get("faces", [])
        ]
        for face in faces[source]:
            if face.shape != (points, 3):
                raise UserError(
                    f"{name}: {source} has {len(face)} landmarks, expected {points} of [x, y, z]"
                )
        if "error" in result:
            failed[source] = result["error"]
        if result["size"] is not None:
            sizes[source] = (result["size"][0], result["size"][1])
    return Predictions(name, faces, sizes, failed, records.tracks())


def from_labels(name: str, folder: Path, points: int) -> Predictions:
    """Predictions that are the labels of `amesh label --cut 0`: how good these are.

    Raises:
        UserError: The folder is none of its, may hold cut pictures, or holds frames of a clip or
            faces of another number of landmarks.
    """
    _check_uncut(folder)
    faces: dict[str, list[Landmarks]] = {}
    failed: dict[str, str] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for key, line in skipped(folder).items():
        picture = picture_of(key)
        faces[picture] = []
        if line.reason == "unreadable":
            failed[picture] = line.detail
    source = ShardSource(folder, Problems())
    for i in range(len(source)):
        face = source[i]
        picture = picture_of(face.key)
        if not face.key.startswith(f"{picture}#0:"):
            raise UserError(
                f"{name}: {face.key} is not a face that `amesh label` found in a picture; give a "
                "folder of labels of pictures, not of video"
            )
        if face.points.shape != (points, 3):
            raise UserError(
                f"{name}: {face.key} has {len(face.points)} landmarks, expected {points}"
            )
        faces.setdefault(picture, []).append(face.points.astype(np.float64))
        if picture not in sizes:  # tells where a copy of another size was labelled
            sizes[picture] = decode(face.read_picture(), face.where, shrink=8).size
            failed.pop(picture, None)
    return Predictions(name, faces, sizes, failed)


def _check_uncut(folder: Path) -> None:
    path = folder / LABELLED_BY
    if not path.is_file():
        raise UserError(f"{folder}: not a folder that `amesh label` wrote (no {LABELLED_BY})")
    try:
        cut = dict(json.loads(path.read_text(encoding="utf-8"))).get("rules", {}).get("cut")
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: damaged ({error})") from None
    if cut != 0:  # older folders do not say
        raise UserError(f"{folder}: its pictures may be cut; label them again with --cut 0")
