"""`amesh fit`, `validate` and `test`: LightningCLI over `conf/`, with guards around its traps."""

import errno
import json
import logging
import os
import signal
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities import rank_zero_info
from pytorch_lightning.utilities.exceptions import SIGTERMException

from amesh.errors import UserError
from amesh.files import write_atomically
from amesh.training.callbacks import LastCheckpoint, Progress
from amesh.training.checkpoint import AtomicCheckpointIO
from amesh.training.data_module import FaceData
from amesh.training.memory import keep_memory
from amesh.training.module import LandmarkTraining
from amesh.training.parser import check, entries, make_parser, parse
from amesh.training.processes import leave_group
from amesh.training.report import Report
from amesh.training.resuming import ExactResume
from amesh.training.run_log import RunLog, folder_to_resume
from amesh.training.stopping import StopTogether
from amesh.training.tracking import Tracker

_FULL = (errno.ENOSPC, errno.EDQUOT)


def main(args: Sequence[str] | None = None) -> int:
    """Trains, validates or tests.

    Args:
        args: `fit`, `validate` or `test`, and its arguments; those of the process by default.

    Returns:
        0 when all is done, 2 if the user has to change something, 143 after SIGTERM, 130 after
        Ctrl-C.
    """
    quieten()
    keep_memory()
    code = _run(*(sys.argv[1:] if args is None else args))
    # After a Ctrl-C in the middle of a step, others may never take part in what this one waits for.
    if code != 128 + signal.SIGINT:
        leave_group()
    return code


