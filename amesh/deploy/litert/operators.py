"""The operators used by exported networks; all of them run on the mobile GPU delegate.

Maps are NHWC, as everywhere in TFLite. Methods add the constants that they need besides their
inputs (axes, shapes, numbers).
"""

from collections.abc import Sequence

import numpy as np
import tflite

from amesh.deploy.litert.flatbuffer import Graph, Value
from amesh.deploy.litert.rounding import compressible

_FLOAT16_DEQUANTIZE = 3
_GROUPED_CONVOLUTION = 6
Operand = Value | float


class OperatorGraph(Graph):
    """A graph with a method per operator."""

    def __init__(self, half: bool = False, rounded: bool = False) -> None:
        """Starts an empty graph.

        Args:
            half: Store kernels in half precision; runtimes expand them on loading.
            rounded: Round large kernels, so that the file compresses.
        """
        super().__init__()
        self.half, self.rounded = half, rounded

    def kernel(self, array: np.ndarray) -> Value:
        """Adds a convolution's kernel. Other constants are small and stay in single precision."""
        if self.rounded:
            array = compressible(array.astype(np.float32))
        if not self.half:
            return self.constant(array.astype(np.float32), "kernel")
        stored = self.constant(array.astype(np.float16), "kernel_fp16")
        return self.operator(
            *("DEQUANTIZE", [stored], stored.shape),
            options="DequantizeOptions",
            version=_FLOAT16_DEQUANTIZE,
            dtype=np.dtype(np.float32),
        )

    def convolution(
        self,
        x: Value,
        kernel: np.ndarray,
        bias: np.ndarray,
        stride: int = 1,
        valid: bool = False,
        relu: bool = False,
    ) -> Value:
        """Adds a convolution with SAME padding, or without padding.

        Args:
            x: Map, (b h w c).
            kernel: (out, height, width, c / groups); the shapes determine the groups.
            bias: (out).
            stride: Step in both directions.
            valid: No padding.
            relu: Clip the output at 0, at no further cost.
        """
        groups = x.shape[3] // kernel.shape[3]
        return self.operator(
            "CONV_2D",
            [x, self.kernel(kernel), self.constant(bias, "bias")],
            _map_shape(x, kernel.shape[1], kernel.shape[0], stride, valid),
            options="Conv2DOptions",
            version=_GROUPED_CONVOLUTION if groups > 1 else 1,
            Padding=_padding(valid),
            StrideW=stride,
            StrideH=stride,
            DilationWFactor=1,
            DilationHFactor=1,
            FusedActivationFunction=_activation(relu),
        )

    def depthwise(
        self,
        x: Value,
        kernel: np.ndarray,
        bias: np.ndarray,
        stride: int = 1,
        valid: bool = False,
    ) -> Value:
        """Adds a depthwise convolution with SAME padding, or without padding.

        Args:
            x: Map, (b h w c).
            kernel: (1, height, width, c).
            bias: (c).
            stride: Step in both directions.
            valid: No padding.
        """
        return self.operator(
            "DEPTHWISE_CONV_2D",
            [x, self.kernel(kernel), self.constant(bias, "bias")],
            _map_shape(x, kernel.shape[1], kernel.shape[3], stride, valid),
            options="DepthwiseConv2DOptions",
            Padding=_padding(valid),
            StrideW=stride,
            StrideH=stride,
            DepthMultiplier=1,
            DilationWFactor=1,
            DilationHFactor=1,
        )

    def max_pool(self, x: Value) -> Value:
        """The maximum of each 2 x 2 block."""
        return self.operator(
            "MAX_POOL_2D",
            [x],
            _map_shape(x, 2, x.shape[3], 2, True),
            options="Pool2DOptions",
            Padding=_padding(True),
            StrideW=2,
            StrideH=2,
            FilterWidth=2,
            FilterHeight=2,
        )

    def prelu(self, x: Value, slopes: np.ndarray) -> Value:
        """x, multiplied by the channel's slope where it is negative."""
        slope = self.constant(slopes.reshape(1, 1, -1), "slopes")
        return self.operator("PRELU", [x, slope], x.shape)

    def pad_channels(self, x: Value, count: int) -> Value:
        """Appends channels of zeros."""
        return self.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, count)])

    def pad(self, x: Value, rows: Sequence[tuple[int, int]]) -> Value:
        """Puts zeros before and behind: as many as the axis's row says."""
        padding = self.constant(np.array(rows, dtype=np.int32), "padding")
        shape = [n + sum(row) for n, row in zip(x.shape, rows, strict=True)]
        return self.operator("PAD", [x, padding], shape, options="PadOptions")

    def depth_to_space(self, x: Value) -> Value:
        """Doubles a map: each place's channels are those of its 2 x 2 new places, row by row."""
        b, h, w, c = x.shape
        shape = (b, 2 * h, 2 * w, c // 4)
        options = "DepthToSpaceOptions"
        return self.operator("DEPTH_TO_SPACE", [x], shape, options=options, BlockSize=2)

    def add(self, a: Operand, b: Operand, relu: bool = False) -> Value:
        """A + b, clipped at 0 on demand."""
        return self._binary("ADD", a, b, "AddOptions", relu)

    def subtract(self, a: Operand, b: Operand) -> Value:
        """A - b."""
        return self._binary("SUB", a, b, "SubOptions")

    def multiply(self, a: Operand, b: Operand) -> Value:
        """A * b."""
        return self._binary("MUL", a, b, "MulOptions")

    def minimum(self, a: Operand, b: Operand) -> Value:
        """The elementwise minimum."""
        return self._binary("MINIMUM", a, b, "MaximumMinimumOptions")

    def maximum(self, a: Operand, b: Operand) -> Value:
        """The elementwise maximum."""
        return self._binary("MAXIMUM", a, b, "MaximumMinimumOptions")

    def floor(self, x: Value) -> Value:
        """The values rounded down to integers."""
        return self.operator("FLOOR", [x], x.shape)

    def rsqrt(self, x: Value) -> Value:
        """1 / sqrt(x)."""
        return self.operator("RSQRT", [x], x.shape)

    def sigmoid(self, x: Value) -> Value:
        """1 / (1 + exp(-x))."""
        return self.operator("LOGISTIC", [x], x.shape)

    def to_int(self, x: Value) -> Value:
        """The values as int32."""
        dtype = np.dtype(np.int32)
        fields = {"InDataType": tflite.TensorType.FLOAT32, "OutDataType": tflite.TensorType.INT32}
        return self.operator("CAST", [x], x.shape, options="CastOptions", dtype=dtype, **fields)

    def reduce(self, name: str, x: Value, axis: int) -> Value:
        """SUM, REDUCE_MIN or REDUCE_MAX along an axis, which is kept with length 1."""
        axes = self.constant(np.array([axis], dtype=np.int32), "axes")
        shape = [1 if i == axis else n for i, n in enumerate(x.shape)]
        return self.operator(name, [x, axes], shape, options="ReducerOptions", KeepDims=True)

    def concatenate(self, values: Sequence[Value], axis: int) -> Value:
        """Concatenates values along an axis; a single one is returned as it is."""
        if len(values) == 1:
            return values[0]
        shape = list(values[0].shape)
        shape[axis] = sum(value.shape[axis] for value in values)
        return self.operator(
            "CONCATENATION", values, shape, options="ConcatenationOptions", Axis=axis
        )

    def slice(self, x: Value, axis: int, start: int, stop: int) -> Value:
        """Slices a tensor along an axis; the full range adds no operator."""
        if (start, stop) == (0, x.shape[axis]):
            return x
        begin, size = [0] * len(x.shape), list(x.shape)
        begin[axis], size[axis] = start, stop - start
        limits = [self.constant(np.array(a, dtype=np.int32), "limits") for a in (begin, size)]
        return self.operator("SLICE", [x, *limits], size, options="SliceOptions")

    def reshape(self, x: Value, shape: Sequence[int]) -> Value:
        """The same values in another shape."""
        if tuple(shape) == x.shape:
            return x
        if np.prod(shape) != np.prod(x.shape):
            raise ValueError(f"{x.shape} does not reshape to {tuple(shape)}")
        wanted = self.constant(np.array(shape, dtype=np.int32), "shape")
        return self.operator("RESHAPE", [x, wanted], shape, options="ReshapeOptions")

    def transpose(self, x: Value, order: Sequence[int]) -> Value:
        """The axes in another order."""
        wanted = self.constant(np.array(order, dtype=np.int32), "order")
        shape = [x.shape[i] for i in order]
        return self.operator("TRANSPOSE", [x, wanted], shape, options="TransposeOptions")

    def gather(self, x: Value, indices: Value, axis: int) -> Value:
        """Rows along an axis, selected by a vector of int32 indices."""
        shape = [*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]]
        return self.operator("GATHER", [x, indices], shape, options="GatherOptions", Axis=axis)

    def resize_bilinear(self, x: Value, size: int) -> Value:
        """Resizes a map bilinearly, with pixel centres at half pixels."""
        wanted = self.constant(np.array([size, size], dtype=np.int32), "size")
        return self.operator(
            "RESIZE_BILINEAR",
            [x, wanted],
            (x.shape[0], size, size, x.shape[3]),
            options="ResizeBilinearOptions",
            version=3,
            HalfPixelCenters=True,
        )

    def _binary(self, name: str, a: Operand, b: Operand, options: str, relu: bool = False) -> Value:
        left, right = (
            v if isinstance(v, Value) else self.constant(np.array([v], np.float32), "number")
            for v in (a, b)
        )
        shape = np.broadcast_shapes(left.shape, right.shape)
        fields = {"FusedActivationFunction": _activation(relu)} if relu else {}
        return self.operator(name, [left, right], shape, options=options, dtype=None, **fields)


def _activation(relu: bool) -> int:
    kinds = tflite.ActivationFunctionType
    return int(kinds.RELU if relu else kinds.NONE)


def _padding(valid: bool) -> int:
    return int(tflite.Padding.VALID if valid else tflite.Padding.SAME)


def _map_shape(x: Value, kernel: int, channels: int, stride: int, valid: bool) -> tuple[int, ...]:
    lost = kernel - 1 if valid else 0
    height, width = ((n - lost + stride - 1) // stride for n in x.shape[1:3])
    return (x.shape[0], height, width, channels)
