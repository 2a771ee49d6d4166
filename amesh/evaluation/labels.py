"""Labels as evaluation uses them; the manifests themselves are read by `amesh.data.labels`."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

from amesh.data.labels import Coordinates, Label, read_labels

__all__ = ["Coordinates", "Label", "limit_labels", "persons", "read_labels"]


def limit_labels(labels: Sequence[Label], limit: int) -> list[Label]:
    """At most so many labels of each source, spread evenly over it, in their order."""
    totals = Counter(label.source for label in labels)
    seen: Counter[str] = Counter()
    kept = []
    for label in labels:
        total, number = totals[label.source], seen[label.source]
        seen[label.source] += 1
        step = min(limit, total) / total
        if math.floor((number + 1) * step + 1e-9) > math.floor(number * step + 1e-9):
            kept.append(label)
    return kept


def persons(labels: Sequence[Label]) -> Int[np.ndarray, " n"]:
    """A number for each label, equal for the same person of the same source.

    A label whose person is unknown counts as a person of its own.
    """
    numbers: dict[tuple[str, str | int], int] = {}
    keys: list[tuple[str, str | int]] = [
        (label.source, label.person if label.person is not None else i)
        for i, label in enumerate(labels)
    ]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
