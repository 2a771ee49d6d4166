"""What an ONNX graph is traced from: plain operators, few of them, in the chosen precision."""

import copy
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.deploy.network.attention import JointAttention, can_join
from amesh.deploy.network.blocks import rewrite
from amesh.deploy.network.cascade_parts import MeshPart, Part, RegionPart
from amesh.deploy.network.prepare import Deployed, Network, fold_batch_norm, halve
from amesh.deploy.network.regions import JointMesh, JointRegions
from amesh.deploy.signature import OUTPUTS
from amesh.errors import UserError
from amesh.nn.mesh_only import MeshOnly

Target = Literal["cpu", "gpu"]


class OnnxNetwork(nn.Module):
    """image -> outputs, both single precision whatever is between."""

    def __init__(self, net: Network | Part, half: bool = False, target: Target = "cpu") -> None:
        """Takes a copy of a network and prepares it.

        Args:
            net: A network of the family, or a part of a cascade.
            half: Blocks in half precision; coordinates, inputs and outputs stay single.
            target: `cpu` writes PReLU as ONNX Runtime computes it fast there.

        Raises:
            UserError: A weight is not finite, or has no finite half.
        """
        super().__init__()
        self.outputs = net.outputs if isinstance(net, MeshPart | RegionPart) else OUTPUTS
        self.input_size = net.config.input_size
        self.dtype = torch.float16 if half else torch.float32
        if isinstance(net, MeshPart | RegionPart):
            self.input_size = net.input_size
            check_finite(net, net.config.name)
            net = copy.deepcopy(net)
            fold_batch_norm(net)
            if half:
                halve(net)
        else:
            net = Deployed(net, half).net
        check_finite(net, f"{net.config.name} in half precision")
        self.net = _joined(net)
        rewrite(self.net, split_prelu=target == "cpu")
        self.eval().requires_grad_(False)

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> tuple[Tensor, ...]:
        """Outputs in the order of `outputs`."""
        found: tuple[Tensor, ...] = self.net(image.to(self.dtype))
        return tuple(tensor.float() for tensor in found)


class _MeshAlone(nn.Module):
    def __init__(self, net: MeshOnly | MeshPart) -> None:
        super().__init__()
        self.shared, self.mesh = net.shared, JointMesh(net.mesh)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        mesh: tuple[Tensor, Tensor] = self.mesh(self.shared(image))
        return mesh


class _RegionAlone(nn.Module):
    def __init__(self, net: RegionPart) -> None:
        super().__init__()
        self.shared, self.region = net.shared, JointRegions([net.submodel])

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        points = self.region(self.shared(image))
        return tuple(points[:, rows.start : rows.stop] for rows in self.region.rows())


class _AsIs(nn.Module):
    """A network whose regions differ, or whose attention is soft: region after region."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        output = self.net(image)
        return output.landmarks, output.face_flag


def _joined(net: Network | Part) -> nn.Module:
    if isinstance(net, MeshOnly | MeshPart):
        return _MeshAlone(net)
    if isinstance(net, RegionPart):
        return _RegionAlone(net)
    return JointAttention(net) if can_join(net) else _AsIs(net)


def check_finite(net: nn.Module, name: str) -> None:
    """Refuses weights that are no numbers.

    Raises:
        UserError: One is not; the first is named.
    """
    for key, tensor in net.state_dict().items():
        if not tensor.isfinite().all():
            raise UserError(f"{name}: weight {key} is not finite; nothing to export")
