"""Fits the maps of `labels/fitted_maps.py` to annotated faces.

    python -m amesh.evaluation.fit_maps --data landmarks.jsonl --coordinates index

For each labelled point, the landmark or the midpoint of two landmarks is chosen that has the
smallest mean distance to it, over the teachers, over the faces of one half and over their mirror
images. So the maps have no preference for a side of the picture, and points that mirror each other
have landmarks that do. The teachers see each face in the region that its label gives.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

import amesh
from amesh.data.schemes import known_schemes, label_map
from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.fitted_maps import FILE, HALVES, FittedMaps, Pair, dump, half_of
from amesh.evaluation.labels.label_schemes import label_scheme
from amesh.evaluation.labels.measures import normaliser_length
from amesh.evaluation.labels.read import read_data
from amesh.evaluation.models import run_models
from amesh.evaluation.options import LabelledData
from amesh.evaluation.run import open_face_mesh
from amesh.files import write_atomically
from amesh.topology.scheme import Topology
from amesh.topology.scheme import load as load_topology
from amesh.weights import store

TEACHERS = ("released-192", "face-landmarker-v2")  # Google's: none that was trained here

_NEAREST = 30  # landmarks, by their own distance to the point, that may be one of its two


def fit_maps(
    labels: Sequence[LabelledFace],
    predicted: Mapping[str, Sequence[Float[np.ndarray, "n 3"] | None]],
    topology: Topology,
) -> FittedMaps:
    """The maps of all schemes of the labels that the topology has a map to.

    Args:
        labels: Annotated faces.
        predicted: What each teacher predicted for each of them [picture px].
        topology: Scheme of the landmarks.

    Raises:
        UserError: There is no such scheme, or none of its faces is in one of the halves.
    """
    mapped = set(known_schemes(topology)) - {topology.name}
    schemes = [name for name in dict.fromkeys(label.scheme for label in labels) if name in mapped]
    if not schemes:
        raise UserError(f"no labels in a scheme that {topology.name} has a map to")
    pairs, faces = {}, {}
    licences = Counter[str]()
    for name in schemes:
        assert name is not None
        members = [i for i, label in enumerate(labels) if label.scheme == name]
        halves = [[i for i in members if half_of(labels[i]) == half] for half in range(HALVES)]
        licences.update(labels[i].licence or "not stated" for i in members)
        faces[name] = [len(half) for half in halves]
        if not min(faces[name]):
            raise UserError(f"{name}: {len(members)} faces are too few to fit a map to each half")
        pairs[name] = [
            _fit(name, [labels[i] for i in other], _chosen(predicted, other), topology)
            for other in reversed(halves)  # a half is scored by the map of the other
        ]
    about = {
        "topology": topology.name,
        "faces of each half": faces,
        "licences": dict(sorted(licences.items())),
    }
    return FittedMaps(about, pairs)


def _chosen(
    predicted: Mapping[str, Sequence[Float[np.ndarray, "n 3"] | None]], members: Sequence[int]
) -> list[list[Float[np.ndarray, "n 3"] | None]]:
    return [[faces[i] for i in members] for faces in predicted.values()]


def _fit(
    name: str,
    labels: Sequence[LabelledFace],
    predicted: Sequence[Sequence[Float[np.ndarray, "n 3"] | None]],
    topology: Topology,
) -> list[Pair]:
    """The map of one scheme, fitted to these faces."""
    apart = []  # from each labelled point to each landmark, in the unit of the scheme's error
    scheme = label_scheme(name, topology)
    normaliser = next(iter(scheme.measures.values()))[0].normaliser
    for faces in predicted:
        for label, face in zip(labels, faces, strict=True):
            if face is not None:
                points = label.points[:, :2]
                unit = normaliser_length(normaliser, label.points)
                apart.append((face[None, :, :2] - points[:, None]) / unit)
    offsets = np.stack(apart)  # f k n 2
    # An iris moves with the gaze: it is no part of the face around it.
    irises = np.array([point for iris in topology.irises for point in iris.indices], int)
    still = ~label_map(name, topology).matrix[:, irises].any(1)
    offsets[np.ix_(np.arange(len(offsets)), still, irises)] = np.inf
    opposite = _mirrored_points(name, topology)
    # A reflection keeps lengths, also those of sums: x need not change its sign.
    offsets = np.concatenate([offsets, offsets[:, opposite][:, :, topology.mirror]])
    pairs: dict[int, Pair] = {}
    for point in range(scheme.points):
        if int(opposite[point]) in pairs:
            pairs[point] = _pair(topology.mirror[list(pairs[int(opposite[point])])])
        else:
            seen = ~np.isnan(offsets[:, point]).any((1, 2))
            in_middle = opposite[point] == point
            pairs[point] = _nearest(offsets[seen, point], topology.mirror if in_middle else None)
    return [pairs[point] for point in range(scheme.points)]


def _nearest(offsets: Float[np.ndarray, "f n 2"], mirror: Int[np.ndarray, " n"] | None) -> Pair:
    """The two landmarks whose midpoint has the smallest mean distance.

    Args:
        offsets: From the point to each landmark, on each face.
        mirror: For a point in the middle of the face: its landmarks mirror each other, or are each
            in the middle.
    """
    alone = np.linalg.norm(offsets, axis=-1).mean(0)
    near = np.argsort(alone, kind="stable")[:_NEAREST]
    some = offsets[:, near]
    midpoints = (some[:, :, None] + some[:, None]) / 2
    together = np.linalg.norm(midpoints, axis=-1).mean(0)
    if mirror is not None:
        reflected = mirror[near]
        middle = reflected == near
        allowed = (reflected[:, None] == near) | (middle[:, None] & middle)
        together = np.where(allowed, together, np.inf)
    first, second = np.unravel_index(int(together.argmin()), together.shape)
    return _pair(near[[first, second]])


def _pair(landmarks: Int[np.ndarray, " 2"]) -> Pair:
    first, second = sorted(landmarks.tolist())
    return first, second


def _mirrored_points(name: str, topology: Topology) -> Int[np.ndarray, " k"]:
    """The point that each point of a scheme becomes in a mirrored picture, by the topology's map.

    Raises:
        UserError: The map is not symmetric.
    """
    matrix = label_map(name, topology).matrix
    same = (matrix[:, topology.mirror][:, None] == matrix[None]).all(-1)
    if not (same.sum(1) == 1).all():
        raise UserError(f"{name}: its map does not say which of its points mirror each other")
    return np.asarray(same.argmax(1))


def main(args: list[str] | None = None) -> int:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, nargs="+", required=True, help="annotated sets")
    parser.add_argument("--coordinates", choices=["corner", "index", "one"])
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "labels" / FILE, metavar="FILE.json"
    )
    options = parser.parse_args(args)
    try:
        topology = load_topology()
        data = LabelledData(tuple(options.data), coordinates=options.coordinates)
        labels, read = read_data(data)
        labels = [label for label in labels if label.face]
        teachers = {name: open_face_mesh(name, "auto", False, detector=False) for name in TEACHERS}
        runs = run_models(teachers, labels, topology, detect=False, read=read)
        found = fit_maps(labels, {name: run.in_roi for name, run in runs.items()}, topology)
        about = {
            "amesh": amesh.__version__,
            "made by": "python -m amesh.evaluation.fit_maps",
            "data": [path.name for path in options.data],
            "teachers": {name: store.file_hash(name) for name in TEACHERS},
        }
        write_atomically(options.output, dump(FittedMaps(about | dict(found.about), found.pairs)))
    except UserError as error:
        print(f"fit_maps: {error}", file=sys.stderr)
        return 2
    print(f"{options.output}: {found.about['faces of each half']}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
