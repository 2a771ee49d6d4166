from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from amesh.errors import UserError
from amesh.training import run_log
from amesh.training.report import curves
from amesh.training.run_log import Curves, RunLog, folder_to_resume

HELD = ["config.yaml", "checkpoints/last.ckpt"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run that was interrupted."""
    return with_files(tmp_path / "logs" / "version_3", *HELD)


def with_files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_curves_are_appended_and_new_columns_added(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    first = Curves(path)
    first.log_metrics({"train/loss": torch.tensor(0.5)}, 0)
    first.save()
    first.log_metrics({"train/loss": 0.25}, 1)
    first.save()
    second = Curves(path)
    second.log_metrics({"val/nme": 3.0}, 1)
    second.save()
    second.save()
    assert path.read_bytes() == b"step,train/loss,val/nme\r\n0,0.5,\r\n1,0.25,\r\n1,,3.0\r\n"


def test_what_was_logged_after_a_checkpoint_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    path.write_bytes(b"step,train/loss\r\n0,0.5\r\n1,0.25\r\n2,0.125\r\n1")  # killed while writing
    again = Curves(path)
    again.cut(2)
    again.log_metrics({"train/loss": 0.0625}, 2)
    again.save()
    assert curves(path) == {"train/loss": [(0, 0.5), (1, 0.25), (2, 0.0625)]}
    Curves(tmp_path / "none.csv").cut(2)
    assert not (tmp_path / "none.csv").exists()


def test_a_new_run_gets_a_folder_of_its_own(tmp_path: Path) -> None:
    with_files(tmp_path / "logs" / "version_7", "config.yaml")
    with_files(tmp_path / "logs" / "version_old", "config.yaml")
    first, second = RunLog(tmp_path), RunLog(tmp_path)
    assert Path(second.log_dir) == tmp_path / "logs" / "version_8"  # but the other is faster
    first.log_metrics({"a/b": 1.0}, 0)
    second.log_metrics({"a/b": 2.0}, 0)
    for log, number, value in ((first, 8, "1.0"), (second, 9, "2.0")):
        log.finalize("success")
        log.release(failed=False)
        folder = tmp_path / "logs" / f"version_{number}"
        assert Path(log.log_dir) == folder
        assert (folder / "metrics.csv").read_text() == f"a/b,step\n{value},0\n"
        assert names(folder) == {"metrics.csv"}


def test_a_resumed_run_goes_on_in_its_folder(run: Path) -> None:
    (run / "metrics.csv").write_text("a/b,step\n1.0,0\n2.0,1\n")
    with_files(run, ".config.yaml.01234567")
    log = RunLog(Path("elsewhere"), run)
    assert Path(log.log_dir) == run
    log.cut(1)
    log.log_metrics({"a/b": 3.0}, 99)
    log.release(failed=True)
    assert curves(run / "metrics.csv") == {"a/b": [(0, 1.0), (99, 3.0)]}
    assert names(run) == {"checkpoints", "config.yaml", "metrics.csv"}


def test_nobody_else_trains_in_a_folder_meanwhile(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "_PATIENCE", 0.0)
    with FileLock(run / ".lock"), pytest.raises(UserError, match="another process trains there"):
        RunLog(run, run).save()
    RunLog(run, run).save()


@pytest.mark.parametrize("error", [OSError, NotImplementedError])
def test_a_file_system_without_locks_will_do(
    tmp_path: Path, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def acquire(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(FileLock, "acquire", acquire)
    log = RunLog(tmp_path)
    log.log_metrics({"a/b": 1.0}, 99)
    log.release(failed=True)
    assert (tmp_path / "logs" / "version_0" / "metrics.csv").is_file()


def test_a_run_that_failed_early_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "a" / "b"
    for files, left in (
        (["config.yaml", "held_out.txt"], False),
        (["checkpoints/last.ckpt"], True),
    ):
        log = RunLog(root)
        log.save()
        with_files(Path(log.log_dir), *files)
        log.release(failed=True)
        assert (tmp_path / "a").exists() == left
    again = RunLog(root)
    again.save()
    again.release(failed=True)
    assert names(root / "logs") == {"version_0"}


def test_a_run_without_a_log_has_no_folder(tmp_path: Path) -> None:
    RunLog(tmp_path / "a").release(failed=True)
    assert not list(tmp_path.iterdir())


def test_the_last_checkpoint_goes_on_in_the_folder_of_its_run(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = run / "checkpoints" / "last.ckpt"
    assert folder_to_resume(last, None) == run
    assert folder_to_resume(last, run.parents[1]) == run
    monkeypatch.chdir(run.parents[1])
    relative = last.relative_to(run.parents[1])
    assert folder_to_resume(relative, None) == Path("logs", "version_3")
    assert folder_to_resume(relative, Path()) == Path("logs", "version_3")
    apart = with_files(run.parents[1] / "fast", "last.ckpt")
    assert folder_to_resume(apart / "last.ckpt", None, (apart, run)) == run


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda run: run / "checkpoints" / "best.ckpt", r"best\.ckpt is not the last"),
        (lambda run: run / "last.ckpt", "not where its run wrote it"),
        (lambda run: (run / "config.yaml").unlink(), "not the folder of a run"),
        (lambda run: run.parents[1] / "other", "default_root_dir is not that of"),
    ],
)
def test_other_checkpoints_start_a_new_folder_and_say_why(
    run: Path, change: Callable[[Path], Path | None], reason: str
) -> None:
    changed = change(run)
    root = changed if changed and not changed.suffix else None
    last = run / "checkpoints" / "last.ckpt" if root or not changed else changed
    with pytest.raises(UserError, match=reason):
        folder_to_resume(last, root)
