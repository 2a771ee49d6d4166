"""The request that exporters receive."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from amesh.blazeface.network import DetectorNetwork
from amesh.deploy import parity
from amesh.deploy.crops import parity_crops
from amesh.deploy.formats import Precision
from amesh.deploy.network.cascade_parts import Part, take_part
from amesh.deploy.network.prepare import Network
from amesh.deploy.parity import Images


@dataclass(frozen=True)
class Request:
    """What to export.

    Attributes:
        net: The network.
        part: Name of the single network of a cascade to export; None for the whole.
        precision: Precision of the file.
        batch: Faces per run; None is dynamic.
        calibration: Crops that set the ranges of int8; by default the package's.
        samples: Samples along each side of a crop pixel, in a file that cuts its own crops; None
            for a file that takes crops.
        opset: Version of the operators of an ONNX file; None is the default.
        output: The file that will be written.
        options: Further options of the format's exporter; see `amesh.deploy.formats.Format`.
    """

    net: Network | DetectorNetwork
    part: str | None
    precision: Precision
    batch: int | None
    calibration: Images | None = None
    samples: int | None = None
    opset: int | None = None
    output: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def byte_input(self) -> bool:
        """Whether the file takes bytes instead of numbers in [0, 1]."""
        return self.options.get("input") == "uint8"

    @property
    def web(self) -> bool:
        """Whether the file is for browsers; see `amesh.deploy.litert.export.export_litert`."""
        return bool(self.options.get("web"))

    @property
    def target(self) -> Network | Part:
        """The landmark network, or the part of it, to export."""
        if self.part:
            return take_part(self.net, self.part)
        assert not isinstance(self.net, DetectorNetwork)  # exporters have turned to those before
        return self.net

    @property
    def calibrated_on(self) -> Images:
        """The crops that set the ranges of int8."""
        if self.calibration is not None:
            return self.calibration
        return parity_crops(parity.input_size(self.target)).images


def tolerance_of(precision: Precision, web: bool) -> Precision:
    """The precision whose tolerance a file must meet: rounded kernels count as half precision."""
    return "fp16" if web else precision
