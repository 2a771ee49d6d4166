"""What every exported network takes and gives, whatever runs it."""

from dataclasses import dataclass
from typing import Literal

from amesh.nn.config import MeshConfig

INPUT = "image"
OUTPUTS = ("landmarks", "face_flag")
# The entry of a file's metadata that holds what its exporter knew, as JSON.
METADATA = "amesh"

Layout = Literal["nchw", "nhwc"]
Precision = Literal["fp32", "fp16", "int8"]


@dataclass(frozen=True)
class Signature:
    """Names, shapes and meaning of an exported network's tensors; all of them are float32.

    `image` holds RGB crops in [0, 1]. `landmarks` are pixels of the crop, z in the same unit;
    `face_flag` is a logit. The names of the outputs are fields of `amesh.nn.output.MeshOutput`.

    Attributes:
        input_size: Side of the crop s [px].
        points: Number of landmarks n.
        topology: Name of the landmark scheme.
        layout: Order of the image's axes; ONNX and TensorRT: nchw; LiteRT: nhwc.
        batch: Fixed batch, or None where it is dynamic.
    """

    input_size: int
    points: int
    topology: str
    layout: Layout = "nchw"
    batch: int | None = None

    @classmethod
    def of(
        cls, config: MeshConfig, layout: Layout = "nchw", batch: int | None = None
    ) -> "Signature":
        """The signature of a network."""
        return cls(config.input_size, config.load_topology().points, config.topology, layout, batch)

    @property
    def image_shape(self) -> tuple[int | None, ...]:
        """Shape of `image`; None is the dynamic batch."""
        size = self.input_size
        inner = (3, size, size) if self.layout == "nchw" else (size, size, 3)
        return (self.batch, *inner)

    @property
    def output_shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Shapes of the outputs by name."""
        return {"landmarks": (self.batch, self.points, 3), "face_flag": (self.batch,)}
