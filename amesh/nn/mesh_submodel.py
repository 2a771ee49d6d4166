"""The shared backbone and the mesh submodel: from the picture to the mesh."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from amesh.nn.blocks import (
    LAST,
    Convolution,
    DownBlock,
    PointHead,
    in_own_precision,
    residuals,
    start,
)
from amesh.nn.config import MESH_STRIDE, MeshConfig
from amesh.nn.error_head import ErrorHead
from amesh.nn.template import start_at, template_in_crop


class SharedFeatures(nn.Sequential):
    """Computes the shared map at a quarter of the picture's size: stem, residuals, one halving."""

    def __init__(self, config: MeshConfig) -> None:
        """Builds the first two stages of the backbone."""
        stem, shared = config.widths[:2]
        super().__init__()
        self.stem = Convolution(3, stem, config.batch_norm)
        self.blocks = residuals(stem, config.depth, config.batch_norm)
        self.down = DownBlock(stem, shared, config.batch_norm)


class Mesh(NamedTuple):
    """Output of the mesh submodel.

    Attributes:
        points: Points in pixels of the input.
        face_flag: Logit of the confidence that the crop shows a face.
        features: The input of the last convolutions.
        expected_error: See `amesh.nn.output.MeshOutput`.
    """

    points: Float[Tensor, "b m 3"]
    face_flag: Float[Tensor, " b"]
    features: Float[Tensor, "b c k k"]
    expected_error: Float[Tensor, "b n"] | None


class MeshSubmodel(nn.Module):
    """Reduces the shared map to 1/64 of the input and predicts the 3-D points and the face flag."""

    def __init__(self, config: MeshConfig) -> None:
        """Builds the deeper stages of the backbone and the mesh head."""
        super().__init__()
        self.stages = nn.Sequential()
        previous = config.widths[1]
        for width in config.widths[2:]:
            self.stages.append(residuals(previous, config.depth, config.batch_norm))
            self.stages.append(DownBlock(previous, width, config.batch_norm))
            previous = width
        self.stages.append(residuals(previous, config.depth, config.batch_norm))
        kernel = config.input_size // MESH_STRIDE
        numbers = 3 * len(config.mesh_indices)
        self.head = PointHead(previous, config.head_width, kernel, numbers, config.batch_norm)
        self.face_flag = nn.Conv2d(config.head_width, 1, kernel)
        start(self.face_flag, LAST)
        start_at(self.head.points, template_in_crop(config)[0, list(config.mesh_indices)])
        self.error_head = ErrorHead(config) if config.predicts_errors else None

    def forward(self, shared: Float[Tensor, "b c h w"]) -> Mesh:
        """Predicts the mesh from the shared map."""
        deep = self.stages(shared)
        features = self.head.features(deep)
        points = in_own_precision(self.head.points, features).flatten(1)
        flag = in_own_precision(self.face_flag, features).flatten()
        # Detached: how well errors can be predicted must not change what the landmarks are.
        errors = self.error_head(deep.detach()) if self.error_head is not None else None
        return Mesh(points.unflatten(1, (-1, 3)), flag, features, errors)
