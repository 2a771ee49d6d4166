"""Which labelled faces can be turned into profiles."""

import zlib
from collections import Counter
from typing import NamedTuple

import numpy as np

from amesh.data.sources.keys import picture_of
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import Source
from amesh.profiling.head import angles_of
from amesh.profiling.options import FURTHER, ProfileConfig
from amesh.synth.measure import align
from amesh.topology import Topology

# Largest distance of a face, of its own expression and shape, from the mean face (root mean square
# over the landmarks) [units of the head]. Of 285 faces in the wild, the largest is 0.08.
_UNLIKE = 0.12
# Largest nod of a source [degrees].
_NOD = 40.0


class Selection(NamedTuple):
    """The faces of a source that can be turned.

    Attributes:
        numbers: Their indices in the source, shuffled.
        left_out: How many others there are, by reason.
    """

    numbers: list[int]
    left_out: Counter[str]


def select(source: Source, topology: Topology, config: ProfileConfig) -> Selection:
    """Selects faces by their labels; no picture is decoded.

    Args:
        source: Labelled faces.
        topology: The scheme that the labels must have.
        config: Which faces to take.
    """
    entries = source.entries
    faces_in = Counter(picture_of(entry.key) for entry in entries)
    numbers, left_out = [], Counter[str]()
    for number, entry in enumerate(entries):
        if faces_in[picture_of(entry.key)] > 1:
            reason = "several faces in the picture"
        else:
            reason = why_not(source[number], topology, config)
        if reason:
            left_out[reason] += 1
        else:
            numbers.append(number)
    # By a hash, so that the first few are of all sources.
    hashes = {n: zlib.crc32(entries[n].key.encode(errors="surrogatepass")) for n in numbers}
    return Selection(sorted(numbers, key=lambda n: (hashes[n], n)), left_out)


def why_not(face: LabelledFace, topology: Topology, config: ProfileConfig) -> str:
    """Returns why a face cannot be turned; empty if it can."""
    points = face.points
    if not face.face or not len(points):
        return "no face"
    if face.scheme != topology.name or points.shape != (topology.points, 3):
        return f"not labelled in {topology.name}"
    if float(np.ptp(points[:, :2], axis=0).max()) < config.min_face:
        return "small"
    weights = face.weights()[0]
    if float(np.mean(weights)) < config.min_weight or not (weights > 0).all():
        return "labels disagree"
    aligned = align(points.astype(np.float64), topology)
    surface = np.unique(topology.triangles)
    off = aligned.points[surface] - topology.template[surface]
    if not float(np.sqrt((off**2).sum(1).mean())) < _UNLIKE:
        return "labels unlike a face"
    angles = angles_of(aligned.turn)
    if aligned.turn[2, 2] <= 0 or abs(angles.yaw) > config.max_yaw:
        return "in profile already"
    if abs(angles.yaw) + FURTHER > config.most:
        return "less than 10 degrees from the largest yaw"
    return "nodding" if abs(angles.pitch) > _NOD else ""
