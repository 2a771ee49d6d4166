"""The independent networks of a cascade, each as a separate file, for the paper's Table 1.

The caller crops the image and maps the points back to it.
"""

from jaxtyping import Float
from torch import Tensor, nn

from amesh.deploy.signature import landmark_outputs
from amesh.errors import UserError
from amesh.nn.cascade import Cascade, RegionNetwork

MESH = "mesh"


def with_errors(landmarks: Tensor, face_flag: Tensor, errors: Tensor | None) -> tuple[Tensor, ...]:
    """A landmark network's outputs, in the order of `amesh.deploy.signature.landmark_outputs`."""
    return (landmarks, face_flag) if errors is None else (landmarks, face_flag, errors)


class MeshPart(nn.Module):
    """image -> (mesh, face_flag): the first network of a cascade, without refined regions.

    With a third output, `expected_error`, if the cascade predicts its errors.
    """

    def __init__(self, net: Cascade) -> None:
        """Wraps the parts of the mesh network."""
        super().__init__()
        self.config, self.name = net.config, MESH
        self.input_size = net.config.input_size
        _, *others = landmark_outputs(net.config.predicts_errors)
        self.outputs = (MESH, *others)
        self.shared, self.mesh = net.shared, net.mesh

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> tuple[Float[Tensor, "b ..."], ...]:
        """Predicts the mesh [px of the input], the face flag's logit and the expected errors."""
        mesh = self.mesh(self.shared(image))
        return with_errors(mesh.points, mesh.face_flag, mesh.expected_error)


class RegionPart(nn.Module):
    """image (a region's crop of the picture) -> its points, and the iris of an eye."""

    def __init__(self, net: Cascade, name: str) -> None:
        """Wraps the parts of one region's network."""
        super().__init__()
        network = net.regions[name]
        if not isinstance(network, RegionNetwork):
            raise TypeError(f"{name}: expected a RegionNetwork, found {type(network).__name__}")
        self.config, self.name = net.config, name
        self.input_size = network.submodel.crop_extent
        self.outputs = tuple(network.submodel.branches)
        self.shared, self.submodel = network.shared, network.submodel

    def forward(self, image: Float[Tensor, "b 3 k k"]) -> tuple[Float[Tensor, "b p 2"], ...]:
        """Predicts the points of each output [px of the crop]."""
        split = self.submodel.trunk(self.shared(image))
        return tuple(branch(split) for branch in self.submodel.branches.values())


Part = MeshPart | RegionPart


def take_part(net: nn.Module, name: str) -> Part:
    """Takes one network out of a cascade.

    Args:
        net: The cascade.
        name: `mesh`, or a region.

    Raises:
        UserError: The network is not a cascade, or it has no such part.
    """
    if not isinstance(net, Cascade):
        raise UserError(f"a {type(net).__name__} has no parts; only a Cascade has")
    if name == MESH:
        return MeshPart(net).eval()
    if name not in net.regions:
        raise UserError(f"no part {name!r}; choose one of {', '.join((MESH, *net.regions))}")
    return RegionPart(net, name).eval()
