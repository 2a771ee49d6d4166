"""What the verbs share: exit codes, the look of the help, kinds of arguments."""

import argparse
import importlib
from typing import TYPE_CHECKING, Any, TypeAlias

from amesh.errors import UserError

if TYPE_CHECKING:
    Verbs: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Verbs = argparse._SubParsersAction

# Exit codes: everything done; some inputs failed, the others are done; bad usage or nothing done.
DONE, SOME_FAILED, FAILED = 0, 1, 2

# `amesh.nn.config.DEFAULT`, without what importing that brings along.
MODEL = "paper-256"
RUNTIMES = ("auto", "litert", "onnx", "torch", "tensorrt")


class Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, but not where there is none to show."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default in (None, False, argparse.SUPPRESS):
            return action.help
        return super()._get_help_string(action)


def verb(verbs: Verbs, name: str, text: str) -> argparse.ArgumentParser:
    """Adds a verb; the first line of its text is its line in the list of verbs."""
    summary = text.split("\n")[0]
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=summary, description=text, formatter_class=Formatter
    )
    return parser


def positive(text: str) -> int:
    """A whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return value


def probability(text: str) -> float:
    """A number from 0 up to, but not, 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 up to, but not, 1")
    return value


def needs_training(module: str, name: str) -> Any:
    """A function of a module that needs the extra `train`, which is imported here.

    Raises:
        UserError: What it needs is not installed.
    """
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("amesh"):
            raise
        raise UserError(f"this needs {error.name}: pip install 'amesh[train]'") from None


def count(number: int, noun: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
