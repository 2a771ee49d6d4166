"""Measures how much landmarks jitter on a still face: one picture seen again and again.

As a camera sees somebody who does not move: every crop is a fraction of a pixel away from the
others and has noise of its own.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from tqdm import tqdm

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.head_pose import eye_distance, label_roi
from amesh.evaluation.labels.read import limit_labels
from amesh.evaluation.models import FaceFinder
from amesh.evaluation.over_time import ALL
from amesh.geometry.roi import Roi
from amesh.topology.scheme import Topology

LOOKS = 16  # crops of one face
NOISE = 2.0  # standard deviation on each pixel [of 255]
SHIFT = 0.25  # of the region of interest, at most, each way [% of its side]: half a crop pixel


def measure_still(
    models: Mapping[str, FaceFinder],
    labels: Sequence[LabelledFace],
    topology: Topology,
    faces: int,
    seed: int,
    read: Callable[[Path], UInt8[np.ndarray, "h w 3"]],
) -> tuple[dict[str, list[dict[str, float]]], list[LabelledFace]]:
    """How far landmarks of a face that does not move scatter about their mean.

    Args:
        models: The networks by name.
        labels: Faces with regions of interest.
        topology: The networks' landmark scheme.
        faces: Number of faces to take, spread over the sources.
        seed: Seed of shifts and noise.
        read: Reads a picture.

    Returns:
        By the name of the network, for each face that was measured, the scatter of each part of the
        face [% of the outer eye distance]; and the labels of these faces.
    """
    placed = [label for label in labels if label.scheme is not None]
    sources = len({label.source for label in placed})
    chosen = limit_labels(placed, -(-faces // max(sources, 1)))[:faces]
    scatter: dict[str, list[dict[str, float]]] = {name: [] for name in models}
    measured: list[LabelledFace] = []
    for number, label in enumerate(tqdm(chosen, unit="face", disable=not sys.stderr.isatty())):
        region, length = label_roi(label, topology), eye_distance(label, topology)
        if region is None or not length:
            continue
        try:
            image, region = _around(read(label.image), region)
        except UserError:
            continue  # reported already
        seen: dict[str, list[np.ndarray]] = {name: [] for name in models}
        for look in range(LOOKS):
            # Every network sees the same shifts and the same noise.
            random = np.random.default_rng([seed, number, look])
            step = random.uniform(-SHIFT, SHIFT, 2) / 100
            moved = Roi(region.centre + step * region.size, region.size, region.angle)
            noisy = image + random.normal(0.0, NOISE, image.shape)
            frame = np.rint(noisy.clip(0, 255)).astype(np.uint8)
            for name, model in models.items():
                seen[name].append(model(frame, moved)[0].landmarks.astype(np.float64))
        measured.append(label)
        for name, looks in seen.items():
            scatter[name].append(_scatter(np.stack(looks), length, topology))
    return scatter, measured


def _around(
    image: UInt8[np.ndarray, "h w 3"], region: Roi
) -> tuple[UInt8[np.ndarray, "part_h part_w 3"], Roi]:
    """The part of a picture that the region can show at any rotation, and the region in it."""
    centre, reach = region.centre[0], float(region.size[0]) * 0.75
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.floor(centre - reach).astype(int).clip(0, limit - 1)
    high = np.ceil(centre + reach).astype(int).clip(low + 1, limit)
    part = image[low[1] : high[1], low[0] : high[0]]
    return part, Roi(region.centre - low, region.size, region.angle)


def _scatter(
    looks: Float[np.ndarray, "t n 3"], length: float, topology: Topology
) -> dict[str, float]:
    away = looks[..., :2] - looks[..., :2].mean(0)
    # The mean is taken from the same looks, which costs one degree of freedom.
    squared = (away**2).sum(-1).sum(0) / (len(looks) - 1)  # n

    def percent(indices: Sequence[int] | slice) -> float:
        return float(100 * np.sqrt(squared[indices].mean()) / length)

    found = {ALL: percent(slice(None))}
    return found | {name: percent(list(points)) for name, points in topology.outputs.items()}
