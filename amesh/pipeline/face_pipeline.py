"""From a picture to the faces in it: detect, cut, predict, take back to the picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float32, Float64, Num, UInt8

from amesh.errors import UserError
from amesh.geometry import affine, roi
from amesh.geometry.roi import Roi
from amesh.pipeline.detector import Detection
from amesh.pipeline.images import as_mediapipe_cuts, crop_image
from amesh.runner import Runner

# Crops that go through the network together: bounds the memory that a crowd takes.
_BATCH = 16


@dataclass(frozen=True)
class Face:
    """One face in a picture.

    Attributes:
        id: Its number in the picture; in a video, the number of its track.
        score: Probability that the crop shows a face.
        landmarks: (n, 3) x and y [image px]; z in the same unit, smaller is nearer.
        roi: The square that the network looked at, a batch of one.
    """

    id: int
    score: float
    landmarks: Float32[np.ndarray, "n 3"]
    roi: Roi


class FacePipeline:
    """Detector and landmark network on pictures; both are callables, whatever runs them."""

    def __init__(
        self,
        runner: Runner,
        detector: Callable[[UInt8[np.ndarray, "h w 3"]], Sequence[Detection]],
        max_faces: int | None = None,
        min_score: float = 0.5,
        mediapipe_crop: bool = False,
    ) -> None:
        """Puts the parts together.

        Args:
            runner: The landmark network.
            detector: Finds faces in a picture, best first.
            max_faces: Return this many faces at most; all by default.
            min_score: A face that the network is less sure of is dropped.
            mediapipe_crop: Cut crops as MediaPipe's CPU path does: half a pixel off, border
                replicated, no antialiasing. For comparisons with it only.

        Raises:
            UserError: A number is out of its range.
        """
        if max_faces is not None and max_faces < 1:
            raise UserError(f"max_faces is {max_faces}; expected 1 or more, or None for all")
        if not 0 <= min_score < 1:
            raise UserError(f"min_score is {min_score}; expected a probability below 1")
        self.runner = runner
        self.detector = detector
        self.max_faces = max_faces
        self.min_score = min_score
        self.mediapipe_crop = mediapipe_crop

    def __call__(
        self,
        image: UInt8[np.ndarray, "h w 3"],
        rois: Roi | None = None,
        boxes: Num[np.ndarray, "b 4"] | None = None,
    ) -> list[Face]:
        """Finds the faces of a picture and their landmarks.

        With ROIs or boxes the detector is not asked; one face comes back for each, whatever its
        score.

        Args:
            image: RGB.
            rois: Look here: squares, turned so that the eyes are level.
            boxes: Look here: left, top, right, bottom of upright faces [image px].

        Returns:
            Faces in the detector's order, best first.

        Raises:
            UserError: The picture is no uint8 array (h, w, 3), or a ROI is not finite or empty.
        """
        _check_image(image)
        if boxes is not None:
            level = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]]).expand(len(boxes), 2, 2)
            rois = roi.from_detection(torch.from_numpy(boxes).double(), level.double())
        if rois is not None:
            return self._predict(image, rois)
        detections = self.detector(image)
        if not detections:
            return []
        found = torch.from_numpy(np.stack([each.box for each in detections])).double()
        eyes = torch.from_numpy(np.stack([each.keypoints[:2] for each in detections])).double()
        faces = self._predict(image, roi.from_detection(found, eyes))
        kept = [face for face in faces if face.score >= self.min_score]
        return [replace(face, id=i) for i, face in enumerate(kept[: self.max_faces])]

    def _predict(self, image: UInt8[np.ndarray, "h w 3"], rois: Roi) -> list[Face]:
        size = self.runner.input_size
        rois = Roi(*(part.double() for part in rois))
        if not all(part.isfinite().all() for part in rois) or (rois.size <= 0).any():
            raise UserError("a region of interest is not finite, or its size is not above 0")
        image_from_crop = roi.image_from_crop(rois, size)
        faces: list[Face] = []
        for start in range(0, len(rois.size), _BATCH):
            batch = slice(start, start + _BATCH)
            crops = np.stack([self.cut(image, each.numpy()) for each in image_from_crop[batch]])
            output = self.runner(crops)
            points = torch.from_numpy(output.landmarks).double()
            xy = affine.apply(image_from_crop[batch], points[..., :2])
            z = points[..., 2:] * (rois.size[batch] / size)[:, None, None]
            landmarks = torch.cat([xy, z], dim=-1).float().numpy()
            scores = torch.from_numpy(output.face_flag).sigmoid().tolist()
            for i, (score, face) in enumerate(zip(scores, landmarks, strict=True), start):
                faces.append(Face(i, score, face, Roi(*(part[i : i + 1] for part in rois))))
        return faces

    def cut(
        self, image: UInt8[np.ndarray, "h w 3"], image_from_crop: Float64[np.ndarray, "2 3"]
    ) -> Float32[np.ndarray, "s s 3"]:
        """A crop as the network gets it, in [0, 1]."""
        size = self.runner.input_size
        if not self.mediapipe_crop:
            crop = crop_image(image, image_from_crop, size)
        else:
            crop = crop_image(
                image, as_mediapipe_cuts(image_from_crop), size, border="replicate", antialias=False
            )
        return crop.astype(np.float32) / np.float32(255.0)


def _check_image(image: np.ndarray) -> None:
    """Shapes are not checked outside of tests, and a float picture would just show no face."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise UserError(
            f"a picture is {image.dtype} {image.shape}; expected uint8 (height, width, 3), RGB, "
            "as read_image returns it"
        )
