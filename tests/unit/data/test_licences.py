import pytest

from amesh.data.licences import releasable


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
