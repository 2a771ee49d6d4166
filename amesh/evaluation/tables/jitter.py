"""Jitter on still faces."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.comparison import Comparison
from amesh.evaluation.evaluated import Evaluated
from amesh.evaluation.jitter_still import measure_still
from amesh.evaluation.labels.read import persons
from amesh.evaluation.markdown import interval, table
from amesh.evaluation.models import FaceFinder
from amesh.evaluation.table import Table
from amesh.metrics.bootstrap import Interval
from amesh.topology.scheme import Topology

_NOTE = """\
Root mean square distance of the landmarks from their mean over 16 crops of the same picture, each
with the region of interest shifted by up to 0.25 % of its side and with noise of 2 of 255 on every
pixel. In % of the 3-D distance between the outer eye corners of the label or, if it has too few
points, of the mean face fitted to them: the same for all networks. Intervals are over persons."""


@dataclass(frozen=True)
class JitterRow:
    """Jitter of a part of the face.

    Attributes:
        part: Part of the face.
        faces: Number of faces measured.
        jitter: By the name of the network [% of the distance between the outer eye corners].
        change: Against the reference [%]; by the name of the network, without the reference.
    """

    part: str
    faces: int
    jitter: dict[str, Interval]
    change: dict[str, Interval]


def still_rows(
    models: Mapping[str, FaceFinder],
    labels: Sequence[LabelledFace],
    topology: Topology,
    faces: int,
    comparison: Comparison,
    read: Callable[[Path], UInt8[np.ndarray, "h w 3"]],
) -> list[JitterRow]:
    """Jitter on still faces.

    Args:
        models: The networks by name, the reference among them.
        labels: Faces with regions of interest.
        topology: The networks' landmark scheme.
        faces: Number of faces to take, spread over the sources.
        comparison: The reference, and the bootstrap, which draws persons.
        read: Reads a picture.
    """
    found, measured = measure_still(models, labels, topology, faces, comparison.seed, read)
    people = persons(measured)
    rows = []
    for part in found[comparison.reference][0] if measured else ():
        values = {name: np.array([one[part] for one in each]) for name, each in found.items()}
        reference = values[comparison.reference]
        jitter = {name: comparison.mean(ours, people) for name, ours in values.items()}
        change = {
            name: comparison.change(ours, reference, people)
            for name, ours in values.items()
            if name != comparison.reference
        }
        rows.append(JitterRow(part, len(measured), jitter, change))
    return rows


def jitter_section(rows: Sequence[JitterRow]) -> str:
    """A line for each part of the face."""
    names, compared = list(rows[0].jitter), list(rows[0].change)
    heads = ["part", "faces", *names, *(f"{name}: change [%]" for name in compared)]
    body = [
        [row.part, str(row.faces)]
        + [interval(row.jitter[name], ".3f") for name in names]
        + [interval(row.change[name], "+.2f") for name in compared]
        for row in rows
    ]
    return table(heads, body)


def _compute(evaluated: Evaluated) -> list[JitterRow] | None:
    models, wanted = evaluated.models, evaluated.wanted
    if not models or not wanted.still:
        return None
    comparison, topology = evaluated.comparison(models), evaluated.topology
    rows = still_rows(models, evaluated.labels, topology, wanted.still, comparison, evaluated.read)
    return rows or None


JITTER = Table(
    key="jitter",
    title="Jitter on still faces [%]",
    note=_NOTE,
    compute=_compute,
    section=jitter_section,
)
