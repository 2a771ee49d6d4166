"""Compares runtimes with PyTorch: one comparison for all of them, in pixels."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import nn

from amesh.blazeface.config import DetectorConfig
from amesh.deploy import crops as crop_sets
from amesh.deploy.crops import parity_crops
from amesh.deploy.exported_file import to_bytes
from amesh.deploy.formats import Precision
from amesh.deploy.network.cascade_parts import MeshPart, RegionPart
from amesh.deploy.signature import DETECTOR_OUTPUTS, EXPECTED_ERROR, OUTPUTS, landmark_outputs
from amesh.errors import UserError
from amesh.nn.network_config import NetworkConfig
from amesh.runner import RunnerOutput

Images = Float32[np.ndarray, "b s s 3"]
Outputs = Mapping[str, np.ndarray]
Run = Callable[[Images], "RunnerOutput | Outputs"]

_LOGITS = (OUTPUTS[1], DETECTOR_OUTPUTS[1])
_REST = "mesh"  # landmarks outside all regions


@dataclass(frozen=True)
class Figures:
    """Distances of landmarks from the reference.

    Attributes:
        max: Largest distance [crop px].
        p999: 99.9th percentile [crop px].
    """

    max: float
    p999: float


# Tolerance of each precision on a 256-px crop; smaller crops get proportionally less. The bound for
# single precision is far above rounding at any size. int8 is judged on upright faces only: on
# other crops, where landmarks mean nothing, they move by several px.
TOLERANCES: Mapping[Precision, Figures] = {
    "fp32": Figures(max=0.01, p999=0.01),
    "fp16": Figures(max=0.5, p999=0.15),
    "int8": Figures(max=1.5, p999=1.2),  # experimental
}
_TOLERANCE_SIZE = 256
# Of logits in single precision. In the others they are only reported.
_LOGIT = 0.01


@dataclass(frozen=True)
class Parity:
    """The comparison of a runtime with PyTorch in single precision.

    Attributes:
        crops: Name of the set of crops.
        count: Number of crops.
        input_size: Side of a crop [px].
        all: Figures over all points.
        regions: Figures by region; `mesh` has the landmarks outside all regions. A detector has
            only `boxes`, with their corners as centre and size, and the keypoints.
        logit: Largest difference of the logits; None if there are none.
    """

    crops: str
    count: int
    input_size: int
    all: Figures
    regions: Mapping[str, Figures]
    logit: float | None

    def to_dict(self) -> dict[str, Any]:
        """Converts the comparison to plain JSON types."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Formats a table [px]."""
        rows = {"all": self.all, **self.regions}
        wide = max(map(len, rows))
        head = f"{'':{wide}}  max [px]  p99.9 [px]"
        body = [f"{name:{wide}}  {row.max:8.5f}  {row.p999:10.5f}" for name, row in rows.items()]
        logit = [] if self.logit is None else [f"{'logit':{wide}}  {self.logit:8.5f}"]
        return [head, *body, *logit]

    def problem(self, precision: Precision) -> str | None:
        """Describes what is out of tolerance; None if nothing is."""
        allowed = tolerance(precision, self.input_size)
        # Written so that NaN fails.
        if self.all.max <= allowed.max and self.all.p999 <= allowed.p999:
            if precision != "fp32" or self.logit is None or self.logit <= _LOGIT:
                return None
            return f"logits differ from PyTorch's by up to {self.logit:.3g}, allowed: {_LOGIT}"
        worst = max(self.regions, key=lambda name: np.nan_to_num(self.regions[name].max, nan=1e9))
        return (
            f"differs from PyTorch by up to {self.all.max:.3g} px (p99.9 {self.all.p999:.3g}; "
            f"worst: {worst}), allowed in {precision}: {allowed.max:.3g} (p99.9 {allowed.p999:.3g})"
        )


def tolerance(precision: Precision, input_size: int) -> Figures:
    """Tolerance of a precision on crops of a given size."""
    figures = TOLERANCES[precision]
    scale = 1.0 if precision == "fp32" else input_size / _TOLERANCE_SIZE
    return Figures(figures.max * scale, figures.p999 * scale)


def measure(run: Run, net: nn.Module, images: Images | None = None, name: str = "") -> Parity:
    """Runs crops through a runtime and through PyTorch, and compares the results.

    Args:
        run: A runner, or a function that returns a part's outputs by name.
        net: The network or part in PyTorch, single precision.
        images: RGB crops in [0, 1] to use instead of the set that comes with the package.
        name: Name of these crops.
    """
    size = input_size(net)
    if images is None:
        images, name = parity_crops(size).images, crop_sets.NAME
        if isinstance(net.config, DetectorConfig):
            images, name = crop_sets.without_black(size).images, f"{name}, without black"
    return compare(run(images), reference(net, images), _regions(net), size, name or "own")


