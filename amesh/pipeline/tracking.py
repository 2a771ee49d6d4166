"""Follows faces from frame to frame: the detector runs only while a place is free.

The square of a face in the next frame follows from its unfiltered landmarks in this one. Where a
face is lost, the detector looks for another at once, in the same frame: after a cut in a film, no
frame is without its faces.

What the network reaches was measured on a still: it finds a face whose centre is up to 0.2 sides of
the square away from the square's centre. Beyond 0.3 sides the landmarks are wrong, and `paper-256`
does not notice it. So a look counts if its landmarks say that the square was about right; otherwise
the face is looked at once more. So is each new face, because a detection's square is not that of
landmarks: in the first frame, that brings landmarks from 0.6 to 0.3 % of the eye distance.
"""

import math
import warnings
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
from jaxtyping import Bool, Float64, UInt8

from amesh.geometry.roi import Roi
from amesh.pipeline.arguments import ImageLike, as_count, as_image, as_time
from amesh.pipeline.face_pipeline import Face, FacePipeline, face_of
from amesh.pipeline.looks import Looks, look_again
from amesh.pipeline.repeats import repeats
from amesh.pipeline.smoothing import OneEuro, Smoother, as_one_euro
from amesh.topology import Topology

# How well the square that landmarks ask for agrees with the one that was looked at: distance of
# the centres [sides], ratio of the sides, angle [radians]. Otherwise the face is looked at again.
_SETTLED = (0.1, 1.15, math.radians(15))
# A face this many times larger or smaller than its square asks for is nonsense.
_FAR = 2.0
# A centre that moves farther in one frame is another face [sides]: of neighbours in groups, the
# centres are at least 0.43 apart.
_JUMP = 0.4
# A detection with its centre this near to that of a tracked face is the same face [sides].
_SAME = 0.25
# So many steps in a row that are longer than this [s] are frames timed in milliseconds: nobody can
# follow a face through such.
_STEPS, _LONG = 3, 10.0

Image = UInt8[np.ndarray, "h w 3"]


@dataclass(eq=False)
class _Track:
    """A face that is followed.

    Attributes:
        id: Its number.
        look: The last look at it, a batch of one.
        roi: Where it will be looked for in the next frame, a batch of one.
        step: By how much its centre moved in the last frame [px].
        smoother: The filter of its landmarks; None if they are not smoothed.
    """

    id: int
    look: Looks
    roi: Roi
    step: Float64[np.ndarray, " 2"]
    smoother: Smoother | None

    def face(self, time: float, topology: Topology) -> Face:
        raw = self.look.landmarks[0]
        smooth = None if self.smoother is None else self.smoother(raw, time)
        return face_of(self.look, self.id, topology, smooth)


