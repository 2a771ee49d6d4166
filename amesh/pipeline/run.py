"""Runs the pipeline on pictures and folders: one result per picture, and overlays on request."""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from tqdm import tqdm

from amesh.data.loading.limits import MAX_PIXELS
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.pipeline.draw import draw_faces
from amesh.pipeline.face_pipeline import Face, FacePipeline
from amesh.pipeline.images import list_files, read_image
from amesh.pipeline.results import PictureResult, picture_result
from amesh.topology import Topology

# An overlay is written losslessly: thin lines are what JPEG smears.
_OVERLAY_SUFFIX = ".png"
_WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to run on.

    Attributes:
        path: Its file.
        name: Its name in the results: as given, or relative to the only given folder.
        problem: Why there is nothing to read, in one line: a folder that cannot be listed.
    """

    path: Path
    name: str
    problem: str = ""


@dataclass(frozen=True)
class Overlays:
    """Where overlays are written, and how large they are drawn.

    In a folder, an overlay is called as its picture is in the results, with `.png` added: its name
    depends on no other picture. A name that would lead out of the folder is replaced by the full
    path, or, if it is the only picture, by the file's name.

    Attributes:
        place: The folder, or the file of the only picture.
        alone: There is only one picture.
        scale: Whole number by which the pictures are enlarged.
    """

    place: Path
    alone: bool
    scale: int = 1

    def __post_init__(self) -> None:
        """Refuses a file that cannot take the overlays.

        Raises:
            UserError: Several pictures would share it, or its format cannot be written.
        """
        if not self._is_file:
            return
        if self.place.suffix.lower() not in _WRITABLE:
            known = ", ".join(_WRITABLE)
            raise UserError(f"--draw {self.place}: give a folder, or a file in {known}")
        if not self.alone:
            raise UserError(f"--draw {self.place} names one file for many pictures; give a folder")

    @property
    def _is_file(self) -> bool:
        return bool(self.place.suffix) and not self.place.is_dir()

    def path(self, picture: Picture) -> Path:
        """The file for a picture's overlay."""
        if self._is_file:
            return self.place
        name = os.path.normpath(picture.name)
        if Path(name).is_absolute() or name.startswith(".."):
            whole = Path(os.path.abspath(name))  # noqa: PTH100 - resolve() would follow links
            name = whole.name if self.alone else str(whole.relative_to(whole.anchor))
        return self.place / (name + _OVERLAY_SUFFIX)

    def write(
        self,
        picture: Picture,
        image: UInt8[np.ndarray, "h w 3"],
        faces: Sequence[Face],
        topology: Topology,
    ) -> None:
        """Draws the faces and writes the file.

        Raises:
            UserError: The file cannot be written, or not in this format.
        """
        path = self.path(picture)
        drawn = draw_faces(image, faces, topology, scale=self.scale)
        try:
            drawn = cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)
            good, content = cv2.imencode(path.suffix.lower(), drawn)
        except cv2.error:
            good = False
        if not good:
            raise UserError(f"{path}: the overlay cannot be written in this format; use .png")
        write_atomically(path, content.tobytes())


def pictures(sources: Sequence[str]) -> list[Picture]:
    """Lists the pictures in files and folders, in the order given; folders are sorted.

    With several sources, names keep their folder, because sources may contain equal names. A
    sub-folder that cannot be listed is in the list, with its problem.

    Raises:
        UserError: A source does not exist, or a folder holds no picture.
    """
    found = []
    for source in sources:
        path = Path(source)
        if path.is_dir():
            files, problems = list_files(path)
            if not files:
                raise UserError(next(iter(problems.values()), f"{path}: no picture in this folder"))
            alone = len(sources) == 1
            for file in [*files, *problems]:
                name = (file.relative_to(path) if alone else file).as_posix()
                found.append(Picture(file, name, problems.get(file, "")))
        elif os.path.lexists(path):
            found.append(Picture(path, source))
        else:
            raise UserError(f"{path}: no such file or folder")
    return found


def check_outputs(
    inputs: Sequence[Picture], output: Path | None, overlays: Overlays | None
) -> None:
    """Refuses to overwrite an input.

    Raises:
        UserError: The results or an overlay would overwrite a source.
    """
    # Only a file that exists can be a source: most runs have nothing to compare.
    drawn = () if overlays is None else {overlays.path(picture) for picture in inputs}
    existing = {os.path.realpath(path): path for path in drawn if path.exists()}
    results = None if output is None or not output.exists() else os.path.realpath(output)
    if results is None and not existing:
        return
    for picture in inputs:
        source = os.path.realpath(picture.path)  # follows links, and stops where they form a circle
        if source == results:
            raise UserError(f"--output {output} would overwrite a picture; name another file")
        if source in existing:
            raise UserError(
                f"--draw would overwrite {existing[source].name}; give another folder or file"
            )


def run_pictures(
    pipeline: FacePipeline,
    inputs: Sequence[Picture],
    overlays: Overlays | None = None,
    max_pixels: int = MAX_PIXELS,
    before: int = 0,
) -> Iterator[PictureResult]:
    """Runs on pictures one by one; an unreadable picture becomes a result with `error`.

    Args:
        pipeline: Finds the faces.
        inputs: The pictures.
        overlays: Writes overlays.
        max_pixels: Pictures with more pixels are not read.
        before: Pictures done by an earlier run, for the progress bar.

    Yields:
        Results, in order.

    Raises:
        UserError: An overlay cannot be written.
    """
    for picture in tqdm(
        inputs,
        unit="picture",
        initial=before,
        total=before + len(inputs),
        disable=len(inputs) < 2 or not sys.stderr.isatty(),
    ):
        if picture.problem:
            yield picture_result(picture.name, error=picture.problem)
            continue
        try:
            image = read_image(picture.path, max_pixels)
        except UserError as error:
            yield picture_result(picture.name, error=str(error))
            continue
        try:
            faces = pipeline(image)
            if overlays is not None:
                overlays.write(picture, image, faces, pipeline.runner.topology)
        except MemoryError:
            yield picture_result(picture.name, error=f"{picture.path}: not enough memory for it")
            continue
        height, width = image.shape[:2]
        yield picture_result(picture.name, size=(width, height), faces=faces)
