"""The regions' crops and how they are sampled, as TFLite operators.

A frame describes a region's crop in the picture by three 2-D vectors [px of the picture]: from the
crop's centre to its right edge, from the centre to its bottom edge, and the centre itself. The
frames of several regions are one tensor (b r 2 3): region, x or y, vector. They are the thetas of
`amesh.geometry.region`, in pixels.

The rules need only sums and differences of the mesh's landmarks. These are sums of rows of the
mesh head's last convolution, so `HeadRows` adds them to that convolution and no landmark has to be
picked.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32

from amesh.deploy.litert.flatbuffer import Value
from amesh.deploy.litert.operators import OperatorGraph
from amesh.geometry.coordinates import pixel_centres
from amesh.geometry.region import BOX_SCALE, CornerFrame

# As in `amesh.geometry.region`: keeps coincident anchors finite [normalised units, squared].
_TINY = 1e-12


class HeadRows:
    """Collects the outputs of the mesh head's last convolution, each of them once."""

    def __init__(self) -> None:
        self._kernels: list[np.ndarray] = []
        self._biases: list[np.ndarray] = []
        self.count = 0

    def add(self, kernel: Float32[np.ndarray, "o h w i"], bias: Float32[np.ndarray, " o"]) -> int:
        """Adds outputs and returns the index of the first one."""
        start = self.count
        self._kernels.append(kernel)
        self._biases.append(bias)
        self.count += len(kernel)
        return start

    def convolve(self, graph: OperatorGraph, features: Value) -> Value:
        """Computes all outputs, (b n)."""
        kernel, bias = np.concatenate(self._kernels), np.concatenate(self._biases)
        out = graph.convolution(features, kernel, bias, valid=True)
        return graph.reshape(out, (features.shape[0], self.count))


def box_frames(graph: OperatorGraph, points: Value, lines: Value, size: int) -> Value:
    """Computes frames by the released rule; see `amesh.geometry.region.theta_from_box`.

    Args:
        graph: The graph to add to.
        points: The regions' landmarks (b r 2 k) [px]; regions with fewer repeat one.
        lines: From the first anchor to the second (b r 2 1) [px].
        size: Side of the picture [px].
    """
    x_axis, y_axis, _ = _axes(graph, lines, size)
    turned = [
        graph.reduce("SUM", graph.multiply(points, axis), 2) for axis in (x_axis, y_axis)
    ]  # b r 1 k each
    along = graph.concatenate(turned, axis=2)  # b r 2 k
    low, high = graph.reduce("REDUCE_MIN", along, 3), graph.reduce("REDUCE_MAX", along, 3)
    middle = graph.multiply(graph.add(low, high), 0.5)  # b r 2 1
    half = graph.multiply(graph.subtract(high, low), BOX_SCALE / 2)
    centre = graph.add(
        graph.multiply(x_axis, graph.slice(middle, 2, 0, 1)),
        graph.multiply(y_axis, graph.slice(middle, 2, 1, 2)),
    )
    right = graph.multiply(x_axis, graph.slice(half, 2, 0, 1))
    bottom = graph.multiply(y_axis, graph.slice(half, 2, 1, 2))
    return graph.concatenate([right, bottom, centre], axis=3)  # b r 2 3


def corner_frames(
    graph: OperatorGraph, middles: Value, lines: Value, rules: Sequence[CornerFrame], size: int
) -> Value:
    """Computes frames by the corner rule; see `amesh.geometry.region.theta_from_corners`.

    Args:
        graph: The graph to add to.
        middles: Midpoints of the two anchors (b r 2 1) [px].
        lines: From the first anchor to the second (b r 2 1) [px].
        rules: Position of each region's crop relative to its anchors.
        size: Side of the picture [px].
    """
    x_axis, y_axis, distance = _axes(graph, lines, size)

    def times(axis: Value, factors: Sequence[float]) -> Value:
        column = np.array(factors, np.float32).reshape(1, -1, 1, 1)
        scale = graph.multiply(distance, graph.constant(column, "rule"))
        return graph.multiply(axis, scale)

    along, below = zip(*(rule.centre for rule in rules), strict=True)
    offset = graph.add(times(x_axis, along), times(y_axis, below))
    halves = [rule.side / 2 for rule in rules]
    parts = [times(x_axis, halves), times(y_axis, halves), graph.add(middles, offset)]
    return graph.concatenate(parts, axis=3)  # b r 2 3


