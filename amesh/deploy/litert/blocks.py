"""The mobile blocks as TFLite operators, for one network or several of the same structure.

Lanes are networks of equal structure that run in parallel on crops of the same size. Their maps
are concatenated along the channels, their 1 x 1 convolutions are the groups of one convolution, and
everything else is one operator for all. The three regions are three lanes, their five branches
five.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from jaxtyping import Float32
from torch import Tensor, nn

from amesh.deploy.litert.flatbuffer import Value
from amesh.deploy.litert.operators import OperatorGraph
from amesh.deploy.network.prepare import Family
from amesh.errors import UserError
from amesh.nn.blocks import Convolution, DownBlock, PointHead, ResidualBlock
from amesh.nn.error_head import ErrorHead
from amesh.nn.plain_mesh import Bottleneck, DownBottleneck
from amesh.nn.region_submodel import Branch

_ALL = slice(None)


def array(tensor: Tensor) -> Float32[np.ndarray, "..."]:
    """Converts a parameter to NumPy."""
    return tensor.detach().cpu().float().numpy()


def kernel_of(convolution: nn.Conv2d) -> Float32[np.ndarray, "o h w i"]:
    """Returns a convolution's kernel in TFLite's layout."""
    return array(convolution.weight).transpose(0, 2, 3, 1)  # o i h w -> o h w i


def bias_of(convolution: nn.Conv2d) -> Float32[np.ndarray, " o"]:
    """Returns a convolution's bias, or zeros if it has none."""
    if convolution.bias is None:
        return np.zeros(convolution.out_channels, np.float32)
    return array(convolution.bias)


def sequence(graph: OperatorGraph, x: Value, lanes: Sequence[nn.Module]) -> Value:
    """Adds blocks in order, including nested ones."""
    for name, first in lanes[0].named_children():
        parts = [lane.get_submodule(name) for lane in lanes]
        with graph.scope(name):
            if isinstance(first, Convolution):
                x = stem(graph, x, cast(list[Convolution], parts))
            elif isinstance(first, ResidualBlock):
                x = residual(graph, x, cast(list[ResidualBlock], parts))
            elif isinstance(first, DownBlock):
                x = down(graph, x, cast(list[DownBlock], parts))
            elif isinstance(first, Bottleneck):
                x = bottleneck(graph, x, cast(list[Bottleneck], parts))
            elif isinstance(first, DownBottleneck):
                x = bottleneck_down(graph, x, cast(list[DownBottleneck], parts))
            elif isinstance(first, nn.Sequential):
                x = sequence(graph, x, parts)
            else:
                kind = type(first).__name__
                raise UserError(f"module {name} ({kind}) has no TFLite form; it cannot be exported")
    return x


def stem(graph: OperatorGraph, x: Value, lanes: Sequence[Convolution]) -> Value:
    """Adds a convolution with stride 2 and PReLU; extra channels of the input get zero weight."""
    x = _dense(graph, x, [lane.convolution for lane in lanes], stride=2)
    return _prelu(graph, x, [lane.activation for lane in lanes])


def residual(graph: OperatorGraph, x: Value, lanes: Sequence[ResidualBlock]) -> Value:
    """Adds a residual block: depthwise, 1 x 1, add, PReLU."""
    inner = _depthwise(graph, x, [lane.depthwise for lane in lanes])
    inner = _dense(graph, inner, [lane.pointwise for lane in lanes])
    return _prelu(graph, graph.add(x, inner), [lane.activation for lane in lanes])


def down(graph: OperatorGraph, x: Value, lanes: Sequence[DownBlock]) -> Value:
    """Adds a block that halves a map. TFLite's SAME padding equals the block's explicit one."""
    inner = _depthwise(graph, x, [lane.depthwise for lane in lanes], stride=2)
    return _add_to_pooled(graph, x, inner, lanes)


def bottleneck(graph: OperatorGraph, x: Value, lanes: Sequence[Bottleneck]) -> Value:
    """Adds a bottleneck: 1 x 1, PReLU, depthwise, 1 x 1, add, PReLU."""
    inner = _dense(graph, x, [lane.reduce for lane in lanes])
    inner = _prelu(graph, inner, [lane.inner_activation for lane in lanes])
    inner = _depthwise(graph, inner, [lane.depthwise for lane in lanes])
    inner = _dense(graph, inner, [lane.pointwise for lane in lanes])
    return _prelu(graph, graph.add(x, inner), [lane.activation for lane in lanes])


def bottleneck_down(graph: OperatorGraph, x: Value, lanes: Sequence[DownBottleneck]) -> Value:
    """Adds a bottleneck that halves a map."""
    inner = _dense(graph, x, [lane.reduce for lane in lanes], stride=2)
    inner = _prelu(graph, inner, [lane.inner_activation for lane in lanes])
    inner = _depthwise(graph, inner, [lane.depthwise for lane in lanes])
    return _add_to_pooled(graph, x, inner, lanes)


def _add_to_pooled(
    graph: OperatorGraph,
    x: Value,
    inner: Value,
    lanes: Sequence[DownBlock] | Sequence[DownBottleneck],
) -> Value:
    """Adds the end of a block that halves `x`: max-pool, the last 1 x 1, add, PReLU.

    If the width grows, the pooled branch would add zeros to the new channels; leaving them alone
    is faster.
    """
    pooled = graph.max_pool(x)
    pointwise = [lane.pointwise for lane in lanes]
    width = pointwise[0].out_channels - lanes[0].grow
    out = graph.add(pooled, _dense(graph, inner, pointwise, rows=slice(0, width)))
    if lanes[0].grow:
        further = _dense(graph, inner, pointwise, rows=slice(width, None))
        out = _beside(graph, [out, further], len(lanes))
    return _prelu(graph, out, [lane.activation for lane in lanes])


