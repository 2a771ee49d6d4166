"""Faces drawn on their picture, and contact sheets.

Convention
    Landmarks are continuous picture coordinates [px]; the drawing is antialiased and sub-pixel.
    Every width is a share of the face's size (the longer side of its box), so that a face looks the
    same in a small and in a large picture. A drawing has the size of its picture, or a multiple.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont, ImageOps

from amesh.pipeline.draw_confidence import draw_confidence
from amesh.pipeline.face_pipeline import Face
from amesh.pipeline.strokes import Colour, Layer
from amesh.topology import Iris, Topology, load

_CORAL, _AQUA, _GOLD, _PEARL = (255, 110, 108), (56, 214, 214), (255, 196, 72), (242, 246, 250)
_SLATE = (24, 28, 34)
# Found by the start of a contour's name; left and right are the subject's.
_COLOURS = {"lips": _CORAL, "right_": _AQUA, "left_": _GOLD, "mesh": (214, 240, 244), "": _PEARL}
_THIN = frozenset(["nose"])  # contours that guide the eye less


@dataclass(frozen=True)
class Style:
    """What is drawn, and how.

    Attributes:
        mesh: Draws the edges of the surface.
        contours: Draws the contours of the topology.
        irises: Draws irises and pupils.
        confidence: Draws the landmarks as dots instead of contours and irises, coloured by
            confidence, where a face has it: coral for none, gold for a half, aqua for full.
        colours: RGB by the start of a contour's name, the first that fits; "mesh" for the surface.
        line: Width of a contour, share of the face's size.
        opacity: Of contours and irises, 0 to 1; the mesh has less.
    """

    mesh: bool = True
    contours: bool = True
    irises: bool = True
    confidence: bool = False
    colours: Mapping[str, Colour] = field(default_factory=lambda: _COLOURS)
    line: float = 0.007
    opacity: float = 0.95

    def colour(self, name: str) -> Colour:
        """The colour of a contour, an iris or "mesh"."""
        return next((c for start, c in self.colours.items() if name.startswith(start)), _PEARL)


def draw_faces(
    image: UInt8[np.ndarray, "h w 3"],
    faces: Sequence[Face | Float[np.ndarray, "n d"]],
    topology: Topology | None = None,
    style: Style = Style(),
    scale: int = 1,
) -> UInt8[np.ndarray, "drawn_h drawn_w 3"]:
    """Draws the mesh, contours and irises of each face on a copy of the picture.

    Parts that face away from the camera are drawn fainter. On small faces (280 down to 80 px, after
    enlarging) the mesh fades out and the contours remain.

    Args:
        image: RGB.
        faces: Faces as `FaceMesh` returns them, or the landmarks of each, x and y first [image px];
            further columns are ignored.
        topology: Scheme of the landmarks; by default that of each face, or `face478`.
        style: What to draw, and how.
        scale: Enlarges the drawing by a whole number, for lines finer than the picture's pixels.

    Returns:
        The drawing, `scale` times the size of the picture.

    Examples:
        >>> image = np.zeros((480, 640, 3), np.uint8)
        >>> face = load().template[:, :2] * 200 + (320, 200)
        >>> draw_faces(image, [face]).shape
        (480, 640, 3)

    Raises:
        ValueError: Landmarks do not fit the topology or are not finite, or `scale` is below 1.
    """
    if scale < 1:
        raise ValueError(f"expected a scale of 1 or more, found {scale}")
    if scale > 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    image = image.copy()
    for face in faces:
        landmarks = face.landmarks if isinstance(face, Face) else face
        scheme = topology or (face.topology if isinstance(face, Face) else load())
        if landmarks.shape[0] != scheme.points or landmarks.shape[1] < 2:
            raise ValueError(
                f"topology {scheme.name} has {scheme.points} points, found {landmarks.shape}"
            )
        if not np.isfinite(landmarks[:, :2]).all():
            raise ValueError("a face with landmarks that are not finite cannot be drawn")
        confidence = face.confidence if style.confidence and isinstance(face, Face) else None
        _draw_face(image, landmarks[:, :2].astype(np.float64) * scale, scheme, style, confidence)
    return image


def draw_sheet(
    images: Sequence[UInt8[np.ndarray, "_h _w 3"]],
    columns: int,
    captions: Sequence[str] | None = None,
    cell: int = 320,
) -> UInt8[np.ndarray, "sheet_h sheet_w 3"]:
    """A contact sheet: pictures of any size, each fitted into a square, row by row.

    Args:
        images: RGB; at least one.
        columns: pictures in a row.
        captions: a line under each picture, cut short where it is too long.
        cell: side of a picture's square [px].
    """
    if not images or columns < 1 or cell < 1:
        raise ValueError("a sheet needs at least one picture, one column and one pixel per cell")
    if captions is not None and len(captions) != len(images):
        raise ValueError(f"expected a caption for each of {len(images)}, found {len(captions)}")
    gap, text = max(cell // 32, 2), max(cell // 20, 11)
    height = cell + (2 * text if captions else 0)
    columns, rows = min(columns, len(images)), -(-len(images) // columns)
    size = (columns * (cell + gap) + gap, rows * (height + gap) + gap)
    sheet = Image.new("RGB", size, _SLATE)
    write, font = ImageDraw.Draw(sheet), ImageFont.load_default(text)
    for i, image in enumerate(images):
        x, y = gap + i % columns * (cell + gap), gap + i // columns * (height + gap)
        small = ImageOps.contain(Image.fromarray(image), (cell, cell), Image.Resampling.LANCZOS)
        sheet.paste(small, (x + (cell - small.width) // 2, y + (cell - small.height) // 2))
        if captions:
            line = " ".join(captions[i].split())
            while len(line) > 1 and write.textlength(line, font) > cell:
                line = line.rstrip("\u2026")[:-1] + "\u2026"
            write.text((x + cell // 2, y + cell + text), line, _PEARL, font, anchor="mm")
    return np.array(sheet)


def _draw_face(
    image: UInt8[np.ndarray, "h w 3"],
    points: Float[np.ndarray, "n 2"],
    topology: Topology,
    style: Style,
    confidence: Float[np.ndarray, " n"] | None = None,
) -> None:
    size = float(np.ptp(points, axis=0).max())
    width = max(style.line * size, 1.2)
    layer = Layer(image, points, size, 3 * width)
    if layer.empty:
        return
    facing = _facing(points, topology)
    fade = float(np.clip((size - 80) / 200, 0, 1))
    if style.mesh and fade > 0:
        layer.stroke(points, topology.edges, facing, max(0.36 * width, 0.6))
        layer.paint(style.colour("mesh"), 0.4 * fade)
    if confidence is not None:
        draw_confidence(layer, points, confidence, size)
        return
    if style.irises:
        for region in topology.regions:
            if region.iris is not None:
                opening = topology.contours.get(region.name, ((),))[0]
                _draw_iris(layer, points, region.iris, opening, facing, width, style)
    if style.contours:
        irises = {iris.name for iris in topology.irises}
        lines = {n: _segments(lines) for n, lines in topology.contours.items() if n not in irises}
        widths = {name: width * (0.6 if name in _THIN else 1) for name in lines}
        # A wider dark line below keeps the colours legible on light skin and backgrounds.
        for name, segments in lines.items():
            layer.stroke(points, segments, facing, 2 * widths[name])
        layer.paint((0, 0, 0), 0.28 * style.opacity)
        for name, segments in lines.items():
            layer.stroke(points, segments, facing, widths[name])
            layer.paint(style.colour(name), style.opacity)


def _draw_iris(
    layer: Layer,
    points: Float[np.ndarray, "n 2"],
    iris: Iris,
    opening: tuple[int, ...],
    facing: Float[np.ndarray, " n"],
    width: float,
    style: Style,
) -> None:
    """The outline, and a dot for the pupil; fainter where the lids cover it."""
    ring = _ellipse(points[list(iris.indices[1:])])
    radius = float(np.linalg.norm(ring - ring.mean(axis=0), axis=1).mean())
    visible = facing[list(iris.z_from)].mean()
    closed = np.stack([np.arange(len(ring)), np.roll(np.arange(len(ring)), -1)], axis=1)
    layer.stroke(ring, closed, np.full(len(ring), visible), min(0.8 * width, 0.5 * radius))
    layer.dot(points[iris.indices[0]], 0.24 * radius, visible)
    if opening:
        layer.dim_outside(points[list(opening)], 0.3)
    layer.paint(_PEARL, style.opacity)


def _segments(lines: Sequence[Sequence[int]]) -> Int[np.ndarray, "s 2"]:
    pairs = [pair for line in lines for pair in pairwise(line)]
    return np.array(pairs, np.int64).reshape(-1, 2)


def _facing(points: Float[np.ndarray, "n 2"], topology: Topology) -> Float[np.ndarray, " n"]:
    """How much the surface at each landmark faces the camera: 1 in front, 0.2 behind.

    Triangles of a face seen from the front turn one way round; those seen from behind, the other.
    """
    corners = points[topology.triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    area = area * (1 if area.sum() >= 0 else -1)  # mirrored pictures, other winding
    turned, total = np.zeros(len(points)), np.full(len(points), 1e-9)
    for corner in topology.triangles.T:
        np.add.at(turned, corner, area)
        np.add.at(total, corner, np.abs(area))
    facing = np.where(total > 1e-6, turned / total, 1.0)
    first, second = topology.edges.T
    for _ in range(2):  # creases, such as at the nostrils, would speckle the lines
        near, count = facing.copy(), np.ones(len(points))
        for to, source in ((first, second), (second, first)):
            np.add.at(near, to, facing[source])
            np.add.at(count, to, 1)
        facing = near / count
    return np.asarray((0.45 + 0.65 * facing).clip(0.2, 1.0))


def _ellipse(outline: Float[np.ndarray, "m 2"]) -> Float[np.ndarray, "p 2"]:
    """A smooth closed line through an outline of four points; any other outline as it is."""
    if len(outline) != 4:
        return outline
    right, top, left, bottom = outline
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)[:, None]
    centre = outline.mean(axis=0)
    return np.asarray(
        centre + np.cos(angle) * (right - left) / 2 + np.sin(angle) * (bottom - top) / 2
    )
