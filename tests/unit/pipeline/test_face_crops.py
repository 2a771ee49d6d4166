from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amesh.errors import UserError
from amesh.pipeline.detector import Detection
from amesh.pipeline.face_crops import face_crops
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import RunnerOutput
from amesh.topology import load


class Recorder:
    """A landmark network that keeps what it was given."""

    name = "recorder"
    input_size = 32
    topology = load("ibug68")

    def __init__(self) -> None:
        self.crops: list[np.ndarray] = []

    def __call__(self, crops: np.ndarray) -> RunnerOutput:
        self.crops.extend(crops)
        landmarks = np.zeros((len(crops), 68, 3), np.float32)
        return RunnerOutput(landmarks, np.full(len(crops), 20, np.float32))


def detect(image: np.ndarray) -> list[Detection]:
    """A face in every picture that is not black."""
    if not image.any():
        return []
    keypoints = np.array([[10, 20], [30, 24], [20, 30], [20, 35], [5, 20], [35, 20]], np.float32)
    return [Detection(np.array([8, 8, 40, 40], np.float32), keypoints, 0.9)]


def write(folder: Path, levels: list[int]) -> list[Path]:
    paths = [folder / f"{i}.png" for i in range(len(levels))]
    rng = np.random.default_rng(0)
    for path, level in zip(paths, levels, strict=True):
        pixels = rng.integers(0, level + 1, (48, 48, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


def test_crops_are_those_that_the_network_got(tmp_path: Path):
    recorder = Recorder()
    crops = face_crops(FacePipeline(recorder, detect), write(tmp_path, [200, 0, 90]), 10)
    assert crops.dtype == np.float32
    np.testing.assert_array_equal(crops, recorder.crops)
    assert len(crops) == 2


def test_pictures_are_taken_evenly(tmp_path: Path):
    paths = write(tmp_path, [10, 20, 30, 40, 50, 60])
    crops = face_crops(FacePipeline(Recorder(), detect), paths, 3)
    # Levels reach as high as a picture's own highest.
    assert [round(float(crop.max()) * 255) for crop in crops] == pytest.approx(
        [10, 30, 50], rel=0.15
    )


def test_unreadable_pictures_are_reported_and_left_out(tmp_path: Path):
    paths = write(tmp_path, [200, 200])
    paths[0].write_text("no picture")
    said: list[str] = []
    crops = face_crops(FacePipeline(Recorder(), detect), paths, 10, said.append)
    assert len(crops) == 1
    assert [line.startswith(f"left out: {paths[0]}") for line in said] == [True]


def test_no_face_at_all_is_one_clear_line(tmp_path: Path):
    paths = write(tmp_path, [0, 0])
    with pytest.raises(UserError, match="no face in the 2 pictures"):
        face_crops(FacePipeline(Recorder(), detect), paths, 10)
