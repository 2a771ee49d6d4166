"""The request that exporters receive."""

from dataclasses import dataclass

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
    """

    net: Network | DetectorNetwork
    part: str | None
    precision: Precision
    batch: int | None
    calibration: Images | None = None
    samples: int | None = None
    opset: int | None = None

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
