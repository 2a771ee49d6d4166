"""Pinhole cameras, for what has to be measured in degrees and millimetres.

Convention
    The camera's axes are OpenCV's: x right, y down, z into the picture. A point (X, Y, Z) is seen
    at (fx X / Z + cx, fy Y / Z + cy), in continuous picture coordinates: the corner of the picture
    is (0, 0), so the middle of a picture 640 wide is 320, not 319.5.
"""

import math
import os
import reprlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, UnidentifiedImageError

from amesh.errors import UserError

# EXIF states the focal length of a camera with the same angle of view across the diagonal of a
# frame of 36 x 24 mm.
_DIAGONAL = math.hypot(36.0, 24.0)
_EXIF_IFD, _FOCAL_35MM, _ORIENTATION = 0x8769, 0xA405, 0x0112
_ON_ITS_SIDE = (5, 6, 7, 8)


@dataclass(frozen=True)
class Camera:
    """A camera without distortion, for pictures of one size.

    Attributes:
        width: Of its pictures [px].
        height: Of its pictures [px].
        fx: Focal length in x [px].
        fy: Focal length in y [px].
        cx: x of the principal point [px], from the left edge; usually width / 2.
        cy: y of the principal point [px], from the top edge; usually height / 2.

    Examples:
        >>> camera = Camera.from_fov(640, 480, vertical=60)
        >>> round(camera.fx, 1), camera.cx, camera.cy
        (415.7, 320.0, 240.0)

    Raises:
        UserError: A number is not finite, or a size or a focal length is not above 0.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float

    def __post_init__(self) -> None:
        """Refuses what no camera has."""
        sizes = (self.width, self.height, self.fx, self.fy)
        if not all(math.isfinite(value) and value > 0 for value in sizes):
            raise UserError(
                f"a camera of {self.width} x {self.height} px with the focal lengths fx "
                f"{self.fx:g}, fy {self.fy:g}; expected numbers above 0 [px]"
            )
        if not (math.isfinite(self.cx) and math.isfinite(self.cy)):
            raise UserError(f"a camera's principal point is ({self.cx}, {self.cy}); give pixels")

    @classmethod
    def from_fov(cls, width: int, height: int, vertical: float = 63.0) -> "Camera":
        """A camera with square pixels that looks through the middle of its pictures.

        Args:
            width: Of the pictures [px].
            height: Of the pictures [px].
            vertical: The angle that a picture spans from top to bottom [degrees]. 63 is what
                MediaPipe assumes of every camera; a wrong one turns poses and scales distances.

        Raises:
            UserError: The size or the angle is out of range.
        """
        if not 0 < vertical < 180:
            raise UserError(f"a field of view is {vertical} degrees; expected 0 to 180")
        focal = height / 2 / math.tan(math.radians(vertical) / 2)
        return cls(width, height, focal, focal, width / 2, height / 2)

    @classmethod
    def from_exif(cls, path: str | os.PathLike[str]) -> "Camera":
        """The camera that took a picture, by the focal length in its EXIF data.

        The picture must be whole: the data of a cropped picture is still that of the whole one.

        Args:
            path: The picture's file.

        Raises:
            UserError: The file cannot be read, or does not state the focal length for 35 mm film.
        """
        try:
            with Image.open(path) as image:
                exif = image.getexif()
                width, height = image.size
                focal = float(exif.get_ifd(_EXIF_IFD).get(_FOCAL_35MM) or 0)
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise UserError(f"{os.fspath(path)}: no picture that can be read ({error})") from None
        except (ValueError, TypeError, SyntaxError, ZeroDivisionError):
            focal = 0.0  # damaged EXIF data
        if not (math.isfinite(focal) and focal > 0):
            raise UserError(
                f"{os.fspath(path)}: its EXIF data does not state the focal length for 35 mm film; "
                "use Camera.from_fov"
            )
        if exif.get(_ORIENTATION) in _ON_ITS_SIDE:
            width, height = height, width  # read_image turns such pictures upright
        focal *= math.hypot(width, height) / _DIAGONAL
        return cls(width, height, focal, focal, width / 2, height / 2)

    @classmethod
    def of(cls, camera: Any) -> "Camera":
        """The camera itself; or, for a picture's width and height, `from_fov` with its angle.

        Raises:
            UserError: It is neither, such as the shape of a picture.
        """
        if isinstance(camera, Camera):
            return camera
        try:
            width, height = (round(float(side)) for side in camera)  # OpenCV states them as floats
        except (TypeError, ValueError, OverflowError):
            shown = reprlib.repr(camera)
            raise UserError(f"{shown} is no camera; give a Camera, or (width, height)") from None
        return cls.from_fov(width, height)

    @property
    def matrix(self) -> Float[np.ndarray, "3 3"]:
        """K, which maps points in the camera's axes to homogeneous picture coordinates."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])

    def scaled(self, factor: float) -> "Camera":
        """The camera of the same pictures, enlarged by a factor."""
        return replace(
            self,
            width=round(self.width * factor),
            height=round(self.height * factor),
            fx=self.fx * factor,
            fy=self.fy * factor,
            cx=self.cx * factor,
            cy=self.cy * factor,
        )

    def require(self, image: np.ndarray) -> None:
        """Refuses a picture of another size.

        Args:
            image: (h, w, ...).

        Raises:
            UserError: The picture is not of the camera's size.
        """
        height, width = image.shape[:2]
        if (width, height) != (self.width, self.height):
            raise UserError(
                f"the camera is for pictures of {self.width} x {self.height} px, and this one has "
                f"{width} x {height}; make it with the picture's size"
            )

    def project(self, points: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 2"]:
        """Where points in the camera's axes are seen [px]."""
        seen = points[..., :2] / points[..., 2:] * (self.fx, self.fy) + (self.cx, self.cy)
        return np.asarray(seen)

    def rays(self, pixels: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n 3"]:
        """The unit vectors from the camera through picture coordinates [px], in its axes."""
        across = (pixels - (self.cx, self.cy)) / (self.fx, self.fy)
        rays = np.concatenate([across, np.ones_like(across[..., :1])], axis=-1)
        return np.asarray(rays / np.linalg.norm(rays, axis=-1, keepdims=True))
