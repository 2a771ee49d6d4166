"""Finding faces in a picture, by one of the released detectors or by both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32, Float64, UInt8
from torch import nn

from amesh.nn import weights
from amesh.nn.detector import DetectorConfig
from amesh.pipeline.cutting import as_mediapipe_cuts
from amesh.pipeline.decoding import anchors, decode, overlap, weighted_nms
from amesh.pipeline.images import crop_image

DetectorKind = Literal["short", "full", "both"]

# The thresholds of MediaPipe's graphs; boxes that overlap by more than `_IOU` are one face.
_MIN_SCORE = {"short": 0.5, "full": 0.6}
_IOU = 0.3


@dataclass(frozen=True)
class Detection:
    """A face found in a picture.

    Attributes:
        box: Left, top, right, bottom [image px].
        keypoints: The subject's right eye, left eye, nose tip, mouth, right and left ear tragion
            [image px].
        score: Probability, of the best anchor.
    """

    box: Float32[np.ndarray, " 4"]
    keypoints: Float32[np.ndarray, "6 2"]
    score: float


class Detector:
    """Detector networks on whole pictures; later ones add only faces that earlier ones missed."""

    def __init__(
        self,
        networks: Sequence[nn.Module],
        mediapipe_crop: bool = False,
    ) -> None:
        """Takes over the networks.

        Args:
            networks: Detectors of `amesh.nn.detector`, asked in this order.
            mediapipe_crop: Shrink the picture as MediaPipe's CPU path does: half a pixel off and
                without antialiasing. For comparisons with it only.
        """
        self.networks = [network.eval() for network in networks]
        self.mediapipe_crop = mediapipe_crop

    @classmethod
    def open(cls, kind: DetectorKind = "both", mediapipe_crop: bool = False) -> "Detector":
        """The installed detectors.

        Raises:
            UserError: They are not installed.
        """
        names = ("short", "full") if kind == "both" else (kind,)
        return cls([weights.load(f"detector-{name}") for name in names], mediapipe_crop)

    def __call__(self, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        """Faces in an RGB picture, best first."""
        found: list[Detection] = []
        for network in self.networks:
            taken = np.array([known.box for known in found], np.float32).reshape(-1, 4)
            found += [
                detection
                for detection in self._detect(network, image)
                if not (overlap(detection.box, taken) > _IOU).any()
            ]
        return sorted(found, key=lambda detection: -detection.score)

    @torch.inference_mode()
    def _detect(self, network: nn.Module, image: UInt8[np.ndarray, "h w 3"]) -> list[Detection]:
        config = network.config
        assert isinstance(config, DetectorConfig)
        image_from_input = letterbox(image.shape[1], image.shape[0], config.input_size)
        if self.mediapipe_crop:
            cut, antialias = as_mediapipe_cuts(image_from_input), False
        else:
            cut, antialias = image_from_input, True
        square = crop_image(image, cut, config.input_size, antialias=antialias)
        pixels = torch.from_numpy(square).permute(2, 0, 1)[None].float()  # s s 3 -> 1 3 s s
        output = network(pixels / 127.5 - 1)
        boxes, scores = output.boxes[0].numpy(), output.scores[0].numpy()
        rows, scores = decode(boxes, scores, anchors(config), _MIN_SCORE[config.name])
        rows, scores = weighted_nms(rows, scores, _IOU)
        scale, shift = image_from_input[0, 0], image_from_input[:, 2]
        points = (rows.reshape(-1, 8, 2) * scale + shift).astype(np.float32)
        return [
            Detection(point[:2].reshape(4), point[2:], float(score))
            for point, score in zip(points, scores, strict=True)
        ]


def letterbox(width: int, height: int, size: int) -> Float64[np.ndarray, "2 3"]:
    """image_from_input: the whole picture in the middle of a square, its aspect kept.

    Args:
        width: Of the picture [px].
        height: Of the picture [px].
        size: Side of the detector's input [px].
    """
    side = max(width, height)
    scale = side / size
    return np.array([[scale, 0, (width - side) / 2], [0, scale, (height - side) / 2]])
