"""Draws the numbered face and writes the index maps, from the topology `face478`.

    python docs/face/draw.py

writes `landmarks.svg`, `landmarks.png`, `parts.svg`, `parts.png` and `README.md` beside this file.
A test holds these files to what the script writes.
"""

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from amesh.topology import Topology, load

HERE = Path(__file__).resolve().parent

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]

WHITE, INK, GREY, PALE = (255, 255, 255), (52, 58, 66), (120, 126, 134), (222, 226, 230)
# By the start of a part's name; the subject's right is at the left of the picture.
COLOURS: dict[str, Colour] = {
    "lips": (200, 36, 70),
    "right_iris": (112, 48, 160),
    "left_iris": (112, 48, 160),
    "right_eyebrow": (146, 92, 10),
    "left_eyebrow": (146, 92, 10),
    "right_eye": (0, 104, 160),
    "left_eye": (0, 128, 72),
    "nose": (190, 84, 0),
    "face_oval": (70, 74, 190),
}
# What each part of the index maps is, in the order of the page.
PARTS = {
    "lips_outer": "outer edge of the lips, from the right corner along the lower lip",
    "lips_inner": "inner edge of the lips, from the right corner along the lower lip",
    "right_eye": "eyelids, from the outer corner along the lower lid",
    "left_eye": "eyelids, from the outer corner along the lower lid",
    "right_eyebrow": "lower edge, then upper edge, each from the outer end",
    "left_eyebrow": "lower edge, then upper edge, each from the outer end",
    "right_iris": "centre, then four points of the outline",
    "left_iris": "centre, then four points of the outline",
    "face_oval": "outline of the face, from the forehead by way of the left ear and the chin",
    "nose": "bridge and nostrils, several lines",
}


@dataclass
class Drawing:
    """Lines, dots and texts in pixels, for an SVG file and a PNG file alike."""

    width: int
    height: int
    lines: list[tuple[np.ndarray, Colour, float]] = field(default_factory=list)
    dots: list[tuple[float, float, float, Colour]] = field(default_factory=list)
    texts: list[tuple[float, float, str, float, Colour]] = field(default_factory=list)

    def svg(self) -> str:
        """The drawing as SVG; texts are centred and have a white rim."""
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
            'font-family="Helvetica, Arial, sans-serif" text-anchor="middle">',
            f'<rect width="{self.width}" height="{self.height}" fill="#fff"/>',
        ]
        for (colour, width), lines in groupby(self.lines, key=lambda line: line[1:]):
            path = "".join("M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in line[0]) for line in lines)
            parts.append(
                f'<path d="{path}" fill="none" stroke="{_hex(colour)}" '
                f'stroke-width="{width:g}" stroke-linejoin="round"/>'
            )
        for x, y, radius, colour in self.dots:
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{_hex(colour)}"/>'
            )
        for x, y, text, size, colour in self.texts:
            parts.append(
                f'<text x="{x:.1f}" y="{y + 0.36 * size:.1f}" font-size="{size:g}" '
                f'fill="{_hex(colour)}" stroke="#fff" stroke-width="{size / 6:.1f}" '
                f'paint-order="stroke">{html.escape(text)}</text>'
            )
        return "\n".join([*parts, "</svg>", ""])

    def png(self) -> Image.Image:
        """The drawing as pixels, with a palette: a few colours are all it has."""
        canvas = np.full((self.height, self.width, 3), 255, np.uint8)
        for points, colour, width in self.lines:
            fixed = np.rint(points * 16).astype(np.int32)
            thick = max(round(width), 1)
            cv2.polylines(canvas, [fixed], False, colour, thick, cv2.LINE_AA, shift=4)
        for x, y, radius, colour in self.dots:
            place = (round(x * 16), round(y * 16))
            cv2.circle(canvas, place, round(radius * 16), colour, -1, cv2.LINE_AA, shift=4)
        image = Image.fromarray(canvas)
        write = ImageDraw.Draw(image)
        for x, y, text, size, colour in self.texts:
            font = ImageFont.load_default(size)
            rim = {"stroke_width": round(size / 12), "stroke_fill": WHITE}
            write.text((x, y), text, colour, font, anchor="mm", **rim)
        return image.quantize(64, dither=Image.Dither.NONE)


