"""Metadata of pictures: `manifest.jsonl` inside a folder or next to it.

Each line is an object with `image`, relative to the manifest's folder, and any of `source`,
`licence`, `group` (a string, or an object of strings), `person`, `split` and `generated`; other
keys are ignored.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.manifest import read_pictures
from amesh.errors import UserError
from amesh.labelling.sources import Input

MANIFEST = "manifest.jsonl"


class Manifest:
    """The contents of any number of manifests."""

    def __init__(self, files: Iterable[Path] = (), licence: str | None = None) -> None:
        """Reads the manifests.

        Args:
            files: JSONL files.
            licence: Licence of pictures whose manifest states none.

        Raises:
            UserError: A file cannot be read, or a line is invalid; the message names the line.
        """
        self.files = tuple(files)
        self.licence = licence
        self._known = {
            os.path.abspath(one.image): one  # noqa: PTH100 - resolve() would follow links
            for file in self.files
            for one in read_pictures(file, licence)
        }

    def of(self, one: Input) -> LabelledFace:
        """Metadata of an input; without a manifest, its first folder is the source."""
        known = self._known.get(os.path.normpath(one.path))
        if known is not None:
            return known
        source = one.name.split("/")[0]
        return LabelledFace(one.path, source, one.name, str(one.path), licence=self.licence)

    def lacks(self, inputs: Iterable[Input]) -> int:
        """Number of inputs that are in no manifest."""
        return sum(os.path.normpath(one.path) not in self._known for one in inputs)


def find_manifests(sources: Sequence[str], named: Path | None = None) -> list[Path]:
    """The manifests that belong to a list of files and folders.

    Args:
        sources: As given by the user; the manifest may be inside a folder or next to it.
        named: Manifest to use instead.

    Raises:
        UserError: The named manifest does not exist.
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
