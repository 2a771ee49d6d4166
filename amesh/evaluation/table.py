"""What a table of the report is: how its rows are computed, and how they are written."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from amesh.evaluation.evaluated import Evaluated

Rows = TypeVar("Rows")


def _no_files(_: Any) -> Mapping[str, bytes]:
    return {}


def _as_they_are(rows: Any) -> Any:
    return rows


@dataclass(frozen=True, eq=False)
class Table(Generic[Rows]):
    """One part of the report.

    To add one, write a file in `amesh.evaluation.tables` and put its table on the list there.

    Attributes:
        key: Its name in `evaluation.json`.
        title: Its heading in `evaluation.md`.
        compute: The rows, in whatever form suits the table; None if it was not measured.
        section: The rows as Markdown; where this is empty, the report leaves out the table.
        note: What a reader has to know about the figures, in Markdown, above the section.
        files: Files to write beside the report, such as a chart: content by name.
        json: What `evaluation.json` holds of the rows; by default all of them. Dataclasses and
            intervals become objects.
    """

    key: str
    title: str
    compute: Callable[[Evaluated], Rows | None]
    section: Callable[[Rows], str]
    note: str = ""
    files: Callable[[Rows], Mapping[str, bytes]] = _no_files
    json: Callable[[Rows], Any] = _as_they_are

    def rows(self, evaluated: Evaluated) -> Rows | None:
        """The rows, computed once for all tables that need them."""
        if self.key not in evaluated.computed:
            evaluated.computed[self.key] = self.compute(evaluated)
        rows: Rows | None = evaluated.computed[self.key]
        return rows
