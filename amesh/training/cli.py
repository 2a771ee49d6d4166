"""`amesh fit`, `validate` and `test`: LightningCLI over `conf/`, with guards around its traps."""

import json
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from jsonargparse import ArgumentError, Namespace
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, ProgressBar
from pytorch_lightning.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.exceptions import SIGTERMException

from amesh.errors import UserError
from amesh.training.callbacks import (
    Averaging,
    BestCheckpoint,
    LastCheckpoint,
    Progress,
    SaveNetwork,
    StopTogether,
)
from amesh.training.checkpoint import AtomicCheckpointIO, checked, read
from amesh.training.data_module import FaceData
from amesh.training.memory import keep_memory
from amesh.training.module import LandmarkTraining
from amesh.training.report import Report
from amesh.training.settings import complaint, conf_folder, named_configs, share_seed
from amesh.training.tracking import Tracker
from amesh.training.worst_faces import WorstFaces

__all__ = ["conf_folder", "main", "named_configs", "parsed"]

VERBS = ("fit", "validate", "test")
# What a shell reports for a process that SIGTERM ended.
_TERMINATED = 128 + 15
# Of `--ckpt_path`: Lightning finds the file itself.
_KEYWORDS = ("best", "last", "hpc", "registry")


def main(args: Sequence[str] | None = None) -> int:
    """Trains, validates or tests.

    Args:
        args: `fit`, `validate` or `test`, and its options; those of the process by default.

    Returns:
        0 when all is done, 2 where the user has to change something, 143 after SIGTERM.
    """
    quieten()
    keep_memory()
    try:
        words = named_configs(sys.argv[1:] if args is None else list(args))
        TrainingCLI(words)
    except SIGTERMException:
        print(
            "amesh: stopped by SIGTERM; last.ckpt is saved, --ckpt_path goes on from it",
            file=sys.stderr,
        )
        return _TERMINATED
    except (UserError, MisconfigurationException) as error:
        print(f"amesh: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def parsed(args: Sequence[str]) -> Namespace:
    """What words mean: every setting of the verb, with its default where nothing was said.

    Raises:
        UserError: There is no such configuration, or a setting is refused.
    """
    config: Namespace = ParsingOnly(named_configs(args)).config
    return config


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
    for name in ("utilities.rank_zero", "trainer.connectors.checkpoint_connector"):
        logging.getLogger(f"pytorch_lightning.{name}").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    return not ("Tip:" in text or text.startswith("`weights_only` was not set"))


class ConfigToLoggers(SaveConfigCallback):
    """Also sends the whole configuration to W&B, which gets none of it by itself."""

    def save_config(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Runs on the first rank, when the configuration is saved beside the logs."""
        config = json.loads(self.parser.dump(self.config, skip_none=False, format="json"))
        for logger in trainer.loggers:
            if isinstance(logger, Tracker):
                logger.log_hyperparams(config)


class TrainingCLI(LightningCLI):
    """LightningCLI with our callbacks, checks and files."""

    def __init__(self, args: Sequence[str]) -> None:
        """Parses words and does what they say."""
        # Abbreviations would take a misspelt word for another.
        parser = {"allow_abbrev": False, "exit_on_error": False}
        super().__init__(
            LandmarkTraining,
            FaceData,
            save_config_callback=ConfigToLoggers,
            save_config_kwargs={"overwrite": True},
            seed_everything_default=0,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,  # the checkpoint says itself what it holds
            parser_kwargs={"prog": "amesh", **parser, **{verb: dict(parser) for verb in VERBS}},
            args=list(args),
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The verbs; `amesh run` predicts."""
        known = LightningCLI.subcommands()
        return {verb: known[verb] for verb in VERBS}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Callbacks that are always there, each with a section of its own in the configuration."""
        parser.add_lightning_class_args(Averaging, "averaging")
        parser.add_lightning_class_args(LastCheckpoint, "last")
        parser.add_lightning_class_args(BestCheckpoint, "best")
        parser.add_lightning_class_args(SaveNetwork, "save")
        parser.add_lightning_class_args(WorstFaces, "worst")
        # Samplers are the data's own: they know epoch, rank and where to go on.
        parser.set_defaults({"trainer.use_distributed_sampler": False})
        parser.set_defaults({"trainer.enable_model_summary": False})  # `amesh info` says more

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parses; the words are always handed over, so nothing is to be warned of.

        Raises:
            UserError: A setting is refused.
        """
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            verb = next((word for word in args if word in VERBS), VERBS[0])
            options = self._subcommand_parsers[verb]._option_string_actions
            known = [option.removeprefix("--") for option in options]
            raise UserError(complaint(str(error), known)) from None

    def _parse_ckpt_path(self) -> None:
        """Instead of Lightning's, which lets a checkpoint override what the user asked for.

        Raises:
            UserError: The checkpoint cannot be read, or lacks what is needed to go on.
        """
        config = self.config[self.config["subcommand"]]
        path = config.get("ckpt_path")
        if not path or path in _KEYWORDS:
            return
        about = checked(read(Path(path)), Path(path), self.config["subcommand"] == "fit")
        config["model"]["warm_start"] = None  # the checkpoint's weights come instead
        for entry in _entries(config["trainer"].get("logger")):
            is_ours = str(entry.get("class_path", "")).endswith("tracking.Tracker")
            if is_ours and entry["init_args"].get("id") is None:
                entry["init_args"]["id"] = about.get("wandb")

    def before_instantiate_classes(self) -> None:
        """Lets one seed govern; refuses settings that would quietly train something worse.

        Raises:
            UserError: Naming the setting to use instead.
        """
        config = self.config[self.config["subcommand"]]
        share_seed(config)
        trainer = config["trainer"]
        if str(trainer.get("precision") or "32-true") not in ("32", "32-true"):
            raise UserError(
                f"trainer.precision {trainer['precision']} would round coordinates; "
                "model.bf16=true computes the trunks in bfloat16 and nothing else"
            )

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> pl.Trainer:
        loggers = config.get("logger")
        root = config.get("default_root_dir") or "."
        if loggers in (None, True):
            loggers = []
        if loggers is not False:
            loggers = list(loggers) if isinstance(loggers, (list, tuple)) else [loggers]
            if not any(isinstance(logger, CSVLogger) for logger in loggers):
                # First, because its folder is the run's.
                loggers.insert(0, CSVLogger(root, name="logs"))
            config["logger"] = loggers
        plugins = config.get("plugins") or []
        plugins = list(plugins) if isinstance(plugins, (list, tuple)) else [plugins]
        config["plugins"] = [*plugins, AtomicCheckpointIO()]
        callbacks = [*callbacks, StopTogether(), Report()]
        bars = [one for one in _entries(config.get("callbacks")) if isinstance(one, ProgressBar)]
        if config.get("enable_progress_bar") is not False and not bars and find_spec("rich"):
            callbacks.append(Progress())
        trainer: pl.Trainer = super()._instantiate_trainer(config, callbacks)
        return trainer


class BuildingOnly(TrainingCLI):
    """Builds trainer, module and data, and runs nothing."""

    def _run_subcommand(self, subcommand: str) -> None:
        """Runs nothing."""


class ParsingOnly(BuildingOnly):
    """Parses and checks, builds nothing."""

    def _set_seed(self) -> None:
        """Leaves the random numbers alone."""

    def instantiate_classes(self) -> None:
        """Builds nothing."""


def _entries(found: Any) -> list[Any]:
    """Loggers or callbacks, of which a configuration may hold none, one or several."""
    if found in (None, True, False):
        return []
    return list(found) if isinstance(found, (list, tuple)) else [found]
