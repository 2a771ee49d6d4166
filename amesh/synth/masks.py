"""Regions of the face on the flat map, as soft masks."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float

from amesh.synth.texture_map import flatten, texels
from amesh.topology import Topology
from amesh.topology.lids import eye_lids

NAMES = ("lips", "lids", "lashes", "brows", "beard", "moustache", "cheeks", "medical")


def region_masks(topology: Topology, side: int) -> Float[np.ndarray, "k t t"]:
    """Returns a mask for each of `NAMES`, from 0 to 1."""
    flat = flatten(topology)
    found = texels(flat, topology.triangles, side)
    corners = topology.triangles[found.triangle.clip(0)]
    place = (topology.template[corners] * found.weights[..., None]).sum(2)
    # Extend the surface beyond its border by the nearest position, for blurs and interpolation.
    beside = (found.triangle < 0).astype(np.uint8)
    nearest = cv2.distanceTransformWithLabels(
        beside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )[1]
    places = np.zeros((nearest.max() + 1, 3))
    places[nearest[beside == 0]] = place[beside == 0]
    place = places[nearest]
    x, y = np.abs(place[..., 0]), place[..., 1]

    def polygon(*loops: list[int]) -> Float[np.ndarray, "t t"]:
        mask = np.zeros((side, side), np.uint8)
        for loop in loops:
            cv2.fillPoly(mask, [np.round(flat[loop] * side - 0.5).astype(np.int32)], 255)
        return mask / 255.0

    lines = topology.contours
    lips = polygon(list(lines["lips_outer"][0]))
    brows = polygon(
        *([*one, *other[::-1]] for one, other in (lines[f"{s}_eyebrow"] for s in ("right", "left")))
    )
    lashes, lids = np.zeros((2, side, side))
    for lid in eye_lids(topology):
        line = np.round(flat[[lid.corners[0], *lid.upper, lid.corners[1]]] * side - 0.5)
        mask = np.ones((side, side), np.uint8)
        cv2.polylines(mask, [line.astype(np.int32)], False, 0, 1)
        gap = cv2.distanceTransform(mask, cv2.DIST_L2, 5) / side
        above = place[..., 1] < topology.template[list(lid.corners), 1].mean() + 0.01
        lashes = np.maximum(lashes, _step(0.012 - gap, 0.008))
        lids = np.maximum(lids, _step(0.05 - gap, 0.03) * above)
    moustache = _step(0.25 - x, 0.06) * _step(y - 0.55, 0.03) * _step(0.72 - y, 0.03)
    beard = _step(y - 0.66 + 0.5 * _step(x - 0.45, 0.2), 0.08) * (1 - lips)
    cheeks = np.exp(-(((x - 0.42) / 0.16) ** 2) - ((y - 0.45) / 0.14) ** 2)
    medical = _step(y - 0.22 - 0.12 * x, 0.012)
    soft: Callable[[np.ndarray, float], np.ndarray] = lambda m, s: cv2.GaussianBlur(m, (0, 0), s)  # noqa: E731
    masks = (
        soft(lips, 0.8),
        soft(lids, 1.0),
        lashes,
        soft(brows, 1.2),
        soft(beard, 1.5),
        soft(moustache * (1 - lips), 1.0),
        cheeks,
        medical,
    )
    return np.asarray(np.stack(masks).clip(0.0, 1.0))


def _step(values: Float[np.ndarray, "t t"], half: float) -> Float[np.ndarray, "t t"]:
    """Returns 0 below -half, 1 above half, and a smooth transition in between."""
    share = (values / (2 * half) + 0.5).clip(0, 1)
    return np.asarray(share * share * (3 - 2 * share))
