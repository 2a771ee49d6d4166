"""A run's folder, `logs/version_N`, and in it the curves of all that is logged: `metrics.csv`.

Lightning's own logger deletes the curves that it finds in its folder. This one appends to them, so
that a resumed run goes on in the folder where it began.
"""

import csv
import io
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from lightning_fabric.loggers.logger import rank_zero_experiment
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities import rank_zero_only

from amesh.errors import UserError
from amesh.files import as_user_error, remove_leftovers, write_atomically

_FLUSH = 100  # [steps]
# How long the workers of a killed run may take to notice it, and to let go of its folder [s].
_PATIENCE = 20.0
# What a run writes before its first step.
_PREPARATIONS = {".lock", "config.yaml", "held_out.txt"}


class Curves:
    """A CSV file that rows are appended to; new columns are added as they come."""

    def __init__(self, path: Path) -> None:
        """Goes on with a file, if there is one.

        Args:
            path: The file.
        """
        self.path = path
        self._waiting: list[dict[str, Any]] = []
        self._columns = _read(path)[0]

    def log_metrics(self, values: Mapping[str, Any], step: int) -> None:
        """Notes a row; `save` writes it."""
        plain = {name: _plain(value) for name, value in values.items()}
        self._waiting.append({**plain, "step": step})

    def save(self) -> None:
        """Writes the rows that were noted.

        Raises:
            UserError: The file has other columns now, and cannot be replaced.
        """
        if not self._waiting:
            return
        if new := set().union(*self._waiting) - set(self._columns):
            earlier = _read(self.path)[1]
            self._columns = sorted({*self._columns, *new})
            self._write(earlier + self._waiting)
        else:
            with self.path.open("a", encoding="utf-8", newline="") as file:
                file.write(_text(self._columns, self._waiting))
        self._waiting = []

    def cut(self, step: int) -> None:
        """Removes what was logged at a step or later, and a line that a kill has torn."""
        columns, rows = _read(self.path)
        if columns:
            self._write([row for row in rows if row["step"].isdigit() and int(row["step"]) < step])

    def _write(self, rows: list[dict[str, Any]]) -> None:
        header = dict(zip(self._columns, self._columns, strict=True))
        write_atomically(self.path, _text(self._columns, [header, *rows]).encode())


def folder_to_resume(
    checkpoint: Path, root: Path | None, elsewhere: tuple[Path, Path] | None = None
) -> Path:
    """The folder of the run that a checkpoint is the last of.

    Args:
        checkpoint: To resume from.
        root: Where the user wants the `logs` of runs, if that was said.
        elsewhere: The folder that the run keeps its `last.ckpt` in, and the run's own, if the one
            is not in the other.

    Raises:
        UserError: Training cannot go on there; says why.
    """
    if checkpoint.name != "last.ckpt":
        raise UserError(f"{checkpoint.name} is not the last checkpoint of its run")
    folder = checkpoint.parent.parent
    if elsewhere and elsewhere[0].resolve() == checkpoint.parent.resolve():
        folder = elsewhere[1]
    elif checkpoint.parent.name != "checkpoints":
        raise UserError(f"{checkpoint} is not where its run wrote it")
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder} is not the folder of a run")
    if root is not None and folder.parent.resolve() != (root / "logs").resolve():
        raise UserError(f"trainer.default_root_dir is not that of {folder}")
    return folder


class RunLog(CSVLogger):
    """Writes `metrics.csv` into the run's folder, which belongs to this process as long as it runs.

    A new run takes the first `logs/version_N` that is free, as with Lightning's CSVLogger.
    """

    def __init__(self, root: Path, folder: Path | None = None) -> None:
        """Creates nothing yet.

        Args:
            root: Folder for the `logs` of new runs.
            folder: The folder of the run to go on with.
        """
        self._resumed = folder is not None
        if folder is None:
            super().__init__(root, "logs")
        else:
            super().__init__(folder.parent.parent, folder.parent.name, folder.name)
        self._number: int | None = None
        self._curves: Curves | None = None
        self._lock: FileLock | None = None
        self._created: list[Path] = []  # its folder and those above it that were missing

    @property
    def version(self) -> int | str:
        """The number of a new run; the folder's name of a resumed one."""
        if self._resumed:
            return super().version
        if self._number is None:
            names = (path.name for path in Path(self.root_dir).glob("version_*"))
            numbers = [int(name[8:]) for name in names if name[8:].isdecimal()]
            self._number = max(numbers, default=-1) + 1
        return self._number

    @property
    @rank_zero_experiment
    def experiment(self) -> Curves:
        """The curves. The first who asks creates the folder.

        Raises:
            UserError: Another process trains there, or it cannot be created.
        """
        if self._curves is None:
            self._claim()
            self._curves = Curves(Path(self.log_dir) / "metrics.csv")
        return self._curves

    @rank_zero_only
    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: the run's config.yaml says more."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Notes numbers, and writes them now and then."""
        step = step or 0
        self.experiment.log_metrics(metrics, step)
        if (step + 1) % _FLUSH == 0:
            self.save()

    @rank_zero_only
    def save(self) -> None:
        """Writes the numbers that were noted."""
        self.experiment.save()

    @rank_zero_only
    def cut(self, step: int) -> None:
        """Removes what an interrupted run logged after the checkpoint that it resumes from."""
        self.experiment.cut(step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Writes what is left."""
        if self._curves is not None:
            self._curves.save()

    def release(self, failed: bool) -> None:
        """Lets others train here.

        Args:
            failed: Whether the run failed: if it has nothing to show yet, its folder is removed.
        """
        if self._curves is None:
            return
        folder = Path(self.log_dir)
        with suppress(OSError):
            if failed and self._created and {p.name for p in folder.iterdir()} <= _PREPARATIONS:
                shutil.rmtree(folder)
                for parent in self._created[1:]:
                    parent.rmdir()  # unless it holds other runs by now
        if self._lock is not None:
            self._lock.release()
            Path(self._lock.lock_file).unlink(missing_ok=True)

    def _claim(self) -> None:
        with as_user_error(Path(self.root_dir)):
            while True:
                folder = Path(self.log_dir)
                self._created = [one for one in (folder, *folder.parents) if not one.exists()]
                try:
                    folder.mkdir(parents=True, exist_ok=self._resumed)
                    break
                except FileExistsError:  # of a run that was started at the same time
                    self._number = None
        lock = FileLock(folder / ".lock")
        try:
            lock.acquire(timeout=_PATIENCE if self._resumed else 0)
        except Timeout:
            raise UserError(f"{folder}: another process trains there; wait for it") from None
        except (OSError, NotImplementedError):  # some network file systems have no locks
            return
        self._lock = lock
        remove_leftovers(folder)


def _read(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns and the rows of a file, without a torn last line."""
    if not path.is_file():
        return [], []
    whole, newline, _ = path.read_bytes().decode(errors="replace").rpartition("\n")
    reader = csv.DictReader(io.StringIO(whole + newline), restval="")
    rows = list(reader)
    columns = list(reader.fieldnames or [])
    return (columns, rows) if "step" in columns else ([], [])


def _text(columns: list[str], rows: list[dict[str, Any]]) -> str:
    text = io.StringIO(newline="")
    csv.DictWriter(text, columns, extrasaction="ignore").writerows(rows)
    return text.getvalue()


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value
