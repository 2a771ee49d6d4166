"""The map-style data set of samples from all sources, and the collation of batches."""

import bisect
import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.data import Dataset, get_worker_info

from amesh.data.loading.pictures import cut, decode
from amesh.data.loading.sample import Canvas, Sample
from amesh.data.schemes import Targets, label_map, place_template, to_landmarks
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.problems import OnBad
from amesh.data.sources.source import Source
from amesh.errors import UserError
from amesh.topology.scheme import Topology

# A label may be outside its picture (a chin below the edge), but by at most this many face sizes.
_OUTSIDE = 1.0


class FaceDataset(Dataset[Sample]):
    """The labelled faces of all sources, concatenated."""

    def __init__(
        self,
        sources: Sequence[Source],
        topology: Topology,
        crop_size: int,
        reach: float,
        on_bad: OnBad = "stop",
        substitute: bool = True,
    ) -> None:
        """Checks that the sources can train this topology.

        Args:
            sources: Sources with at least one face in total.
            topology: The topology to train.
            crop_size: Side of the network's input [px]; determines the resolution of the cut-out.
            reach: Side of the cut-out relative to the region of interest; see
                `AugmentConfig.reach`.
            on_bad: Whether to skip a damaged record, and report it in the sample, or to stop.
            substitute: Whether to replace a skipped record by the next good one; otherwise by
                padding that does not count, so that evaluation uses each face once.

        Raises:
            UserError: There is no face, this topology has no map for some labels, or it does not
                say how a crop is determined from a detection.
        """
        if not sum(map(len, sources)):
            raise UserError("no labelled face to train on: every source is empty")
        topology.require_roi()  # without it, running may use other crops than training
        for source in sources:
            for scheme in sorted(source.schemes):
                try:
                    label_map(scheme, topology)
                except UserError as error:
                    raise UserError(f"{source.name}: {error}") from None
        self.sources, self.topology = tuple(sources), topology
        self.on_bad, self.substitute = on_bad, substitute
        self.crop_size, self.reach = crop_size, reach
        self._ends = list(accumulate(map(len, sources)))

    def __len__(self) -> int:
        return self._ends[-1]

    def labelled(self, index: int) -> LabelledFace:
        """Returns a face's labels without reading its picture."""
        number = bisect.bisect_right(self._ends, index)
        start = self._ends[number - 1] if number else 0
        return self.sources[number][index - start]

    def __getitem__(self, index: int) -> Sample:
        """Returns a sample; a negative index ~i is sample i as padding that does not count."""
        if index < 0:
            sample = self[~index]
            nothing = np.zeros_like(sample.weight_xy)
            return replace(sample, weight_xy=nothing, weight_z=nothing, index=-1)
        if index >= len(self):
            raise IndexError(f"sample {index} of {len(self)}")
        problems: list[str] = []
        for step in range(len(self)):
            at = (index + step) % len(self)
            try:
                sample = make_sample(self.labelled(at), self.topology, self.crop_size, self.reach)
            except UserError as error:
                if self.on_bad == "stop":
                    raise
                problems.append(str(error))
                if not self.substitute:
                    return self._filler(tuple(problems))
                continue
            return replace(sample, index=index, problems=tuple(problems))
        raise UserError(
            f"none of the {len(self)} records can be used; the first problem: {problems[0]}"
        )

    def _filler(self, problems: tuple[str, ...]) -> Sample:
        """Returns a black picture without a face."""
        side = self.crop_size
        nothing = np.zeros(self.topology.points, np.float32)
        return Sample(
            image=np.zeros((side, side, 3), np.uint8),
            landmarks=place_template((0.0, 0.0, float(side), float(side)), self.topology),
            weight_xy=nothing,
            weight_z=nothing,
            visibility=np.ones_like(nothing),
            face=False,
            group="",
            source="",
            key="",
            problems=problems,
        )


