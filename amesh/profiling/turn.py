"""Turns a fitted head further, and draws it over its own picture."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8

from amesh.profiling.background import fill
from amesh.profiling.head import Angles, Head, HeadFitter
from amesh.synth.head import CENTRE
from amesh.synth.pose import rotation
from amesh.synth.raster import interpolate, rasterise
from amesh.topology import Topology

# Pixels are drawn at this multiple of the picture's resolution, then averaged.
_FINER = 2
# How far the old head is cut out beyond the fitted one [units of the head].
_MARGIN = 0.10
# The body, which does not turn with the head, is drawn this much farther away: never over the chin.
_BEHIND = 0.45
# How far a landmark may lie behind the surface and still be visible [units of the head].
_TOLERANCE = 0.04


class View(NamedTuple):
    """How a head is to be shown.

    Attributes:
        angles: Its pose [degrees].
        distance: Distance of the camera from the head's middle [units of the head].
        face: Ratio of the face's box (longer side) to the picture's side.
        shift: (x, y) offset of the box's centre from the picture's [sides].
        largest: Longer side of the face's box [px] above which the picture is made smaller.
    """

    angles: Angles
    distance: float = 12.0
    face: float = 0.45
    shift: tuple[float, float] = (0.0, 0.0)
    largest: float = 180.0


class Turned(NamedTuple):
    """A picture of a turned head.

    Attributes:
        pixels: RGB.
        landmarks: (n, 3) [px]; z as in the released network: its mean is 0, smaller is nearer.
        visibility: (n,) 1 for a visible landmark, 0 for a hidden one.
    """

    pixels: UInt8[np.ndarray, "h w 3"]
    landmarks: Float32[np.ndarray, "n 3"]
    visibility: Float32[np.ndarray, " n"]


def turn(pixels: UInt8[np.ndarray, "h w 3"], head: Head, view: View, fitter: HeadFitter) -> Turned:
    """Draws a head in another pose.

    Args:
        pixels: The source picture, RGB.
        head: The head fitted to it.
        view: The new pose.
        fitter: What fitted it.
    """
    topology = fitter.topology
    count = topology.points
    matrix = rotation(torch.tensor([view.angles]).deg2rad())[0].double().numpy()
    middle = np.array(CENTRE)
    turned = (head.vertices - middle) @ matrix.T  # units, the head's middle at 0
    turned[head.body :] = (head.vertices[head.body :] - middle) @ head.turn.T
    near = view.distance / (view.distance + turned[:, 2:])
    at = head.in_picture(middle[None])[0, :2]
    xy = turned[:, :2] * near * head.scale + at  # source px
    low, high = xy[:count].min(0), xy[:count].max(0)
    extent = float((high - low).max())
    zoom = min(1.0, view.largest / extent)
    side = round(extent * zoom / view.face)
    corner = (low + high) / 2 - (0.5 + np.array(view.shift)) * side / zoom
    plate = _plate(pixels, head, fitter, corner, zoom, side)
    xy = (xy - corner) * zoom
    fine = (side * _FINER, side * _FINER)
    depth = view.distance + turned[:, 2]
    depth[head.body :] += _BEHIND
    found = rasterise(
        torch.tensor(xy[None] * _FINER, dtype=torch.float32),
        torch.tensor(depth[None], dtype=torch.float32),
        torch.from_numpy(fitter.triangles),
        fine,
    )
    looks = np.concatenate([head.place, head.shade[:, None], head.cover[:, None]], 1)
    values = interpolate(
        torch.tensor(looks[None], dtype=torch.float32), torch.from_numpy(fitter.triangles), found
    ).numpy()
    colour = _sample(_softened(pixels, zoom), values[:, :2]) * values[:, 2:3]
    large = cv2.resize(plate, fine, interpolation=cv2.INTER_NEAREST)
    behind = large.reshape(-1, 3)[found.pixel.numpy()]
    large.reshape(-1, 3)[found.pixel.numpy()] = behind + (colour - behind) * values[:, 3:]
    picture = cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA)
    depths = np.full(fine, np.inf, np.float32)
    depths.ravel()[found.pixel.numpy()] = found.depth.numpy()
    landmarks = np.concatenate([xy[:count], turned[:count, 2:] * head.scale * zoom], 1)
    landmarks = _with_z(landmarks, topology)
    return Turned(
        np.clip(np.rint(picture), 0, 255).astype(np.uint8),
        landmarks.astype(np.float32),
        _visible(depths, xy[:count], depth[:count]),
    )


def _with_z(landmarks: Float[np.ndarray, "n 3"], topology: Topology) -> Float[np.ndarray, "n 3"]:
    """Returns landmarks with z as in the released network."""
    result = landmarks.copy()
    result[:, 2] -= landmarks[np.unique(topology.triangles), 2].mean()
    for iris in topology.irises:
        result[list(iris.indices), 2] = result[list(iris.z_from), 2].mean()
    return result


def _visible(
    depths: Float32[np.ndarray, "h w"],
    xy: Float[np.ndarray, "n 2"],
    depth: Float[np.ndarray, " n"],
) -> Float32[np.ndarray, " n"]:
    """Returns which landmarks no nearer surface hides."""
    farthest = cv2.dilate(depths, np.ones((3, 3), np.uint8))
    size = np.array(depths.shape[::-1])
    at = np.floor(xy * _FINER).astype(int)
    inside = ((at >= 0) & (at < size)).all(1)
    column, row = at.clip(0, size - 1).T
    shown = inside & (depth <= farthest[row, column] + _TOLERANCE)
    return np.asarray(shown, np.float32)


def _plate(
    pixels: UInt8[np.ndarray, "h w 3"],
    head: Head,
    fitter: HeadFitter,
    corner: Float[np.ndarray, " 2"],
    zoom: float,
    side: int,
) -> Float32[np.ndarray, "s s 3"]:
    """Returns the picture without the head, cut to the new picture's frame.

    Where this reaches beyond the picture, it goes on mirrored.
    """
    move = np.array([[zoom, 0, -corner[0] * zoom], [0, zoom, -corner[1] * zoom]])
    move[:, 2] += 0.5 * zoom - 0.5  # OpenCV counts from pixel centres
    known = np.full(pixels.shape[:2], 255, np.uint8)
    skull = head.in_picture(head.vertices[: head.body])[:, :2]
    old = np.concatenate([skull, head.silhouette])
    limit = 4 * max(known.shape)
    hull = cv2.convexHull(np.round(old).astype(np.int32).clip(-limit, limit))
    reach = max(1, round(_MARGIN * head.scale))
    cv2.fillConvexPoly(known, hull, 0)
    cv2.polylines(known, [hull], True, 0, 2 * reach)
    cut, weight = (
        cv2.warpAffine(part, move, (side, side), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
        for part in (_softened(pixels, zoom), known)
    )
    soft = cv2.GaussianBlur(weight, (0, 0), max(reach * zoom / 3, 1)) / 255
    weight = np.minimum(soft * 2, 1) * (weight > 254)
    return fill(cut, weight.astype(np.float32))


def _softened(pixels: UInt8[np.ndarray, "h w 3"], zoom: float) -> UInt8[np.ndarray, "h w 3"]:
    """Blurs a picture that is going to be made smaller."""
    if zoom > 0.9:
        return pixels
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), 0.45 / zoom), np.uint8)


def _sample(
    pixels: UInt8[np.ndarray, "h w 3"], place: Float32[np.ndarray, "p 2"]
) -> Float32[np.ndarray, "p 3"]:
    """Returns the picture's colours at places [px]."""
    rows = -(-len(place) // 1024)  # OpenCV's maps have at most 32767 columns
    padded = np.zeros((rows * 1024, 2), np.float32)
    padded[: len(place)] = place - 0.5
    x, y = padded.reshape(rows, 1024, 2).transpose(2, 0, 1)
    seen = cv2.remap(pixels, x.copy(), y.copy(), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return seen.reshape(-1, 3)[: len(place)].astype(np.float32)
