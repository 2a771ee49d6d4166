from typing import get_args

from amesh.data.sources.coco import read_coco
from amesh.data.sources.formats import FORMATS, FormatName


def test_every_format_has_a_reader() -> None:
    assert get_args(FormatName) == ("auto", *FORMATS)
    readers = {name: one.open() for name, one in FORMATS.items()}
    assert readers["coco"] is read_coco
    assert all(map(callable, readers.values()))
