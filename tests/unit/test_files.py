import os
import re
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path, PurePath

import pytest

from amesh.errors import UserError
from amesh.files import (
    check_readable,
    locked,
    make_folder,
    may_be_same,
    remove_leftovers,
    replacing,
    write_atomically,
    write_folder,
)


def test_a_folder_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "package"
    write_folder(folder, {"a": b"1", "b/c": b"2"})
    write_folder(folder, {"a": b"3", "d/e": b"4"})
    assert sorted(path.name for path in folder.rglob("*")) == ["a", "d", "e"]
    assert (folder / "d" / "e").read_bytes() == b"4"
    with pytest.raises(UserError, match="package"):
        write_folder(folder, {"a": b"5", "a/b": b"6"})
    assert (folder / "a").read_bytes() == b"3"
    assert [path.name for path in folder.parent.iterdir()] == ["package"]
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match="file: a file; name a folder"):
        write_folder(file, {"a": b"1"})


@pytest.fixture(params=[0o022, 0o077, 0o007])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "file"
    write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
    assert mode(path) == 0o666 & ~umask


def test_a_replaced_file_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o640)
    write_atomically(path, b"after")
    assert path.read_bytes() == b"after"
    assert mode(path) == 0o640


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "deep" / "target", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_text("before")
    link.symlink_to(Path("deep") / "target")
    write_atomically(link, b"after")
    assert link.is_symlink()
    assert target.read_bytes() == b"after"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["deep", "link", "target"]


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(UserError, match="a: cannot be written"):
        write_atomically(tmp_path / "a", b"")
    assert (tmp_path / "a").is_symlink()


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def fail() -> None:
        with replacing(path) as file:
            file.write(b"half")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "before"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a folder; name a file"):
        write_atomically(tmp_path, b"")


def test_a_device_is_written_to_directly() -> None:
    with replacing(Path(os.devnull)) as file:
        file.write(b"gone")
    assert not Path(os.devnull).is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line() -> None:
    with pytest.raises(UserError, match="No space left"):
        write_atomically(Path("/dev/full"), b"content")


def test_a_lock_is_for_one_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / ".lock"
    with (
        locked(path, "somebody else is at work"),
        pytest.raises(UserError, match="somebody else is at work"),
        locked(path, "somebody else is at work"),
    ):
        pass
    with locked(path, "somebody else is at work"):
        pass


def test_a_lock_ends_with_its_process(tmp_path: Path, run_python: Callable[[str], str]) -> None:
    path = tmp_path / ".lock"
    code = "import os; from pathlib import Path; from amesh.files import locked\n"
    code += f"with locked(Path({str(path)!r})): print('held', flush=True); os._exit(0)"
    assert run_python(code) == "held\n"
    with locked(path, "still held"):
        pass


def test_one_who_waits_gets_the_lock_when_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    order: list[str] = []

    def wait() -> None:
        with locked(path, wait=True):
            order.append("second")

    waiting = threading.Thread(target=wait)
    with locked(path):
        waiting.start()
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]


def test_a_lock_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UserError, match="cannot be written"),
        locked(tmp_path / "file" / ".lock"),
    ):
        pass


def test_only_files_that_end_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").touch()
    (tmp_path / "loop").symlink_to("loop")
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    for name, message in {
        "pipe": "not a regular file",
        "empty": "the file is empty",
        "loop": "cannot be opened",
        "sparse": r"too large \(1000\.0 GB",
        "gone": "no such file",
        ".": "a folder, not a file",
    }.items():
        with pytest.raises(UserError, match=message):
            check_readable(tmp_path / name)
    (tmp_path / "file").write_bytes(b"1")
    check_readable(tmp_path / "file")


def test_leftovers_of_a_killed_writer_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".last.ckpt.0a1b2c3d", "last.ckpt", ".last.ckpt.backup", ".best.ckpt.0a1b2c3d"):
        (tmp_path / name).touch()
    remove_leftovers(tmp_path, "last.ckpt")
    left = {entry.name for entry in tmp_path.iterdir()}
    assert left == {"last.ckpt", ".last.ckpt.backup", ".best.ckpt.0a1b2c3d"}
    remove_leftovers(tmp_path)
    assert {entry.name for entry in tmp_path.iterdir()} == {"last.ckpt", ".last.ckpt.backup"}
    remove_leftovers(tmp_path / "gone")


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a.mp4", "videos/a.mp4", True),
        ("/data/videos/a.mp4", "videos/a.mp4", True),
        ("a.mp4", "a.mp4", True),
        ("old/a.mp4", "new/a.mp4", False),
        ("a.mp4", "b.mp4", False),
        ("ideos/a.mp4", "videos/a.mp4", False),
    ],
)
def test_paths_may_be_the_same_if_one_ends_the_other(first: str, second: str, same: bool) -> None:
    assert may_be_same(PurePath(first), PurePath(second)) is same
    assert may_be_same(PurePath(second), PurePath(first)) is same


@pytest.mark.parametrize("inside", ["", "deeper", "deeper/still"])
def test_a_file_in_the_place_of_a_folder_is_named(tmp_path: Path, inside: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UserError, match=f"^{re.escape(str(file))}: .* not a folder"):
        make_folder(file / inside)
    make_folder(tmp_path / "folder" / inside)
    make_folder(tmp_path / "folder" / inside)
    assert (tmp_path / "folder" / inside).is_dir()
