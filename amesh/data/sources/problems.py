"""Handles unusable records of a data set: skips and lists them, or stops."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from amesh.errors import UserError

OnBad = Literal["skip", "stop"]


@dataclass
class Problems:
    """Collects the problems of a data set, or raises the first one.

    Attributes:
        on_bad: "skip" collects problems, "stop" raises the first one.
        messages: One line for each unusable record.
    """

    on_bad: OnBad = "stop"
    messages: list[str] = field(default_factory=list)

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Wraps the reading of one record; catches its `UserError` if problems are skipped."""
        try:
            yield
        except UserError as error:
            if self.on_bad == "stop":
                raise
            self.messages.append(str(error))

    def nothing_left(self, name: str) -> UserError:
        """Returns the error to raise if no record of a set can be used."""
        first = f"; the first problem: {self.messages[0]}" if self.messages else ""
        return UserError(f"{name}: no labelled face in it{first}")


def named(lines: Sequence[str], most: int = 5) -> str:
    """Describes skipped records: their number, and the first few of them."""
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    head = f"{len(lines)} records could not be used and were skipped:"
    return "\n  ".join([head, *lines[:most], *more])
