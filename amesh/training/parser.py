"""The settings of `amesh fit`, `validate` and `test`: the parser, and what arguments mean to it."""

import json
from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from jsonargparse import ArgumentError, DefaultHelpFormatter, Namespace
from pytorch_lightning.cli import LightningArgumentParser

from amesh.data.sources.opening import SourceConfig
from amesh.errors import UserError
from amesh.training.best import BestCheckpoint
from amesh.training.callbacks import Averaging, LastCheckpoint, SaveNetwork
from amesh.training.checkpoint import checked, read
from amesh.training.data_module import FaceData
from amesh.training.module import LandmarkTraining
from amesh.training.settings import complaint, named_configs, share_seed, shipped_configs
from amesh.training.worst_faces import WorstFaces
from amesh.version import __version__

# Arguments of the Trainer's methods that amesh gives itself.
_GIVEN = ("model", "train_dataloaders", "val_dataloaders", "dataloaders", "datamodule")
# Of `--ckpt_path`: Lightning finds the file itself.
_KEYWORDS = ("best", "last", "hpc", "registry")


class _Formatter(DefaultHelpFormatter):
    """Leaves the lines of the description as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text


def make_parser(verb: str) -> tuple[LightningArgumentParser, list[str]]:
    """The parser of a verb: our settings first, then those of Lightning's Trainer.

    Args:
        verb: `fit`, `validate` or `test`.

    Returns:
        The parser, and the settings that are arguments of the Trainer's method.
    """
    parser = LightningArgumentParser(
        prog=f"amesh {verb}",
        usage=f"amesh {verb} --config NAME [--config NAME ...] [--SETTING=VALUE ...]",
        description=_description(verb),
        formatter_class=_Formatter,
        exit_on_error=False,
        allow_abbrev=False,  # an abbreviation would take a misspelt setting for another
        dump_header=[f"amesh {__version__}"],
    )
    parser.add_argument(
        "-c", "--config", action="config", help="A configuration: a name or a file."
    )
    parser.add_argument(
        "--seed_everything",
        type=bool | int,
        default=0,
        help="Seed of all random numbers; true picks one, false sets none.",
    )
    parser.add_lightning_class_args(LandmarkTraining, "model")
    parser.add_lightning_class_args(FaceData, "data")
    # Callbacks that are always there, each with a section of its own in the configuration.
    parser.add_lightning_class_args(Averaging, "averaging")
    parser.add_lightning_class_args(BestCheckpoint, "best")
    # After it, so that what is resumed knows of the best.
    parser.add_lightning_class_args(LastCheckpoint, "last")
    parser.add_lightning_class_args(SaveNetwork, "save")
    parser.add_lightning_class_args(WorstFaces, "worst")
    arguments = parser.add_method_arguments(pl.Trainer, verb, skip=set(_GIVEN))
    parser.add_lightning_class_args(pl.Trainer, "trainer")
    # Samplers are the data's own: they know epoch, rank and where to go on.
    parser.set_defaults({"trainer.use_distributed_sampler": False})
    parser.set_defaults({"trainer.enable_model_summary": False})  # `amesh info` says more
    # All of the validation data before the first step: the best network may be the first one.
    parser.set_defaults({"trainer.num_sanity_val_steps": -1})
    return parser, arguments


def parse(parser: LightningArgumentParser, args: Sequence[str]) -> Namespace:
    """Parses the arguments after the verb.

    Raises:
        UserError: There is no such configuration, or a setting is refused.
    """
    try:
        config: Namespace = parser.parse_args(named_configs(args))
    except ArgumentError as error:
        raise UserError(complaint(str(error), parser.get_defaults().keys())) from None
    except UnicodeDecodeError:
        files = ", ".join(_configs(args))
        raise UserError(f"{files}: not UTF-8 text") from None
    return config


def _configs(args: Sequence[str]) -> list[str]:
    """The configurations that arguments name."""
    named = [after for word, after in pairwise(args) if word in ("--config", "-c")]
    return named + [word.partition("=")[2] for word in args if word.startswith("--config=")]


def check(config: Namespace, verb: str) -> dict[str, Any]:
    """Lets one seed govern, and refuses settings that would quietly train something worse.

    Args:
        config: As parsed; changed in place.
        verb: What it is for.

    Returns:
        What the checkpoint that `ckpt_path` names says about its network and its run.

    Raises:
        UserError: Naming the setting to use instead; or the checkpoint cannot be read, or lacks
            what is needed to resume from it.
    """
    share_seed(config)
    for split in ("train", "val", "test"):
        for given in entries(config["data"][split]):
            # A list or a mapping that does not fit is taken for a path.
            if isinstance(given, str) and given.startswith(("[", "{")):
                keys = ", ".join(field.name for field in fields(SourceConfig))
                raise UserError(
                    f"data.{split}: expected a path, or a list of paths and of mappings with the "
                    f"keys {keys}; got {given}"
                )
    trainer = config["trainer"]
    if str(trainer.get("precision") or "32-true") not in ("32", "32-true"):
        raise UserError(
            f"trainer.precision {trainer['precision']} would round coordinates; "
            "model.bf16=true computes the trunks in bfloat16 and nothing else"
        )
    path = config.get("ckpt_path")
    if not path or path in _KEYWORDS:
        return {}
    about = checked(read(Path(path)), Path(path), verb == "fit")
    config["model"]["warm_start"] = None  # the checkpoint's weights come instead
    for entry in entries(trainer.get("logger")):
        is_ours = str(entry.get("class_path", "")).endswith("tracking.Tracker")
        if is_ours and entry["init_args"].get("id") is None:
            entry["init_args"]["id"] = about.get("wandb")
    return about


def parsed(args: Sequence[str]) -> Namespace:
    """What arguments mean: every setting of the verb, with its default if none is given.

    Args:
        args: The verb and its arguments.

    Raises:
        UserError: There is no such configuration, or a setting is refused.
    """
    parser, _ = make_parser(args[0])
    config = parse(parser, args[1:])
    check(config, args[0])
    return config


def settings_of(args: Sequence[str]) -> dict[str, Any]:
    """`parsed` as plain types, as a run writes it to its config.yaml.

    Raises:
        UserError: As for `parsed`.
    """
    parser, _ = make_parser(args[0])
    config = parse(parser, args[1:])
    check(config, args[0])
    found: dict[str, Any] = json.loads(parser.dump(config, skip_none=False, format="json"))
    return found


def entries(found: Any) -> list[Any]:
    """Values of a setting that may be one, several, or none."""
    if found in (None, True, False):
        return []
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _description(verb: str) -> str:
    wholes, fragments = shipped_configs()
    width = max(map(len, wholes))
    lines = [
        "Settings come from configurations and from the command line; later ones win. A",
        "configuration is a YAML file, or the name of one that comes with amesh:",
        "",
        *(f"  {name:<{width}}  {text}" for name, text in wholes.items()),
        "",
        "Fragments change a part of the configurations before them:",
        "",
        *(f"  {line}" for line in fragments),
        "",
        f"  amesh {verb} --config fine_tune --config trainer/gpu --data.train=shards",
        "",
        "The settings below are those of the network (model), the data, the weights and files that",
        "training keeps, and then those of Lightning's Trainer. --model.warm_start starts from",
        "given weights, --ckpt_path resumes from a checkpoint, --print_config prints all settings.",
    ]
    return "\n".join(lines)
