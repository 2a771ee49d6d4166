"""What the readers of folders and text files share."""

from pathlib import Path
from typing import Literal

from amesh.errors import UserError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm")
Coordinates = Literal["corner", "index", "one"]
Format = Literal["auto", "shards", "jsonl", "pts", "wflw", "mat", "coco", "face_synthetics"]

# What takes coordinates that count from a pixel's corner, from its centre at 0, or from its
# centre at 1 to corner coordinates [px].
OFFSETS = {"corner": 0.0, "index": 0.5, "one": -0.5}


def list_files(folder: Path, suffix: str) -> list[Path]:
    """The files of a folder and its sub-folders that end so, in order.

    Raises:
        UserError: There is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        problem = "not a folder" if folder.exists() else "no such folder"
        raise UserError(f"{folder}: {problem}")
    found = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file())
    if not found:
        raise UserError(f"{folder}: no {suffix} file in it")
    return found


def beside(path: Path, stem: str | None = None) -> Path:
    """The picture of the same name.

    Args:
        path: A label file.
        stem: Name of the picture without its suffix, where it is another.

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


def read_text(path: Path) -> str:
    """The content of a text file.

    Raises:
        UserError: It is missing or no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a folder, not a file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: cannot be read as text ({error})") from error
