"""Tables of the report that are pictures: PNG files beside it, by name."""

from collections.abc import Mapping
from typing import NamedTuple


class Picture(NamedTuple):
    """A PNG file beside the report.

    Attributes:
        caption: What it shows.
        content: The file.
    """

    caption: str
    content: bytes


def png_name(*parts: str) -> str:
    """A file name made of these parts, with only characters that every file system allows."""
    joined = "-".join(parts)
    plain = (letter if letter.isalnum() or letter in "-_." else "_" for letter in joined)
    return f"{''.join(plain)}.png"


def section(pictures: Mapping[str, Picture]) -> str:
    """The pictures as Markdown."""
    return "\n\n".join(f"![{picture.caption}]({name})" for name, picture in pictures.items())


def captions(pictures: Mapping[str, Picture]) -> dict[str, str]:
    """What the JSON report holds of them."""
    return {name: picture.caption for name, picture in pictures.items()}


def contents(pictures: Mapping[str, Picture]) -> dict[str, bytes]:
    """The files."""
    return {name: picture.content for name, picture in pictures.items()}
