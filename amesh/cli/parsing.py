"""How the command line parses: one-line mistakes, the look of the help, kinds of arguments."""

import argparse
import difflib
import math
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NoReturn, TypeAlias

if TYPE_CHECKING:
    Actions: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Actions = argparse._SubParsersAction

# Exit codes: everything done; some inputs failed, the others are done; bad usage or nothing done.
DONE, SOME_FAILED, FAILED = 0, 1, 2


class Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Fills paragraphs, leaves lists as they are, and shows defaults where there is one to show."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.strip().split("\n\n")
        return "\n\n".join(
            one if "\n  " in one else super(Formatter, self)._fill_text(one, width, indent)
            for one in paragraphs
        )

    def _get_help_string(self, action: argparse.Action) -> str | None:
        default = action.default
        if default is None or isinstance(default, bool) or default in ((), []):
            return action.help
        if isinstance(default, list | tuple):
            return f"{action.help} (default: {' '.join(map(str, default))})"
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaints are one line, with a suggestion for a mistyped option."""

    def __init__(self, prog: str, description: str) -> None:
        """Names the command and describes it, in paragraphs."""
        super().__init__(prog=prog, description=description, formatter_class=Formatter)

    def error(self, message: str) -> NoReturn:
        """Prints what is wrong and exits with 2."""
        if unknown := re.match(r"unrecognized arguments: (--[\w-]+)", message):
            known = re.findall(r"(?<=\[)--[\w-]+", self.format_usage())
            message = f"no option {unknown[1]}{suggestion(unknown[1], known)}"
        self.exit(FAILED, f"{self.prog}: {message}; `{self.prog} --help` lists the options\n")


def suggestion(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` if a known word is close to this one, else nothing."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f" (did you mean {near[0]}?)" if near else ""


def add_actions(parser: argparse.ArgumentParser) -> Actions:
    """Lets a command have actions of its own, such as `weights list`."""
    actions: Actions = parser.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    return actions


def add_action(actions: Actions, name: str, text: str) -> argparse.ArgumentParser:
    """Adds an action; the first line of its text is its line in the list of actions."""
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text.split("\n")[0], description=text
    )
    return parser


def positive(text: str) -> int:
    """A whole number above 0."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of 1 or more, got {text!r}")
    return value


def probability(text: str) -> float:
    """A number from 0 to 1."""
    return _number(text, "from 0 to 1", lambda value: 0 <= value <= 1)


def threshold(text: str) -> float:
    """A number of at least 0 and below 1, which some confidence can reach."""
    return _number(text, "of at least 0 and below 1", lambda value: 0 <= value < 1)


def _number(text: str, which: str, fits: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not fits(value):
        raise argparse.ArgumentTypeError(f"expected a number {which}, got {text!r}")
    return value


def count(number: int, noun: str) -> str:
    """`1 face`, `2 faces`."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
