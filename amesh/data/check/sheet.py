"""A contact sheet of labelled faces, for inspection before training.

Labels on the subject's right side are red, on the left side blue, in the middle white, which makes
exchanged sides obvious (red belongs on the left of the image). Small dots are unlabelled landmarks.
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from amesh.data.check.report import Report
from amesh.data.check.run import look
from amesh.data.loading.sample import Sample
from amesh.data.sources.source import Source
from amesh.files import write_atomically
from amesh.topology.scheme import Topology

_RIGHT, _LEFT, _MIDDLE, _FREE = (255, 70, 60), (70, 130, 255), (255, 255, 255), (120, 120, 120)
_CAPTION = 16  # height [px]


def write_sheet(
    path: Path, sources: Sequence[Source], report: Report, topology: Topology, count: int
) -> None:
    """Writes a PNG sheet of some faces of a checked set, suspicious ones first.

    Raises:
        UserError: The file cannot be written.
    """
    chosen = [report.faces[number] for number in report.worth_a_look(count)]
    samples = [look(sources, face, topology) for face in chosen]
    sheet = contact_sheet(samples, [face.name for face in chosen], topology)
    _, content = cv2.imencode(".png", sheet[..., ::-1])
    write_atomically(path, content.tobytes())


def contact_sheet(
    samples: Sequence[Sample],
    captions: Sequence[str],
    topology: Topology,
    columns: int = 6,
    side: int = 224,
) -> UInt8[np.ndarray, "h w 3"]:
    """Draws faces in rows.

    Args:
        samples: At least one face.
        captions: A short text for each face.
        topology: Topology of the landmarks.
        columns: Faces per row.
        side: Side of a face's tile [px].
    """
    colours = _colours(topology)
    tiles = [
        _tile(sample, caption, colours, side)
        for sample, caption in zip(samples, captions, strict=True)
    ]
    columns = min(columns, len(tiles))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.concatenate(tiles[i : i + columns], axis=1) for i in range(0, len(tiles), columns)]
    return np.concatenate(rows)


def _tile(
    sample: Sample, caption: str, colours: list[tuple[int, int, int]], side: int
) -> UInt8[np.ndarray, "h w 3"]:
    h, w = sample.image.shape[:2]
    scale = side / max(h, w)
    tile = np.zeros((side + _CAPTION, side, 3), np.uint8)
    size = (max(round(w * scale), 1), max(round(h * scale), 1))
    shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    tile[: size[1], : size[0]] = cv2.resize(sample.image, size, interpolation=shrinking)
    if sample.face:
        order = np.argsort(sample.weight_xy, kind="stable")  # draw labelled points on top
        for landmark in order.tolist():
            x, y = np.clip(sample.landmarks[landmark, :2] * scale, -99, 2 * side)
            labelled = sample.weight_xy[landmark] > 0
            colour = colours[landmark] if labelled else _FREE
            cv2.circle(tile, (int(x), int(y)), int(labelled), colour, -1)
    tile[side:] = 0
    text = caption[-(side // 6) :]
    at = (2, side + _CAPTION - 4)
    cv2.putText(tile, text, at, cv2.FONT_HERSHEY_PLAIN, 0.75, (255, 255, 255), 1, cv2.LINE_AA)
    return tile


def _colours(topology: Topology) -> list[tuple[int, int, int]]:
    # The template tells the side of a landmark; without one, the mirror only tells the middle.
    middle = topology.mirror == np.arange(topology.points)
    x = topology.template[:, 0]
    return [
        _MIDDLE if middle[i] or x[i] == 0 else (_RIGHT if x[i] < 0 else _LEFT)
        for i in range(topology.points)
    ]
