import numpy as np
import pytest

from amesh.errors import UserError
from amesh.weights import released, tflite_file
from amesh.weights.released_detector import convert_detector
from amesh.weights.tflite_file import Operator, TfliteFile


def test_bytes_of_another_kind_are_no_tflite_file():
    with pytest.raises(UserError, match="picture: not a TFLite model"):
        tflite_file.read(b"\x89PNG\r\n\x1a\n and more", "picture")


@pytest.mark.parametrize("content", [b"\0\0\0\0TFL3", b"\x10\0\0\0TFL3" + bytes(40)])
def test_a_truncated_tflite_file_is_damaged(content: bytes):
    with pytest.raises(UserError, match="cut: a damaged TFLite model"):
        tflite_file.read(content, "cut")


def test_a_foreign_network_is_refused_with_the_first_difference():
    foreign = TfliteFile((Operator("RELU", (0,), (1,)),), (0,), (1,), {0: (1, 4), 1: (1, 4)})
    with pytest.raises(UserError, match=r"other\.tflite: .*CONV_2D.*RELU"):
        released.convert(foreign, "other.tflite")


def test_a_foreign_network_is_no_detector():
    shapes = {0: (1, 100, 100, 3), 1: (1, 4)}
    foreign = TfliteFile((Operator("RELU", (0,), (1,)),), (0,), (1,), shapes)
    with pytest.raises(UserError, match="not a released face detector"):
        convert_detector(foreign)


def test_a_detector_of_another_build_is_refused_with_the_first_difference():
    shapes = {0: (1, 128, 128, 3), 1: (1, 896, 16), 2: (1, 896, 1), 3: (1, 64, 64, 8)}
    kernel = np.zeros((8, 5, 5, 3), np.float32)
    stem = Operator("CONV_2D", (0,), (3,), (kernel, np.zeros(8, np.float32)))
    with pytest.raises(UserError, match=r"convolution 0 should be .*found .*8"):
        convert_detector(TfliteFile((stem,), (0,), (1, 2), shapes))
