"""Finds face-free regions in pictures, as negative examples for training the face flag.

A network trained only on faces calls everything a face.
"""

import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import msgspec
import numpy as np
from jaxtyping import Bool, Float, UInt8

from amesh.errors import UserError
from amesh.growing import GrowingFile
from amesh.json_lines import parse
from amesh.labelling.manifest import Manifest
from amesh.labelling.output import open_picture
from amesh.labelling.sources import Input
from amesh.pipeline.arguments import rois_of_boxes
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.pipeline.images import reading_cost
from amesh.pipeline.parallel import in_order

Box = tuple[float, float, float, float]
# Side of a region relative to the picture's shorter side.
_SMALLEST, _LARGEST = 0.1, 0.7
# Positions tried per requested region; a picture filled by a face yields none.
_TRIALS = 8
# At this confidence of the network, a region may show a face that the detector missed.
_FACE = 0.5


class _Place(msgspec.Struct):
    """What resuming needs of a line."""

    image: str


def write_negatives(
    inputs: Iterable[Input],
    manifest: Manifest,
    pipeline: FacePipeline,
    file: GrowingFile,
    wanted: int,
    say: Callable[[str], None] = print,
    doubtful: bool = False,
    workers: int = 1,
) -> int:
    """Writes a manifest (`amesh.data.sources.manifest`) of regions without a face.

    Pictures that have regions in it already are skipped.

    Args:
        inputs: Pictures; clips are ignored.
        manifest: Metadata of the pictures.
        pipeline: Finds the faces to avoid.
        file: The manifest; it names pictures relative to its folder.
        wanted: Maximum number of regions per picture.
        say: Receives a message for each picture that cannot be read.
        doubtful: Also keep regions that the network takes for a face.
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

    def search(one: Input) -> tuple[Input, list[Box] | UserError]:
        try:
            if one.problem:
                raise UserError(one.problem)
            pixels = open_picture(one.path).pixels
        except UserError as error:
            return one, error
        seed = zlib.crc32(one.name.encode())
        return one, find_negatives(pixels, pipeline, wanted, seed, doubtful)

    def lines(one: Input, boxes: list[Box]) -> Iterator[str]:
        about = manifest.of(one)
        place = {"image": name(one), "face": False, "scheme": None, "coordinates": "corner"}
        known = {"source": about.source, "licence": about.licence or "not stated"}
        for box in boxes:
            corners = [round(value, 1) for value in box]
            yield json.dumps({**place, **known, "points": [], "box": corners})

    left = (one for one in inputs if not one.video and name(one) not in done)
    with closing(in_order(search, left, workers, _cost)) as results:
        for one, boxes in results:
            if isinstance(boxes, UserError):
                say(str(boxes))
            elif boxes:
                file.add("\n".join(lines(one, boxes)).encode())
                found += len(boxes)
    if not found:
        raise UserError(f"{file.path}: no region without a face in these pictures")
    return found


def find_negatives(
    image: UInt8[np.ndarray, "h w 3"],
    pipeline: FacePipeline,
    wanted: int,
    seed: int,
    doubtful: bool = False,
) -> list[Box]:
    """Finds square regions that touch no face of a picture: left, top, right, bottom [px].

    Regions that the network takes for a face are dropped, since the detector may have missed one.
    That would bias an evaluation of the network's face flag; `doubtful` keeps them.
    """
    height, width = image.shape[:2]
    faces = [face.landmarks[:, :2] for face in pipeline(image)]
    random = np.random.default_rng(seed)
    sides = random.uniform(_SMALLEST, _LARGEST, wanted * _TRIALS) * min(height, width)
    corners = random.uniform(0, 1, (len(sides), 2)) * (np.array([width, height]) - sides[:, None])
    boxes = np.concatenate([corners, corners + sides[:, None]], 1)
    away = [box for box in boxes if not any(_touch(box, face) for face in faces)]
    chosen = np.array(away[: 2 * wanted]).reshape(-1, 4)
    if len(chosen) and not doubtful:
        chosen = chosen[~_called_faces(image, chosen, pipeline)]
    return [(float(a), float(b), float(c), float(d)) for a, b, c, d in chosen[:wanted]]


def _cost(one: Input) -> int:
    return 0 if one.problem else reading_cost(one.path)


def _called_faces(
    image: UInt8[np.ndarray, "h w 3"], boxes: Float[np.ndarray, "b 4"], pipeline: FacePipeline
) -> Bool[np.ndarray, " b"]:
    """Flags the regions that the network takes for a face."""
    # Cropped as in training: with the margin that a face's box gets.
    regions = rois_of_boxes(boxes, pipeline.runner.topology.require_roi().from_detection)
    called: Bool[np.ndarray, " b"] = pipeline.look(image, regions).scores >= _FACE
    return called


def _touch(box: Float[np.ndarray, "4"], face: Float[np.ndarray, "n 2"]) -> bool:
    low, high = face.min(0), face.max(0)
    return bool((box[:2] < high).all() and (box[2:] > low).all())
