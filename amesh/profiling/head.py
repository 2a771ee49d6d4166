"""A whole head fitted to the landmarks of a face, with a place in the picture for each vertex.

Convention: the head's frame is that of `amesh.synth.head`; the camera of the source picture is a
weak perspective, as the landmarks' z is.
"""

import math
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8

from amesh.data import random
from amesh.profiling.body import SHADE, Body, body_triangles, make_body
from amesh.profiling.hair import Rays, reach
from amesh.synth.grids import fan, grid
from amesh.synth.head import CENTRE, HEAD, MOUTH, RINGS, SKIN, HeadMesh
from amesh.synth.measure import align
from amesh.topology import Topology
from amesh.topology.lids import eye_lids

# How far the eyeball's front lies before the middle of the lids [units of the head].
_BULGE = 0.012
# Share of the way from an eyeball's middle to the lids that is flat: a little more than an iris.
_DISC = 0.55
# Share of the strip between the face's outline and the background that colours are taken from.
_BAND = 0.85
# Beyond the skull, colours are not taken farther than this at its sides [units of the head].
_EAR = 0.06
# Largest distance of hair from the fitted skull, and of a skull from a smaller head [units].
_HAIR, _SMALLER = 0.35, 0.06
_FLATTER = 0.7  # hair stands off less at the back of the head, by this share
# Rings of the skull between which what the picture shows fades into the hair above the forehead:
# at the sides of the head, and at the jaw.
_FADE = ((2.0, 4.5), (3.0, 5.5))
# Part of the outline above the forehead whose hair covers the back of the head [turns].
_TOP = (0.06, 0.18)
# Where the skin is plain in the template (x, y; either side), and how much of it is used.
_CHEEK, _PATCH = (0.42, 0.42), 0.1


class Angles(NamedTuple):
    """A pose, as in `amesh.synth.pose` [degrees]."""

    yaw: float
    pitch: float
    roll: float


class Head(NamedTuple):
    """A fitted head.

    Attributes:
        vertices: (v, 3) in the head's frame: the face's landmarks, the skull, the eyeballs' fronts,
            and the body, which stays where it is when the head turns.
        body: Index of the body's first vertex.
        silhouette: (k, 2) where head and hair end in the source picture [px].
        place: (v, 2) where each vertex takes its colour from [picture px].
        shade: (v,) factor of this colour.
        cover: (v,) opacity.
        turn: (3, 3) rotation from the head's frame to the picture's.
        scale: Length of the frame's unit [px].
        origin: (3,) the frame's origin in the picture [px].
    """

    vertices: Float[np.ndarray, "v 3"]
    body: int
    silhouette: Float[np.ndarray, "k 2"]
    place: Float[np.ndarray, "v 2"]
    shade: Float[np.ndarray, " v"]
    cover: Float[np.ndarray, " v"]
    turn: Float[np.ndarray, "3 3"]
    scale: float
    origin: Float[np.ndarray, " 3"]

    @property
    def angles(self) -> Angles:
        """The pose of the head in the source picture."""
        return angles_of(self.turn)

    def in_picture(self, points: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "k 3"]:
        """Returns points of the head's frame in the source picture [px]."""
        return np.asarray(points @ self.turn.T * self.scale + self.origin)


class _Face(NamedTuple):
    """A face aligned to the template: see `Head`, and `points`, its landmarks [picture px]."""

    points: Float[np.ndarray, "n 3"]
    vertices: Float[np.ndarray, "n 3"]
    turn: Float[np.ndarray, "3 3"]
    scale: float
    origin: Float[np.ndarray, " 3"]


class _Skull(NamedTuple):
    """The skull of a `Head`: its vertices, silhouette, places and shades."""

    vertices: Float[np.ndarray, "m 3"]
    silhouette: Float[np.ndarray, "k 2"]
    place: Float[np.ndarray, "m 2"]
    shade: Float[np.ndarray, " m"]


