"""The report of an ablation, as Markdown and JSON."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import amesh
from amesh.ablation.cost import ROUNDS, Cost
from amesh.ablation.score import Column, FaceSet, Variants
from amesh.evaluation.comparison import FEW
from amesh.evaluation.markdown import interval, table
from amesh.files import write_atomically
from amesh.metrics.bootstrap import Interval
from amesh.weights import store

_ERRORS = """\
Crops are regions of interest from the annotations, without a detector. Errors are mean 2-D
distances in % of a length from the annotations: the distance between the outer eye corners; for
`..._by_width`, the width of the same eye or of the lips; for `lips`, `eyes` and `inner_N` of
AFLW2000-3D, the square root of the box's area. `lids`, `lip_outlines` and `irises` are distances
from human annotations to the nearest position on the predicted outline."""

_SEVERAL = """\
Errors are means over {seeds} seeds. A change [%] is the geometric mean over the seeds of the ratio
to the reference's error with the same seed, that is, the same order of the data. Brackets hold its
95 % interval over faces and trainings: faces (persons, if the annotations name them) are drawn with
replacement, {resamples:,} times, the same for all networks, and each draw is offset by Student's t,
scaled by the residual spread between trainings after removing the effects of variant and seed. The
spread is assumed to be the same for all variants and is estimated from all of them, with {freedom}
degrees of freedom. One in twenty intervals misses by chance."""

_ONE = """\
**One seed each**: brackets hold the 95 % interval of a change [%] against the reference, over faces
alone (persons, if the annotations name them; drawn with replacement, {resamples:,} times). Another
training of the same variant would give another figure, and one seed does not tell how different.
Do not read anything into small changes."""

_COST = """\
MMAC are millions of multiply-accumulates in convolutions and matrix products per face. Time is that
of the network alone in PyTorch for one face on one thread: the median of {rounds} interleaved
rounds, relative to the reference's median ({time:.1f} ms). Exported networks have other ratios: see
`amesh benchmark`."""


@dataclass(frozen=True)
class Made:
    """How the networks were trained.

    Attributes:
        name: Name of the ablation.
        reference: The variant that the others are compared with.
        seeds: Seeds of the trainings, the same for all variants.
        common: Arguments of `amesh fit` for all variants.
        arguments: Further arguments of each variant, by its name.
        budgets: Length of the training of each variant.
    """

    name: str
    reference: str
    seeds: tuple[int, ...]
    common: tuple[str, ...]
    arguments: dict[str, tuple[str, ...]]
    budgets: dict[str, str]


def about(
    made: Made, variants: Variants, data: Sequence[Path], extra: dict[str, Any]
) -> dict[str, Any]:
    """Returns what a reader must know to interpret the figures."""
    file = variants[made.reference][0]
    origins = [store.header(one)["origin"] for files in variants.values() for one in files]
    terms = store.header(file)["origin"].get("licences", {})
    told = ", ".join(f"{name}: {count:,}" for name, count in terms.items())
    if any(origin.get("licences", {}) != terms for origin in origins):
        told += "; **not all networks: the data changed between trainings**"
    others = {
        name: budget
        for name, budget in made.budgets.items()
        if budget != made.budgets[made.reference]
    }
    return {
        "amesh": amesh.__version__,
        "networks trained by amesh": ", ".join(
            sorted({str(origin.get("version", "not stated")) for origin in origins})
        ),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "budget": made.budgets[made.reference],
        **({"other budgets": others} if others else {}),
        "trained on": f"{sum(terms.values()):,} faces ({told})" if terms else "not stated",
        "seeds": ", ".join(map(str, made.seeds)),
        "scored on": ", ".join(f"{path.resolve().parent.name}/{path.name}" for path in data),
        **extra,
        "machine": f"{os.cpu_count()} cores, torch {torch.__version__}; time on one thread",
    }


def write(
    made: Made,
    told: dict[str, Any],
    sets: Sequence[FaceSet],
    spent: Sequence[Cost],
    resamples: int,
    folder: Path,
) -> list[Path]:
    """Writes `NAME.md` and `NAME.json`, named after the ablation.

    Raises:
        UserError: The folder cannot be written to.
    """
    content = {
        "about": told,
        "made": made,
        "bootstrap": {"resamples": resamples, "seed": 0},
        "costs": list(spent),
        "sets": list(sets),
    }
    text = json.dumps(_plain(content), indent=1, allow_nan=False) + "\n"
    report = markdown(made, told, sets, spent, resamples)
    files = {f"{made.name}.json": text, f"{made.name}.md": report}
    for name, one in files.items():
        write_atomically(folder / name, one.encode())
    return [folder / name for name in files]


def markdown(
    made: Made,
    told: dict[str, Any],
    sets: Sequence[FaceSet],
    spent: Sequence[Cost],
    resamples: int,
) -> str:
    """Returns the report as Markdown."""
    seeds = len(made.seeds)
    how = _SEVERAL if seeds > 1 else _ONE
    freedom = (len(made.arguments) - 1) * (seeds - 1)
    reference = next(cost for cost in spent if cost.variant == made.reference)
    blocks = [
        f"# Ablation: {made.name}",
        "\n".join(f"* {key}: {_inline(value)}" for key, value in told.items()),
        how.format(seeds=seeds, resamples=resamples, freedom=freedom),
        _ERRORS,
    ]
    for found in sets:
        blocks += [f"## {found.group}", _caption(found), _errors(found)]
        if seeds > 1:
            blocks += [f"Changes [%] seed by seed ({told['seeds']}):", _by_seed(found)]
    caption = _COST.format(time=reference.time, rounds=ROUNDS)
    blocks += ["## Size and time", caption, _costs(spent, reference)]
    rows = [[name, _code(arguments) or "(none)"] for name, arguments in made.arguments.items()]
    blocks += [
        "## How the variants differ",
        f"Arguments of `amesh fit` after those of all variants: {_code(made.common) or 'none'}.",
        table(["variant", "arguments"], rows),
    ]
    return "\n\n".join(blocks) + "\n"


def _caption(found: FaceSet) -> str:
    faces = sum(found.sources.values())
    sources = ", ".join(f"{count} of {name}" for name, count in found.sources.items())
    schemes = ", ".join(f"`{scheme}`" for scheme in found.schemes)
    few = f"; fewer than {FEW} faces, interpret with care" if faces < FEW else ""
    columns = ", ".join(f"{column.name} is {_measured(column, faces)}" for column in found.columns)
    return f"{faces} faces ({sources}), labelled in {schemes}{few}.\n{columns}."


def _measured(column: Column, faces: int) -> str:
    part = f" ({column.faces} faces)" if column.faces != faces else ""
    return f"`{column.measure}`{part}"


def _errors(found: FaceSet) -> str:
    names = [column.name for column in found.columns]
    heads = ["variant", *(f"{name} [%]" for name in names), *(f"{name}: change" for name in names)]
    rows = []
    for effects in zip(*(column.effects for column in found.columns), strict=True):
        changes = [
            "reference" if one.change is None else interval(one.change, "+.1f") for one in effects
        ]
        rows.append([effects[0].variant, *(f"{one.error:.2f}" for one in effects), *changes])
    return table(heads, rows)


def _by_seed(found: FaceSet) -> str:
    rows = []
    for effects in zip(*(column.effects for column in found.columns), strict=True):
        if effects[0].change is None:
            continue
        cells = []
        for column, one in zip(found.columns, effects, strict=True):
            base = next(effect for effect in column.effects if effect.change is None)
            pairs = zip(one.errors, base.errors, strict=True)
            cells.append(", ".join(f"{100 * (new / old - 1):+z.1f}" for new, old in pairs))
        rows.append([effects[0].variant, *cells])
    return table(["variant", *(column.name for column in found.columns)], rows)


def _costs(spent: Sequence[Cost], reference: Cost) -> str:
    rows = [
        [
            cost.variant,
            f"{cost.parameters:,}",
            f"{cost.macs / 1e6:.2f}",
            f"{cost.time / reference.time:.2f}",
        ]
        for cost in spent
    ]
    return table(["variant", "parameters", "MMAC", "time over reference"], rows)


def _code(arguments: Sequence[str]) -> str:
    return f"`{' '.join(arguments)}`" if arguments else ""


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{key}: {part}" for key, part in value.items())
    return str(value)


def _plain(value: Any) -> Any:
    """Converts a value for JSON: NaN becomes null, and an interval an object."""
    if isinstance(value, Interval):
        return {key: _plain(part) for key, part in value._asdict().items()}
    if hasattr(value, "__dataclass_fields__"):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
