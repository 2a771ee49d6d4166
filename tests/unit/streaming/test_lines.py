"""Lines in a file: whole or not there, but kept at Ctrl-C."""

import json
from pathlib import Path

import pytest
from puppets import puppet, streamed

from amesh.errors import UserError
from amesh.streaming.lines import BrokenOff, line_sink


def test_a_file_takes_its_name_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "new" / "faces.jsonl"
    with line_sink("jsonl:faces.jsonl", str(file), print) as sink:
        sink.send(streamed(puppet()))
        sink.send(streamed(index=4))
        assert not file.exists()
    assert [json.loads(one)["frame"] for one in file.read_text().splitlines()] == [3, 4]


def broken_by(error: BaseException, file: Path) -> None:
    with line_sink("", str(file), print) as sink:
        sink.send(streamed())
        raise error


def test_ctrl_c_keeps_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "faces.jsonl"
    with pytest.raises(KeyboardInterrupt):
        broken_by(KeyboardInterrupt(), file)
    assert file.read_text().count("\n") == 1


def test_another_error_leaves_the_earlier_file(tmp_path: Path) -> None:
    file = tmp_path / "faces.jsonl"
    file.write_text("earlier")
    with pytest.raises(UserError, match="broken"):
        broken_by(UserError("broken"), file)
    assert file.read_text() == "earlier"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_video_that_breaks_off_keeps_its_lines_and_the_earlier_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "faces.jsonl"
    with pytest.raises(BrokenOff):
        broken_by(BrokenOff(), file)
    first = file.read_text()
    assert first.count("\n") == 1
    file.write_text("earlier")
    with pytest.raises(BrokenOff):
        broken_by(BrokenOff(), file)
    assert file.read_text() == "earlier"
    assert (tmp_path / "faces.jsonl.part").read_text() == first
    assert capsys.readouterr().out.endswith("faces.jsonl.part\n")
    assert len(list(tmp_path.iterdir())) == 2


def test_the_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with line_sink("jsonl:-", "-", print) as sink:
        sink.send(streamed())
    assert json.loads(capsys.readouterr().out)["frame"] == 3
