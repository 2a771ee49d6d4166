"""A picture whose colours say where each pixel lies, and a network that reads them.

So the network knows the affine of whatever crop it is given, reflections included, and answers with
landmarks that are known beforehand.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amesh.labelling.teacher import Teacher
from amesh.labelling.views import ViewConfig
from amesh.pipeline.detector import Detection
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import RunnerOutput
from amesh.topology.scheme import load

TOPOLOGY = load()
SIDE = 256


def coloured() -> np.ndarray:
    """Red is x, green is y [px]; blue falls with both, so that rounding to 8 bits shows."""
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.stack([x, y, 255 - (x + y) / 2], axis=2).astype(np.uint8)


def face(centre: tuple[float, float] = (128.0, 128.0), size: float = 60.0) -> np.ndarray:
    """The mean face, its longer side `size`; (478, 3) [px]."""
    points = TOPOLOGY.template * (size / np.ptp(TOPOLOGY.template[:, :2], axis=0).max())
    points[:, :2] += np.array(centre) - (points[:, :2].min(0) + points[:, :2].max(0)) / 2
    return points


def detect(points: np.ndarray) -> Detection:
    low, high = points[:, :2].min(0), points[:, :2].max(0)
    eyes = np.zeros((6, 2), np.float32)
    eyes[:2] = points[list(TOPOLOGY.anchors), :2]
    return Detection(np.concatenate([low, high]).astype(np.float32), eyes, 0.9)


class ColourReader:
    """A landmark network for `coloured` pictures: finds the face nearest to the crop's middle."""

    name = "colours"
    input_size = 64
    topology = TOPOLOGY

    def __init__(self, faces: list[np.ndarray], logit: float = 9.0) -> None:
        self.faces, self.logit = faces, logit
        self.error: Callable[[np.ndarray], np.ndarray | float] = lambda _: 0.0
        self.batches: list[int] = []

    def __call__(self, crops: np.ndarray) -> RunnerOutput:
        self.batches.append(len(crops))
        answers = np.stack([self.read(crop) for crop in crops]).astype(np.float32)
        return RunnerOutput(answers, np.full(len(crops), self.logit, np.float32))

    def read(self, crop: np.ndarray) -> np.ndarray:
        at = self.image_from_crop(crop)
        middle = at[:, :2] @ (32.0, 32.0) + at[:, 2]
        points = min(self.faces, key=lambda f: np.linalg.norm(f[:, :2].mean(0) - middle))
        if np.linalg.det(at[:, :2]) < 0:  # in a mirrored picture the right eye is a left one
            points = points[TOPOLOGY.mirror]
        xy = np.linalg.solve(at[:, :2], points[:, :2].T - at[:, 2:]).T
        z = points[:, 2:] / np.sqrt(abs(np.linalg.det(at[:, :2])))
        return np.concatenate([xy, z], axis=1) + self.error(at)

    def image_from_crop(self, crop: np.ndarray) -> np.ndarray:
        """The affine, by least squares over the pixels that are not beyond the picture."""
        y, x = np.mgrid[:64, :64] + 0.5
        total = crop @ (255.0, 255.0, 510.0) - 509.5
        inside = np.abs(total) < 8
        places = np.stack([x, y, np.ones_like(x)], axis=2)[inside]
        # Colours count from the first pixel's centre; what all three are too bright is rounding.
        seen = crop[..., :2][inside] * 255 + 0.5 - total[inside].mean() / 4
        return np.linalg.lstsq(places, seen, rcond=None)[0].T


@pytest.fixture
def network() -> ColourReader:
    return ColourReader([face()])


@pytest.fixture
def make_teacher() -> Callable[..., Teacher]:
    def make(network: ColourReader, views: ViewConfig | None = None) -> Teacher:
        def detector(image: np.ndarray) -> list[Detection]:
            return [detect(one) for one in network.faces] if image[..., 2].any() else []

        return Teacher(FacePipeline(network, detector, look_again=False), views)

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five pictures with a face in each, one without, one that is none."""
    place = tmp_path / "photos"
    (place / "deep").mkdir(parents=True)
    for i in range(5):
        Image.fromarray(coloured()).save(place / "deep" / f"{i}.png")
    Image.new("RGB", (SIDE, SIDE)).save(place / "black.png")
    (place / "text.jpg").write_text("no picture")
    return place
