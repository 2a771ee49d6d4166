"""Lines that survive: what is kept, what is cut off, what is refused, and when the file appears."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from amesh.errors import UserError
from amesh.growing import growing, is_finished, part_of

OPTIONS = {"--model": "paper-256", "--max-faces": None, "--min-score": 0.5}


def write(
    path: Path,
    *lines: bytes,
    options: Mapping[str, Any] = OPTIONS,
    resume: bool = False,
    error: BaseException | None = None,
) -> list[bytes]:
    """Adds lines, then fails if asked to; returns the earlier lines."""
    with growing(path, options, resume) as file:
        earlier = list(file.earlier())
        for line in lines:
            file.add(line)
        if error is not None:
            raise error
    return earlier


def interrupt(path: Path, *lines: bytes) -> None:
    with pytest.raises(KeyboardInterrupt):
        write(path, *lines, error=KeyboardInterrupt())


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "out.jsonl"
    with growing(path, OPTIONS) as file:
        file.add(b"1")
        assert not path.exists()
        assert part_of(path).read_bytes() == b"1\n"  # safe already
        file.add(b"2")
    assert path.read_bytes() == b"1\n2\n"
    assert names(path.parent) == ["out.jsonl"]


def test_no_lines_make_an_empty_file(tmp_path: Path) -> None:
    write(tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("bug"), UserError("full")])
def test_an_interruption_keeps_the_lines_and_the_earlier_file(
    tmp_path: Path, error: BaseException
) -> None:
    path = tmp_path / "out"
    path.write_text("old")
    with pytest.raises(type(error)):
        write(path, b"1", b"2", error=error)
    assert path.read_text() == "old"
    assert part_of(path).read_bytes() == b"1\n2\n"
    assert write(path, b"3", resume=True) == [b"1\n", b"2\n"]
    assert path.read_bytes() == b"1\n2\n3\n"
    assert names(tmp_path) == ["out"]


def test_an_interruption_before_the_first_line_leaves_nothing(tmp_path: Path) -> None:
    interrupt(tmp_path / "out")
    assert names(tmp_path) == []


@pytest.mark.parametrize("torn", [b"3", b"x" * 200_000, b"\0" * 70_000])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    interrupt(tmp_path / "out", b"1", b"2")
    with part_of(tmp_path / "out").open("ab") as file:
        file.write(torn)
    assert write(tmp_path / "out", b"4", resume=True) == [b"1\n", b"2\n"]
    assert (tmp_path / "out").read_bytes() == b"1\n2\n4\n"


def test_a_file_that_is_one_torn_line_starts_again(tmp_path: Path) -> None:
    part_of(tmp_path / "out").write_bytes(b"torn")
    write(tmp_path / "out", b"1")
    assert (tmp_path / "out").read_bytes() == b"1\n"


def test_resuming_nothing_starts(tmp_path: Path) -> None:
    assert write(tmp_path / "out", b"1", resume=True) == []


def test_results_of_an_interrupted_run_are_not_overwritten(tmp_path: Path) -> None:
    interrupt(tmp_path / "out", b"1")
    with pytest.raises(UserError, match=r"out\.part holds .* --resume"):
        write(tmp_path / "out", b"2")
    assert part_of(tmp_path / "out").read_bytes() == b"1\n"


def test_other_options_are_refused_by_name(tmp_path: Path) -> None:
    interrupt(tmp_path / "out", b"1")
    with pytest.raises(UserError, match="begun with --max-faces None, now it is 3"):
        write(tmp_path / "out", options=OPTIONS | {"--max-faces": 3}, resume=True)
    assert part_of(tmp_path / "out").read_bytes() == b"1\n"


@pytest.mark.parametrize("content", [None, "", "[1", "3"])
def test_options_that_cannot_be_read_are_refused(tmp_path: Path, content: str | None) -> None:
    interrupt(tmp_path / "out", b"1")
    about = tmp_path / "out.part.options"
    about.unlink()
    if content is not None:
        about.write_text(content)
    with pytest.raises(UserError, match=r"options: cannot be read .*delete out\.part"):
        write(tmp_path / "out", resume=True)


def test_two_processes_do_not_write_one_file(tmp_path: Path) -> None:
    with growing(tmp_path / "out", OPTIONS) as file:
        file.add(b"1")
        with pytest.raises(UserError, match="another process is writing it"):
            write(tmp_path / "out", b"2", resume=True)
        file.add(b"3")
    assert (tmp_path / "out").read_bytes() == b"1\n3\n"


def test_a_full_disk_is_one_line_and_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        """A file on a disk with room for 3 more bytes."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            if len(data) < 4:
                raise OSError(errno.ENOSPC, "No space left on device")
            return int(self.file.write(data[:3]))

    def fill() -> None:
        with growing(tmp_path / "out", OPTIONS) as file:
            file.add(b"first line")
            monkeypatch.setattr(file, "_file", Full(file._file))
            file.add(b"other")

    with pytest.raises(UserError, match=r"out: .*No space left"):
        fill()
    assert part_of(tmp_path / "out").read_bytes() == b"first line\n"


def test_an_unwritable_place_is_named_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file: .* not a folder"):
        write(tmp_path / "file" / "out")
    with pytest.raises(UserError, match="a folder; name a file"):
        write(tmp_path)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "deep" / "target"
    target.parent.mkdir()
    link.symlink_to(target)
    write(link, b"1")
    assert link.is_symlink()
    assert target.read_bytes() == b"1\n"


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    (tmp_path / "out").chmod(0o640)
    write(tmp_path / "out", b"1")
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_to_and_cannot_be_resumed() -> None:
    write(Path(os.devnull), b"1")
    assert not Path(os.devnull).is_file()
    with pytest.raises(UserError, match="not a regular file"):
        write(Path(os.devnull), resume=True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_device_is_one_line() -> None:
    with pytest.raises(UserError, match=r"/dev/full: .*No space left"):
        write(Path("/dev/full"), b"1")


def test_finished_is_a_file_that_is_not_growing(tmp_path: Path) -> None:
    path = tmp_path / "out"
    assert not is_finished(path)
    write(path, b"1")
    assert is_finished(path)
    interrupt(path, b"1")
    assert not is_finished(path)
