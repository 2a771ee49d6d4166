"""Jitter on a still face: the same picture again and again, as a camera sees who does not move.

Each look is cut a fraction of a pixel elsewhere and has other noise.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from tqdm import tqdm

from amesh.data.sources.labelled_face import LabelledFace
from amesh.errors import UserError
from amesh.evaluation.labels.read import limit_labels, persons
from amesh.evaluation.labels.template_fit import eye_distance, label_roi
from amesh.evaluation.models import FaceFinder
from amesh.evaluation.tables.accuracy import Comparison
from amesh.evaluation.tables.jitter import ALL, JitterRow, summarise
from amesh.geometry.roi import Roi
from amesh.topology.scheme import Topology

LOOKS = 16  # of one face
NOISE = 2.0  # standard deviation of each pixel [of 255]
SHIFT = 0.25  # of the region of interest, at most, each way [% of its side]: half a crop pixel
STILL = "still faces"


def still_jitter(
    models: Mapping[str, FaceFinder],
    labels: Sequence[LabelledFace],
    topology: Topology,
    faces: int,
    how: Comparison,
    read: Callable[[Path], UInt8[np.ndarray, "h w 3"]],
) -> list[JitterRow]:
    """How far landmarks of an unmoved face scatter about their mean [% of the eyes' distance].

    Args:
        models: Networks by name, the reference among them.
        labels: Faces with regions of interest.
        topology: Of the networks.
        faces: How many to take, spread over the sources.
        how: What the networks are compared with, and the bootstrap; persons are drawn.
        read: Reads a picture.
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
            continue  # reported with the accuracy
        seen: dict[str, list[np.ndarray]] = {name: [] for name in models}
        for look in range(LOOKS):
            # Every network sees the same shifts and the same noise.
            random = np.random.default_rng([how.seed, number, look])
            step = torch.from_numpy(random.uniform(-SHIFT, SHIFT, 2) / 100)
            moved = Roi(region.centre + step * region.size, region.size, region.angle)
            noisy = image + random.normal(0.0, NOISE, image.shape)
            frame = np.rint(noisy.clip(0, 255)).astype(np.uint8)
            for name, model in models.items():
                seen[name].append(model(frame, moved)[0].landmarks.astype(np.float64))
        measured.append(label)
        for name, looks in seen.items():
            scatter[name].append(_scatter(np.stack(looks), length, topology))
    parts = next((list(found[0]) for found in scatter.values() if found), [])
    counts = {name: len(found) for name, found in scatter.items()}
    people = persons(measured)
    return [
        summarise(
            STILL,
            part,
            counts,
            {name: np.array([one[part] for one in found]) for name, found in scatter.items()},
            how,
            people,
        )
        for part in parts
    ]


def _around(
    image: UInt8[np.ndarray, "h w 3"], region: Roi
) -> tuple[UInt8[np.ndarray, "part_h part_w 3"], Roi]:
    """The part of a picture that a region can see, wherever it is turned, and the region in it."""
    centre, reach = region.centre[0].numpy(), float(region.size[0]) * 0.75
    limit = np.array([image.shape[1], image.shape[0]])
    low = np.floor(centre - reach).astype(int).clip(0, limit - 1)
    high = np.ceil(centre + reach).astype(int).clip(low + 1, limit)
    part = image[low[1] : high[1], low[0] : high[0]]
    return part, Roi(region.centre - torch.from_numpy(low), region.size, region.angle)


def _scatter(
    looks: Float[np.ndarray, "t n 3"], length: float, topology: Topology
) -> dict[str, float]:
    away = looks[..., :2] - looks[..., :2].mean(0)
    # The mean is made of these looks: one degree of freedom is gone.
    squared = (away**2).sum(-1).sum(0) / (len(looks) - 1)  # n

    def percent(indices: Sequence[int] | slice) -> float:
        return float(100 * np.sqrt(squared[indices].mean()) / length)

    found = {ALL: percent(slice(None))}
    return found | {name: percent(list(points)) for name, points in topology.outputs.items()}
