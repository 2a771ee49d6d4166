"""From a picture to the faces in it: detect, crop, predict, map back to the picture."""

import os
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import compress
from typing import Any, overload

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from amesh.errors import UserError
from amesh.geometry import affine, roi
from amesh.geometry.roi import Roi
from amesh.pipeline.arguments import (
    BoxesLike,
    ImageLike,
    as_count,
    as_image,
    as_rois,
    as_score,
    rois_of_boxes,
)
from amesh.pipeline.confidence import landmark_confidence
from amesh.pipeline.crops import as_mediapipe_cuts, crop_image
from amesh.pipeline.detector import Detection
from amesh.pipeline.images import reading_cost
from amesh.pipeline.looks import Looks, look_again
from amesh.pipeline.parallel import cores, in_order
from amesh.pipeline.repeats import repeats
from amesh.runner import Runner, RunnerOutput
from amesh.topology import Topology, load

# Crops that go through the network together: bounds the memory that a crowd takes.
_BATCH = 16


@dataclass(frozen=True)
class Face:
    """One face in a picture.

    `face["lips_outer"]` gives the landmarks of a part by its name: a contour (`face_oval`,
    `right_eye`, ...), an iris (`right_iris`: its centre, then its outline), or a region that the
    network refines (`lips`). `face.topology.names` lists them all. Left and right are the
    subject's.

    Attributes:
        id: Its number in the picture; in a video, the number of its track.
        score: Confidence that the crop shows a face, from 0 to 1.
        landmarks: (n, 3) x and y [image px]; z in the same unit, smaller is nearer.
        roi: The square that the network looked at, a batch of one, in NumPy.
        topology: The scheme of the landmarks.
        raw: The landmarks before smoothing, in a video; in a picture, the landmarks.
        expected_error: (n,) distance of each raw landmark from its true place that the network
            expects [image px]; None from a network that does not predict it.

    Examples:
        >>> landmarks = np.zeros((478, 3), np.float32)
        >>> face = Face(0, 0.99, landmarks, Roi.at(100, 100, 200))
        >>> face["right_iris"].shape
        (5, 3)
    """

    id: int
    score: float
    landmarks: Float32[np.ndarray, "n 3"]
    roi: Roi
    topology: Topology = field(default_factory=load, repr=False)
    raw: Float32[np.ndarray, "n 3"] = field(default=None, repr=False)  # type: ignore[arg-type]
    expected_error: Float32[np.ndarray, " n"] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Where nothing is smoothed, the landmarks are the raw ones."""
        if self.raw is None:
            object.__setattr__(self, "raw", self.landmarks)

    @property
    def confidence(self) -> Float32[np.ndarray, " n"] | None:
        """(n,) probability that each raw landmark is close to its true place, from 0 to 1.

        Close means within `amesh.pipeline.confidence.TOLERANCE` of the size of the face, turned or
        not. None from a network that does not predict its errors.
        """
        if self.expected_error is None:
            return None
        return landmark_confidence(self.expected_error, self.raw, self.topology)

    def __getitem__(self, part: str) -> Float32[np.ndarray, "k 3"]:
        """The landmarks of a named part of the face.

        Raises:
            UserError: No part has this name; the message lists the names.
        """
        return self.landmarks[list(self.topology.indices(part))]


class FacePipeline:
    """Finds faces in pictures with a detector and a landmark network, whatever runs them."""

    def __init__(
        self,
        runner: Runner,
        detector: Callable[[UInt8[np.ndarray, "h w 3"]], Sequence[Detection]],
        max_faces: int | None = None,
        min_score: float = 0.5,
        mediapipe_crop: bool = False,
        look_again: bool = True,
        samples: int = 2,
    ) -> None:
        """Combines the parts.

        Args:
            runner: The landmark network.
            detector: Finds faces in a picture, best first.
            max_faces: Maximum number of faces to return; all by default.
            min_score: Faces below this confidence are dropped.
            mediapipe_crop: Crop as MediaPipe's CPU path does: half a pixel off, border replicated,
                no antialiasing, and look once at each face. Only for comparisons with it.
            look_again: Look again at faces that the network is not sure of, up to five times. This
                finds faces that are upside down or on their side.
            samples: How finely crops are cut; see `amesh.pipeline.crops.crop_image`.

        Raises:
            UserError: A number is out of range.
        """
        if max_faces is not None:
            max_faces = as_count(max_faces, "max_faces", ", or None for all")
        self.runner = runner
        self.detector = detector
        self.max_faces = max_faces
        self.min_score = as_score(min_score, "min_score")
        self.mediapipe_crop = mediapipe_crop
        self.look_again = look_again and not mediapipe_crop
        self.samples = samples

    @overload
    def __call__(
        self,
        image: ImageLike,
        rois: Roi | Sequence[Roi] | None = None,
        boxes: BoxesLike | None = None,
    ) -> list[Face]: ...

    @overload
    def __call__(self, image: list[Any] | tuple[Any, ...]) -> list[list[Face]]: ...

    def __call__(
        self,
        image: ImageLike | list[Any] | tuple[Any, ...],
        rois: Roi | Sequence[Roi] | None = None,
        boxes: BoxesLike | None = None,
    ) -> list[Face] | list[list[Face]]:
        """Finds the faces in a picture, or in each picture of a list, and their landmarks.

        With `rois` or `boxes` the detector is skipped, and one face is returned for each of them,
        whatever its score.

        Args:
            image: A uint8 RGB array (h, w, 3), the path of a file, or a PIL image; or a list of
                these, which are processed side by side, as `map` does.
            rois: Where to look: squares, turned so that the eyes are level.
            boxes: Where to look: left, top, right, bottom of upright faces [image px], (n, 4) or
                one box (4,).

        Returns:
            Faces in the detector's order, best first; of a list of pictures, a list for each.

        Raises:
            UserError: A picture cannot be used or read, both `rois` and `boxes` are given, or
                one of them is empty or not finite, or there is a list of pictures. The network's
                topology does not say how a crop follows from a face's box.
        """
        if isinstance(image, list | tuple):
            if rois is not None or boxes is not None:
                raise UserError("rois and boxes belong to one picture, found a list of pictures")
            return list(self.map(image))
        image = as_image(image)
        if rois is not None and boxes is not None:
            raise UserError("both rois and boxes are given; give one of them")
        if boxes is not None:
            rois = rois_of_boxes(boxes, self.runner.topology.require_roi().from_detection)
        if rois is not None:
            return self._faces(self.look(image, as_rois(rois)))
        look = partial(self.look, image)
        looks = look(self.detect(image))
        if self.look_again:
            looks = look_again(looks, look, self.runner.topology)
        repeated = repeats(looks.landmarks, looks.logits)
        faces = compress(self._faces(looks), ~repeated)
        kept = [face for face in faces if face.score >= self.min_score]
        return [replace(face, id=i) for i, face in enumerate(kept[: self.max_faces])]

    def map(
        self, images: Iterable[ImageLike], workers: int | None = None
    ) -> Generator[list[Face], None, None]:
        """Finds the faces in many pictures, several at the same time.

        Pictures are taken from `images`, and read, only a few ahead of the results, so there may be
        any number of them. Faces are the same for any number of workers.

        Args:
            images: Each as for a call with one picture.
            workers: Pictures that are processed at the same time, on a thread each; by default, as
                many as this process has cores.

        Yields:
            The faces of each picture, in the pictures' order.

        Raises:
            UserError: A picture cannot be used or read: after the faces of those before it.

        Examples:
            >>> import amesh
            >>> face_mesh, paths = amesh.FaceMesh(), ["a.jpg", "b.jpg"]
            >>> for path, faces in zip(paths, face_mesh.map(paths)):
            ...     print(path, len(faces))
            a.jpg 1
            b.jpg 1
        """
        if isinstance(images, str | os.PathLike):
            raise UserError(f"map takes several pictures, found one path: {images}")
        if workers is None:
            workers = cores()
        workers = as_count(workers, "workers", ", or None for all cores")
        return in_order(lambda image: self(as_image(image)), images, workers, _cost)

    def detect(self, image: UInt8[np.ndarray, "h w 3"]) -> Roi:
        """Finds faces in an RGB picture.

        Returns:
            Squares around them, best first; a batch of none if there is no face.

        Raises:
            UserError: The network's topology does not say how a crop follows from a face's box.
        """
        rule = self.runner.topology.require_roi().from_detection
        found = self.detector(image)
        boxes = np.array([face.box for face in found], np.float64).reshape(-1, 4)
        eyes = np.array([face.keypoints[:2] for face in found], np.float64).reshape(-1, 2, 2)
        return as_rois(roi.from_detection(boxes, eyes, rule))

    def look(self, image: UInt8[np.ndarray, "h w 3"], rois: Roi) -> Looks:
        """Looks once at each square of an RGB picture, whatever it shows.

        Where the network gives a number that is not finite, all landmarks are NaN and the score 0.

        Args:
            image: The picture.
            rois: Any number of squares, in NumPy; they go through the network in batches.
        """
        size = self.runner.input_size
        image_from_crop = roi.image_from_crop(rois, size)
        landmarks = np.empty((len(rois.size), self.runner.topology.points, 3))
        logits = np.empty(len(rois.size))
        errors = []
        for start in range(0, len(rois.size), _BATCH):
            batch = slice(start, start + _BATCH)
            output = _without_broken(self.runner(self.cut(image, image_from_crop[batch])))
            landmarks[batch, :, :2] = affine.apply(
                image_from_crop[batch], output.landmarks[..., :2]
            )
            scale = (rois.size[batch] / size)[:, None]
            landmarks[batch, :, 2] = output.landmarks[..., 2] * scale
            logits[batch] = output.face_flag
            if output.expected_error is not None:
                errors.append(output.expected_error * scale)
        return Looks(rois, landmarks, logits, np.concatenate(errors) if errors else None)

    def _faces(self, looks: Looks) -> list[Face]:
        topology = self.runner.topology
        return [face_of(looks.pick(slice(i, i + 1)), i, topology) for i in range(len(looks.logits))]

    def cut(
        self, image: UInt8[np.ndarray, "h w 3"], image_from_crop: Float64[np.ndarray, "b 2 3"]
    ) -> Float32[np.ndarray, "b s s 3"]:
        """Cuts crops out of the picture for the network, in [0, 1]."""
        size = self.runner.input_size
        crops = np.empty((len(image_from_crop), size, size, 3), np.float32)
        for crop, place in zip(crops, image_from_crop, strict=True):
            if self.mediapipe_crop:
                place = as_mediapipe_cuts(place)
                pixels = crop_image(image, place, size, border="replicate", antialias=False)
            else:
                pixels = crop_image(image, place, size, samples=self.samples)
            np.divide(pixels, np.float32(255.0), out=crop)
        return crops


def face_of(
    look: Looks,
    id: int,
    topology: Topology,
    smoothed: Float64[np.ndarray, "n 3"] | None = None,
) -> Face:
    """Makes a face of a single look.

    Args:
        look: The look, a batch of one.
        id: Number of the face.
        topology: Of the landmarks.
        smoothed: The landmarks after smoothing, if they were smoothed.
    """
    raw = look.landmarks[0].astype(np.float32)
    return Face(
        id,
        float(look.scores[0]),
        raw if smoothed is None else smoothed.astype(np.float32),
        look.rois,
        topology,
        raw,
        None if look.errors is None else look.errors[0].astype(np.float32),
    )


def _without_broken(output: RunnerOutput) -> RunnerOutput:
    """Makes crops no faces where a number is not finite: one NaN stays in a filter for ever."""
    errors = output.expected_error
    good = np.isfinite(output.landmarks).all(axis=(1, 2)) & ~np.isnan(output.face_flag)
    if errors is not None:
        good &= np.isfinite(errors).all(axis=1)
    if good.all():
        return output
    landmarks = np.where(good[:, None, None], output.landmarks, np.nan)
    flags = np.where(good, output.face_flag, -np.inf)
    return RunnerOutput(
        landmarks, flags, None if errors is None else np.where(good[:, None], errors, np.nan)
    )


def _cost(image: ImageLike) -> int:
    return reading_cost(image) if isinstance(image, str | os.PathLike) else 0
