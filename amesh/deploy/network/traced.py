"""The module that ONNX graphs are traced from: few, plain operators in the chosen precision."""

from typing import Literal

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from amesh.deploy.network.attention import JointAttention, can_join
from amesh.deploy.network.blocks import rewrite
from amesh.deploy.network.cascade_parts import MeshPart, Part, RegionPart, with_errors
from amesh.deploy.network.prepare import Network, prepare
from amesh.deploy.network.regions import JointMesh, JointRegions
from amesh.deploy.signature import landmark_outputs
from amesh.nn.mesh_only import MeshOnly

Target = Literal["cpu", "gpu"]


class OnnxNetwork(nn.Module):
    """image -> outputs, both in single precision whatever the precision in between."""

    def __init__(self, net: Network | Part, half: bool = False, target: Target = "cpu") -> None:
        """Copies a network and prepares it.

        Args:
            net: A network of the family, or a part of a cascade.
            half: Run the blocks in half precision; coordinates, inputs and outputs stay single.
            target: `cpu` writes PReLU in the form that ONNX Runtime runs fastest there.

        Raises:
            UserError: See `amesh.deploy.network.prepare.prepare`.
        """
        super().__init__()
        if isinstance(net, MeshPart | RegionPart):
            self.outputs, self.input_size = net.outputs, net.input_size
        else:
            self.outputs = landmark_outputs(net.config.predicts_errors)
            self.input_size = net.config.input_size
        self.dtype = torch.float16 if half else torch.float32
        self.net = _joined(prepare(net, half))
        rewrite(self.net, split_prelu=target == "cpu")
        self.eval().requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> tuple[Tensor, ...]:
        """Computes the outputs in the order of `outputs`."""
        found: tuple[Tensor, ...] = self.net(image.to(self.dtype))
        return tuple(tensor.float() for tensor in found)


class FromBytes(nn.Module):
    """Takes crops as pictures have them: (b s s 3), RGB from 0 to 255, a byte per number.

    A quarter of what single precision takes to copy. The cast comes first, since TensorRT does
    nothing else with bytes.
    """

    def __init__(self, network: OnnxNetwork) -> None:
        """Wraps a network that takes (b 3 s s) in [0, 1]."""
        super().__init__()
        self.network = network

    def forward(self, image: UInt8[Tensor, "b s s 3"]) -> tuple[Tensor, ...]:
        """Computes the outputs in the order of the network's `outputs`."""
        pixels = image.float() / 255
        found: tuple[Tensor, ...] = self.network(pixels.permute(0, 3, 1, 2))
        return found


class _MeshAlone(nn.Module):
    def __init__(self, net: MeshOnly | MeshPart) -> None:
        super().__init__()
        self.shared, self.mesh = net.shared, JointMesh(net.mesh)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        mesh: tuple[Tensor, ...] = self.mesh(self.shared(image))
        return mesh


class _RegionAlone(nn.Module):
    def __init__(self, net: RegionPart) -> None:
        super().__init__()
        self.shared, self.region = net.shared, JointRegions([net.submodel])

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        points = self.region(self.shared(image))
        return tuple(points[:, rows.start : rows.stop] for rows in self.region.rows())


class AsIs(nn.Module):
    """image -> landmarks and so on as the network itself computes them, region by region.

    Used for soft attention, and for regions that differ in capacity.
    """

    def __init__(self, net: Network) -> None:
        """Wraps a network."""
        super().__init__()
        self.net, self.input_size = net, net.config.input_size

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> tuple[Float[Tensor, "b ..."], ...]:
        """Predicts landmarks [crop px], the face flag's logit and the expected errors."""
        output = self.net(image)
        return with_errors(output.landmarks, output.face_flag, output.expected_error)


def _joined(net: Network | Part) -> nn.Module:
    if isinstance(net, MeshOnly | MeshPart):
        return _MeshAlone(net)
    if isinstance(net, RegionPart):
        return _RegionAlone(net)
    return JointAttention(net) if can_join(net) else AsIs(net)
