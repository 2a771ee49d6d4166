"""`amesh.evaluate`: an evaluation from plain arguments, its figures as plain JSON types."""

import contextlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from amesh.data.sources.coordinates import Coordinates
from amesh.errors import UserError
from amesh.evaluation import run
from amesh.evaluation.options import Evaluation, LabelledData

PathLike = str | os.PathLike[str]


def evaluate(
    data: PathLike | Sequence[PathLike],
    models: PathLike | Sequence[PathLike] = (),
    predictions: str | Sequence[str] = (),
    output: PathLike = "evaluation",
    *,
    coordinates: Coordinates | None = None,
    only: PathLike | None = None,
    without: PathLike | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Scores networks, or the predictions of another program, on annotated pictures.

    Does what `amesh evaluate` does, and writes the same report.

    Args:
        data: Annotated sets: a JSONL manifest, a folder of shards, or another format that training
            reads.
        models: Installed weights by name, or weights files; `NAME=FILE` gives one a name. The
            default network if neither models nor predictions are given.
        predictions: `NAME=FILE.jsonl`, as `amesh run --output` writes it.
        output: Folder for `evaluation.md` and `evaluation.json`.
        coordinates: What annotations count from where their set does not say: `corner` or
            `index`.
        only: A list of keys: no other face is scored.
        without: A list of keys: these faces are left out.
        **options: Any other field of `amesh.evaluation.options.Evaluation`, such as
            `robustness=True`, `limit=100` or `reference="released-192"`.

    Returns:
        What `evaluation.json` holds; `failed` names the pictures that could not be read.

    Examples:
        >>> report = evaluate("landmarks.jsonl", "paper-256", limit=1, detector=False)
        >>> report["about"]["limit"], report["failed"]
        (1, {})

    Raises:
        UserError: A set, a network, a prediction file or an option is wrong.
    """
    if unknown := sorted(options.keys() - Evaluation.__dataclass_fields__.keys()):
        known = ", ".join(name for name in Evaluation.__dataclass_fields__ if name != "data")
        raise UserError(f"evaluate has no option {unknown[0]!r}; it has: {known}")
    wanted = Evaluation(
        data=LabelledData(
            tuple(Path(path) for path in _several(data)),
            coordinates=coordinates,
            only=None if only is None else Path(only),
            without=None if without is None else Path(without),
        ),
        models=tuple(str(model) for model in _several(models)),
        predictions=tuple(str(file) for file in _several(predictions)),
        output=Path(output),
        **options,
    )
    with contextlib.redirect_stdout(io.StringIO()):  # the report that the command line shows
        run.evaluate(wanted)
    report: dict[str, Any] = json.loads((wanted.output / "evaluation.json").read_text("utf-8"))
    return report


def _several(given: PathLike | Sequence[PathLike]) -> Sequence[PathLike]:
    return [given] if isinstance(given, str | os.PathLike) else given
