"""Finds face-free regions in pictures, as negative examples for training the face flag.

A network trained only on faces calls everything a face. Regions are plain (anywhere away from
faces), hard (nearly called a face: most show one too small, too large or cut off), or from pictures
without any face, such as animals and drawings.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass

import msgspec
import numpy as np
from jaxtyping import Float, UInt8

from amesh.errors import UserError
from amesh.growing import GrowingFile
from amesh.json_lines import parse
from amesh.labelling.manifest import Manifest
from amesh.labelling.output import open_picture
from amesh.labelling.sources import Input
from amesh.labelling.squares import anywhere, misplaced, shaken, well_placed
from amesh.pipeline.arguments import rois_of_boxes
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.pipeline.images import reading_cost
from amesh.pipeline.parallel import in_order
from amesh.runner import confidence

Box = tuple[float, float, float, float]
# Positions tried per requested region; a picture filled by a face yields none.
_TRIALS = 8
# At this confidence of the network, a region may show a face that the detector missed.
_FACE = 0.5
# Every network has to give a hard region at most this logit: less could be a face in doubt.
_REFUSED = -2.0
# A region with a lower logit is no longer hard.
_EASY = -9.0
# Squares near each place where a detector finds a face in a picture that has none.
_NEAR = 8


@dataclass(frozen=True)
class Search:
    """How regions without a face are found.

    Attributes:
        pipeline: Finds the faces to avoid, and refuses regions.
        wanted: Maximum number of regions per picture.
        doubtful: Also keep regions that the network takes for a face.
        hard: A network: keep the regions that it is nearest to taking for a face, badly placed
            ones around faces included. By default, any region away from faces.
        refused_by: Further networks that have to refuse a hard region.
        faceless: The pictures show no face at all: whatever is found in them is none.
    """

    pipeline: FacePipeline
    wanted: int = 1
    doubtful: bool = False
    hard: FacePipeline | None = None
    refused_by: tuple[FacePipeline, ...] = ()
    faceless: bool = False

    def __post_init__(self) -> None:
        """Refuses options that exclude each other.

        Raises:
            UserError: Naming them.
        """
        if self.doubtful and (self.hard or self.faceless):
            raise UserError("--keep-doubtful measures a network; leave out --hard and --faceless")
        if self.refused_by and (self.hard is None or self.faceless):
            raise UserError("--refused-by belongs to --hard, and not to --faceless")


class _Place(msgspec.Struct):
    """What resuming needs of a line."""

    image: str


def write_negatives(
    inputs: Iterable[Input],
    manifest: Manifest,
    search: Search,
    file: GrowingFile,
    say: Callable[[str], None] = print,
    workers: int = 1,
) -> int:
    """Writes a manifest (`amesh.data.sources.manifest`) of regions without a face.

    Pictures that have regions in it already are skipped.

    Args:
        inputs: Pictures; clips are ignored.
        manifest: Metadata of the pictures.
        search: How regions are found.
        file: The manifest; it names pictures relative to its folder.
        say: Receives a message for each picture that cannot be read.
        workers: Pictures that are searched at the same time, on a thread each.

    Returns:
        Number of regions in the manifest.

    Raises:
        UserError: No region was found, or the manifest cannot be written.
    """
    before = [
        parse(line, _Place, f"{file.path}, line {number}").image
        for number, line in enumerate(file.earlier(), 1)
    ]
    done, found = set(before), len(before)

    def name(one: Input) -> str:
        return os.path.relpath(one.path, file.path.parent)

    def look(one: Input) -> tuple[Input, list[Box] | UserError]:
        try:
            if one.problem:
                raise UserError(one.problem)
            pixels = open_picture(one.path).pixels
        except UserError as error:
            return one, error
        seed = zlib.crc32(one.name.encode())
        return one, find_negatives(pixels, search, seed)

    def lines(one: Input, boxes: list[Box]) -> Iterator[str]:
        about = manifest.of(one)
        place = {"image": name(one), "face": False, "scheme": None, "coordinates": "corner"}
        known = {"source": about.source, "licence": about.licence or "not stated"}
        for box in boxes:
            corners = [round(value, 1) for value in box]
            yield json.dumps({**place, **known, "points": [], "box": corners})

    left = (one for one in inputs if not one.video and name(one) not in done)
    with closing(in_order(look, left, workers, _cost)) as results:
        for one, boxes in results:
            if isinstance(boxes, UserError):
                say(str(boxes))
            elif boxes:
                file.add("\n".join(lines(one, boxes)).encode())
                found += len(boxes)
    if not found:
        raise UserError(f"{file.path}: no region without a face in these pictures")
    return found


def find_negatives(image: UInt8[np.ndarray, "h w 3"], search: Search, seed: int) -> list[Box]:
    """Finds square regions that show no face: left, top, right, bottom [px].

    By default they touch no face, and those that the network takes for a face are dropped, since
    the detector may have missed one. That would bias an evaluation of the network's face flag;
    `doubtful` keeps them.
    """
    random = np.random.default_rng(seed)
    if search.faceless:
        boxes = _in_a_faceless_picture(image, search, random)
    elif search.hard:
        boxes = _around_faces(image, search, random)
    else:
        boxes = _away_from_faces(image, search, random)
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in boxes[: search.wanted]]


def _away_from_faces(
    image: UInt8[np.ndarray, "h w 3"], search: Search, random: np.random.Generator
) -> Float[np.ndarray, "n 4"]:
    height, width = image.shape[:2]
    faces = [face.landmarks[:, :2] for face in search.pipeline(image)]
    boxes = anywhere(width, height, search.wanted * _TRIALS, random)
    away = [box for box in boxes if not any(_touch(box, face) for face in faces)]
    chosen = np.array(away[: 2 * search.wanted]).reshape(-1, 4)
    if len(chosen) and not search.doubtful:
        chosen = chosen[confidence(_logits(image, chosen, search.pipeline)) < _FACE]
    return chosen


def _around_faces(
    image: UInt8[np.ndarray, "h w 3"], search: Search, random: np.random.Generator
) -> Float[np.ndarray, "n 4"]:
    """The hardest regions first: those that all other networks refuse."""
    height, width = image.shape[:2]
    faces = _detected(image, search.pipeline)
    boxes = anywhere(width, height, search.wanted * _TRIALS // 2, random)
    if len(faces):
        boxes = np.concatenate([boxes, misplaced(faces, search.wanted * _TRIALS, random)])
    boxes = _hardest(image, boxes[~well_placed(boxes, faces)], search.hard)
    kept: list[Float[np.ndarray, 4]] = []
    for box in boxes:  # one by one: few are looked at by all networks
        judges = (search.pipeline, *search.refused_by)
        if all(_logits(image, box[None], judge)[0] <= _REFUSED for judge in judges):
            kept.append(box)
            if len(kept) == search.wanted:
                break
    return np.array(kept).reshape(-1, 4)


def _in_a_faceless_picture(
    image: UInt8[np.ndarray, "h w 3"], search: Search, random: np.random.Generator
) -> Float[np.ndarray, "n 4"]:
    """Those near what detectors take for a face first, or the hardest."""
    height, width = image.shape[:2]
    found = _detected(image, search.pipeline)
    boxes = anywhere(width, height, search.wanted * _TRIALS, random)
    boxes = np.concatenate([found, shaken(found, _NEAR - 1, random), boxes])
    return _hardest(image, boxes, search.hard, keep_easy=True) if search.hard else boxes


def _detected(
    image: UInt8[np.ndarray, "h w 3"], pipeline: FacePipeline
) -> Float[np.ndarray, "n 4"]:
    return np.array([face.box for face in pipeline.detector(image)], np.float64).reshape(-1, 4)


def _hardest(
    image: UInt8[np.ndarray, "h w 3"],
    boxes: Float[np.ndarray, "n 4"],
    hard: FacePipeline | None,
    keep_easy: bool = False,
) -> Float[np.ndarray, "k 4"]:
    """Sorts regions by how nearly the network calls them a face."""
    if hard is None or not len(boxes):
        return boxes
    logits = _logits(image, boxes, hard)
    order = np.argsort(-logits)
    return boxes[order if keep_easy else order[logits[order] > _EASY]]


def _cost(one: Input) -> int:
    return 0 if one.problem else reading_cost(one.path)


def _logits(
    image: UInt8[np.ndarray, "h w 3"], boxes: Float[np.ndarray, "n 4"], pipeline: FacePipeline
) -> Float[np.ndarray, " n"]:
    """Logits of the face flag in regions cut as in training: with the margin of a face's box."""
    regions = rois_of_boxes(boxes, pipeline.runner.topology.require_roi().from_detection)
    logits: Float[np.ndarray, " n"] = pipeline.look(image, regions).logits
    return logits


def _touch(box: Float[np.ndarray, "4"], face: Float[np.ndarray, "n 2"]) -> bool:
    low, high = face.min(0), face.max(0)
    return bool((box[:2] < high).all() and (box[2:] > low).all())
