"""Shared functions of the readers of folders and text files."""

import os
from pathlib import Path

from amesh.errors import UserError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm")


def list_files(folder: Path, suffix: str) -> list[Path]:
    """Lists the files in a folder and its sub-folders whose names end with a suffix, sorted.

    Raises:
        UserError: The folder is missing or has no such file.
    """
    if not folder.is_dir():
        problem = "not a folder" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {problem}")
    found = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())
    if not found:
        raise UserError(f"{folder}: no {suffix} file in it")
    return found


def beside(path: Path, stem: str | None = None) -> Path:
    """Finds the picture beside a label file.

    Args:
        path: The label file.
        stem: Name of the picture without its suffix; by default, that of the label file.

    Raises:
        UserError: There is none.
    """
    stem = stem if stem is not None else path.stem
    for suffix in PICTURE_SUFFIXES:
        for name in (stem + suffix, stem + suffix.upper()):
            picture = path.with_name(name)
            if picture.is_file():
                return picture
    raise UserError(f"{path}: picture {stem}.jpg (or .png, ...) is missing beside it")


def picture_in(folder: Path, name: str, where: str, outside: bool) -> Path:
    """Finds the picture that a label file names.

    Args:
        folder: What the name is relative to.
        name: Relative or absolute path of the picture; nothing is read.
        where: Position in the label file, for messages.
        outside: It may lie outside the folder.

    Raises:
        UserError: It lies outside, or its path is one of Windows.
    """
    picture = folder / name
    if not outside and Path(os.path.relpath(picture, folder)).parts[:1] == (os.pardir,):
        raise UserError(
            f"{where}: picture {name} lies outside {folder.absolute()}; add --outside, or "
            "`outside: true` in a config, to read it"
        )
    if "\\" in name and not picture.exists():
        raise UserError(f"{where}: no picture {name}; write paths with / instead of \\")
    return picture


def read_text(path: Path) -> str:
    """Reads a text file.

    Raises:
        UserError: The file is missing or not text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a folder, not a file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error})") from error
