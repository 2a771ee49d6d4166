"""`labels.json`: which teacher labelled a folder, by which rules, and what it contains."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from amesh.data.sources.labelled_folder import LABELLED_BY, FaceFigures, read_whole, skipped
from amesh.data.sources.shard_files import INDEX_SUFFIX
from amesh.errors import UserError
from amesh.files import locked, make_folder, write_atomically
from amesh.labelling.ledger import SHARDS, finished
from amesh.labelling.teacher import Member, Teacher
from amesh.labelling.vote import Vote
from amesh.weights import store

_LOCK = ".labels.lock"


def describe_teacher(models: Sequence[str | Path], teacher: Teacher) -> dict[str, Any]:
    """Describes what the labels depend on: the networks' weights and the views of each face.

    Args:
        models: The name or file from which each of the teacher's members was opened.
        teacher: The teacher.
    """
    first, *others = map(_describe_member, models, teacher.members)
    return {
        "topology": teacher.scheme,
        **first,
        "views": asdict(teacher.views),
        # Their order does not matter; older folders lack this entry.
        "others": sorted(others, key=lambda one: str(one["sha256"])) or None,
    }


def _describe_member(model: str | Path, member: Member) -> dict[str, Any]:
    path, origin = Path(model), {}
    try:
        path = store.find(model)
        origin = store.header(path)["origin"]
    except UserError:
        if not path.is_file():
            raise
    return {
        "network": member.runner.name,
        "input_size": member.runner.input_size,
        "sha256": store.file_hash(path),
        "origin": origin,
        "correction": None if member.correction is None else member.correction.digest,
        **({} if member.vote == Vote() else {"vote": asdict(member.vote)}),
    }


def claim(folder: Path, teacher: Mapping[str, Any], rules: Mapping[str, Any]) -> None:
    """Records the teacher and rules of a folder before its first face is labelled.

    Args:
        folder: Output folder for the shards.
        teacher: See `describe_teacher`.
        rules: The settings that decide which faces are kept; see `LabelConfig.rules`.

    Raises:
        UserError: The folder was labelled by another teacher or by other rules.
    """
    path = folder / LABELLED_BY
    make_folder(folder)
    with locked(folder / _LOCK, wait=True):
        if not path.exists():
            _write(path, {"teacher": dict(teacher), "rules": dict(rules)})
            return
        try:
            known = json.loads(path.read_text(encoding="utf-8"))
            before = dict(known["teacher"])
            kept = dict(known.get("rules", rules))  # older folders lack this entry
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path}: damaged ({error}); label into another folder") from error
    same_weights = before.get("sha256") == teacher.get("sha256")
    for name, value in teacher.items():
        if same_weights and name == "network":
            continue  # only a file was renamed
        if _unnamed(before.get(name)) != _unnamed(value):
            raise UserError(
                f"{folder} was labelled by a teacher with {name} {_brief(before.get(name))}, but "
                f"this one has {_brief(value)}; label into another folder"
            )
    for name, value in rules.items():
        if kept.get(name) != value:
            raise UserError(
                f"{folder} was labelled with --{name.replace('_', '-')} {kept.get(name)}, now it "
                f"is {value}; use the same value, or label into another folder"
            )


def _unnamed(value: Any) -> Any:
    """Strips the names of other networks; their hashes identify them."""
    if not isinstance(value, list):
        return value
    return [{key: item for key, item in one.items() if key != "network"} for one in value]


def _brief(value: Any) -> str:
    """A teacher's property in a few words; other networks by what identifies them."""
    if not isinstance(value, list):
        return str(value)
    return ", ".join(
        f"{one['network']} ({one['sha256'][:12]}, correction {one['correction']}"
        + (f", vote {one['vote']})" if "vote" in one else ")")
        for one in value
    )


def summarise(folder: Path, teacher: Mapping[str, Any], rules: Mapping[str, Any]) -> dict[str, Any]:
    """Counts what all ranks have finished, and writes the summary next to the shards."""
    with locked(folder / _LOCK, wait=True):
        shards = sorted(folder.glob(f"{SHARDS}-*.tar{INDEX_SUFFIX}"))
        lists = [folder / f"{path.name.split('.')[0]}.jsonl" for path in shards]
        rows = [row for path in lists if path.is_file() for row in read_whole(path, FaceFigures)]
        done = finished(folder)
        by_source: dict[str, list[FaceFigures]] = defaultdict(list)
        for row in rows:
            by_source[row.source].append(row)
        reasons = Counter(line.reason for key, line in skipped(folder).items() if key not in done)
        summary = {
            "teacher": dict(teacher),
            "rules": dict(rules),
            "shards": len(shards),
            "pictures": len(done),
            **_describe(rows),
            "sources": {source: _describe(by_source[source]) for source in sorted(by_source)},
            "without_labels": dict(sorted(reasons.items())),
        }
        _write(folder / LABELLED_BY, summary)
    return summary


def _describe(rows: Iterable[FaceFigures]) -> dict[str, Any]:
    rows = list(rows)
    licences = Counter(row.licence or "not stated" for row in rows)
    return {
        "faces": len(rows),
        "generated": sum(row.generated for row in rows),
        "licences": dict(sorted(licences.items())),
        "disagreement": _quantiles([row.disagreement for row in rows]),
        "score": _quantiles([row.score for row in rows]),
        "size": _quantiles([row.size for row in rows]),
    }


def _quantiles(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    found = np.percentile(values, [5, 50, 95])
    named = {"mean": np.mean(values), "5 %": found[0], "median": found[1], "95 %": found[2]}
    return {name: round(float(value), 5) for name, value in named.items()}


def _write(path: Path, summary: Mapping[str, Any]) -> None:
    write_atomically(path, (json.dumps(summary, indent=2) + "\n").encode())
