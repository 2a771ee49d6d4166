"""The stages of training data: a sample, a canvas of padded samples, a batch for the network.

Convention:
    - landmarks are those of the trained topology, whatever the scheme of the labels; a landmark
      without a label has weight 0 and is placed by the mean face
    - coordinates are continuous: the top-left corner of the picture or crop is (0, 0)
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Sample:
    """One face in a cut-out of its picture that is larger than the crop.

    Attributes:
        image: The cut-out, RGB.
        landmarks: x, y, z [px of the cut-out]; smaller z is nearer, with the template's zero.
        weight_xy: Weight of x and y of each landmark; 0 without a label.
        weight_z: Weight of z.
        visibility: 1 if a landmark is visible or its visibility is unknown; 0 if it is hidden.
        face: False for a region without a face, which its landmarks only locate.
        group: Group of the person, as the source states it; only used for statistics.
        source: Name of the data set.
        key: Identifies the face within its source.
        index: Index in the data set; -1 for padding of a batch, which must not count in losses or
            metrics.
        problems: Records that were skipped before this one, one line each.
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
    """A batch of samples, padded with black on the right and bottom, before resampling.

    Attributes:
        pictures: (b, 3, H, W) uint8.
        landmarks: (b, n, 3) [picture px].
        weight_xy: (b, n).
        weight_z: (b, n).
        visibility: (b, n).
        face: (b,) 1 for a face, 0 for none.
        index: (b,) indices of the samples; -1 for padding.
        problems: One line for each skipped record.
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
    """A batch of crops, the input of training.

    Attributes:
        image: (b, 3, s, s) RGB in [0, 1].
        landmarks: (b, n, 3) [crop px].
        weight_xy: (b, n).
        weight_z: (b, n).
        face: (b,) 1 for a face, 0 for none.
        index: (b,) indices of the samples; -1 for padding.
    """

    image: Float[Tensor, "b 3 s s"]
    landmarks: Float[Tensor, "b n 3"]
    weight_xy: Float[Tensor, "b n"]
    weight_z: Float[Tensor, "b n"]
    face: Float[Tensor, " b"]
    index: Int64[Tensor, " b"]  # type: ignore[assignment]  # a tuple has a method of that name
