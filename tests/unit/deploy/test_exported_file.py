import numpy as np
import pytest

from amesh.blazeface.config import FULL, SHORT, DetectorConfig
from amesh.deploy.exported_file import ExportedFile, FileDetector
from amesh.detector_runner import DetectorRunner
from amesh.errors import UserError


class Made(ExportedFile):
    """A file that answers with what it was shown."""

    source, about, opened_with = "made.tflite", {}, ()

    def __init__(self, config: DetectorConfig, layout: str, anchors: int | None = None) -> None:
        size, rows = config.input_size, anchors or config.anchors
        channels_first = layout == "nchw"
        shape = (1, 3, size, size) if channels_first else (1, size, size, 3)
        self.inputs, self.layout = {"image": shape}, layout  # type: ignore[assignment]
        self.outputs = {"boxes": (1, rows, 16), "scores": (1, rows)}

    def __call__(self, **arrays: np.ndarray) -> dict[str, np.ndarray]:
        self.seen = arrays["image"]
        boxes = np.zeros(self.outputs["boxes"], np.float32)
        return {"scores": np.ones(self.outputs["scores"], np.float32), "boxes": boxes}


@pytest.mark.parametrize("config", [SHORT, FULL])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
def test_a_detectors_file_sees_the_picture_from_0_to_1(config: DetectorConfig, layout: str):
    file = Made(config, layout)
    detector = FileDetector(file)
    assert isinstance(detector, DetectorRunner)
    assert detector.config == config
    square = np.zeros((config.input_size, config.input_size, 3), np.uint8)
    square[3, 5] = (255, 51, 0)
    answer = detector(square)
    assert answer.boxes.shape == (config.anchors, 16)
    assert answer.scores.tolist() == [1.0] * config.anchors
    seen = file.seen[0, :, 3, 5] if layout == "nchw" else file.seen[0, 3, 5]
    np.testing.assert_allclose(seen, [1, 0.2, 0], atol=1e-7)
    assert file.seen.max() == 1.0


@pytest.mark.parametrize("file", [Made(SHORT, "nhwc", 895), Made(FULL, "nhwc", 896)])
def test_a_file_with_other_anchors_is_no_detector(file: Made):
    with pytest.raises(UserError, match=r"made\.tflite: not an exported face detector"):
        FileDetector(file)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(UserError, match=r"made.* \(b, 128, 128, 3\)"):
        FileDetector(Made(SHORT, "nhwc"))(np.zeros((192, 192, 3), np.uint8))
