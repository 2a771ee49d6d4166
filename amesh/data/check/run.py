"""Checks labelled sets before training, for `amesh data check`. It does not change them.

It looks for unusable records, labels far from the shape of a face, single points that look missing
or misplaced, reversed depth, exchanged left and right, the same picture in two splits or under two
names, coordinates that look like another convention, and licences that do not permit a release.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Bool, Float

from amesh.data.check.duplicates import find_copies, thumbnail
from amesh.data.check.points import suspicious_points
from amesh.data.check.report import Face, Report
from amesh.data.loading.dataset import make_sample
from amesh.data.loading.sample import Sample
from amesh.data.posing import fit_pose
from amesh.data.schemes import LabelMap, label_map
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import Problems
from amesh.data.sources.source import Source
from amesh.topology.scheme import Topology

# Side of the crop in which a face is examined [px].
_LOOK = 128
# Fewer labelled points than this fit any pose.
_ENOUGH = 8
# The misfit of an outlier exceeds the median by this many median deviations, and exceeds this share
# of the face's size: expressions and profiles fit less well than others without being mistakes.
_DEVIATIONS, _SHARE = 8.0, 0.10
# Left and right are exchanged in a face that looks away from the camera further than this.
_AWAY = -0.3


def check(
    sources: Sequence[Source],
    topology: Topology,
    problems: Problems,
    progress: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Report:
    """Reads and checks every record of the sources.

    Args:
        sources: The sets; duplicates are found across all of them.
        topology: The topology to be trained.
        problems: Collects unusable records, and already has those found when opening the sets.
        progress: Wraps the iteration over the records, for a progress bar.

    Raises:
        UserError: This topology cannot be trained on a scheme, or no record is usable.
    """
    for source in sources:
        for scheme in source.schemes:
            label_map(scheme, topology)
    faces: list[Face] = []
    places = [(s, i) for s, source in enumerate(sources) for i in range(len(source))]
    for number in progress(range(len(places))):
        s, i = places[number]
        with problems.guard():
            faces.append(_face(sources[s], sources[s][i], topology, places[number]))
    if not faces:
        raise problems.nothing_left(", ".join(source.name for source in sources))
    copies = find_copies([face.thumb for face in faces])
    return Report(
        faces,
        problems.messages,
        outliers=_outliers(np.array([face.misfit for face in faces])),
        mirrored=[i for i, face in enumerate(faces) if face.mirrored],
        copies=copies,
        leaks=[(i, k) for i, k in copies if _leak(faces[i], faces[k])],
    )


def look(sources: Sequence[Source], face: Face, topology: Topology) -> Sample:
    """Reads a face again, with its picture."""
    s, i = face.place
    return make_sample(sources[s][i], topology, _LOOK, 1.0)


def _face(
    source: Source, labelled: LabelledFace, topology: Topology, place: tuple[int, int]
) -> Face:
    sample = make_sample(labelled, topology, _LOOK, 1.0)
    side = misfit = fraction = float("nan")
    mirrored, outside = False, 0.0
    remarks: list[str] = []
    if labelled.scheme is not None:
        known = label_map(labelled.scheme, topology)
        used = (known.weights > 0) & (labelled.weights()[0] > 0)
        points = labelled.points[used, :2].astype(np.float64)
        side = float(np.ptp(points, axis=0).max())
        fraction = _common_fraction(points)
        outside = _outside(sample)
        remarks = suspicious_points(labelled, known, topology)
        if topology.template.any() and len(points) >= _ENOUGH:
            misfit, facing = _fit(points, known, used, topology)
            mirrored = facing < _AWAY
    return Face(
        name=f"{labelled.source}: {labelled.key}",
        source=labelled.source,
        split=labelled.split or source.name,
        licence=labelled.licence,
        person=None if labelled.person is None else f"{labelled.source}: {labelled.person}",
        group=labelled.group,
        scheme=labelled.scheme,
        side=side,
        outside=outside,
        deep=bool((sample.weight_z > 0).any()),
        misfit=misfit,
        mirrored=mirrored,
        remarks=tuple(remarks),
        fraction=fraction,
        thumb=thumbnail(sample.image),
        place=place,
    )


def _fit(
    points: Float[np.ndarray, "p 2"],
    known: LabelMap,
    used: Bool[np.ndarray, " k"],
    topology: Topology,
) -> tuple[float, float]:
    """Returns the distance of the labels to the posed mean face, and its `Pose.facing`.

    The distance is the root mean square, relative to the labels' spread.
    """
    matrix, weights = known.matrix[used], known.weights[used]
    pose = fit_pose(topology.template, matrix, points)
    posed = matrix @ pose.apply(topology.template)[:, :2]
    squared = ((posed - points) ** 2).sum(1)
    size = float(np.ptp(points, axis=0).max())
    return float(np.sqrt(np.average(squared, weights=weights))) / size, pose.facing


def _outside(sample: Sample) -> float:
    """Returns the share of labelled landmarks outside the picture.

    The cut-out is larger than the face, so landmarks outside it are outside the picture.
    """
    points = sample.landmarks[sample.weight_xy > 0, :2]
    height, width = sample.image.shape[:2]
    return float(((points < 0) | (points > (width, height))).any(1).mean())


def _common_fraction(points: Float[np.ndarray, "p 2"]) -> float:
    for value in (0.0, 0.5):
        if (np.abs(points - np.round(points - value) - value) < 1e-3).mean() > 0.9:
            return value
    return float("nan")


def _outliers(misfit: Float[np.ndarray, " n"]) -> list[int]:
    known = misfit[np.isfinite(misfit)]
    if not len(known):
        return []
    middle = float(np.median(known))
    spread = float(np.median(np.abs(known - middle)))
    far = np.flatnonzero(np.nan_to_num(misfit) > max(middle + _DEVIATIONS * spread, _SHARE))
    return [int(i) for i in far[np.argsort(-misfit[far], kind="stable")]]


def _leak(one: Face, two: Face) -> bool:
    persons = one.person is not None and two.person is not None and one.person != two.person
    return one.split != two.split or persons