class HeadFitter:
    """Fits heads.

    Attributes:
        triangles: (t, 3) the triangles of all heads.
    """

    triangles: Int64[np.ndarray, "t 3"]

    def __init__(self, topology: Topology) -> None:
        """Builds the triangles.

        Args:
            topology: Topology of the landmarks, face478.
        """
        self.topology = topology
        self._mesh = mesh = HeadMesh(topology)
        self._outline = mesh.outline.numpy()
        self._surface = np.unique(topology.triangles)
        self._skull = mesh.sections["head"][1]  # face and skull come first
        part, triangles = mesh.part.numpy(), mesh.triangles.numpy()
        kept = np.isin(part, (SKIN, MOUTH, HEAD)) & (triangles.max(1) < self._skull)
        blocks, start = [triangles[kept]], self._skull
        self._loops = []
        for lids in eye_lids(topology):
            loop = np.array([lids.corners[0], *lids.upper, lids.corners[1], *lids.lower[::-1]])
            disc = start + np.arange(len(loop))
            blocks += [grid(np.stack([loop, disc])), fan(disc, start + len(loop))]
            self._loops.append(loop)
            start += len(loop) + 1
        blocks.append(body_triangles(start))
        self.triangles = np.ascontiguousarray(np.concatenate(blocks))
        at = topology.template[self._outline]
        self._around = np.arctan2(at[:, 0], at[:, 1].mean() - at[:, 1]) / (2 * math.pi)
        cheeks = np.abs(topology.template[:, :2] - np.array([[_CHEEK]]) * [[[-1, 1]], [[1, 1]]])
        self._cheeks = np.linalg.norm(cheeks, axis=-1)[:, self._surface].argmin(1)
        self._cheeks = self._surface[self._cheeks]

    def __call__(
        self, pixels: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "n 3"]
    ) -> Head:
        """Fits a head to a face.

        Args:
            pixels: The picture, RGB.
            points: The face's landmarks [px].
        """
        count = len(points)
        face = self._aligned(points.astype(np.float64))
        eyes = [self._eye(face, side) for side in range(len(self._loops))]
        for iris, (depth, _) in zip(self.topology.irises, eyes, strict=True):
            at = list(iris.indices)
            face.vertices[at] = _at_depth(face.vertices[at], face.turn, depth)
        key = random.keys(0, 0, torch.zeros(1, dtype=torch.int64))
        batch = torch.tensor(face.vertices[None], dtype=torch.float32)
        whole = self._mesh(batch, key, torch.zeros(1)).vertices[0].double().numpy()
        skull = self._fitted(pixels, face, whole[count : self._skull])
        body = self._body(pixels, face)
        fronts = np.concatenate([vertices for _, vertices in eyes])
        vertices = np.concatenate([face.vertices, skull.vertices, fronts, body.vertices])
        start = len(vertices) - len(body.vertices)
        seen = _projected(face, fronts)[:, :2]
        return Head(
            vertices,
            start,
            skull.silhouette,
            np.concatenate([points[:, :2], skull.place, seen, body.place]),
            np.concatenate([np.ones(count), skull.shade, np.ones(len(fronts)), body.shade]),
            np.concatenate([np.ones(start), body.cover]),
            face.turn,
            face.scale,
            face.origin,
        )

    def _aligned(self, points: Float[np.ndarray, "n 3"]) -> _Face:
        face = align(points, self.topology)
        middle = self.topology.template[self._surface].mean(0) @ face.turn.T * face.scale
        origin = points[self._surface].mean(0) - middle
        return _Face(points, face.points.copy(), face.turn, face.scale, origin)

    def _eye(self, face: _Face, side: int) -> tuple[float, Float[np.ndarray, "m 3"]]:
        """Returns an eyeball's front: its depth in the head's frame, and vertices inside the lids.

        They are a disc that holds the iris, so that picture and landmarks agree from each side.
        """
        loop, iris = self._loops[side], self.topology.irises[side]
        rim, half = face.vertices[loop], len(loop) // 2
        lids = np.concatenate([rim[3 : half - 2], rim[half + 3 : -2]])
        depth = float(lids[:, 2].mean()) - _BULGE
        opening = face.points[loop, None, :2].astype(np.float32)
        x, y = face.points[iris.indices[0], :2].tolist()
        open_ = cv2.pointPolygonTest(opening, (x, y), False) > 0
        centre = face.vertices[iris.indices[0]] if open_ else rim.mean(0)
        middle = _at_depth(centre[None], face.turn, depth)
        disc = middle + _DISC * (_at_depth(rim, face.turn, depth) - middle)
        return depth, np.concatenate([disc, middle])

    def _fitted(
        self,
        pixels: UInt8[np.ndarray, "h w 3"],
        face: _Face,
        skull: Float[np.ndarray, "m 3"],
    ) -> _Skull:
        """Fits a mean skull to the head's silhouette.

        Where the picture shows the side of the head, colours come from there. The back gets the
        hair above the forehead, and the jaw's underside the cheeks' skin, in shadow.
        """
        count = len(self._outline)
        start = face.points[self._outline, :2]
        out = start - face.points[self._surface, :2].mean(0)
        out /= np.linalg.norm(out, axis=1, keepdims=True).clip(1e-6)
        rings = _projected(face, skull[:-1]).reshape(RINGS, count, 3)[..., :2]
        along = ((rings - start) * out).sum(-1)
        along = np.maximum.accumulate(along.clip(0), 0)
        far = along[-1]
        jaw = _step(np.abs(self._around), 0.26, 0.36)
        found = reach(pixels, Rays(start, out, far), face.scale)
        found = far + (found - far) * (1 - jaw)
        silhouette = start + found[:, None] * out
        found = _smooth(found)
        lift = ((found - far) / face.scale).clip(-_SMALLER, _HAIR)
        ring = np.arange(1, RINGS + 1)[:, None]
        grown = skull - np.array(CENTRE)
        rise = (ring / 2.0).clip(max=1) * (1 - _FLATTER * _step(ring, 3.0, RINGS + 1.0))
        pole = (1 - _FLATTER) * lift[np.abs(self._around) < _TOP[1]].mean()
        levels = np.append((lift * rise).ravel(), pole)
        grown = np.array(CENTRE) + grown * (1 + levels[:, None])
        share = along / np.maximum(far, 1e-6)  # of the strip that the picture shows
        side_on = _step(np.abs(self._around), 0.12, 0.2)
        least = np.minimum(np.minimum(found, np.roll(found, 1)), np.roll(found, -1))
        least = least + side_on * (np.minimum(least, far + _EAR * face.scale) - least)
        strip = np.maximum(least, 0.02 * face.scale) * _BAND
        side = start + (share * strip)[..., None] * out
        under = start - (0.04 * face.scale * ring)[..., None] * out
        side = side + jaw[:, None] * (under - side)
        crown = self._hair(start, out, np.maximum(found, 0.7 * far))
        place = side + self._fade(ring, jaw)[..., None] * (crown - side)
        shade = 1 - (1 - SHADE) * jaw * (ring / 2.0).clip(max=1) * (1 - self._fade(ring, jaw))
        return _Skull(
            grown,
            silhouette,
            np.concatenate([place.reshape(-1, 2), place[-1].mean(0, keepdims=True)]),
            np.append(shade.ravel(), shade[-1].mean()),
        )

    def _fade(
        self, ring: Int64[np.ndarray, "r 1"], jaw: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, "r k"]:
        low, high = (side + jaw * (under - side) for side, under in zip(*_FADE, strict=True))
        return _step(ring, low, high)

    def _hair(
        self,
        start: Float[np.ndarray, "k 2"],
        out: Float[np.ndarray, "k 2"],
        strip: Float[np.ndarray, " k"],
    ) -> Float[np.ndarray, "r k 2"]:
        """Returns places in the hair above the forehead for all rings."""
        goal = np.sign(self._around) * (_TOP[0] + 2 * (_TOP[1] - _TOP[0]) * np.abs(self._around))
        known = np.concatenate([start, out * strip[:, None]], 1)
        order = np.argsort(self._around)
        picked = [np.interp(goal, self._around[order], column[order]) for column in known.T]
        base, away = np.stack(picked[:2], -1), np.stack(picked[2:], -1)
        level = 0.72 + 0.2 * np.arange(RINGS) / (RINGS - 1)
        return np.asarray(base + level[:, None, None] * away)

    def _body(self, pixels: UInt8[np.ndarray, "h w 3"], face: _Face) -> Body:
        """Returns neck and shoulders, with skin from the cheek that looks at the camera."""
        height, width = pixels.shape[:2]
        cheek = face.points[self._cheeks[0 if face.turn[2, 0] > 0 else 1], :2]
        down = face.turn[:2, 1]  # the head's y axis in the picture
        ends = float((height - face.origin[1]) / (face.scale * max(down[1], 0.3)))
        wide = float(np.abs(face.vertices[self._outline, 0]).max())
        return make_body(wide, cheek, _PATCH * face.scale, (height, width), ends)


