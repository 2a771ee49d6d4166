"""Finds the pictures, or other files, in a folder by their suffixes."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from amesh.errors import UserError, reason_of

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".avif", ".heic", ".heif", ".gif"),
    *(".bmp", ".dib", ".tif", ".tiff", ".jp2", ".j2k", ".pnm", ".ppm", ".pgm", ".pbm"),
)


class Listing(NamedTuple):
    """What a folder holds.

    Attributes:
        files: Sorted by path.
        problems: Why a sub-folder, or the folder itself, could not be listed: one line each.
    """

    files: list[Path]
    problems: dict[Path, str]


def list_files(folder: Path, suffixes: Sequence[str] = IMAGE_SUFFIXES) -> Listing:
    """The files in a folder and its sub-folders, chosen by suffix.

    Hidden files and folders (names that start with a dot) are skipped, and linked folders are not
    entered.
    """
    found, problems = [], {}

    def note(error: OSError) -> None:
        problems[Path(error.filename)] = f"{error.filename}: cannot be listed ({reason_of(error)})"

    for place, folders, files in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(place, name)
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122 - faster
        ]
    return Listing(sorted(found), problems)


def list_images(path: str | os.PathLike[str]) -> list[Path]:
    """The pictures in a folder and its sub-folders, as `list_files` chooses them.

    A folder without pictures gives an empty list.

    Raises:
        UserError: There is no such folder, or a part of it cannot be read.
    """
    path = Path(path)
    if not path.is_dir():
        problem = "not a folder" if path.exists() else "no such folder"
        raise UserError(f"{path}: {problem}; give a folder that holds pictures")
    files, problems = list_files(path)
    for problem in problems.values():
        raise UserError(problem)
    return files
