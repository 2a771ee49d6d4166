"""Maps to label schemes that are fitted to annotations, beside the topology's, which are by name.

The topology's map takes each labelled point for the landmark of the same name: the tip of the nose,
a corner of the mouth. Annotators put many points somewhere else, between the landmarks of the mesh,
so part of the error is a difference of definitions. A fitted map takes each point for the landmark,
or the midpoint of two landmarks, that lies nearest to it on annotated faces.

There are two maps of each scheme, one for each half of all faces: a face is scored by the map that
was fitted to the other half. `python -m amesh.evaluation.fit_maps` fits them, to the predictions of
Google's networks and never to those of a network trained here.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import PurePath
from typing import Any

import numpy as np
from jaxtyping import Float

from amesh.data.sources.keys import picture_of
from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import LabelScheme
from amesh.topology.scheme import Topology

FILE = "fitted_maps.json"
HALVES = 2

# The landmarks whose midpoint is the point; twice the same where it is a landmark.
Pair = tuple[int, int]


@dataclass(frozen=True)
class FittedMaps:
    """The maps of each scheme.

    Attributes:
        about: Where they come from.
        pairs: For each scheme and half, the landmarks of each point.
    """

    about: Mapping[str, Any]
    pairs: Mapping[str, Sequence[Sequence[Pair]]]


def half_of(label: LabelledFace) -> int:
    """The half that a face belongs to, 0 or 1.

    A hash of the person or, where that is unknown, of the picture's file name: it depends neither
    on the other faces nor on the folder.
    """
    known = label.person is not None
    unit = label.person if known else PurePath(picture_of(label.key)).name
    return hashlib.sha256(str(unit).encode(errors="surrogatepass")).digest()[0] % HALVES


def fitted_scheme(label: LabelledFace, topology: Topology) -> LabelScheme | None:
    """How a face is scored by the map fitted to the other half; None if its scheme has none."""
    if label.scheme is None or label.scheme not in load(topology.name).pairs:
        return None
    return _scheme(label.scheme, half_of(label), topology)


@cache
def load(topology: str) -> FittedMaps:
    """The maps that come with the package; none for another topology."""
    text = (resources.files("amesh.evaluation.labels") / FILE).read_text(encoding="utf-8")
    content = json.loads(text)
    if content["about"]["topology"] != topology:
        return FittedMaps({}, {})
    pairs = {
        name: [[(int(a), int(b)) for a, b in half] for half in halves]
        for name, halves in content["pairs"].items()
    }
    return FittedMaps(content["about"], pairs)


def dump(maps: FittedMaps) -> bytes:
    """The content of the file, with a line for each map."""
    about = json.dumps(maps.about, indent=1).replace("\n", "\n ")
    schemes = []
    for name, halves in maps.pairs.items():
        lines = ",\n   ".join(json.dumps(half, separators=(",", ":")) for half in halves)
        schemes.append(f'  "{name}": [\n   {lines}\n  ]')
    body = ",\n".join(schemes)
    return f'{{\n "about": {about},\n "pairs": {{\n{body}\n }}\n}}\n'.encode()


def with_map(scheme: LabelScheme, matrix: Float[np.ndarray, "k n"]) -> LabelScheme:
    """The same measures of a scheme's points by another map of all of them."""
    measures = {
        name: tuple(replace(part, matrix=matrix[list(part.labelled)]) for part in parts)
        for name, parts in scheme.measures.items()
    }
    common = scheme.common and replace(scheme.common, matrix=matrix[list(scheme.common.labelled)])
    return replace(scheme, measures=measures, common=common)


def pairs_matrix(pairs: Sequence[Pair], topology: Topology) -> Float[np.ndarray, "k n"]:
    """The matrix from landmarks to the midpoints."""
    matrix = np.zeros((len(pairs), topology.points))
    for row, pair in zip(matrix, pairs, strict=True):
        for landmark in pair:
            row[landmark] += 0.5
    return matrix


@cache
def _scheme(name: str, half: int, topology: Topology) -> LabelScheme:
    pairs = load(topology.name).pairs[name][half]
    return with_map(label_scheme(name, topology), pairs_matrix(pairs, topology))