def _run(verb: str, *rest: str) -> int:
    built = None
    try:
        if not rest:
            raise UserError(
                f"which training? give --config NAME, such as quick or fine_tune; `amesh {verb} "
                "--help` lists them"
            )
        built = TrainingCLI(verb, rest)
        built.run()
    except SIGTERMException as exception:
        return _farewell(getattr(exception, "number", signal.SIGTERM), built)
    except KeyboardInterrupt:  # before the first step or after the last, or the second one
        return _farewell(signal.SIGINT, built)
    except SystemExit as end:  # Lightning's, instead of it
        if not isinstance(end.__context__, KeyboardInterrupt):
            raise
        return _farewell(signal.SIGINT, built)
    except (UserError, MisconfigurationException) as error:
        print(f"amesh: {_one_line(error)}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _FULL:
            raise
        print(f"amesh: the disk is full ({error}); {_kept(built)}", file=sys.stderr)
        return 2
    return 0


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if "No supported gpu backend" in text:  # Lightning's words, which do not say what to do
        return "no GPU was found; leave out --config trainer/gpu, or give --config trainer/cpu"
    return text


def _farewell(number: int, built: "TrainingCLI | None") -> int:
    """Says where training can be resumed from after a signal.

    Returns:
        What a shell reports for a process that the signal ended.
    """
    by = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    print(f"amesh: stopped by {by}; {_kept(built)}", file=sys.stderr)
    return 128 + number


def _kept(built: "TrainingCLI | None") -> str:
    """What training can be resumed from."""
    callbacks = built.trainer.callbacks if built else []  # type: ignore[attr-defined]
    path = next((one.path for one in callbacks if isinstance(one, LastCheckpoint)), None)
    if path:
        return f"resume with --ckpt_path={path}"
    return "no step was saved yet: there is nothing to resume from"


def quieten() -> None:
    """Keeps from the user what Lightning says to its own developers, and its advertisements."""
    # LightningCLI uses functions of jsonargparse that its next major version drops.
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    warnings.filterwarnings("ignore", "`isinstance\\(treespec, LeafSpec\\)`")
    warnings.filterwarnings("ignore", "The '.*_dataloader' does not have many workers")
    # Said of kernels of one pixel, whose strides mean nothing.
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    # Nothing to validate on is what the user asked for.
    warnings.filterwarnings("ignore", "Total length of `list` across ranks is zero")
    # A resumed run goes on in its own folder.
    warnings.filterwarnings("ignore", "Checkpoint directory .* exists and is not empty")
    for name in ("utilities.rank_zero", "trainer.connectors.checkpoint_connector"):
        logging.getLogger(f"pytorch_lightning.{name}").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not ("Tip:" in text or text.startswith("`weights_only` was not set"))


class SaveConfig(SaveConfigCallback):
    """Saves the whole configuration, and sends it to W&B, which gets none of it by itself."""

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Asks for the run's folder, on all ranks: they agree on it."""
        self._path = Path(trainer.log_dir or ".") / self.config_filename
        super().setup(trainer, pl_module, stage)

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Runs on the first rank. A resumed run has a file that must not be lost half-way."""
        text = self.parser.dump(self.config, skip_none=False)
        write_atomically(self._path, text.encode())
        config = json.loads(self.parser.dump(self.config, skip_none=False, format="json"))
        for logger in trainer.loggers:
            if isinstance(logger, Tracker):
                logger.log_hyperparams(config)


class TrainingCLI(LightningCLI):
    """LightningCLI with our parser, callbacks, checks and files; `run` does the work."""

    def __init__(self, verb: str, args: Sequence[str]) -> None:
        """Parses arguments and builds trainer, network and data.

        Args:
            verb: `fit`, `validate` or `test`.
            args: What follows it on the command line.

        Raises:
            UserError: There is no such configuration, or a setting is refused.
        """
        self.verb = verb
        self._log: RunLog | None = None
        self._resumed: dict[str, Any] = {}
        super().__init__(
            LandmarkTraining,
            FaceData,
            save_config_callback=SaveConfig,
            save_config_kwargs={"save_to_log_dir": False},
            trainer_defaults={"callbacks": [ExactResume(), StopTogether(), Report()]},
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,  # the checkpoint says itself what it holds
            args=list(args),
            run=False,
        )

    def run(self) -> None:
        """Trains, validates or tests."""
        given = {name: self.config_init[name] for name in self.arguments}
        failed = True
        try:
            getattr(self.trainer, self.verb)(self.model, datamodule=self.datamodule, **given)
            failed = False
        finally:
            if self._log is not None:
                self._log.release(failed)

    def setup_parser(self, *_: Any) -> None:
        """Makes our parser instead of Lightning's."""
        self.parser, self.arguments = make_parser(self.verb)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses; Lightning's would warn that the arguments are not those of the process."""
        self.config = parse(parser, args)

    def before_instantiate_classes(self) -> None:
        """Refuses what could only be found out much later."""
        self._resumed = check(self.config, self.verb)

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Adds the CSV log, whole checkpoints and a progress bar to what was asked for."""
        config = self.config_init["trainer"]
        callbacks = entries(config.get("callbacks"))
        bars = [one for one in callbacks if isinstance(one, ProgressBar)]
        if config.get("enable_progress_bar") is not False and not bars and find_spec("rich"):
            callbacks.append(Progress())
        if (loggers := config.get("logger")) is not False:
            loggers = entries(loggers)
            if not any(isinstance(logger, CSVLogger) for logger in loggers):
                root = config.get("default_root_dir")
                self._log = RunLog(Path(root or "."), self._folder(root and Path(root)))
                loggers.insert(0, self._log)  # first, because its folder is the run's
        plugins = [*entries(config.get("plugins")), AtomicCheckpointIO()]
        trainer: pl.Trainer = super().instantiate_trainer(
            callbacks=callbacks, logger=loggers, plugins=plugins, **kwargs
        )
        return trainer

    def _folder(self, root: Path | None) -> Path | None:
        """The folder of the run that training resumes; None if it starts a new one."""
        if self.verb != "fit" or not self._resumed:
            return None
        last, run = self.config["last"]["folder"], self._resumed.get("folder")
        elsewhere = (Path(last), Path(run)) if last and run else None
        try:
            folder = folder_to_resume(Path(self.config["ckpt_path"]), root, elsewhere)
        except UserError as reason:
            rank_zero_info(f"resumes in a new folder: {reason}")
            return None
        rank_zero_info(f"resumes in {folder}")
        return folder