def make_sample(face: LabelledFace, topology: Topology, crop_size: int, reach: float) -> Sample:
    """Decodes a picture and cuts out the surroundings of the labelled face.

    Raises:
        UserError: The picture is missing or damaged, or its labels are implausible.
    """
    data = face.read_picture()
    if face.scheme is None:
        pixels, size, taken = decode(data, face.where)
        box = face.box or (0.0, 0.0, float(size[0]), float(size[1]))
        placed = place_template(box, topology)
        zero = np.zeros(topology.points, np.float32)
        targets = Targets(placed, zero, zero, np.ones_like(zero))
        square = _square(placed, topology)
    else:
        targets = _targets(face, topology)
        square = _square(targets.landmarks, topology)
        pixels, size, taken = decode(data, face.where, int(square[2] / crop_size))
        _check_inside(targets, size, face.where)
    landmarks = targets.landmarks.astype(np.float64) / taken
    x, y, side = (value / taken for value in square)
    shrink = max(int(side / crop_size), 1)
    image, corner = cut(pixels, (x, y, side * reach), shrink)
    landmarks[:, :2] -= corner
    return Sample(
        image=image,
        landmarks=(landmarks / shrink).astype(np.float32),
        weight_xy=targets.weight_xy,
        weight_z=targets.weight_z,
        visibility=targets.visibility,
        face=face.face,
        group=face.group,
        source=face.source,
        key=face.key,
    )


def collate(samples: Sequence[Sample]) -> Canvas:
    """Pads samples to the size of the largest and stacks them, without resampling."""
    height = max(sample.image.shape[0] for sample in samples)
    width = max(sample.image.shape[1] for sample in samples)
    shape = (len(samples), height, width, 3)
    # A worker returns tensors in shared memory; allocating them there saves a copy.
    worker, count = get_worker_info() is not None, math.prod(shape)
    storage = torch.UntypedStorage._new_shared(count) if worker else torch.UntypedStorage(count)
    pictures = torch.tensor([], dtype=torch.uint8).set_(storage).view(shape)
    for canvas, sample in zip(pictures.numpy(), samples, strict=True):
        h, w = sample.image.shape[:2]
        canvas[:h, :w] = sample.image
        canvas[:h, w:] = 0
        canvas[h:] = 0

    def stack(name: str) -> Tensor:
        return torch.from_numpy(np.stack([getattr(sample, name) for sample in samples]))

    return Canvas(
        pictures=pictures.permute(0, 3, 1, 2),  # channels stay last in memory
        landmarks=stack("landmarks"),
        weight_xy=stack("weight_xy"),
        weight_z=stack("weight_z"),
        visibility=stack("visibility"),
        face=torch.tensor([float(sample.face) for sample in samples]),
        index=torch.tensor([sample.index for sample in samples]),
        problems=tuple(line for sample in samples for line in sample.problems),
    )


def _targets(face: LabelledFace, topology: Topology) -> Targets:
    assert face.scheme is not None
    try:
        known = label_map(face.scheme, topology)
        return to_landmarks(
            face.points,
            known,
            topology,
            *face.weights(),
            face.visibility,
        )
    except UserError as error:
        raise UserError(f"{face.where}: {error}") from None


def _span(points: Float[np.ndarray, "n d"]) -> tuple[float, float, float, float]:
    """Returns left, top, right, bottom [px]; separate columns take a third of the time."""
    x, y = points[:, 0], points[:, 1]
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _square(landmarks: Float[np.ndarray, "n 3"], topology: Topology) -> tuple[float, float, float]:
    """Returns centre and side of the region of interest [px]."""
    scale, shift = topology.landmark_rule
    if any(shift):  # its centre depends on the roll
        region = topology.region_of_interest(landmarks[None])
        return (*region.centre[0].tolist(), region.size.item())
    left, top, right, bottom = _span(landmarks)
    return (left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top) * scale


def _check_inside(targets: Targets, size: tuple[int, int], where: str) -> None:
    labelled = targets.weight_xy > 0
    points = targets.landmarks if labelled.all() else targets.landmarks[labelled]
    left, top, right, bottom = span = _span(points)
    room = _OUTSIDE * max(right - left, bottom - top)
    width, height = size
    centred = 0 <= left + right <= 2 * width and 0 <= top + bottom <= 2 * height
    near = min(left, top) >= -room and right <= width + room and bottom <= height + room
    if not (centred and near):
        box = ", ".join(f"{value:.0f}" for value in span)
        raise UserError(
            f"{where}: landmarks outside the picture: they span {box}, the picture is "
            f"{width} x {height} px; are they for another picture, or another size of it?"
        )
