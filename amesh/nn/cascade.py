"""The paper's second baseline: independent networks on crops cut from the picture."""

from jaxtyping import Float
from torch import Tensor, nn

from amesh.nn.assembly import Assembly
from amesh.nn.config import SHARED_STRIDE, MeshConfig
from amesh.nn.mesh_submodel import MeshSubmodel, SharedFeatures
from amesh.nn.output import MeshOutput
from amesh.nn.region_submodel import RegionSubmodel
from amesh.nn.spatial_transformer import RegionNormaliser, SpatialTransformer
from amesh.topology import Region


class RegionNetwork(nn.Module):
    """An independent network for one region: the mesh network's stem, then the region submodel.

    Its input is four times the size of the attention crop, so the feature maps of both have the
    same size.
    """

    def __init__(self, region: Region, config: MeshConfig) -> None:
        """Builds the network of `region`."""
        super().__init__()
        self.shared = SharedFeatures(config)
        self.submodel = RegionSubmodel(region, config)

    def forward(
        self, crop: Float[Tensor, "b 3 k k"], theta: Float[Tensor, "b 2 3"]
    ) -> dict[str, Float[Tensor, "b p 2"]]:
        """Returns landmarks by output name, in pixels of the whole picture."""
        landmarks: dict[str, Tensor] = self.submodel(self.shared(crop), theta)
        return landmarks


class Cascade(nn.Module):
    """A mesh network, then lips and eye networks on crops of the picture around its mesh."""

    def __init__(self, config: MeshConfig) -> None:
        """Builds all networks."""
        super().__init__()
        regions = config.refined_regions
        self.config = config
        self.shared = SharedFeatures(config)
        self.mesh = MeshSubmodel(config)
        self.normaliser = RegionNormaliser(config)
        size = SHARED_STRIDE * config.crop_size
        self.cut = nn.ModuleDict({r.name: SpatialTransformer(config, size) for r in regions})
        self.regions = nn.ModuleDict({r.name: RegionNetwork(r, config) for r in regions})
        self.assembly = Assembly(config)

    def forward(
        self,
        image: Float[Tensor, "b 3 s s"],
        thetas: Float[Tensor, "b r 2 3"] | None = None,
    ) -> MeshOutput:
        """Predicts the landmarks of one face per picture.

        Args:
            image: RGB crops in [0, 1] of the mesh network's input size.
            thetas: Crops to use instead of those around the mesh; in training, ideal crops.
        """
        self.config.check_image(image.shape)
        mesh = self.mesh(self.shared(image))
        if thetas is None:
            # The networks are independent: no gradient reaches the mesh through a crop's position.
            thetas = self.normaliser(self.assembly.spread(mesh.points.detach()))
        regions: dict[str, Tensor] = {}
        for i, name in enumerate(self.regions):
            crop = self.cut[name](image, thetas[:, i])
            regions |= self.regions[name](crop, thetas[:, i])
        landmarks = self.assembly(mesh.points, regions)
        return MeshOutput(
            landmarks, mesh.face_flag, mesh.points, regions, thetas, mesh.expected_error
        )
