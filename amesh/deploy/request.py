"""What to export, and what an exporter hands back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amesh.deploy import parity
from amesh.deploy.crops import parity_crops
from amesh.deploy.network.cascade_parts import Part, take_part
from amesh.deploy.network.prepare import Network
from amesh.deploy.parity import Images, Run
from amesh.deploy.sidecar import Tensor
from amesh.deploy.signature import Precision


@dataclass(frozen=True)
class Request:
    """What shall be exported.

    Attributes:
        net: The network.
        part: Only this network of a cascade.
        precision: Of the artefact.
        batch: Faces per run; None leaves it to the format.
        calibration: Crops that int8 takes its ranges from; those of the package by default.
    """

    net: Network
    part: str | None
    precision: Precision
    batch: int | None
    calibration: Images | None = None

    @property
    def target(self) -> Network | Part:
        """The network or its part."""
        return take_part(self.net, self.part) if self.part else self.net

    @property
    def calibrated_on(self) -> Images:
        """The crops that int8 takes its ranges from."""
        if self.calibration is not None:
            return self.calibration
        return parity_crops(parity.input_size(self.target)).images


@dataclass(frozen=True)
class Made:
    """A file's content before it is written.

    Attributes:
        content: Its bytes.
        run: Runs exactly these bytes.
        inputs: By name.
        outputs: By name.
        layout: Order of the image's axes.
        packages: What made it.
    """

    content: bytes
    run: Run
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    layout: str
    packages: tuple[str, ...]


def _tensors(shapes: Mapping[str, tuple[Any, ...]]) -> dict[str, Tensor]:
    return {
        name: Tensor(tuple(n if isinstance(n, int) else None for n in shape))
        for name, shape in shapes.items()
    }
