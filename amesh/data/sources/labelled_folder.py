"""A folder of `amesh label`, beside its shards: what labelled it, and inputs that gave no face."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Which networks labelled it, and by which rules.
LABELLED_BY = "labels.json"


def skipped(folder: Path) -> dict[str, dict[str, Any]]:
    """Pictures, frames and clips that gave no face, of any rank: key to its latest line."""
    lines = [line for path in folder.glob("skipped-*.jsonl") for line in read_lines(path)]
    return {line["key"]: line for line in sorted(lines, key=lambda line: line.get("time", 0.0))}


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects in a file of lines; a line that was cut off is passed by."""
    for text in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            line = json.loads(text)
            if isinstance(line, dict) and "key" in line:
                yield line
