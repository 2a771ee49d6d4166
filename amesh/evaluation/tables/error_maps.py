"""Where on the face networks err: the mean error of each landmark, drawn on the mean face."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8
from PIL import Image, ImageDraw, ImageFont

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import point_offsets
from amesh.evaluation.pictures import Picture, captions, contents, png_name, section
from amesh.evaluation.table import Table
from amesh.topology.scheme import Topology

_FEWEST = 40  # points: a scheme with fewer gets no map
_SIDE, _MARGIN, _HEAD, _BAR = 760, 30, 64, 150  # [px]
_INK, _PAPER = (30, 34, 40), (255, 255, 255)
_VIRIDIS = cv2.applyColorMap(np.arange(256, dtype=np.uint8)[:, None], cv2.COLORMAP_VIRIDIS)
_VIRIDIS = np.ascontiguousarray(_VIRIDIS[:, 0, ::-1])  # RGB
Colours = Callable[[Float[np.ndarray, "*k"]], UInt8[np.ndarray, "*k 3"]]


@dataclass(frozen=True, eq=False)
class ErrorMap:
    """The mean error of each point of a label scheme.

    Attributes:
        scheme: The label scheme.
        faces: Number of faces labelled in it.
        places: Where the points lie on the mean face.
        triangles: Between points, if they are the topology's own.
        edges: Of the triangles.
        errors: By the name of the network [% of the length that divides the first measure].
        unit: That length, in words.
    """

    scheme: str
    faces: int
    places: Float[np.ndarray, "k 2"]
    triangles: Int[np.ndarray, "t 3"]
    edges: Int[np.ndarray, "e 2"]
    errors: Mapping[str, Float[np.ndarray, " k"]]
    unit: str


def error_maps(
    labels: Sequence[LabelledFace],
    landmarks: Mapping[str, Sequence[Float[np.ndarray, "n 3"] | None]],
    topology: Topology,
) -> list[ErrorMap]:
    """Mean errors by landmark, for each label scheme with enough points.

    Args:
        labels: The labelled faces.
        landmarks: A prediction for each label or None, by the name of the network.
        topology: Of the predictions.
    """
    found = []
    for name in dict.fromkeys(label.scheme for label in labels if label.scheme is not None):
        scheme = label_scheme(name, topology)
        if scheme.common is None or len(scheme.common.labelled) < _FEWEST:
            continue
        # Only faces that every network has seen, so that the maps are comparable.
        shown = [
            i
            for i, label in enumerate(labels)
            if label.scheme == name and all(faces[i] is not None for faces in landmarks.values())
        ]
        if not shown:
            continue
        errors = {}
        for model, faces in landmarks.items():
            pairs = [(labels[i], face) for i in shown if (face := faces[i]) is not None]
            offsets = [point_offsets(scheme, face, label.points) for label, face in pairs]
            errors[model] = _mean(np.stack(offsets))
        own = name == topology.name
        normaliser = next(iter(scheme.measures.values()))[0].normaliser
        found.append(
            ErrorMap(
                name,
                len(shown),
                (scheme.common.matrix @ topology.template)[:, :2],
                topology.triangles if own else topology.triangles[:0],
                topology.edges if own else topology.edges[:0],
                errors,
                "sqrt of the labels' box" if normaliser is None else "outer eye distance",
            )
        )
    return found


def draw_maps(found: ErrorMap, reference: str) -> dict[str, bytes]:
    """PNG files by name: the networks on one scale, and their differences from the reference."""
    known = np.concatenate([e[np.isfinite(e)] for e in found.errors.values()])
    # Not the maximum: a few bad landmarks would leave no colours for the others.
    top = _round_up(float(np.quantile(known, 0.98))) if len(known) else 1.0
    head = f"{found.scheme}, {found.faces} faces: mean 2-D error"
    unit = f"[% of the {found.unit}]"
    files = {
        png_name("error_map", found.scheme, name): draw_map(
            found, errors, f"{name}: {head}", unit, (0.0, top), _sequential
        )
        for name, errors in found.errors.items()
    }
    changes = {
        name: errors - found.errors[reference]
        for name, errors in found.errors.items()
        if name != reference
    }
    if changes:
        known = np.concatenate([np.abs(e[np.isfinite(e)]) for e in changes.values()])
        far = _round_up(float(np.quantile(known, 0.98))) if len(known) else 1.0
        for name, change in changes.items():
            title = f"{name} minus {reference}: {head}; blue is better"
            file = png_name("error_map", found.scheme, f"{name} minus {reference}")
            files[file] = draw_map(found, change, title, unit, (-far, far), _diverging)
    return files


def draw_map(
    found: ErrorMap,
    values: Float[np.ndarray, " k"],
    title: str,
    unit: str,
    scale: tuple[float, float],
    colours: Colours,
) -> bytes:
    """One map as PNG: the frontal mean face, coloured by value, and the scale beside it."""
    low, high = found.places.min(0), found.places.max(0)
    zoom = (_SIDE - 2 * _MARGIN) / float((high - low).max())
    middle = np.array([_SIDE / 2, _HEAD + _SIDE / 2])
    at = (found.places - (low + high) / 2) * zoom + middle
    share = (values - scale[0]) / (scale[1] - scale[0])
    canvas = np.full((_HEAD + _SIDE, _SIDE + _BAR, 3), _PAPER, np.uint8)
    for triangle in found.triangles:
        if np.isfinite(share[triangle]).all():
            _fill(canvas, at[triangle], share[triangle], colours)
    mesh = canvas.copy()
    for first, second in found.edges:
        cv2.line(mesh, _fixed(at[first]), _fixed(at[second]), _PAPER, 1, cv2.LINE_AA, 4)
    canvas[:] = cv2.addWeighted(mesh, 0.3, canvas, 0.7, 0.0)
    radius = 4.0 if len(found.triangles) else 9.0
    for place, value, colour in zip(at, values, colours(np.nan_to_num(share)), strict=True):
        if np.isfinite(value):
            cv2.circle(canvas, _fixed(place), round(16 * radius), _INK, -1, cv2.LINE_AA, 4)
            inner = round(16 * (radius - 1))
            cv2.circle(canvas, _fixed(place), inner, colour.tolist(), -1, cv2.LINE_AA, 4)
    return _with_scale(canvas, title, unit, scale, colours)


def _with_scale(
    canvas: UInt8[np.ndarray, "h w 3"],
    title: str,
    unit: str,
    scale: tuple[float, float],
    colours: Colours,
) -> bytes:
    top, bottom, left = _HEAD + 60, _HEAD + _SIDE - 60, _SIDE + 10
    shares = np.linspace(1, 0, bottom - top)
    canvas[top:bottom, left : left + 26] = colours(shares)[:, None]
    picture = Image.fromarray(canvas)
    write, font = ImageDraw.Draw(picture), ImageFont.load_default(17)
    title_font = font
    for size in range(19, 10, -1):  # as large as fits
        title_font = ImageFont.load_default(size)
        if write.textlength(title, title_font) <= canvas.shape[1] - 32:
            break
    write.text((16, 14), title, _INK, title_font)
    write.text((16, 38), unit, _INK, font)
    for i in range(5):
        value = scale[0] + (scale[1] - scale[0]) * i / 4
        y = bottom - (bottom - top) * i / 4
        sign = "+" if scale[0] < 0 else ""
        mark = {0: "< " if scale[0] < 0 else "", 4: "> "}.get(i, "")  # values beyond the scale
        write.line([(left + 26, y), (left + 32, y)], _INK)
        write.text((left + 37, y), f"{mark}{value:{sign}.3g}", _INK, font, anchor="lm")
    _, content = cv2.imencode(".png", np.asarray(picture)[..., ::-1])
    return content.tobytes()


def _fill(
    canvas: UInt8[np.ndarray, "h w 3"],
    corners: Float[np.ndarray, "3 2"],
    shares: Float[np.ndarray, "3"],
    colours: Colours,
) -> None:
    """Colours a triangle, values between its corners interpolated."""
    low = np.floor(corners.min(0)).astype(int)
    high = np.ceil(corners.max(0)).astype(int) + 1
    x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
    sides = np.stack([corners[1] - corners[0], corners[2] - corners[0]], axis=1)
    if abs(np.linalg.det(sides)) < 1e-6:
        return
    b, c = np.linalg.solve(sides, np.stack([x.ravel(), y.ravel()]) - corners[0][:, None])
    inside = (b >= -1e-9) & (c >= -1e-9) & (b + c <= 1 + 1e-9)
    mixed = shares[0] + b * (shares[1] - shares[0]) + c * (shares[2] - shares[0])
    rows, columns = (y.ravel()[inside] - 0.5).astype(int), (x.ravel()[inside] - 0.5).astype(int)
    canvas[rows, columns] = colours(mixed[inside])


def _mean(offsets: Float[np.ndarray, "f k 2"]) -> Float[np.ndarray, " k"]:
    """The mean over the faces that label a point; NaN for a point that none labels."""
    distance = np.linalg.norm(offsets, axis=-1)
    known = np.isfinite(distance)
    count = known.sum(0)
    total = np.where(known, distance, 0.0).sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _sequential(shares: Float[np.ndarray, "*k"]) -> UInt8[np.ndarray, "*k 3"]:
    """Dark to bright, even to the eye and to the colour-blind."""
    return np.asarray(_VIRIDIS[np.rint(shares.clip(0, 1) * 255).astype(np.int64)])


def _diverging(shares: Float[np.ndarray, "*k"]) -> UInt8[np.ndarray, "*k 3"]:
    """Blue below the middle, white there, red above."""
    stops = np.array(
        [[5, 48, 145], [110, 165, 220], [245, 245, 245], [230, 130, 95], [140, 10, 30]]
    )
    at = shares.clip(0, 1) * (len(stops) - 1)
    channels = [np.interp(at, np.arange(len(stops)), column) for column in stops.T]
    return np.asarray(np.rint(np.stack(channels, axis=-1)), np.uint8)


def _fixed(point: Float[np.ndarray, "2"]) -> tuple[int, int]:
    """OpenCV's pixel index with four fractional bits."""
    x, y = np.rint((point - 0.5) * 16).astype(int).tolist()
    return x, y


def _round_up(value: float) -> float:
    """To two digits, so that the scale's numbers are short."""
    if value <= 0:
        return 1.0
    size = 10.0 ** (np.floor(np.log10(value)) - 1)
    return float(np.ceil(value / size - 1e-9) * size)


def _compute(evaluated: Evaluated) -> dict[str, Picture] | None:
    if not evaluated.runs:
        return None
    landmarks = {name: run.in_roi for name, run in evaluated.runs.items()}
    reference = evaluated.comparison(landmarks).reference
    return {
        file: Picture(f"{found.scheme}: error by landmark", content)
        for found in error_maps(evaluated.labels, landmarks, evaluated.topology)
        for file, content in draw_maps(found, reference).items()
    } or None


ERROR_MAPS = Table(
    key="error_maps",
    title="Where on the face",
    compute=_compute,
    section=section,
    files=contents,
    json=captions,
)
