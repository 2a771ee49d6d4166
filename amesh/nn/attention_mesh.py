"""Attention Mesh: a face mesh and its refined regions from one network in one pass.

Paper: "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time" (arXiv 2006.10962),
figure 2.
"""

from jaxtyping import Float
from torch import Tensor, nn

from amesh.nn.assembly import Assembly
from amesh.nn.blocks import LAST, in_own_precision, start
from amesh.nn.config import MESH_STRIDE, MeshConfig
from amesh.nn.mesh_submodel import MeshSubmodel, SharedFeatures
from amesh.nn.output import MeshOutput
from amesh.nn.region_submodel import RegionSubmodel
from amesh.nn.spatial_transformer import RegionNormaliser, SpatialTransformer
from amesh.nn.template import start_at, template_in_crop


class AttentionMesh(nn.Module):
    """Shared features, the mesh submodel, and an attention step and a submodel per region.

    Examples:
        >>> import torch
        >>> from amesh.nn.config import NAMED
        >>> net = AttentionMesh(NAMED["tiny-128"])
        >>> output = net(torch.rand(4, 3, 128, 128))
        >>> output.landmarks.shape, output.face_flag.shape, output.thetas.shape
        (torch.Size([4, 478, 3]), torch.Size([4]), torch.Size([4, 3, 2, 3]))
        >>> output.regions["lips"].shape
        torch.Size([4, 80, 2])
    """

    def __init__(self, config: MeshConfig) -> None:
        """Builds the network.

        Raises:
            UserError: The config has no regions.
        """
        super().__init__()
        self.config = config
        regions = config.refined_regions
        self.shared = SharedFeatures(config)
        self.mesh = MeshSubmodel(config)
        self.normaliser = RegionNormaliser(config)
        self.attention = nn.ModuleDict(
            {region.name: SpatialTransformer(config, config.crop_size) for region in regions}
        )
        self.regions = nn.ModuleDict(
            {region.name: RegionSubmodel(region, config) for region in regions}
        )
        self.assembly = Assembly(config)
        if config.crop_source == "regressed":
            kernel = config.input_size // MESH_STRIDE
            self.theta = nn.Conv2d(config.head_width, 6 * len(regions), kernel)
            start(self.theta, LAST * LAST)  # thetas are in normalised units, not in pixels
            start_at(self.theta, self.normaliser(template_in_crop(config)))

    def forward(
        self,
        image: Float[Tensor, "b 3 s s"],
        thetas: Float[Tensor, "b r 2 3"] | None = None,
    ) -> MeshOutput:
        """Predicts the landmarks of one face per picture.

        Args:
            image: RGB crops in [0, 1] of the network's input size.
            thetas: Region crops to use instead of the network's own. The first phase of training
                passes ideal crops, `self.normaliser(true_landmarks)`.
        """
        self.config.check_image(image.shape)
        shared = self.shared(image)
        mesh = self.mesh(shared)
        if thetas is None:
            thetas = self.thetas(mesh.points, mesh.features)
        regions: dict[str, Tensor] = {}
        for i, name in enumerate(self.regions):
            crop = self.attention[name](shared, thetas[:, i])
            regions |= self.regions[name](crop, thetas[:, i])
        landmarks = self.assembly(mesh.points, regions)
        return MeshOutput(
            landmarks, mesh.face_flag, mesh.points, regions, thetas, mesh.expected_error
        )

    def thetas(
        self, mesh: Float[Tensor, "b m 3"], features: Float[Tensor, "b c k k"]
    ) -> Float[Tensor, "b r 2 3"]:
        """Computes the region crops from the mesh, or regresses them from the head's features."""
        if self.config.crop_source == "regressed":
            numbers = in_own_precision(self.theta, features).flatten(1)
            return numbers.reshape(numbers.shape[0], -1, 2, 3)
        if self.config.detach_theta:
            mesh = mesh.detach()
        thetas: Tensor = self.normaliser(self.assembly.spread(mesh))
        return thetas