def verify(
    run: Run, net: nn.Module, precision: Precision, what: str, byte_input: bool = False
) -> Parity:
    """Compares a file with PyTorch before it is written; every exporter ends with this.

    Args:
        run: Runs the file.
        net: The network or part that it was made from.
        precision: Precision of the file, which sets the tolerance.
        what: Name of the file in error messages.
        byte_input: The file takes crops in 255 steps; PyTorch then gets the same.

    Raises:
        UserError: The file's outputs are out of tolerance.
    """
    images, name = None, ""
    if precision == "int8":
        images = crop_sets.upright_faces(input_size(net)).images
        name = f"{crop_sets.NAME}, upright faces"
    if byte_input:
        images = to_bytes(parity_crops(input_size(net)).images).astype(np.float32) / 255
        name = f"{crop_sets.NAME}, in 255 steps"
    return require(measure(run, net, images, name), precision, what)


def require(parity: Parity, precision: Precision, what: str) -> Parity:
    """Returns the comparison if it is within tolerance.

    Raises:
        UserError: It is not.
    """
    if problem := parity.problem(precision):
        raise UserError(f"{what}: {problem}; nothing was written")
    return parity


@torch.inference_mode()
def reference(net: nn.Module, images: Images) -> dict[str, np.ndarray]:
    """Computes the outputs with PyTorch in single precision on the CPU, by name."""
    net = copy.deepcopy(net).cpu().float().eval()  # the caller's may be in training, or on a GPU
    output = net(torch.from_numpy(images).permute(0, 3, 1, 2))  # b s s 3 -> b 3 s s
    if isinstance(net, MeshPart | RegionPart):
        return {n: t.numpy() for n, t in zip(net.outputs, output, strict=True)}
    config = _config(net)
    names: tuple[str, ...] = DETECTOR_OUTPUTS
    if isinstance(config, NetworkConfig):
        names = landmark_outputs(config.predicts_errors)
    return {name: getattr(output, name).numpy() for name in names}


def compare(
    found: RunnerOutput | Outputs,
    expected: Outputs,
    outputs: Mapping[str, Sequence[int]],
    size: int,
    name: str,
) -> Parity:
    """Compares outputs by name, and `landmarks` also by region.

    Args:
        found: Outputs of the runtime.
        expected: Outputs of PyTorch.
        outputs: Landmarks of each region's outputs, by name.
        size: Side of the crops [px].
        name: Name of the set of crops.

    Raises:
        UserError: The outputs have other names or shapes.
    """
    if isinstance(found, RunnerOutput):
        found = {name: value for name, value in found._asdict().items() if value is not None}
    for key, value in expected.items():
        shape = found[key].shape if key in found else None
        if shape != value.shape:
            raise UserError(f"output {key}: expected shape {value.shape}, found {shape}")
    distances: dict[str, np.ndarray] = {}
    measured: list[np.ndarray] = []
    logit = None
    for key, value in expected.items():
        difference = found[key].astype(np.float64) - value
        if key in _LOGITS:
            logit = float(np.abs(difference).max())
            continue
        if key == EXPECTED_ERROR:
            difference = difference[..., None]  # b n -> b n 1
        if key == DETECTOR_OUTPUTS[0]:
            difference = difference.reshape(len(value), -1, 2)  # b anchors 16 -> b points 2
        distance = np.linalg.norm(difference, axis=-1)  # b n
        measured.append(distance.ravel())
        distances |= _by_region(distance, outputs) if key == OUTPUTS[0] else {key: distance}
    regions = {key: _figures(distance) for key, distance in distances.items()}
    count = len(next(iter(expected.values())))
    return Parity(name, count, size, _figures(np.concatenate(measured)), regions, logit)


def input_size(net: nn.Module) -> int:
    """Side of a network's input [px]."""
    size: int = (net if isinstance(net, MeshPart | RegionPart) else _config(net)).input_size
    return size


def _by_region(
    distance: Float[np.ndarray, "b n"], outputs: Mapping[str, Sequence[int]]
) -> dict[str, np.ndarray]:
    taken = {i for indices in outputs.values() for i in indices}
    rest = [i for i in range(distance.shape[1]) if i not in taken]
    by_region = {**outputs, _REST: rest}
    return {name: distance[:, list(indices)] for name, indices in by_region.items() if indices}


def _figures(distance: np.ndarray) -> Figures:
    return Figures(float(distance.max()), float(np.percentile(distance, 99.9)))


def _regions(net: nn.Module) -> Mapping[str, Sequence[int]]:
    """Landmarks of each region's outputs, by name; a detector has none."""
    config = _config(net)
    return config.outputs if isinstance(config, NetworkConfig) else {}


def _config(net: nn.Module) -> NetworkConfig | DetectorConfig:
    config = net.config
    if not isinstance(config, NetworkConfig | DetectorConfig):
        raise UserError(f"{type(net).__name__} is neither a landmark network nor a face detector")
    return config
