import pytest

from amesh.data.licences import faces_by_terms, joined, releasable
from amesh.data.sources.source import ListSource


@pytest.mark.parametrize(
    ("licence", "free"),
    [
        ("CC0-1.0", True),
        ("cc-by-4.0", True),
        ("US-Gov public domain", True),
        ("CDLA-Permissive-1.0", True),
        ("CDLA-Sharing-1.0", False),
        ("US-Gov public domain + MIT", True),
        ("MIT + research-only", False),
        ("MIT + CC-BY-4.0 (Face Research Lab London Set)", True),
        ("CC-BY-4.0 (webmorph Canada young adults)", True),
        ("CC-BY-4.0 (NC)", False),
        ("CC-BY-4.0 (for research)", False),
        ("CC-BY-4.0 ()", False),
        ("Mine (CC-BY-4.0)", False),
        ("CC-BY-NC-4.0", False),
        ("CC-BY-NC-4.0 (somebody)", False),
        ("research-only", False),
        ("", False),
        (None, False),
    ],
)
def test_only_known_permissive_licences_are_releasable(licence, free):
    assert releasable(licence) is free


def test_faces_are_counted_by_licence(record):
    sources = [
        ListSource("one", [record(0), record(1, licence=None)]),
        ListSource("two", [record(2), record(3, licence="MIT")]),
    ]
    assert faces_by_terms(sources) == {"CC0": 2, "not stated": 1, "MIT": 1}


@pytest.mark.parametrize(
    ("terms", "together"),
    [
        (("CC0-1.0", "CC-BY-4.0"), "CC0-1.0 + CC-BY-4.0"),
        (("MIT + CC0-1.0", "CC0-1.0", "CC-BY-4.0 + MIT"), "MIT + CC0-1.0 + CC-BY-4.0"),
        (("CC0-1.0",), "CC0-1.0"),
        (("CC0-1.0", None), None),
        ((None, "CC0-1.0"), None),
    ],
)
def test_combined_licences_are_listed_once(terms, together):
    assert joined(*terms) == together