def landmarks(topology: Topology, scale: float = 2000, size: float = 20) -> Drawing:
    """Every landmark with its number, on the template.

    Args:
        topology: The scheme.
        scale: Of the distance between the outer eye corners [px].
        size: Of the numbers [px].
    """
    points, width, height = _placed(topology, scale, 110)
    drawing = Drawing(width, height)
    for edge in topology.edges:
        drawing.lines.append((points[edge], PALE, 1.5))
    colours = dict.fromkeys(range(topology.points), GREY)
    for name, lines in topology.contours.items():
        for line in lines:
            drawing.lines.append((points[list(line)], _colour(name), 2.5))
    for name in reversed(topology.names):  # an iris wins over an eye, a contour over a region
        for index in topology.indices(name):
            colours[index] = _colour(name)
    radius = 5.0
    drawing.dots += [(*points[i], radius, colours[i]) for i in range(topology.points)]
    for index, centre in enumerate(_labels(points, size, radius)):
        gap = np.abs(centre - points[index]) - _half(index, size)
        if gap.max() > 2 * radius:  # another point may be as near
            drawing.lines.append((np.stack([points[index], centre]), colours[index], 1))
        drawing.texts.append((*centre, str(index), size, colours[index]))
    return drawing


def parts(topology: Topology, scale: float = 520, size: float = 22) -> Drawing:
    """Two faces side by side: the named contours, and the regions with their landmarks."""
    points, width, height = _placed(topology, scale, 60)
    drawing = Drawing(2 * width, height + 40)
    titles = ("contours and irises", "regions that the network refines")
    for side, title in enumerate(titles):
        shift = np.array([side * width, 40.0])
        drawing.texts.append((width * (side + 0.5), 30, title, size + 6, INK))
        for edge in topology.edges:
            drawing.lines.append((points[edge] + shift, PALE, 1))
    shift = np.array([0.0, 40.0])
    for name, lines in topology.contours.items():
        for line in lines:
            drawing.lines.append((points[list(line)] + shift, _colour(name), 3))
    for name in PARTS:
        x, y = _beside(points[list(topology.indices(name))], name, size) + shift
        drawing.texts.append((x, y, name, size, _colour(name)))
    shift = np.array([float(width), 40.0])
    for region in topology.regions:
        around = points[list(region.indices)] + shift
        colour = _colour(region.name)
        drawing.dots += [(x, y, 4.0, colour) for x, y in around]
        low, high = around.min(axis=0), around.max(axis=0)
        corners = np.array([low, (high[0], low[1]), high, (low[0], high[1]), low])
        drawing.lines.append((corners, colour, 1))
        text = f"{region.name}: {len(region.indices)}"
        if region.iris:
            text += f" and {region.iris.name}: {len(region.iris.indices)}"
            iris = points[list(region.iris.indices)] + shift
            drawing.dots += [(x, y, 4.0, _colour(region.iris.name)) for x, y in iris]
        drawing.texts.append(((low[0] + high[0]) / 2, high[1] + size, text, size * 0.8, colour))
    return drawing


def index_maps(topology: Topology) -> str:
    """The page with both pictures and the indices by name."""
    text = f"""# The numbered face

The {topology.points} landmarks of the scheme `{topology.name}` on its mean face. Left and right
are the **subject's**: the right eye is at the left of the picture. 0 to 467 are numbered as in
MediaPipe's face mesh; 468 to 477 are the irises.

[![Every landmark with its number](landmarks.png)](landmarks.svg)

Open it [as SVG](landmarks.svg) to zoom in without limit, or [as PNG](landmarks.png).

## Contours and regions

![Named contours and irises; regions that the network refines](parts.png)

Every name below works in Python:

```python
import amesh

topology = amesh.load_topology()
print(topology.names)
print(topology.indices("lips_outer"))
```

and on a face that `FaceMesh` returned: `face["lips_outer"]` is an array (20, 3).

## Indices by name

Indices follow the contour's line; a closed contour is listed once around. `python
docs/face/draw.py` writes this page and its pictures.
"""
    for name, what in PARTS.items():
        indices = topology.indices(name)
        text += f"\n### {name}\n\n{len(indices)} landmarks: {what}.\n\n{_listed(indices)}"
    text += "\n## Regions\n\nIn the order of the network's outputs.\n"
    for region in topology.regions:
        first, second = region.anchors
        iris = f" and the 5 of `{region.iris.name}`" if region.iris else ""
        text += f"\n### {region.name} (region)\n\n{len(region.indices)} landmarks{iris}; "
        text += f"the line from {first} to {second} is horizontal in the region's crop.\n\n"
        text += _listed(region.indices)
    return text


