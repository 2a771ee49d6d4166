"""Which labelled faces are scored together: sources, and pose, eyes, mouth and group within them.

All from the labels alone, never from a prediction, so that every network is scored on the same
faces. What a label does not tell puts its face in no bin.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import opening
from amesh.evaluation.labels.template_fit import pose_label
from amesh.topology.scheme import Topology

# Sources of shared character, scored together as well.
POOLS: Mapping[str, tuple[str, ...]] = {
    "in the wild": ("lfpw", "helen", "menpo"),
    "portraits": ("imm_frontal", "canada", "london_neutral"),
}
YAW_BINS = ((0, 30), (30, 60), (60, 90))  # [degrees]; the last holds its upper end too

# Mean height over width of an opening, `measures.opening`. A lid that covers half of the iris
# is narrow.
EYE_BINS = (("closed", 0.0, 0.06), ("narrow", 0.06, 0.14), ("open", 0.14, np.inf))
MOUTH_BINS = (("closed", 0.0, 0.03), ("open", 0.03, np.inf))


@dataclass(frozen=True, eq=False)
class Group:
    """Labels that are scored together.

    Attributes:
        name: A source, a pool of sources, or a part of one.
        members: Which labels.
    """

    name: str
    members: Int[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class States:
    """What labels say about the faces; not-a-number where they say nothing.

    Attributes:
        yaw: Turn of the head to the side, 0 to 180 [degrees].
        estimated: Whether that comes from the fit of the mean face, and not from the label.
        eyes: Opening of the more closed eye.
        mouth: Opening of the mouth.
    """

    yaw: Float[np.ndarray, " f"]
    estimated: Bool[np.ndarray, " f"]
    eyes: Float[np.ndarray, " f"]
    mouth: Float[np.ndarray, " f"]


def states_of(labels: Sequence[LabelledFace], topology: Topology) -> States:
    """Pose, eyes and mouth of each labelled face."""
    table = np.array([_state(label, topology) for label in labels]).reshape(-1, 3)
    stated = np.array([np.nan if label.yaw is None else abs(label.yaw) for label in labels])
    return States(
        yaw=np.where(np.isnan(stated), table[:, 0], stated),
        estimated=np.isnan(stated) & ~np.isnan(table[:, 0]),
        eyes=table[:, 1],
        mouth=table[:, 2],
    )


def sets(labels: Sequence[LabelledFace]) -> list[Group]:
    """The pools that occur, and every source."""
    sources = np.array([label.source for label in labels])
    found = []
    for name, members in POOLS.items():
        inside = np.isin(sources, members)
        if len(set(sources[inside])) > 1:
            found.append(Group(name, np.flatnonzero(inside)))
    by_source = dict.fromkeys(sources.tolist())
    return found + [Group(source, np.flatnonzero(sources == source)) for source in by_source]


def main_sets(labels: Sequence[LabelledFace]) -> list[Group]:
    """The same without the sources that a pool holds: every label once."""
    pooled: set[str] = set()
    found = []
    for group in sets(labels):
        if group.name in POOLS:
            pooled.update(POOLS[group.name])
        if group.name not in pooled:
            found.append(group)
    return found


def yaw_bins(labels: Sequence[LabelledFace], states: States) -> list[Group]:
    """Ranges of yaw within each main set."""
    bins = [
        (f"yaw {low} to {high}", float(low), np.inf if high == 90 else float(high))
        for low, high in YAW_BINS
    ]
    return _split(labels, states.yaw, bins)


def eye_bins(labels: Sequence[LabelledFace], states: States) -> list[Group]:
    """Closed, narrow and open eyes within each main set."""
    bins = [(f"eyes {name}", low, high) for name, low, high in EYE_BINS]
    return _split(labels, states.eyes, bins)


def mouth_bins(labels: Sequence[LabelledFace], states: States) -> list[Group]:
    """Closed and open mouths within each main set."""
    bins = [(f"mouth {name}", low, high) for name, low, high in MOUTH_BINS]
    return _split(labels, states.mouth, bins)


def person_groups(labels: Sequence[LabelledFace]) -> list[Group]:
    """Groups of persons within each main set, as the source states them, part by part."""
    found = []
    for main in main_sets(labels):
        parts = [set(filter(None, labels[i].group.split(", "))) for i in main.members]
        for name in sorted(set().union(*parts)):
            inside = np.array([name in part for part in parts], dtype=bool)
            found.append(Group(f"{main.name}, {name}", main.members[inside]))
    return found


def _split(
    labels: Sequence[LabelledFace],
    values: Float[np.ndarray, " f"],
    bins: Sequence[tuple[str, float, float]],
) -> list[Group]:
    found = []
    for main in main_sets(labels):
        value = values[main.members]
        for name, low, high in bins:
            inside = (value >= low) & (value < high)
            if inside.any():
                found.append(Group(f"{main.name}, {name}", main.members[inside]))
    return found


def _state(label: LabelledFace, topology: Topology) -> tuple[float, float, float]:
    if label.scheme is None:
        return (np.nan, np.nan, np.nan)
    scheme = label_scheme(label.scheme, topology)
    posed = pose_label(label, topology) if label.yaw is None else None
    eyes = [opening(label.points, eye) for eye in scheme.eyes]
    return (
        np.nan if posed is None else posed.yaw,
        min(eyes) if eyes and not np.isnan(eyes).any() else np.nan,
        np.nan if scheme.mouth is None else opening(label.points, scheme.mouth),
    )