def head_features(graph: OperatorGraph, x: Value, lanes: Sequence[PointHead]) -> Value:
    """Adds a head's blocks; returns the input of the last convolutions."""
    x = _dense(graph, x, [lane.reduce for lane in lanes])
    x = _prelu(graph, x, [lane.activation for lane in lanes])
    return residual(graph, x, [lane.block for lane in lanes])


def lanes_of(graph: OperatorGraph, x: Value, axis: int, chosen: Sequence[int], lanes: int) -> Value:
    """Selects some of the `lanes` lanes that a tensor holds along an axis."""
    width = x.shape[axis] // lanes
    runs: list[list[int]] = []
    for lane in chosen:
        if runs and lane == runs[-1][-1] + 1:
            runs[-1].append(lane)
        else:
            runs.append([lane])
    parts = [graph.slice(x, axis, run[0] * width, (run[-1] + 1) * width) for run in runs]
    return graph.concatenate(parts, axis)


def branch_points(graph: OperatorGraph, x: Value, branches: Sequence[Branch], extent: int) -> Value:
    """Adds the branches' points (b n 2 p), normalised to their crop and padded to the same p."""
    most = max(branch.head.points.out_channels // 2 for branch in branches)
    most += most % 2  # the GPU delegate needs a multiple of four channels per group
    kernels, biases = [], []
    for branch in branches:
        convolution = branch.head.points
        count = convolution.out_channels // 2
        kernel = kernel_of(convolution)
        kernel = kernel.reshape(count, 2, *kernel.shape[1:]).swapaxes(0, 1) * (2 / extent)
        bias = bias_of(convolution).reshape(count, 2).T * (2 / extent) - 1
        missing = most - count
        kernels.append(np.pad(kernel, [(0, 0), (0, missing), *[(0, 0)] * 3]))
        biases.append(np.pad(bias, [(0, 0), (0, missing)]))
    kernel = np.concatenate(kernels).reshape(-1, *kernels[0].shape[2:])  # n*2 p h w i -> o h w i
    bias = np.concatenate(biases).reshape(-1).astype(np.float32)
    out = graph.convolution(x, kernel, bias, valid=True)
    return graph.reshape(out, (x.shape[0], len(branches), 2, most))


def shared_map(graph: OperatorGraph, net: Family, image: Value) -> Value:
    """Adds the shared features."""
    with graph.scope("shared"):
        return sequence(graph, image, [net.shared])


def mesh_stages(graph: OperatorGraph, net: Family, shared: Value) -> Value:
    """Adds the deeper stages of the backbone."""
    with graph.scope("mesh"):
        return sequence(graph, shared, [net.mesh.stages])


def mesh_features(graph: OperatorGraph, net: Family, deep: Value) -> Value:
    """Adds the mesh head up to the input of its last convolutions."""
    with graph.scope("mesh"):
        return head_features(graph, deep, [net.mesh.head])


def expected_error(graph: OperatorGraph, head: ErrorHead, deep: Value) -> Value:
    """Adds the head of the expected errors (b n) [px of the input], on the deepest map."""
    with graph.scope("errors"):
        hidden, errors = head.hidden, head.errors
        x = graph.convolution(deep, kernel_of(hidden), bias_of(hidden), valid=True)
        x = _prelu(graph, x, [head.activation])
        x = graph.convolution(x, kernel_of(errors), bias_of(errors))
        x = graph.multiply(graph.sigmoid(x), head.most)
        return graph.reshape(x, (x.shape[0], errors.out_channels))


def _dense(
    graph: OperatorGraph,
    x: Value,
    lanes: Sequence[nn.Conv2d],
    stride: int = 1,
    rows: slice = _ALL,
) -> Value:
    """Adds a convolution, or only the output channels listed in `rows`."""
    kernel = np.concatenate([kernel_of(lane)[rows] for lane in lanes])
    missing = x.shape[3] // len(lanes) - kernel.shape[3]
    kernel = np.pad(kernel, [(0, 0), (0, 0), (0, 0), (0, missing)])
    bias = np.concatenate([bias_of(lane)[rows] for lane in lanes])
    return graph.convolution(x, kernel, bias, stride)


def _beside(graph: OperatorGraph, maps: Sequence[Value], lanes: int) -> Value:
    """Concatenates the channels of several maps, lane by lane."""
    if lanes == 1:
        return graph.concatenate(maps, axis=3)
    b, h, w, _ = maps[0].shape
    parts = [graph.reshape(one, (b, h * w, lanes, one.shape[3] // lanes)) for one in maps]
    together = graph.concatenate(parts, axis=3)
    return graph.reshape(together, (b, h, w, lanes * together.shape[3]))


def _depthwise(
    graph: OperatorGraph, x: Value, lanes: Sequence[nn.Conv2d], stride: int = 1
) -> Value:
    kernel = np.concatenate([array(lane.weight) for lane in lanes])
    bias = np.concatenate([bias_of(lane) for lane in lanes])
    return graph.depthwise(x, kernel.transpose(1, 2, 3, 0), bias, stride)  # c 1 h w -> 1 h w c


def _prelu(graph: OperatorGraph, x: Value, lanes: Sequence[nn.PReLU]) -> Value:
    return graph.prelu(x, np.concatenate([array(lane.weight) for lane in lanes]))
