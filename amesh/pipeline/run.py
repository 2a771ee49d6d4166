"""Pictures and folders through the pipeline: one record per picture, overlays where wanted."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.pipeline.draw import draw_faces
from amesh.pipeline.face_pipeline import Face, FacePipeline
from amesh.pipeline.images import IMAGE_SUFFIXES, list_images, read_image
from amesh.pipeline.records import Record, record
from amesh.topology import Topology

# An overlay is written losslessly: thin lines are what JPEG smears.
_OVERLAY_SUFFIX = ".png"


@dataclass(frozen=True)
class Picture:
    """A picture to run on.

    Attributes:
        path: Where it lies.
        name: What the record calls it: as given, or relative to the given folder.
    """

    path: Path
    name: str


def pictures(sources: Sequence[str]) -> list[Picture]:
    """The pictures behind a list of files and folders, in the order given, folders sorted.

    Raises:
        UserError: A source does not exist, or a folder holds no picture.
    """
    found = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            inside = [Picture(p, p.relative_to(path).as_posix()) for p in list_images(path)]
            if not inside:
                raise UserError(f"{path}: no picture in this folder")
            found += inside
        elif path.exists():
            found.append(Picture(path, source))
        else:
            raise UserError(f"{path}: no such file or folder")
    return found


def run_pictures(
    pipeline: FacePipeline, inputs: Sequence[Picture], draw: Path | None = None
) -> Iterator[Record]:
    """Runs on pictures one by one; a picture that cannot be read becomes a record with `error`.

    Args:
        pipeline: Finds the faces.
        inputs: The pictures.
        draw: A folder for overlays, or the overlay's file where there is one picture.

    Yields:
        Records of the JSONL contract, in order.

    Raises:
        UserError: The overlays cannot be written, or several pictures would share one file.
    """
    overlays = _overlay_paths(inputs, draw)
    for picture, overlay in tqdm(
        list(zip(inputs, overlays, strict=True)),
        unit="picture",
        disable=len(inputs) < 2 or not sys.stderr.isatty(),
    ):
        try:
            image = read_image(picture.path)
        except UserError as error:
            yield record(picture.name, error=str(error))
            continue
        faces = pipeline(image)
        if overlay is not None:
            _write_overlay(overlay, image, faces, pipeline.runner.topology)
        height, width = image.shape[:2]
        yield record(picture.name, size=(width, height), faces=faces)


def _overlay_paths(inputs: Sequence[Picture], draw: Path | None) -> list[Path | None]:
    if draw is None:
        return [None] * len(inputs)
    if draw.suffix.lower() in IMAGE_SUFFIXES and not draw.is_dir():
        if len(inputs) != 1:
            raise UserError(
                f"--draw {draw} names one file for {len(inputs)} pictures; give a folder"
            )
        return [draw]
    # Pictures given one by one may lie anywhere: their file names are kept, their folders are not.
    names = [
        Path(p.name if not Path(p.name).is_absolute() and ".." not in p.name else p.path.name)
        for p in inputs
    ]
    paths: list[Path | None] = []
    taken: set[Path] = set()
    for name in names:
        path, number = draw / name.with_suffix(_OVERLAY_SUFFIX), 1
        while path in taken:
            number += 1
            path = draw / name.with_name(f"{name.stem}-{number}{_OVERLAY_SUFFIX}")
        taken.add(path)
        paths.append(path)
    return paths


def _write_overlay(
    path: Path, image: UInt8[np.ndarray, "h w 3"], faces: Sequence[Face], topology: Topology
) -> None:
    overlay = draw_faces(image, [face.landmarks for face in faces], topology)
    suffix = path.suffix if path.suffix.lower() in IMAGE_SUFFIXES else _OVERLAY_SUFFIX
    ok, content = cv2.imencode(suffix, cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))
    if not ok:
        raise UserError(f"{path}: cannot encode a picture of this kind")
    write_atomically(path, content.tobytes())
