"""The network as it leaves: BatchNorm folded, plain operators, only what a user reads."""

import copy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.mesh_only import MeshOnly

Network = AttentionMesh | MeshOnly | Cascade


class Deployed(nn.Module):
    """image -> (landmarks, face_flag), as `amesh.deploy.signature` says."""

    def __init__(self, net: Network, half: bool = False) -> None:
        """Takes a copy of the network and prepares it.

        Args:
            net: A network of the family, trained or not.
            half: Blocks in half precision; coordinates, thetas, inputs and outputs stay single.

        Raises:
            UserError: A weight is not finite.
        """
        super().__init__()
        for name, tensor in net.state_dict().items():
            if not tensor.isfinite().all():
                raise UserError(
                    f"{net.config.name}: weight {name} is not finite; nothing to export"
                )
        config = net.config
        if config.sampler == "affine":
            config = replace(config, sampler="gather")
        self.net = type(net)(config).eval()
        self.net.load_state_dict(copy.deepcopy(net.state_dict()))
        fold_batch_norm(self.net)
        self.dtype = torch.float16 if half else torch.float32
        if half:
            halve(self.net)

    def forward(
        self, image: Float[Tensor, "b 3 s s"]
    ) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, " b"]]:
        """Landmarks [crop px] and the face flag's logit."""
        output = self.net(image.to(self.dtype))
        return output.landmarks, output.face_flag


def fold_batch_norm(net: nn.Module) -> None:
    """Folds every BatchNorm into the convolution before it: exact, for evaluation only."""
    for block in net.modules():
        norm = getattr(block, "norm", None)
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        name = "pointwise" if hasattr(block, "pointwise") else "convolution"
        convolution = getattr(block, name)
        if norm.running_mean is None or norm.running_var is None:
            raise ValueError("a BatchNorm without running statistics cannot be folded")
        weight, bias = fuse_conv_bn_weights(
            *(convolution.weight, convolution.bias, norm.running_mean, norm.running_var),
            *(norm.eps, norm.weight, norm.bias),
        )
        convolution.weight, convolution.bias = weight, bias
        block.norm = nn.Identity()


def halve(net: nn.Module) -> None:
    """Puts the blocks into half precision; last convolutions and coordinates stay single."""
    single = {"points", "face_flag", "theta"}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.PReLU) and name.rpartition(".")[2] not in single:
            module.half()