def angles_of(turn: Float[np.ndarray, "3 3"]) -> Angles:
    """Returns yaw, pitch and roll of a rotation, which `amesh.synth.pose.rotation` inverts."""
    # The third row of roll @ yaw @ pitch is the one that roll leaves alone.
    yaw = math.asin(float(np.clip(turn[2, 0], -1, 1)))
    pitch = math.atan2(float(turn[2, 1]), float(turn[2, 2]))
    roll = math.atan2(float(turn[1, 0]), float(turn[0, 0]))
    return Angles(*map(math.degrees, (yaw, pitch, roll)))


def _projected(face: _Face, points: Float[np.ndarray, "k 3"]) -> Float[np.ndarray, "k 3"]:
    return np.asarray(points @ face.turn.T * face.scale + face.origin)


def _at_depth(
    points: Float[np.ndarray, "k 3"], turn: Float[np.ndarray, "3 3"], depth: float
) -> Float[np.ndarray, "k 3"]:
    """Moves points along the source camera's rays to a depth in the head's frame."""
    ray = turn[2]  # the camera's axis, in the head's frame
    return np.asarray(points + ((depth - points[:, 2:]) / ray[2]) * ray)


def _step(values: np.ndarray, low: float | np.ndarray, high: float | np.ndarray) -> np.ndarray:
    """Returns 0 below `low`, 1 above `high`, and a smooth transition in between."""
    share = ((values - low) / (high - low)).clip(0, 1)
    return np.asarray(share * share * (3 - 2 * share))


def _smooth(values: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Returns running medians, then means, around a closed line."""
    near = np.stack([np.roll(values, i) for i in range(-2, 3)])
    middle = np.median(near, 0)
    return np.asarray(np.mean([np.roll(middle, i) for i in range(-1, 2)], 0))
