"""What is known of pictures besides their pixels: `manifest.jsonl` beside or inside a folder.

A line is an object with `image`, relative to the manifest's folder, and any of `source`, `licence`,
`group` (text, or an object of texts), `person`, `split` and `generated`; other keys are left alone.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amesh.data.sources.manifest_lines import group_text
from amesh.errors import UserError
from amesh.labelling.sources import Input

MANIFEST = "manifest.jsonl"


@dataclass(frozen=True)
class Facts:
    """What is known of a picture.

    Attributes:
        source: Data set that it comes from.
        licence: Its terms; None where nobody said.
        group: Of the person, as the source states it.
        person: Who it is, where known.
        split: Of the source, where it says so.
        generated: It is no photograph.
    """

    source: str
    licence: str | None = None
    group: str = ""
    person: str | None = None
    split: str | None = None
    generated: bool = False


class Manifest:
    """Facts by picture, from any number of manifests."""

    def __init__(self, files: Iterable[Path] = (), licence: str | None = None) -> None:
        """Reads the manifests.

        Args:
            files: JSONL files.
            licence: Of pictures whose manifest does not say.

        Raises:
            UserError: A file cannot be read, or a line is wrong; names the line.
        """
        self.files = tuple(files)
        self.licence = licence
        self._facts: dict[str, Facts] = {}
        for file in self.files:
            self._facts |= _read(file, licence)

    def of(self, one: Input) -> Facts:
        """What is known of an input; its first folder is the source where nobody says."""
        fallback = Facts(source=one.name.split("/")[0], licence=self.licence)
        return self._facts.get(os.path.normpath(one.path), fallback)

    def lacks(self, inputs: Iterable[Input]) -> int:
        """How many inputs are in no manifest."""
        return sum(os.path.normpath(one.path) not in self._facts for one in inputs)


def find_manifests(sources: Sequence[str], named: Path | None = None) -> list[Path]:
    """The manifests of a list of files and folders.

    Args:
        sources: As given by the user; looked for inside a folder, then beside it.
        named: The one to take instead.

    Raises:
        UserError: The one that was named is not there.
    """
    if named is not None:
        if not named.is_file():
            raise UserError(f"--manifest {named}: no such file")
        return [named]
    found: dict[Path, None] = {}
    for source in sources:
        path = Path(os.path.abspath(source))  # noqa: PTH100 - resolve() would follow links
        folder = path if path.is_dir() else path.parent
        for place in (folder, folder.parent):
            if (place / MANIFEST).is_file():
                found.setdefault(place / MANIFEST)
                break
    return list(found)


def _read(file: Path, licence: str | None) -> dict[str, Facts]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: cannot be read as text ({error})") from error
    folder = os.path.abspath(file.parent)  # noqa: PTH100
    found = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            image, facts = _parse(line, f"{file}, line {number}", folder, licence)
            found[os.path.normpath(Path(folder, image))] = facts
    return found


def _parse(line: str, where: str, folder: str, licence: str | None) -> tuple[str, Facts]:
    try:
        data = json.loads(line)
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: not JSON ({error.msg}, column {error.colno})") from None
    if not isinstance(data, dict) or not isinstance(data.get("image"), str):
        raise UserError(f"{where}: expected an object with the text 'image'")
    for key in ("source", "licence", "person", "split"):
        if not isinstance(data.get(key), str | int | None):
            raise UserError(f"{where}: {key!r} must be a text, found {data[key]!r}")
    return data["image"], Facts(
        source=_text(data, "source") or Path(folder).name,
        licence=_text(data, "licence") or licence,
        group=group_text(data.get("group")),
        person=_text(data, "person"),
        split=_text(data, "split"),
        generated=data.get("generated") is True,
    )


def _text(data: dict[str, Any], key: str) -> str | None:
    return None if data.get(key) is None else str(data[key])
