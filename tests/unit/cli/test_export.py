"""What `amesh export` refuses before it loads anything."""

import pytest

from amesh.cli import main
from amesh.deploy import formats
from amesh.deploy.formats import Format
from amesh.errors import how_to_install


@pytest.mark.parametrize(
    "words",
    [
        ["onnx"],
        ["onnx", "--precision", "fp16"],
        ["onnx", "--precision", "int8", "--untrained", "mesh_only"],
    ],
)
def test_calibration_is_for_int8_of_a_trained_network(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", *words, "--calibrate", "no such folder"]) == 2
    assert "--calibrate is for --precision int8" in capsys.readouterr().err


def test_a_precision_that_a_format_lacks_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Format, "require", lambda _: None)
    assert main(["export", "litert", "--precision", "int8", "--calibrate", "no such folder"]) == 2
    assert "litert has no precision 'int8'; it has: fp32, fp16" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["litert", "task", "tensorrt"])
def test_a_missing_extra_is_reported_before_any_work(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _: None)
    assert main(["export", name, "--model", "nothing of that name"]) == 2
    extra = formats.format_named(name).extra
    assert f"not installed: {how_to_install(str(extra))}" in capsys.readouterr().err


def test_a_dynamic_batch_is_refused_where_there_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Format, "require", lambda _: None)
    assert main(["export", "litert", "--batch", "dynamic"]) == 2
    assert "litert has no dynamic batch" in capsys.readouterr().err


def test_samples_are_for_files_that_cut_their_own_crops(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["export", "onnx", "--samples", "2"]) == 2
    assert "--samples is for --with-crop" in capsys.readouterr().err


def test_missing_calibration_pictures_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--precision", "int8", "--calibrate", "no such folder"]
    assert main(["export", "onnx", *words]) == 2
    assert "no such folder: no such file or folder" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["8:1:64", "1:8", "1:8:64:128", "1:x:8", "0:1:2"])
def test_a_range_that_is_none(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["export", "tensorrt", "--batch", text])
    assert "--batch" in capsys.readouterr().err


def test_options_of_engines_are_for_engines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Format, "require", lambda _: None)
    assert main(["export", "onnx", "--hardware", "ampere", "--timing-cache", "t"]) == 2
    assert "onnx has no option --hardware, --timing-cache" in capsys.readouterr().err
    assert main(["export", "litert", "--batch", "1:2:4"]) == 2
    assert "litert has no range of batches; give a number" in capsys.readouterr().err
