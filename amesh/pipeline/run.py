"""Runs the pipeline on pictures and folders: one result per picture, and overlays on request."""

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
from amesh.pipeline.images import list_images, read_image
from amesh.pipeline.results import PictureResult, picture_result
from amesh.topology import Topology

# An overlay is written losslessly: thin lines are what JPEG smears.
_OVERLAY_SUFFIX = ".png"
_WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Picture:
    """A picture to run on.

    Attributes:
        path: Its file.
        name: Its name in the results: as given, or relative to the only given folder.
    """

    path: Path
    name: str


def pictures(sources: Sequence[str]) -> list[Picture]:
    """Lists the pictures in files and folders, in the order given; folders are sorted.

    With several sources, names keep their folder, because sources may contain equal names.

    Raises:
        UserError: A source does not exist, or a folder holds no picture.
    """
    found = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            inside = list_images(path)
            if not inside:
                raise UserError(f"{path}: no picture in this folder")
            alone = len(sources) == 1
            found += [Picture(p, (p.relative_to(path) if alone else p).as_posix()) for p in inside]
        elif path.exists():
            found.append(Picture(path, source))
        else:
            raise UserError(f"{path}: no such file or folder")
    return found


def check_outputs(inputs: Sequence[Picture], output: Path | None, draw: Path | None) -> None:
    """Refuses to overwrite an input.

    Raises:
        UserError: The results or an overlay would overwrite a source, or each other.
    """
    sources = {picture.path.resolve() for picture in inputs}
    overlays = {path.resolve() for path in _overlay_paths(inputs, draw) if path is not None}
    if output is not None and output.resolve() in sources | overlays:
        raise UserError(f"--output {output} would overwrite a picture; name another file")
    if taken := sorted(sources & overlays):
        raise UserError(f"--draw would overwrite {taken[0].name}; give another folder or file")


def run_pictures(
    pipeline: FacePipeline, inputs: Sequence[Picture], draw: Path | None = None
) -> Iterator[PictureResult]:
    """Runs on pictures one by one; an unreadable picture becomes a result with `error`.

    Args:
        pipeline: Finds the faces.
        inputs: The pictures.
        draw: A folder for overlays, or a file if there is only one picture.

    Yields:
        Results, in order.

    Raises:
        UserError: An overlay cannot be written, or several pictures would share one file.
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
            yield picture_result(picture.name, error=str(error))
            continue
        faces = pipeline(image)
        if overlay is not None:
            _write_overlay(overlay, image, faces, pipeline.runner.topology)
        height, width = image.shape[:2]
        yield picture_result(picture.name, size=(width, height), faces=faces)


def _overlay_paths(inputs: Sequence[Picture], draw: Path | None) -> list[Path | None]:
    if draw is None:
        return [None] * len(inputs)
    if draw.suffix and not draw.is_dir():
        if draw.suffix.lower() not in _WRITABLE:
            raise UserError(f"--draw {draw}: give a folder, or a file in {', '.join(_WRITABLE)}")
        if len(inputs) != 1:
            raise UserError(
                f"--draw {draw} names one file for {len(inputs)} pictures; give a folder"
            )
        return [draw]
    paths: list[Path | None] = []
    taken: set[Path] = set()
    for picture in inputs:
        # Pictures given one by one may lie anywhere: then only their file names are kept.
        name = Path(picture.name)
        if name.is_absolute() or ".." in name.parts:
            name = Path(name.name)
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
    overlay = draw_faces(image, faces, topology)
    ok, content = cv2.imencode(path.suffix.lower(), cv2.cvtColor(overlay, cv2.COLOR_RGB2BGR))
    if not ok:
        raise UserError(f"{path}: the overlay cannot be written in this format; use .png")
    write_atomically(path, content.tobytes())
