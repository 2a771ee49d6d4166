"""The eyes of one face over time: blinks with hysteresis, and a gaze that blinks leave alone."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from amesh.effects.camera import Camera
from amesh.effects.eyes import CLOSED, IRIS_MM, Eyes, eyes
from amesh.effects.landmarks import as_batch
from amesh.errors import UserError

_OPEN = 0.16


class EyeTracker:
    """Measures the eyes of one face, frame by frame.

    An eye closes below one opening and opens above another, so that it does not flicker between.
    While it is closed, its gaze stays as it was before, relative to the head: lids that close drag
    the landmarks of the iris down with them. Use one tracker for each face, such as for each
    `Face.id` of a video.

    Attributes:
        blinks: How often the right and the left eye have closed so far.

    Examples:
        >>> from amesh.effects.canonical import canonical_face
        >>> camera = Camera.from_fov(640, 480)
        >>> tracker = EyeTracker()
        >>> frame = tracker(camera.project(canonical_face().points + (0, 0, 600)), camera)
        >>> frame.closed.tolist(), tracker.blinks
        ([False, False], (0, 0))
    """

    def __init__(
        self, close: float = CLOSED, open_: float = _OPEN, iris_mm: float = IRIS_MM
    ) -> None:
        """Starts with eyes that are open.

        Args:
            close: An open eye closes below this opening.
            open_: A closed eye opens above this opening.
            iris_mm: Diameter of the irises [mm].

        Raises:
            UserError: `open_` is below `close`.
        """
        if not close <= open_:
            raise UserError(
                f"an eye cannot close below {close} and open above {open_}, which is less"
            )
        self._close, self._open, self._iris_mm = close, open_, iris_mm
        self._closed = np.zeros(2, bool)
        self._gaze_in_head = np.full((2, 3), np.nan)
        self.blinks = (0, 0)

    def __call__(
        self, landmarks: Float[np.ndarray, "478 d"], camera: Camera | tuple[int, int]
    ) -> Eyes:
        """Measures the next frame.

        A frame whose landmarks are not finite changes nothing.

        Args:
            landmarks: Of the face [image px].
            camera: As for `eyes`.

        Returns:
            The eyes; `closed` is the state after hysteresis, and closed eyes have the last gaze
            that was seen (NaN if none was).

        Raises:
            UserError: As for `eyes`, or there are several faces.
        """
        if not as_batch(landmarks)[1]:
            raise UserError("a tracker takes the landmarks of one face, (478, 3), at a time")
        found = eyes(landmarks, camera, self._iris_mm, closed=-np.inf)
        opening = found.opening
        known = np.isfinite(opening)
        closed = np.where(self._closed, ~(opening > self._open), opening < self._close)
        closed = np.where(known, closed, self._closed)
        right, left = (closed & ~self._closed).tolist()
        self.blinks = (self.blinks[0] + right, self.blinks[1] + left)
        self._closed = closed
        seen = ~closed & np.isfinite(found.gaze).all(axis=-1)
        self._gaze_in_head = np.where(seen[:, None], found.gaze_in_head, self._gaze_in_head)
        frozen = self._gaze_in_head @ found.pose.rotation.T
        return replace(found, closed=closed, gaze=np.where(closed[:, None], frozen, found.gaze))
