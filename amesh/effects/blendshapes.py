"""The 52 blendshapes of ARKit, from landmarks.

Convention
    Left and right are the subject's, as in ARKit: `eyeBlinkLeft` closes the eye that is on the
    right of an unmirrored picture. The order is that of MediaPipe without its `_neutral`, and
    `tongueOut` last; landmarks show no tongue, so it is always 0.
"""

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from amesh.effects.landmarks import as_batch
from amesh.errors import UserError
from amesh.lazy import resolve

NAMES = (
    *("browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight"),
    *("eyeLookDownLeft", "eyeLookDownRight", "eyeLookInLeft", "eyeLookInRight"),
    *("eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight", "eyeSquintLeft"),
    *("eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen"),
    *("jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight"),
    *("mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight", "mouthRollLower"),
    *("mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight"),
    *("mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight"),
    *("noseSneerLeft", "noseSneerRight", "tongueOut"),
)
_BLINKS = (NAMES.index("eyeBlinkLeft"), NAMES.index("eyeBlinkRight"))
# What makes a network of landmarks (b, 478, d) [image px], by the name that `Blendshapes` takes.
# Its values are those of the names in order, tongueOut left out.
_NETWORKS = {
    "amesh": "amesh.effects.blendshape_network:read_network",
    "released": "amesh.weights.released_blendshapes:read_network",
}
GRADES = "blendshape_grades.json"  # written by `amesh effects grade`
_LEAST_RANGE = 0.2  # of a calibrated value: a face at rest may already be near the end of the scale
_LEAST_BLINK = 0.3  # by which a value rises in a blink
_CLOSED = 0.5  # a value above which lids are closed
_OPEN_MOUTH = 0.1  # distance between the lips, relative to the mouth's width
_LIPS, _CORNERS = [13, 14], [78, 308]  # the middles of the lips, and the corners, on the inside


def index(name: str) -> int:
    """The place of a blendshape among the 52.

    Examples:
        >>> from amesh.effects import blendshapes
        >>> blendshapes.index("jawOpen")
        24

    Raises:
        UserError: It is none of them.
    """
    if name in NAMES:
        return NAMES.index(name)
    close = get_close_matches(str(name), NAMES, 1, 0)
    raise UserError(f"{name!r} is not a blendshape; the nearest of the 52 is {close[0]}")


@cache
def grades() -> Mapping[str, str]:
    """How far to trust the values of our own network, by name.

    "measured": they follow the truth on synthetic faces (r >= 0.93), and Face Landmarker on video
    (r >= 0.7); "estimated": one of these could not be shown; "absent": always 0.

    Examples:
        >>> from amesh.effects import blendshapes
        >>> blendshapes.grades()["tongueOut"]
        'absent'
    """
    stored = json.loads((resources.files("amesh.effects") / GRADES).read_text())
    return {name: stored[name]["grade"] for name in NAMES}


class Blendshapes:
    """How far a face makes each of ARKit's 52 expressions.

    The values depend on the person: one who looks stern at rest has lowered brows all the time.
    `calibrate` takes that off.

    Attributes:
        names: The names of the values, in order.

    Examples:
        >>> import amesh
        >>> blendshapes = amesh.Blendshapes()
        >>> [face] = amesh.FaceMesh()("photo.jpg")
        >>> values = blendshapes(face.landmarks)
        >>> values.shape
        (52,)
        >>> smile = values[blendshapes.names.index("mouthSmileLeft")]
    """

    names = NAMES

    def __init__(
        self, network: str = "amesh", neutral: Float[np.ndarray, "*b 478 d"] | None = None
    ) -> None:
        """Loads a network.

        Args:
            network: "amesh" comes with the package; `grades` says how far to trust each of its
                values. "released" is Google's, the one in Face Landmarker; `amesh weights import
                face-landmarker` downloads it.
            neutral: Landmarks of the face at rest, as for `calibrate`.

        Raises:
            UserError: There is no such network, it has not been imported, or as for `calibrate`.
        """
        if network not in _NETWORKS:
            raise UserError(
                f"there is no blendshape network {network!r}; use {' or '.join(_NETWORKS)}"
            )
        self._network: Callable[..., Any] = resolve(_NETWORKS[network])()
        self._rest, self._full = np.zeros(len(NAMES)), np.ones(len(NAMES))
        if neutral is not None:
            self.calibrate(neutral)

    def __call__(self, landmarks: Float[np.ndarray, "*b 478 d"]) -> Float64[np.ndarray, "*b 52"]:
        """The values of faces, from 0 to 1.

        Args:
            landmarks: Of a face (478, 3), or of several (b, 478, 3) [image px]. Not normalised by
                the picture's sides: that would change the proportions of the face. "released" does
                not need z.

        Returns:
            NaN where landmarks are not finite.

        Raises:
            UserError: The landmarks do not have this shape, or lack the depth that "amesh" needs.
        """
        faces, single = as_batch(landmarks)
        span = np.maximum(self._full - self._rest, _LEAST_RANGE)
        values = np.clip((self._uncalibrated(faces) - self._rest) / span, 0, 1)
        return np.asarray(values[0] if single else values)

    def calibrate(self, frames: Float[np.ndarray, "*b 478 d"]) -> None:
        """Makes a face at rest the zero of all values. It replaces an earlier calibration.

        Lids keep their whole range: from where they are open at rest, to where they close in a
        blink if the frames show one.

        Args:
            frames: Landmarks of one person at rest, looking at the camera with the mouth closed
                (b, 478, 3) [image px]: a second of video, or a single frame. Blinks do no harm.
                What a person looks like on average in a video is not at rest.

        Raises:
            UserError: The mouth is open in most of the frames, or the eyes are closed, or no frame
                has finite landmarks.
        """
        faces, _ = as_batch(frames)
        faces = faces[np.isfinite(faces).all(axis=(1, 2))]
        if not len(faces):
            raise UserError("calibration needs at least one frame with finite landmarks")
        gap = np.median(_distances(faces, _LIPS) / _distances(faces, _CORNERS))
        if not gap <= _OPEN_MOUTH:
            raise UserError(
                f"the mouth is open in calibration: its lips are {gap:.2f} of its width apart "
                f"(allowed: {_OPEN_MOUTH}); use frames of a face at rest with its mouth closed"
            )
        values = self._uncalibrated(faces)
        rest, full = np.median(values, axis=0), np.ones(len(NAMES))
        for blink in _BLINKS:
            if rest[blink] > _CLOSED:
                raise UserError(
                    f"the eyes are closed in calibration ({NAMES[blink]} is {rest[blink]:.2f}); "
                    "use frames of a face at rest with its eyes open"
                )
            closed = values[:, blink].max()
            full[blink] = closed if closed > rest[blink] + _LEAST_BLINK else 1.0
        self._rest, self._full = rest, full

    def _uncalibrated(self, faces: Float64[np.ndarray, "b 478 d"]) -> Float64[np.ndarray, "b 52"]:
        values = np.zeros((len(faces), len(NAMES)))
        good = np.isfinite(faces).all(axis=(1, 2))
        values[~good] = np.nan
        if good.any():
            values[good, :-1] = self._network(faces[good])
        return values


def _distances(faces: Float64[np.ndarray, "b 478 d"], pair: list[int]) -> Float64[np.ndarray, " b"]:
    ends = faces[:, pair, :2]
    return np.asarray(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1))
