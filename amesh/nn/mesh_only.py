"""The paper's first baseline: the mesh submodel alone."""

from jaxtyping import Float
from torch import Tensor, nn

from amesh.errors import UserError
from amesh.nn.config import MeshConfig
from amesh.nn.mesh_submodel import MeshSubmodel, SharedFeatures
from amesh.nn.output import MeshOutput


class MeshOnly(nn.Module):
    """Backbone and mesh head, without refined regions."""

    def __init__(self, config: MeshConfig) -> None:
        """Builds the network.

        Without regions, the mesh head must predict all landmarks.

        Raises:
            UserError: The config's mesh head does not predict the irises.
        """
        super().__init__()
        if len(config.mesh_indices) < config.load_topology().points:
            raise UserError(f"{config.name}: MeshOnly predicts all points; set mesh_irises")
        self.config = config
        self.shared = SharedFeatures(config)
        self.mesh = MeshSubmodel(config)

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> MeshOutput:
        """Predicts the landmarks of one face per picture, RGB in [0, 1]."""
        self.config.check_image(image.shape)
        mesh = self.mesh(self.shared(image))
        no_thetas = mesh.points.new_zeros(image.shape[0], 0, 2, 3)
        return MeshOutput(
            mesh.points, mesh.face_flag, mesh.points, {}, no_thetas, mesh.expected_error
        )
