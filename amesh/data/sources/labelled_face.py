"""A labelled face, in the form that the readers of all formats return."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from amesh.errors import UserError
from amesh.files import check_readable


class StoredPicture(NamedTuple):
    """A picture inside another file.

    Attributes:
        path: A name for it: the containing file, followed by the face's key.
        read: Returns the encoded picture.
    """

    path: Path
    read: Callable[[], bytes]


def _no_points() -> Float[np.ndarray, "0 2"]:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, eq=False)
class LabelledFace:
    """One face: its picture, its labels in their original scheme, and metadata.

    A point of weight 0 is missing, and its coordinates have no meaning.

    Attributes:
        picture: A file, the content of one, or a part of one.
        source: Name of the data set; reports list data sets separately.
        key: Identifies the face within its set; see `amesh.data.sources.keys`.
        where: File and position in it, for messages.
        scheme: Label scheme of the points; None without points.
        points: (k, 2) or (k, 3) [picture px, corner coordinates]; smaller z is nearer.
        licence: Licence of the picture; None if unknown.
        face: False if the region `box` shows no face.
        box: Left, top, right, bottom of a region without points [picture px].
        weight_xy: (k,) weight of each point's x and y in training; None: 1 for all.
        weight_z: (k,) weight of its z; None: 1 if x and y have a weight, 0 for points without z.
        visibility: (k,) 1 for a visible point, 0 for a hidden one; None: all are visible.
        group: Demographic or other group of the person, as the source states it.
        person: Identifies the person, if known: pictures of one person are not independent.
        split: Split of the source, such as train or test, if it has splits.
        generated: Whether the picture is known not to be a photograph.
        size: Width and height of the picture, if the source states them [px].
        yaw: How far the head is turned to the side, if the source states it [degrees].
    """

    picture: Path | bytes | StoredPicture
    source: str
    key: str
    where: str
    scheme: str | None = None
    points: Float[np.ndarray, "k d"] = field(default_factory=_no_points)
    licence: str | None = None
    face: bool = True
    box: tuple[float, float, float, float] | None = None
    weight_xy: Float[np.ndarray, " k"] | None = None
    weight_z: Float[np.ndarray, " k"] | None = None
    visibility: Float[np.ndarray, " k"] | None = None
    group: str = ""
    person: str | None = None
    split: str | None = None
    generated: bool = False
    size: tuple[int, int] | None = None
    yaw: float | None = None

    @property
    def image(self) -> Path:
        """A name for the picture, equal for faces of one file: its path, if it has one."""
        if isinstance(self.picture, bytes):
            return Path(self.key)
        return self.picture if isinstance(self.picture, Path) else self.picture.path

    def weights(self) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Returns the weights of x and y and those of z, with defaults filled in."""
        count, dimensions = self.points.shape
        xy = np.ones(count) if self.weight_xy is None else self.weight_xy
        if dimensions < 3:
            return xy, np.zeros(count)
        return xy, (xy > 0).astype(np.float64) if self.weight_z is None else self.weight_z

    def read_picture(self) -> bytes:
        """Reads the encoded picture.

        Raises:
            UserError: The file is missing, cannot be read, or is not a regular file.
        """
        if isinstance(self.picture, bytes):
            return self.picture
        if isinstance(self.picture, StoredPicture):
            return self.picture.read()
        try:
            check_readable(self.picture)
            return self.picture.read_bytes()
        except UserError as error:
            raise UserError(f"{self.where}: picture {error}") from None
        except OSError as error:
            raise UserError(
                f"{self.where}: picture {self.picture} cannot be read ({error.strerror})"
            ) from error


def check_points(
    values: object, where: str, count: int | None = None, dimensions: tuple[int, ...] = (2, 3)
) -> Float[np.ndarray, "k d"]:
    """Converts points to an array and checks them.

    Args:
        values: Rows of numbers.
        where: Their origin, for messages.
        count: The expected number of points, if known.
        dimensions: Permitted lengths of a row.

    Raises:
        UserError: The values are not such rows, their number is wrong, or one is not finite.
    """
    try:
        points = np.array(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        points = np.zeros(0, np.float32)
    if points.ndim != 2 or points.shape[1] not in dimensions:
        kinds = " or ".join("[x, y]" if d == 2 else "[x, y, z]" for d in dimensions)
        raise UserError(f"{where}: expected points as rows {kinds}")
    if count is not None and len(points) != count:
        raise UserError(f"{where}: {len(points)} points, expected {count}")
    bad = np.flatnonzero(~np.isfinite(points).all(1))
    if len(bad):
        raise UserError(f"{where}: point {bad[0]} is {points[bad[0]].tolist()}, not finite")
    return points
