"""The two borders of an opening: the lids of an eye, the lips of a mouth."""

from collections.abc import Sequence
from typing import NamedTuple

from amesh.topology.scheme import Topology


class Lids(NamedTuple):
    """The two borders of an opening, both from its image-left corner to its image-right one.

    Attributes:
        corners: The two corners.
        upper: Landmarks of the upper border between them.
        lower: Landmarks of the lower border between them; the same number.
    """

    corners: tuple[int, int]
    upper: tuple[int, ...]
    lower: tuple[int, ...]


def borders(loop: Sequence[int], topology: Topology) -> Lids:
    """Splits a closed contour at its two corners, the leftmost and the rightmost point.

    Args:
        loop: A contour, with or without its first landmark repeated at the end.
        topology: Topology whose template gives the positions.
    """
    ring = list(loop[:-1] if loop[0] == loop[-1] else loop)
    x = topology.template[ring, 0]
    first, last = int(x.argmin()), int(x.argmax())
    ring, last = ring[first:] + ring[:first], (last - first) % len(ring)
    one, other = ring[1:last], ring[:last:-1]
    heights = [float(topology.template[side, 1].mean()) for side in (one, other)]
    upper, lower = (one, other) if heights[0] < heights[1] else (other, one)
    return Lids((ring[0], ring[last]), tuple(upper), tuple(lower))


def eye_lids(topology: Topology) -> tuple[Lids, ...]:
    """Returns the lids of each eye, in the topology's order of irises."""
    names = [iris.name.replace("iris", "eye") for iris in topology.irises]
    return tuple(borders(topology.contours[name][0], topology) for name in names)


def lips_inside(topology: Topology) -> Lids:
    """Returns the inner border of the lips."""
    return borders(topology.contours["lips_inner"][0], topology)
