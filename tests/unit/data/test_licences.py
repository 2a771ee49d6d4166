import pytest

from amesh.data.licences import faces_by_terms, releasable
from amesh.data.records import ListSource


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("CC0-1.0", True),
        ("cc-by-4.0", True),
        ("US-Gov public domain", True),
        ("US-Gov public domain + MIT", True),
        ("MIT + research-only", False),
        ("CC-BY-NC-4.0", False),
        ("research-only", False),
        ("", False),
        (None, False),
    ],
)
def test_only_terms_that_are_known_to_allow_it_do(licence, free):
    assert releasable(licence) is free


def test_faces_are_counted_by_their_terms(record):
    sources = [
        ListSource("one", [record(0), record(1, licence=None)]),
        ListSource("two", [record(2), record(3, licence="MIT")]),
    ]
    assert faces_by_terms(sources) == {"CC0": 2, "not stated": 1, "MIT": 1}
