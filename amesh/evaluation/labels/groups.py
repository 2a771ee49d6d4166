"""Which labelled faces are scored together: by source, and by pose, eyes, mouth and group.

Groups are defined by the labels alone, never by a prediction, so that every network is scored on
the same faces. A face whose label lacks an attribute is in none of that attribute's bins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.labels.head_pose import pose_label
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import opening
from amesh.topology.scheme import Topology

# Sources of the same character, which are also scored together.
POOLS: Mapping[str, tuple[str, ...]] = {
    "in the wild": ("lfpw", "helen", "menpo"),
    "portraits": ("imm_frontal", "canada", "london_neutral"),
}
YAW_BINS = ((0, 30), (30, 60), (60, 90))  # [degrees]; the last has no upper limit

# Mean height over width of an opening, see `measures.opening`. An eye whose lid covers half of the
# iris is narrow.
EYE_BINS = (("closed", 0.0, 0.06), ("narrow", 0.06, 0.14), ("open", 0.14, np.inf))
MOUTH_BINS = (("closed", 0.0, 0.03), ("open", 0.03, np.inf))


@dataclass(frozen=True, eq=False)
class Group:
    """Labelled faces that are scored together.

    Attributes:
        name: Name of a source, of a pool of sources, or of a part of one.
        members: Indices of the faces.
    """

    name: str
    members: Int[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class FaceAttributes:
    """What labels say about the faces; NaN where they say nothing.

    Attributes:
        yaw: How far the head is turned to the side, 0 to 180 [degrees].
        estimated: Whether the yaw is estimated from the labelled points.
        eyes: Opening of the more closed eye.
        mouth: Opening of the mouth.
    """

    yaw: Float[np.ndarray, " f"]
    estimated: Bool[np.ndarray, " f"]
    eyes: Float[np.ndarray, " f"]
    mouth: Float[np.ndarray, " f"]


def face_attributes(labels: Sequence[LabelledFace], topology: Topology) -> FaceAttributes:
    """Pose, eyes and mouth of each labelled face."""
    table = np.array([_attributes(label, topology) for label in labels]).reshape(-1, 3)
    stated = np.array([np.nan if label.yaw is None else abs(label.yaw) for label in labels])
    return FaceAttributes(
        yaw=np.where(np.isnan(stated), table[:, 0], stated),
        estimated=np.isnan(stated) & ~np.isnan(table[:, 0]),
        eyes=table[:, 1],
        mouth=table[:, 2],
    )


def source_groups(labels: Sequence[LabelledFace]) -> list[Group]:
    """A group for each source, after one for each pool that occurs."""
    sources = np.array([label.source for label in labels])
    found = []
    for name, members in POOLS.items():
        inside = np.isin(sources, members)
        if len(set(sources[inside])) > 1:
            found.append(Group(name, np.flatnonzero(inside)))
    by_source = dict.fromkeys(sources.tolist())
    return found + [Group(source, np.flatnonzero(sources == source)) for source in by_source]


def main_groups(labels: Sequence[LabelledFace]) -> list[Group]:
    """The same without the sources that are part of a pool: each face is in one group."""
    pooled: set[str] = set()
    found = []
    for group in source_groups(labels):
        if group.name in POOLS:
            pooled.update(POOLS[group.name])
        if group.name not in pooled:
            found.append(group)
    return found


def yaw_bins(labels: Sequence[LabelledFace], attributes: FaceAttributes) -> list[Group]:
    """Ranges of yaw within each main group."""
    bins = [
        (f"yaw {low} to {high}", float(low), np.inf if high == 90 else float(high))
        for low, high in YAW_BINS
    ]
    return _split(labels, attributes.yaw, bins)


def eye_bins(labels: Sequence[LabelledFace], attributes: FaceAttributes) -> list[Group]:
    """Closed, narrow and open eyes within each main group."""
    bins = [(f"eyes {name}", low, high) for name, low, high in EYE_BINS]
    return _split(labels, attributes.eyes, bins)


def mouth_bins(labels: Sequence[LabelledFace], attributes: FaceAttributes) -> list[Group]:
    """Closed and open mouths within each main group."""
    bins = [(f"mouth {name}", low, high) for name, low, high in MOUTH_BINS]
    return _split(labels, attributes.mouth, bins)


def person_groups(labels: Sequence[LabelledFace]) -> list[Group]:
    """Groups of persons as stated by the source, one for each word, within each main group."""
    found = []
    for main in main_groups(labels):
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
    for main in main_groups(labels):
        value = values[main.members]
        for name, low, high in bins:
            inside = (value >= low) & (value < high)
            if inside.any():
                found.append(Group(f"{main.name}, {name}", main.members[inside]))
    return found


def _attributes(label: LabelledFace, topology: Topology) -> tuple[float, float, float]:
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