class Tracker:
    """Follows the faces of one source of frames, whatever runs the networks.

    `amesh.FaceTracker` says what a user may rely on.
    """

    def __init__(
        self,
        pipeline: FacePipeline,
        smoothing: OneEuro | str | None = "mediapipe",
        detect_every: int = 10,
    ) -> None:
        """Starts without a face.

        Args:
            pipeline: Finds faces and looks at them; its `max_faces` and `min_score` hold here.
            smoothing: `mediapipe`, `light`, `strong` or `off`, or settings of your own.
            detect_every: Frames from one run of the detector to the next while fewer than
                `max_faces` faces are followed.

        Raises:
            UserError: An option is wrong.
        """
        self.pipeline = pipeline
        self.smoothing = as_one_euro(smoothing)
        self.detect_every = as_count(detect_every, "detect_every", " frames")
        self._ids = count()
        self._shape: tuple[int, ...] = ()
        self._time, self._long = math.inf, 0  # of the last frame; long steps in a row
        self._warned = False
        self.reset()

    def reset(self) -> None:
        """Forgets all faces, as at a cut or before another source; ids go on counting."""
        self._tracks: list[_Track] = []
        self._waited = self.detect_every  # frames since the detector ran

    def process(self, image: ImageLike, time: float) -> list[Face]:
        """Finds the faces of the next frame.

        Args:
            image: A uint8 RGB array (h, w, 3), the path of a file, or a PIL image.
            time: When the frame was taken [s], from any start. Smoothing needs it: a time that does
                not grow repeats the last landmarks, and after half a second without frames it
                starts afresh.

        Returns:
            The faces in the order of their ids. `landmarks` are smoothed, `raw` are not.

        Raises:
            UserError: The picture cannot be used or read, or the time is no finite number.
        """
        image = as_image(image)
        time = as_time(time)
        self._check_step(time)
        if image.shape != self._shape:
            self.reset()
            self._shape = image.shape
        self._waited += 1
        followed = len(self._tracks)
        self._follow(image)
        if self._free and (len(self._tracks) < followed or self._waited >= self.detect_every):
            self._find(image)
        topology = self.pipeline.runner.topology
        return [track.face(time, topology) for track in self._tracks]

    def _check_step(self, time: float) -> None:
        """Warns once of times that leave nothing to smooth."""
        self._long = self._long + 1 if time - self._time > _LONG else 0
        if self._long == _STEPS and self.smoothing is not None and not self._warned:
            self._warned = True
            warnings.warn(
                f"the last frames are {time - self._time:g} s apart, too far for smoothing: are "
                "their times in milliseconds? `process` expects seconds",
                stacklevel=3,
            )
        self._time = time

    @property
    def _free(self) -> float:
        """How many more faces may be followed."""
        most = self.pipeline.max_faces
        return math.inf if most is None else most - len(self._tracks)

    def _follow(self, image: Image) -> None:
        """Looks for each face where it was last."""
        if not self._tracks:
            return
        last = Roi.joined([track.roi for track in self._tracks])
        looks, own, good = self._settle(image, self.pipeline.look(image, last))
        rows = np.flatnonzero(good & (_apart(own, last) <= _JUMP))
        if len(rows) > 1:
            # Of two on one face, the one whose own motion led there stays: the other has jumped.
            steps = np.stack([track.step for track in self._tracks])
            strayed = _apart(own, last._replace(centre=last.centre + steps))
            rows = rows[~repeats(looks.landmarks[rows], -strayed[rows])]
        for row in rows:
            track, one = self._tracks[row], slice(row, row + 1)
            track.look, track.roi = looks.pick(one), own.pick(one)
            track.step = own.centre[row] - last.centre[row]
        self._tracks = [self._tracks[row] for row in rows]

    def _find(self, image: Image) -> None:
        """Runs the detector and fills the free places."""
        self._waited = 0
        found = self.pipeline.detect(image)
        if self._tracks:
            known = Roi.joined([track.roi for track in self._tracks])
            between = found.centre[:, None] - known.centre  # found known 2
            near = np.linalg.norm(between, axis=2) < _SAME * known.size
            found = found.pick(~near.any(axis=1))
        while len(found.size) and self._free:
            some = int(min(self._free, len(found.size)))
            self._meet(image, found.pick(slice(some)))
            found = found.pick(slice(some, None))

    def _meet(self, image: Image, found: Roi) -> None:
        """Looks at detected faces and follows those that are faces, the most confident first."""
        looks = self.pipeline.look(image, found)
        if self.pipeline.look_again:
            look = partial(self.pipeline.look, image)
            looks = look_again(looks, look, self.pipeline.runner.topology)
        looks, own, good = self._settle(image, looks, new=True)
        rows = np.flatnonzero(good)
        known = [track.look.landmarks for track in self._tracks]
        confidence = np.concatenate([np.full(len(known), np.inf), looks.logits[rows]])
        repeated = repeats(np.concatenate([*known, looks.landmarks[rows]]), confidence)
        for row in rows[~repeated[len(known) :]]:
            smoother = None if self.smoothing is None else Smoother(self.smoothing)
            one = slice(row, row + 1)
            self._tracks.append(
                _Track(next(self._ids), looks.pick(one), own.pick(one), np.zeros(2), smoother)
            )

    def _settle(
        self, image: Image, looks: Looks, new: bool = False
    ) -> tuple[Looks, Roi, Bool[np.ndarray, " b"]]:
        """Looks once more at new faces, and at those whose landmarks ask for another square.

        Returns:
            The looks, the squares that their landmarks ask for, and where they show a face.
        """
        own = self._own(looks)
        good = self._good(image, looks, own)
        distance, most, turn = _SETTLED
        ratio, angle = own.size / looks.rois.size, own.angle - looks.rois.angle
        settled = (_apart(own, looks.rois) <= distance) & (np.cos(angle) >= math.cos(turn))
        settled &= (ratio < most) & (ratio > 1 / most)
        rows = np.flatnonzero((new | ~settled) & good)
        if len(rows):
            looks = looks.replaced(rows, self.pipeline.look(image, own.pick(rows)))
            own = self._own(looks)
            good = self._good(image, looks, own)
        return looks, own, good

    def _own(self, looks: Looks) -> Roi:
        """The squares that landmarks ask for."""
        points = np.ascontiguousarray(looks.landmarks.swapaxes(1, 2)[:, :2]).swapaxes(1, 2)
        return self.pipeline.runner.topology.region_of_interest(points)

    def _good(self, image: Image, looks: Looks, own: Roi) -> Bool[np.ndarray, " b"]:
        """Where a look shows a face, of a possible size, in the picture."""
        height, width = image.shape[:2]
        ratio = own.size / looks.rois.size
        beyond = np.abs(own.centre - np.array([width, height]) / 2) - np.array([width, height]) / 2
        inside = (beyond < own.size[:, None] / 2).all(axis=1)
        good = (looks.scores >= self.pipeline.min_score) & inside
        return np.asarray(good & (ratio > 1 / _FAR) & (ratio < _FAR))  # false for NaN


def _apart(one: Roi, other: Roi) -> Float64[np.ndarray, " b"]:
    """Distance of the centres [sides of the other]."""
    return np.asarray(np.linalg.norm(one.centre - other.centre, axis=1) / other.size)
