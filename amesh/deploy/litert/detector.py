"""Exports a face detector as a TFLite file, operator by operator.

Wherever PyTorch pads a map as TFLite's SAME convolutions do, the file has such a convolution. The
full-range detector pads on the other side where it halves a map, so there is a PAD before these;
runtimes compute the two together.
"""

import json

from torch import nn

from amesh.blazeface.config import BOX_VALUES
from amesh.blazeface.network import (
    BlazeBlock,
    Bottleneck,
    DetectorNetwork,
    FullRangeDetector,
    InterleavedHead,
    Merge,
    SameConv,
    ShortRangeDetector,
)
from amesh.deploy import parity
from amesh.deploy.litert.blocks import array, bias_of, kernel_of
from amesh.deploy.litert.export import require_litert
from amesh.deploy.litert.flatbuffer import Value
from amesh.deploy.litert.operators import OperatorGraph
from amesh.deploy.litert.runner import LitertFile
from amesh.deploy.network.prepare import prepare
from amesh.deploy.signature import DETECTOR_OUTPUTS, INPUT, METADATA, about_detector

# One row or column of zeros before a map: what a 3 x 3 convolution with stride 2 and one pixel of
# padding sees of it, on sides of even length.
_BEFORE = ((0, 0), (1, 0), (1, 0), (0, 0))


def export_detector(net: DetectorNetwork, batch: int = 1, *, verify: bool = True) -> bytes:
    """Exports a TFLite file: `image` (b s s 3) to `boxes` (b anchors 16) and `scores` (b anchors).

    Args:
        net: One of the two detectors.
        batch: Pictures per run.
        verify: Compare the file with PyTorch, which needs LiteRT; otherwise the caller must.

    Raises:
        UserError: A weight is not finite, the network holds something that its config does not
            describe, LiteRT is missing, or the file's outputs differ from PyTorch's.
    """
    if verify:
        require_litert()
    prepared, size = prepare(net), net.config.input_size
    graph = OperatorGraph()
    image = graph.input(INPUT, (batch, size, size, 3))
    if isinstance(prepared, ShortRangeDetector):
        values = _short(graph, prepared, image)
    else:
        values = _full(graph, prepared, image)
    outputs = dict(zip(DETECTOR_OUTPUTS, values, strict=True))
    about = about_detector(net.config)
    metadata = {METADATA: json.dumps(about, sort_keys=True).encode()}
    content = graph.to_bytes(outputs, " ".join(["amesh", *about.values()]), metadata)
    if verify:
        parity.verify(LitertFile(content).run_crops, net, "fp32", "the TFLite file")
    return content


def _short(graph: OperatorGraph, net: ShortRangeDetector, image: Value) -> tuple[Value, Value]:
    """Adds the short-range detector: boxes and scores."""
    fine = _stem(graph, image, net.stem)
    for block in net.fine:
        fine = _blaze_block(graph, fine, block)
    coarse = fine
    for block in net.coarse:
        coarse = _blaze_block(graph, coarse, block)

    def by_anchor(fine_head: nn.Conv2d, coarse_head: nn.Conv2d, values: int) -> Value:
        maps = _pointwise(graph, fine, fine_head), _pointwise(graph, coarse, coarse_head)
        return graph.concatenate([_rows(graph, x, values) for x in maps], axis=1)

    boxes = by_anchor(net.fine_boxes, net.coarse_boxes, BOX_VALUES)
    scores = by_anchor(net.fine_scores, net.coarse_scores, 1)
    return boxes, graph.reshape(scores, scores.shape[:2])


def _full(graph: OperatorGraph, net: FullRangeDetector, image: Value) -> tuple[Value, Value]:
    """Adds the full-range detector: boxes and scores."""
    x = _stem(graph, image, net.stem)
    laterals = []
    narrows = [None, *net.laterals, None]  # the first and the last stage have none
    for stage, narrow in zip(net.encoder, narrows, strict=True):
        for block in stage.children():
            x = _bottleneck(graph, x, block)
        if narrow is not None:
            laterals.append(_pointwise(graph, x, narrow, relu=True))
    for merge, lateral in zip(net.decoder, reversed(laterals), strict=True):
        x = _merge(graph, x, lateral, merge)
    scores = _head(graph, x, net.scores, 1)
    return _head(graph, x, net.boxes, BOX_VALUES), graph.reshape(scores, scores.shape[:2])


def _stem(graph: OperatorGraph, image: Value, stem: nn.Conv2d) -> Value:
    """Adds the first convolution, of 2 x - 1: the kernel holds the factor, exactly."""
    centred = graph.subtract(image, 0.5)
    same = isinstance(stem, SameConv)
    x = centred if same else graph.pad(centred, _BEFORE)
    kernel = 2 * kernel_of(stem)
    return graph.convolution(x, kernel, bias_of(stem), stride=2, valid=not same, relu=True)


def _blaze_block(graph: OperatorGraph, x: Value, block: nn.Module) -> Value:
    assert isinstance(block, BlazeBlock)
    shortcut = graph.max_pool(x) if block.stride > 1 else x
    if block.added:
        shortcut = graph.pad_channels(shortcut, block.added)
    inner = _depthwise(graph, x, block.depthwise, block.stride)
    return graph.add(shortcut, _pointwise(graph, inner, block.pointwise), relu=True)


def _bottleneck(graph: OperatorGraph, x: Value, block: nn.Module) -> Value:
    assert isinstance(block, Bottleneck)
    narrow = _depthwise(graph, x, block.depthwise_in, block.depthwise_in.stride[0])
    narrow = _pointwise(graph, narrow, block.reduce, relu=True)
    inner = _depthwise(graph, narrow, block.depthwise)
    wide = _pointwise(graph, inner, block.expand, relu=not block.residual)
    return graph.add(x, wide, relu=True) if block.residual else wide


def _merge(graph: OperatorGraph, deep: Value, lateral: Value, merge: nn.Module) -> Value:
    assert isinstance(merge, Merge)
    deep = _pointwise(graph, deep, merge.reduce, relu=True)
    x = graph.add(lateral, graph.resize_bilinear(deep, 2 * deep.shape[1]))
    for block in merge.blocks:
        x = _bottleneck(graph, x, block)
    return x


def _head(graph: OperatorGraph, x: Value, head: InterleavedHead, values: int) -> Value:
    x = _depthwise(graph, _pointwise(graph, x, head.pointwise), head.depthwise, stride=2)
    return _rows(graph, graph.depth_to_space(x), values)


def _rows(graph: OperatorGraph, x: Value, values: int) -> Value:
    """The values of each anchor: (b h w anchors*values) -> (b anchors values)."""
    b, h, w, channels = x.shape
    return graph.reshape(x, (b, h * w * channels // values, values))


def _pointwise(graph: OperatorGraph, x: Value, layer: nn.Conv2d, relu: bool = False) -> Value:
    return graph.convolution(x, kernel_of(layer), bias_of(layer), relu=relu)


def _depthwise(graph: OperatorGraph, x: Value, layer: nn.Conv2d, stride: int = 1) -> Value:
    padded = stride > 1 and not isinstance(layer, SameConv)
    kernel = array(layer.weight).transpose(1, 2, 3, 0)  # c 1 h w -> 1 h w c
    x = graph.pad(x, _BEFORE) if padded else x
    return graph.depthwise(x, kernel, bias_of(layer), stride, valid=padded)
