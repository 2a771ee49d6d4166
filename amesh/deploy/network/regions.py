"""Forms for exported graphs: all regions as one, and the mesh head as one matrix product."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from amesh.deploy.network.cascade_parts import with_errors
from amesh.deploy.network.stacking import stack
from amesh.nn.blocks import PointHead
from amesh.nn.error_head import ErrorHead
from amesh.nn.mesh_submodel import MeshSubmodel
from amesh.nn.region_submodel import Branch, RegionSubmodel


class JointMesh(nn.Module):
    """A mesh submodel that computes points and face flag with one matrix product."""

    def __init__(self, mesh: MeshSubmodel) -> None:
        """Builds the joint form from a submodel's parts."""
        super().__init__()
        head = mesh.head
        self.stages = mesh.stages
        self.head = nn.Sequential(head.reduce, head.activation, head.block)
        self.points = _linear(head.points, mesh.face_flag)
        self.error_head = None if mesh.error_head is None else FlatErrorHead(mesh.error_head)

    def forward(self, shared: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b ..."], ...]:
        """Predicts the mesh [px of the input], the face flag's logit and the expected errors."""
        deep = self.stages(shared)
        features = self.head(deep).flatten(1)  # b c k k -> b c*k*k
        numbers = self.points(features.to(self.points.weight.dtype))
        points, flag = numbers[:, :-1].reshape(-1, numbers.shape[1] // 3, 3), numbers[:, -1]
        errors = None if self.error_head is None else self.error_head(deep)
        return with_errors(points, flag, errors)


class FlatErrorHead(nn.Module):
    """An error head with matrix products for its convolutions, whose kernels cover the map."""

    def __init__(self, head: ErrorHead) -> None:
        """Takes over a head's weights."""
        super().__init__()
        self.hidden, self.errors = _linear(head.hidden), _linear(head.errors)
        self.slopes, self.most = head.activation.weight, head.most

    def forward(self, deep: Float[Tensor, "b c k k"]) -> Float[Tensor, "b n"]:
        """Predicts the expected error of each landmark in x and y [px of the network's input]."""
        hidden = self.hidden(deep.flatten(1))
        hidden = hidden.relu() - self.slopes * (-hidden).relu()  # Core ML has PReLU for maps only
        errors: Tensor = self.most * self.errors(hidden).sigmoid()
        return errors


class JointRegions(nn.Module):
    """Region submodels of equal capacity, side by side."""

    def __init__(self, submodels: Sequence[RegionSubmodel]) -> None:
        """Stacks their parts.

        Raises:
            ValueError: Their capacities differ.
        """
        super().__init__()
        self.regions = len(submodels)
        self.trunk = stack([submodel.trunk for submodel in submodels])
        own = [[b for b in s.branches.values() if isinstance(b, Branch)] for s in submodels]
        branches = [branch for of_region in own for branch in of_region]
        # The region of each branch; branches of the same region read the same features.
        self.sources = [region for region, of_region in enumerate(own) for _ in of_region]
        self.blocks = stack([branch.blocks for branch in branches])
        heads = [branch.head for branch in branches]
        self.head = nn.Sequential(
            stack([head.reduce for head in heads]),
            stack([head.activation for head in heads]),
            stack([head.block for head in heads]),
        )
        # Heads differ in their number of points; here all are padded to the largest.
        self.counts = [head.points.out_channels // 2 for head in heads]
        self.most = max(self.counts)
        weight, bias = _padded(heads, 2 * self.most)
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def rows(self) -> list[range]:
        """Rows of the output that hold each branch's points."""
        return [range(i * self.most, i * self.most + n) for i, n in enumerate(self.counts)]

    def forward(self, crops: Float[Tensor, "b rc k k"]) -> Float[Tensor, "b p 2"]:
        """Predicts the points of all branches, padded to the same number [px of the crop's extent].

        Args:
            crops: The channels of all crops, one crop after the other.
        """
        split = self.trunk(crops)
        if len(self.sources) > self.regions:
            parts = split.chunk(self.regions, dim=1)
            split = torch.cat([parts[source] for source in self.sources], dim=1)
        features = self.head(self.blocks(split)).to(self.weight.dtype)
        heads, inputs, _ = self.weight.shape
        flat = features.reshape(-1, heads, inputs).transpose(0, 1)  # b h*c k k -> h b c*k*k
        numbers = (flat @ self.weight + self.bias).transpose(0, 1)  # b h 2*most
        points: Tensor = numbers.reshape(-1, heads * self.most, 2)
        return points


def _padded(
    heads: Sequence[PointHead], numbers: int
) -> tuple[Float[Tensor, "h c n"], Float[Tensor, "h 1 n"]]:
    parts = [_flat(head.points) for head in heads]
    weight = torch.zeros(len(heads), parts[0][0].shape[1], numbers)
    bias = torch.zeros(len(heads), 1, numbers)
    for i, (own_weight, own_bias) in enumerate(parts):
        weight[i, :, : len(own_weight)] = own_weight.T
        bias[i, 0, : len(own_bias)] = own_bias
    return weight, bias


def _linear(*convolutions: nn.Conv2d) -> nn.Linear:
    """Converts convolutions over the same whole map to one matrix product."""
    parts = zip(*map(_flat, convolutions), strict=True)
    weights, biases = (torch.cat(part) for part in parts)
    linear = nn.Linear(weights.shape[1], len(weights))
    linear.weight, linear.bias = nn.Parameter(weights), nn.Parameter(biases)
    return linear


def _flat(convolution: nn.Conv2d) -> tuple[Float[Tensor, "n c"], Float[Tensor, " n"]]:
    """Converts a convolution over a whole map to a matrix."""
    if convolution.bias is None:
        raise ValueError("a last convolution has a bias")
    return convolution.weight.detach().flatten(1), convolution.bias.detach()
