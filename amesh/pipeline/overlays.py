"""Where the overlays of pictures and videos go, and what they are called."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from amesh.effects.camera import Camera
from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.pipeline.draw import Style, draw_faces
from amesh.pipeline.effects import Draw, draw_effects
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.inputs import Input, Picture, Video
from amesh.pipeline.video_writer import VIDEO_SUFFIX
from amesh.runner import Runner, predicts_errors
from amesh.topology import Topology

# An overlay is written losslessly: thin lines are what JPEG smears.
_OVERLAY_SUFFIX = ".png"
_WRITABLE = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")


@dataclass(frozen=True)
class Overlays:
    """Where overlays are written, and how large they are drawn.

    In a folder, an overlay is called as its picture or video is in the results, with `.png` or
    `.mp4` added: its name depends on no other input. A name that would lead out of the folder is
    replaced by the full path, or, if it is the only input, by the file's name.

    Attributes:
        place: The folder, or the file of the only input.
        alone: There is only one input.
        scale: Whole number by which the pictures are enlarged.
        effects: What is drawn instead of the mesh, if anything.
        fov: Vertical field of view of the camera, for effects that measure [degrees]; by default
            that of a picture's EXIF data, else the default of `Camera.from_fov`.
        confidence: Colour the landmarks by their confidence.
    """

    place: Path
    alone: bool
    scale: int = 1
    effects: tuple[Draw, ...] = ()
    fov: float | None = None
    confidence: bool = False

    def __post_init__(self) -> None:
        """Refuses what cannot be drawn, before anything is.

        Raises:
            UserError: Several inputs would share it, no camera has this field of view, or both
                effects and confidence are to be drawn.
        """
        if self.effects and self.confidence:
            raise UserError("--effect and --draw-confidence both say what to draw; give one")
        if self.fov is not None:
            Camera.from_fov(1, 1, self.fov)
        if self._is_file and not self.alone:
            raise UserError(f"--draw {self.place} names one file for many inputs; give a folder")

    @property
    def _is_file(self) -> bool:
        return bool(self.place.suffix) and not self.place.is_dir()

    def check(self, runner: Runner) -> None:
        """Checks that a network finds what is to be drawn, before any picture is read.

        Raises:
            UserError: The confidence is to be drawn, and the network predicts none.
        """
        if self.confidence and not predicts_errors(runner):
            raise UserError(
                f"--draw-confidence: {runner.name} predicts no errors of its landmarks; "
                "take a network that does, or leave it out"
            )

    def path(self, one: Input) -> Path:
        """The file for the overlay of a picture or video.

        Raises:
            UserError: It would be of a kind that cannot be written.
        """
        video = isinstance(one, Video)
        if self._is_file:
            known = (VIDEO_SUFFIX,) if video else _WRITABLE
            if self.place.suffix.lower() not in known:
                kinds = ", ".join(known)
                raise UserError(f"--draw {self.place}: give a folder, or a file in {kinds}")
            return self.place
        if isinstance(one, Video) and one.path is None:
            name = re.sub(r"[^\w.-]+", "-", one.name)  # cam:0, rtsp://host/door
            return self.place / (name + VIDEO_SUFFIX)
        name = os.path.normpath(one.name)
        if Path(name).is_absolute() or name.startswith(".."):
            whole = Path(os.path.abspath(name))  # noqa: PTH100 - resolve() would follow links
            name = whole.name if self.alone else str(whole.relative_to(whole.anchor))
        return self.place / (name + (VIDEO_SUFFIX if video else _OVERLAY_SUFFIX))

    def draw(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        faces: Sequence[Face],
        topology: Topology,
        file: Path | None = None,
    ) -> UInt8[np.ndarray, "drawn_h drawn_w 3"]:
        """Draws the faces on a copy of their picture, which was read from this file."""
        if not self.effects:
            return draw_faces(image, faces, topology, Style(confidence=self.confidence), self.scale)
        camera = self._camera(image, file).scaled(self.scale)
        if self.scale > 1:
            image = cv2.resize(
                image, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_CUBIC
            )
        landmarks = [face.landmarks * self.scale for face in faces]
        return draw_effects(image, landmarks, self.effects, camera)

    def _camera(self, image: UInt8[np.ndarray, "h w 3"], file: Path | None) -> Camera:
        height, width = image.shape[:2]
        if self.fov is not None:
            return Camera.from_fov(width, height, self.fov)
        if file is not None:
            with suppress(UserError):  # most files do not say
                camera = Camera.from_exif(file)
                if (camera.width, camera.height) == (width, height):
                    return camera
        return Camera.from_fov(width, height)

    def write(
        self,
        picture: Picture,
        image: UInt8[np.ndarray, "h w 3"],
        faces: Sequence[Face],
        topology: Topology,
    ) -> None:
        """Draws the faces and writes the file.

        Raises:
            UserError: The file cannot be written, or not in this format; or as for `draw`.
        """
        path = self.path(picture)
        drawn = self.draw(image, faces, topology, picture.path)
        try:
            drawn = cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR)
            good, content = cv2.imencode(path.suffix.lower(), drawn)
        except cv2.error:
            good = False
        if not good:
            raise UserError(f"{path}: the overlay cannot be written in this format; use .png")
        write_atomically(path, content.tobytes())


def check_outputs(inputs: Sequence[Input], output: Path | None, overlays: Overlays | None) -> None:
    """Refuses to overwrite an input.

    Raises:
        UserError: The results or an overlay would overwrite a source, or an overlay cannot be
            written.
    """
    drawn = () if overlays is None else map(overlays.path, inputs)
    existing = {file: path for path in drawn if (file := _file(path))}
    results = None if output is None else _file(output)
    if results is None and not existing:  # as in most runs: nothing to compare
        return
    for one in inputs:
        source = None if one.path is None else _file(one.path)
        if source is None:
            continue
        if source == results:
            raise UserError(f"--output {output} would overwrite a source; name another file")
        if source in existing:
            raise UserError(
                f"--draw would overwrite {existing[source].name}; give another folder or file"
            )


def _file(path: Path) -> tuple[int, int] | None:
    """What tells a file apart, at the end of its links; None if there is none."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino
