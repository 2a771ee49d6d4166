"""What `amesh export` refuses before it loads anything."""

import pytest

from amesh.cli import main


@pytest.mark.parametrize(
    "words",
    [
        ["onnx"],
        ["onnx", "--precision", "fp16"],
        ["onnx", "--precision", "int8", "--untrained", "mesh_only"],
        ["litert", "--precision", "int8"],
    ],
)
def test_calibration_is_for_int8_of_a_trained_network(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *words, "--calibrate", "no such folder"]) == 2
    assert "--calibrate is for --precision int8" in capsys.readouterr().err


def test_pictures_to_calibrate_on_have_to_be_there(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--precision", "int8", "--calibrate", "no such folder"]
    assert main(["export", "onnx", *words]) == 2
    assert "no such folder: no such file or folder" in capsys.readouterr().err
