"""Terms of pictures: which of them let weights that were trained on them be released."""

from collections import Counter
from collections.abc import Iterable

from amesh.data.sources.source import Source

_FREE = frozenset(["CC0", "CC0-1.0", "CC-BY-3.0", "CC-BY-4.0", "MIT", "APACHE-2.0", "BSD-3-CLAUSE"])
# Brackets may take back what stands before them; these only say who is to be credited.
_CREDITED = frozenset(
    ["CC-BY-4.0 (FACE RESEARCH LAB LONDON SET)", "CC-BY-4.0 (WEBMORPH CANADA YOUNG ADULTS)"]
)


def faces_by_terms(sources: Iterable[Source]) -> Counter[str]:
    """How many faces there are under which terms."""
    return Counter(entry.licence or "not stated" for source in sources for entry in source.entries)


def joined(*terms: str | None) -> str | None:
    """Terms that hold together, each once; None where some are not known."""
    if None in terms:
        return None
    every = (term.strip() for one in terms for term in (one or "").split("+"))
    return " + ".join(dict.fromkeys(filter(None, every)))


def releasable(licence: str | None) -> bool:
    """Whether weights trained under these terms may be released, as far as is known here.

    Args:
        licence: As a source states it; several terms joined by `+` all have to allow it. None and
            terms that are not known count as no.
    """
    terms = [term.strip().upper() for term in (licence or "").split("+")]
    return all(term in _FREE | _CREDITED or term.endswith("PUBLIC DOMAIN") for term in terms)