def write(folder: Path) -> None:
    """Writes all files."""
    topology = load()
    for name, drawing in (("landmarks", landmarks(topology)), ("parts", parts(topology))):
        (folder / f"{name}.svg").write_text(drawing.svg(), encoding="utf-8")
        drawing.png().save(folder / f"{name}.png", optimize=True)
    (folder / "README.md").write_text(index_maps(topology), encoding="utf-8")


def _placed(topology: Topology, scale: float, margin: float) -> tuple[np.ndarray, int, int]:
    """The template in pixels, and the size of the picture around it."""
    points = topology.template[:, :2] * scale
    points = points - points.min(axis=0) + margin
    width, height = np.ceil(points.max(axis=0) + margin).astype(int)
    return points, int(width), int(height)


def _labels(points: np.ndarray, size: float, radius: float) -> Iterator[np.ndarray]:
    """Centres of the numbers: as near to their points as they go without covering anything."""
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    crowded = np.argsort(np.sort(distances, axis=1)[:, 1:6].mean(axis=1), kind="stable")
    taken: list[Box] = []
    places: dict[int, np.ndarray] = {}
    for index in crowded:
        point, half = points[index], _half(int(index), size)
        near = points[distances[index] < 12 * size]
        away = point - near.mean(axis=0)
        start = math.atan2(away[1], away[0]) if away.any() else 0.0
        for centre in _candidates(point, half, radius, size, start):
            box = (*(centre - half), *(centre + half))
            if _free(box, near, radius) and not any(_meet(box, other) for other in taken):
                break
        taken.append(box)
        places[index] = centre
    for index in range(len(points)):
        yield places[index]


def _half(number: int, size: float) -> np.ndarray:
    """Half the width and height of a number [px]."""
    return np.array([0.30 * size * len(str(number)), 0.42 * size])


def _candidates(
    point: np.ndarray, half: np.ndarray, radius: float, size: float, start: float
) -> Iterator[np.ndarray]:
    for ring in range(24):
        for turn in (0, 1, -1, 2, -2, 3, -3, 4, -4, 5, -5, 6, -6, 7, -7, 8):
            angle = start + turn * math.pi / 8
            direction = np.array([math.cos(angle), math.sin(angle)])
            yield point + direction * (half + radius + 1 + ring * size / 3)


def _free(box: Box, points: np.ndarray, radius: float) -> bool:
    low, high = np.array(box[:2]) - radius, np.array(box[2:]) + radius
    return not ((points > low) & (points < high)).all(axis=1).any()


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _beside(around: np.ndarray, name: str, size: float) -> np.ndarray:
    """Where the name of a part stands."""
    low, high = around.min(axis=0), around.max(axis=0)
    x, y = (low + high) / 2
    above, below = low[1] - 0.8 * size, high[1] + 0.9 * size
    if name == "face_oval":
        return np.array([x, low[1] - 1.2 * size])
    if name.endswith("iris"):
        return np.array([x, low[1] - 1.6 * size])
    if name == "lips_inner":
        return np.array([high[0] + 4.2 * size, y])
    return np.array([x, above if name.endswith("brow") or name == "nose" else below])


def _colour(name: str) -> Colour:
    return next((c for start, c in COLOURS.items() if name.startswith(start)), GREY)


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _listed(indices: Sequence[int], columns: int = 20) -> str:
    rows = [indices[i : i + columns] for i in range(0, len(indices), columns)]
    numbers = ",\n ".join(", ".join(map(str, row)) for row in rows)
    return f"```json\n[{numbers}]\n```\n"


if __name__ == "__main__":
    write(HERE)