def _axes(graph: OperatorGraph, lines: Value, size: int) -> tuple[Value, Value, Value]:
    """Returns unit vectors along and across the lines (b r 2 1), and their lengths (b r 1 1)."""
    squared = graph.reduce("SUM", graph.multiply(lines, lines), 2)
    squared = graph.add(squared, _TINY * (size / 2) ** 2)
    inverse = graph.rsqrt(squared)
    x_axis = graph.multiply(lines, inverse)
    x, y = graph.slice(x_axis, 2, 0, 1), graph.slice(x_axis, 2, 1, 2)
    y_axis = graph.concatenate([graph.multiply(y, -1.0), x], axis=2)
    return x_axis, y_axis, graph.multiply(squared, inverse)


def as_rows(graph: OperatorGraph, features: Value) -> Value:
    """Reshapes a map's pixels to rows (b*h*h c) to gather from."""
    b, h, w, c = features.shape
    return graph.reshape(features, (b * h * w, c))


def sample(
    graph: OperatorGraph, rows: Value, side: int, frames: Value, picture: int, crop: int
) -> Value:
    """Samples the regions' crops side by side; see `amesh.geometry.sampling.gather`.

    Args:
        graph: The graph to add to.
        rows: The map to sample; see `as_rows`.
        side: Side of that map h [px].
        frames: The regions' frames (b r 2 3) [px of the picture].
        picture: Side of the picture [px].
        crop: Side of a crop k [px of the map].

    Returns:
        Crops (b k k r*c), with each region's channels together.
    """
    (b, regions, _, _), c, h, points = frames.shape, rows.shape[1], side, crop * crop
    # Each crop pixel's position in the map as pixel indices: a sum of the frame's vectors.
    grid = pixel_centres(crop, torch.zeros(1)).reshape(-1, 2).numpy()
    grid = np.concatenate([grid, np.ones((points, 1), np.float32)], axis=1) * (h / picture)
    half_pixel = np.full(points, -0.5, np.float32)
    position = graph.convolution(frames, grid.reshape(points, 1, 1, 3), half_pixel)  # b r 2 p
    position = graph.transpose(position, (0, 3, 2, 1))  # b p 2 r
    # The last cell starts at h - 2, so that a sample at the last centre has both neighbours.
    cell = graph.floor(graph.minimum(graph.maximum(position, 0.0), float(h - 2)))
    after = graph.subtract(position, cell)
    before = graph.subtract(1.0, after)
    # Outside the centres' box one of them is negative; its floor gives a mask of exactly 0 or 1.
    margin = graph.reduce("REDUCE_MIN", graph.minimum(after, before), 2)  # b p 1 r
    inside = graph.add(graph.maximum(graph.floor(margin), -1.0), 1.0)
    (x0, y0), (x1, y1) = (
        [graph.slice(weight, 2, i, i + 1) for i in range(2)] for weight in (before, after)
    )
    y0, y1 = graph.multiply(y0, inside), graph.multiply(y1, inside)
    # Indices are integers from here on: half precision is exact only up to 2048.
    # NaN becomes an arbitrary integer, which must still index within the map.
    whole = graph.minimum(graph.maximum(graph.to_int(cell), _whole(graph, 0)), _whole(graph, h - 2))
    column, line = (graph.slice(whole, 2, i, i + 1) for i in range(2))
    row = graph.add(graph.multiply(line, _whole(graph, h)), column)
    if b > 1:
        first = np.arange(b, dtype=np.int32).reshape(b, 1, 1, 1) * (h * h)
        row = graph.add(row, graph.constant(first, "first_row"))
    row = graph.reshape(row, (b * points * regions,))
    total: Value | None = None
    for offset, wx, wy in ((0, x0, y0), (1, x1, y0), (h, x0, y1), (h + 1, x1, y1)):
        index = graph.add(row, _whole(graph, offset)) if offset else row
        weight = graph.reshape(graph.multiply(wx, wy), (row.shape[0], 1))
        tap = graph.multiply(graph.gather(rows, index, axis=0), weight)
        total = tap if total is None else graph.add(total, tap)
    assert total is not None
    return graph.reshape(total, (b, crop, crop, regions * c))


def _whole(graph: OperatorGraph, number: int) -> Value:
    return graph.constant(np.array([number], np.int32), "offset")
