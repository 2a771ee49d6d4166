"""Licences of pictures, and which of them permit releasing weights trained on the pictures."""

from collections import Counter
from collections.abc import Iterable

from amesh.data.sources.source import Source

_FREE = frozenset(
    [
        *("CC0", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "MIT", "APACHE-2.0", "BSD-3-CLAUSE"),
        "CDLA-PERMISSIVE-1.0",  # leaves what is computed from the data free of any obligation
    ]
)
# Text in brackets may restrict a licence; in these, it only says who must be credited.
_CREDITED = frozenset(
    ["CC-BY-4.0 (FACE RESEARCH LAB LONDON SET)", "CC-BY-4.0 (WEBMORPH CANADA YOUNG ADULTS)"]
)


def faces_by_terms(sources: Iterable[Source]) -> Counter[str]:
    """Counts faces by licence."""
    return Counter(entry.licence or "not stated" for source in sources for entry in source.entries)


def joined(*terms: str | None) -> str | None:
    """Combines licences that apply together, each once; None if any of them is unknown."""
    if None in terms:
        return None
    every = (term.strip() for one in terms for term in (one or "").split("+"))
    return " + ".join(dict.fromkeys(filter(None, every)))


def releasable(licence: str | None) -> bool:
    """Tells whether a licence is known to permit releasing weights trained under it.

    Args:
        licence: The licence as a source states it. If several are joined by `+`, all of them must
            permit it. None and unknown licences do not.
    """
    terms = [term.strip().upper() for term in (licence or "").split("+")]
    return all(term in _FREE | _CREDITED or term.endswith("PUBLIC DOMAIN") for term in terms)
