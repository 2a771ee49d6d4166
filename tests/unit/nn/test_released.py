import pytest

from amesh.errors import UserError
from amesh.nn import released, tflite_file
from amesh.nn.tflite_file import Operator, TfliteFile


def test_bytes_of_another_kind_are_no_tflite_file():
    with pytest.raises(UserError, match="picture: not a TFLite model"):
        tflite_file.read(b"\x89PNG\r\n\x1a\n and more", "picture")


def test_a_foreign_network_is_refused_with_the_first_difference():
    foreign = TfliteFile((Operator("RELU", (0,), (1,)),), (0,), (1,), {0: (1, 4), 1: (1, 4)})
    with pytest.raises(
        UserError, match=r"other\.tflite: .*expected CONV_2D after tensor 0, found RELU"
    ):
        released.convert(foreign, "other.tflite")
