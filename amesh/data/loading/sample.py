"""What training data is made of: a face with its labels, padded pictures, a batch for the network.

Convention:
    - landmarks are in the topology that is trained, whatever scheme the labels came in; a landmark
      without a label has weight 0 and lies where the mean face would have it
    - coordinates are continuous: the top-left corner of the picture or crop is (0, 0)
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sample:
    """One face, cut generously out of its picture.

    Attributes:
        image: The cut, RGB.
        landmarks: x, y, z [px of the cut]; z smaller is nearer, its zero that of the template.
        weight_xy: What x and y of each landmark count; 0 where there is no label.
        weight_z: The same for z.
        visibility: 1 where a landmark can be seen or nobody said; 0 where it is hidden.
        face: False for a picture region without a face: its landmarks only say where it is.
        group: Of the person, as the source states it; for balance and figures, nothing else.
        source: The data set it comes from.
        key: Names the face within its source.
        index: Place in the data set; -1 in a copy that only fills up a batch, which no loss and
            no figure may count.
        problems: Records that were skipped on the way to this one, a line each.
    """

    image: UInt8[np.ndarray, "h w 3"]
    landmarks: Float[np.ndarray, "n 3"]
    weight_xy: Float[np.ndarray, " n"]
    weight_z: Float[np.ndarray, " n"]
    visibility: Float[np.ndarray, " n"]
    face: bool
    group: str
    source: str
    key: str
    index: int = -1
    problems: tuple[str, ...] = ()


class Canvas(NamedTuple):
    """Samples side by side, padded with black at the right and bottom; not yet resampled.

    Attributes:
        pictures: (b, 3, H, W) uint8.
        landmarks: (b, n, 3) [picture px].
        weight_xy: (b, n).
        weight_z: (b, n).
        visibility: (b, n).
        face: (b,) 1 for a face, 0 for none.
        index: (b,) of the samples; -1 where nothing may be counted.
        problems: Lines about skipped records, to be counted and shown.
    """

    pictures: UInt8[Tensor, "b 3 H W"]
    landmarks: Float[Tensor, "b n 3"]
    weight_xy: Float[Tensor, "b n"]
    weight_z: Float[Tensor, "b n"]
    visibility: Float[Tensor, "b n"]
    face: Float[Tensor, " b"]
    index: Int64[Tensor, " b"]  # type: ignore[assignment]  # a tuple has a method of that name
    problems: tuple[str, ...] = ()


class Batch(NamedTuple):
    """What the network trains on.

    Attributes:
        image: (b, 3, s, s) RGB in [0, 1].
        landmarks: (b, n, 3) [crop px].
        weight_xy: (b, n).
        weight_z: (b, n).
        face: (b,) 1 for a face, 0 for none.
        index: (b,) of the samples; -1 where nothing may be counted.
    """

    image: Float[Tensor, "b 3 s s"]
    landmarks: Float[Tensor, "b n 3"]
    weight_xy: Float[Tensor, "b n"]
    weight_z: Float[Tensor, "b n"]
    face: Float[Tensor, " b"]
    index: Int64[Tensor, " b"]  # type: ignore[assignment]  # a tuple has a method of that name
