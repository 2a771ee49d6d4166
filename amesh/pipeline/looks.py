"""One look of the landmark network at each face, and more where one is not enough.

The network was trained on faces that are upright in the crop. It sees an upright face in any other
one too, with left and right exchanged, and is nearly as confident. So doubtful faces are looked at
again: straight, where their landmarks say that they lie, and then upside down and on their sides.
Each look costs as much as the first, so each is taken only if it often changes the answer.

The numbers were chosen with the default network on 248 pictures rotated by 0 to 330 degrees and
3000 upright ones, and serve the released network as well. Of upright faces, one in eight to one in
four is doubtful. Position and size of the landmarks in the crop do not tell right from wrong.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64, Int64

from amesh.geometry import roi
from amesh.geometry.roi import Roi
from amesh.runner import confidence
from amesh.topology import Topology

# Logit of the face flag from which one look is enough. Most upright faces have more than 20, most
# faces that are wrongly seen upright less than 16.
_SURE = 18.0
# Roll of the landmarks in the crop from which a face is looked at again [radians].
_ROLL = math.radians(20)
# By how much a turned look must be more confident: most pictures are the right way up.
_MARGIN = 3.0
# Smallest logit with which a further look changes the answer: of many looks, one may err.
# Faces that are wrongly seen upright have less, too, if they lie on their side.
_LIKELY = 12.0
# A turned look that is this much less confident than the best so far is not worth following.
_NEAR = 15.0
# How far apart the anchors have to be in the straight and in the turned look, relative to the mean
# face: a profile is as good a face upside down. Without this, one upright face in 200 is turned.
_APART = (0.62, 0.75)
# A face this many times larger or smaller than in the look before is nonsense and is not followed;
# for good ones the ratio is between 0.7 and 1.4.
_FAR = 2.0


class Looks(NamedTuple):
    """What the network saw in several regions of a picture.

    Attributes:
        rois: The regions.
        landmarks: (b, n, 3) x and y [image px]; z in the same unit.
        logits: (b,) of the face flag.
        errors: (b, n) expected error of each landmark [image px]; None where the network does not
            predict it.
    """

    rois: Roi
    landmarks: Float64[np.ndarray, "b n 3"]
    logits: Float64[np.ndarray, " b"]
    errors: Float64[np.ndarray, "b n"] | None = None

    @property
    def scores(self) -> Float64[np.ndarray, " b"]:
        """Confidence that each region shows a face, from 0 to 1."""
        return confidence(self.logits)

    def pick(self, rows: Int64[np.ndarray, " k"] | slice) -> "Looks":
        """Picks some of the looks."""
        errors = None if self.errors is None else self.errors[rows]
        return Looks(self.rois.pick(rows), self.landmarks[rows], self.logits[rows], errors)

    def replaced(self, rows: Int64[np.ndarray, " k"], others: "Looks") -> "Looks":
        """Puts others in the place of some of the looks."""

        def put(old: np.ndarray, values: np.ndarray) -> np.ndarray:
            changed = old.copy()
            changed[rows] = values
            return changed

        rois = Roi(*(put(old, new) for old, new in zip(self.rois, others.rois, strict=True)))
        errors = None
        if self.errors is not None and others.errors is not None:
            errors = put(self.errors, others.errors)
        landmarks = put(self.landmarks, others.landmarks)
        return Looks(rois, landmarks, put(self.logits, others.logits), errors)


def look_again(first: Looks, look: Callable[[Roi], Looks], topology: Topology) -> Looks:
    """The best look at each face: the first if it leaves no doubt, otherwise one of up to six.

    Args:
        first: A look at each face.
        look: Looks at regions of the same picture.
        topology: Of the landmarks.
    """
    doubtful = np.flatnonzero((first.logits < _SURE) | (abs(_roll(first, topology)) > _ROLL))
    if not len(doubtful):
        return first
    # The straight look counts even if it is less confident: it denies what is not a face.
    straight = look(_region(first.pick(doubtful), topology))
    accepted = first.logits[doubtful] > 0
    best = _replace(first, doubtful, straight, accepted | (straight.logits > _LIKELY))

    doubtful = np.flatnonzero(best.logits < _SURE)
    if not len(doubtful):
        return best
    turned = _turned(first.pick(doubtful).rois, best.logits[doubtful], look, topology)
    near = np.flatnonzero(turned.logits > best.logits[doubtful] - _NEAR)
    if not len(near):
        return best
    doubtful = doubtful[near]
    # A turned region is rarely centred on the face.
    turned, so_far = look(_region(turned.pick(near), topology)), best.pick(doubtful)
    frontal = _apart(so_far.landmarks, topology) > _APART[0]
    frontal &= _apart(turned.landmarks, topology) > _APART[1]
    return _replace(best, doubtful, turned, frontal & _surer(turned, so_far, _MARGIN))


def _turned(
    rois: Roi,
    so_far: Float64[np.ndarray, " b"],
    look: Callable[[Roi], Looks],
    topology: Topology,
) -> Looks:
    """The most confident look at each face turned: upside down, and on its sides if it is unlikely.

    Args:
        rois: As the detector gives them.
        so_far: Logits of the best look at each face.
        look: Looks at regions of the picture.
        topology: Of the landmarks.
    """
    rule = topology.require_roi().from_detection
    best = look(roi.turned(rois, math.pi, rule))
    # The network takes a face that is upside down for an upright one, but rarely one on its side.
    unlikely = np.flatnonzero(so_far < _LIKELY)
    for quarters in (1, 3) if len(unlikely) else ():
        side = look(roi.turned(rois.pick(unlikely), quarters * math.pi / 2, rule))
        best = _replace(best, unlikely, side, side.logits > best.logits[unlikely])
    return best


def _roll(looks: Looks, topology: Topology) -> Float64[np.ndarray, " b"]:
    """Angle of the landmarks in their crop, from -pi to pi [radians]."""
    angle = _region(looks, topology).angle - looks.rois.angle
    return np.asarray(np.arctan2(np.sin(angle), np.cos(angle)))


def _region(looks: Looks, topology: Topology) -> Roi:
    """Where the landmarks say that the face lies; the region looked at if they are nonsense."""
    own = topology.region_of_interest(looks.landmarks)
    ratio = own.size / looks.rois.size
    sane = (ratio > 1 / _FAR) & (ratio < _FAR)  # false for NaN
    return Roi(
        np.where(sane[:, None], own.centre, looks.rois.centre),
        np.where(sane, own.size, looks.rois.size),
        np.where(sane, own.angle, looks.rois.angle),
    )


def _apart(
    landmarks: Float64[np.ndarray, "b n 3"], topology: Topology
) -> Float64[np.ndarray, " b"]:
    """Distance of the anchors over the face's size, relative to the mean face."""
    points = np.concatenate([topology.template[None], landmarks])[..., :2]
    first, second = points[:, list(topology.anchors)].swapaxes(0, 1)
    across, size = np.linalg.norm(second - first, axis=1), np.ptp(points, axis=1).max(1)
    shares = across / size
    return np.asarray(shares[1:] / shares[0])


def _surer(looks: Looks, others: Looks, margin: float = 0.0) -> Bool[np.ndarray, " b"]:
    """Where looks are more confident than others by a margin, and confident at all."""
    return looks.logits > np.maximum(others.logits + margin, _LIKELY)


def _replace(
    best: Looks, rows: Int64[np.ndarray, " k"], others: Looks, where: Bool[np.ndarray, " k"]
) -> Looks:
    """The looks with those in `rows` replaced by the others, where these are chosen."""
    return best.replaced(rows[where], others.pick(np.flatnonzero(where)))
