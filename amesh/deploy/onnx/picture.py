"""An ONNX file that includes cropping: from a picture and regions of interest to landmarks in it.

For programs without this package: there is no cropping left to get wrong by half a pixel. Crops are
bilinear and black outside the picture, like those of `pipeline.crops.crop_image` without
antialiasing; `samples` takes the place of its antialiasing.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, UInt8
from torch import Tensor, nn

from amesh.deploy import parity
from amesh.deploy.formats import SAMPLES, Precision
from amesh.deploy.network.prepare import Network
from amesh.deploy.network.traced import AsIs, OnnxNetwork, Target
from amesh.deploy.onnx.export import finish, trace
from amesh.deploy.onnx.opsets import OPSET
from amesh.deploy.onnx.runner import OnnxFile
from amesh.deploy.signature import PICTURE, ROIS
from amesh.errors import UserError
from amesh.geometry import affine, roi

# Rotating a crop needs these two operators besides those of the networks.
ROTATION = frozenset(("Cos", "Sin"))


class PictureNetwork(nn.Module):
    """(picture, rois) -> (landmarks in the picture, face_flag), and expected errors in it."""

    def __init__(
        self, network: OnnxNetwork | AsIs, samples: int = 1, cast_first: bool = False
    ) -> None:
        """Wraps an exported network.

        Args:
            network: From crops to landmarks, of `input_size`.
            samples: Samples along each side of a crop pixel, which are averaged.
            cast_first: Turn the whole picture to single precision, not only the pixels that are
                needed: TensorRT does nothing else with uint8.
        """
        super().__init__()
        self.network, self.size, self.samples = network, network.input_size, samples
        self.cast_first = cast_first

    def forward(
        self, picture: UInt8[Tensor, "h w 3"], rois: Float[Tensor, "b 4"]
    ) -> tuple[Float[Tensor, "b ..."], ...]:
        """Predicts landmarks and expected errors [picture px], and the face flags' logits.

        Args:
            picture: RGB.
            rois: Per face: centre x and y, side [px], angle [radians, clockwise on the screen].
                A side of 0 or less gives NaN.
        """
        # A region of negative side would mirror the face. A constant NaN would look like a broken
        # weight; the root of -1 is one, too.
        side = rois[:, 2] + torch.where(rois[:, 2] <= 0, -1.0, 0.0).sqrt()
        square = roi.Roi(rois[:, :2], side, rois[:, 3])
        image_from_crop = roi.image_from_crop(square, self.size)
        source = picture.float() if self.cast_first else picture
        crops = cut(source, image_from_crop, self.size, self.samples)
        landmarks, flag, *errors = self.network(crops)
        scale = (side / self.size)[:, None]
        xy = affine.apply(image_from_crop, landmarks[..., :2])
        z = landmarks[..., 2:] * scale[..., None]
        return torch.cat([xy, z], dim=-1), flag, *(error * scale for error in errors)


def cut(
    picture: UInt8[Tensor, "h w 3"] | Float32[Tensor, "h w 3"],
    image_from_crop: Float[Tensor, "b 2 3"],
    size: int,
    samples: int,
) -> Float32[Tensor, "b 3 k k"]:
    """Cuts bilinear crops in [0, 1]; pixels outside the picture are black.

    Args:
        picture: The picture to crop, in [0, 255].
        image_from_crop: Placement of the crops.
        size: Side of a crop [px].
        samples: Samples along each side of a crop pixel.
    """
    h, w = picture.shape[:2]
    x, y = _positions(image_from_crop, size, samples)
    rows = picture.reshape(-1, 3)
    columns = _neighbours(x, w)
    crop: Tensor | float = 0.0
    for row, down in _neighbours(y, h):
        for column, right in columns:
            index = row * w + column
            # Colours first: along the last axis, runtimes multiply three numbers at a time.
            tap = rows.index_select(0, index.reshape(-1)).t().float().reshape(3, *index.shape)
            crop = crop + tap * (down * right)
    assert isinstance(crop, Tensor)
    return crop.mean((2, 3)).transpose(0, 1) / 255.0


def _positions(
    image_from_crop: Float[Tensor, "b 2 3"], size: int, samples: int
) -> tuple[Float[Tensor, "b m m k k"], Float[Tensor, "b m m k k"]]:
    """Where the samples of all crop pixels lie, in pixel indices: centres are at integers.

    The m x m samples of a pixel lie on the leading axes, along which averages are cheapest.
    """
    parts = (torch.arange(samples, device=image_from_crop.device) + 0.5) / samples
    steps = parts[:, None] + torch.arange(size, device=image_from_crop.device)  # m k
    # Summed from a row and a column: a table of all points would be 2 MB of the file.
    across, down = steps[None, :, None, :], steps[:, None, :, None]
    x_axis, y_axis, origin = image_from_crop[..., None, None, None, None].unbind(2)  # b 2 1 1 1 1
    x, y = (x_axis * across + (y_axis * down + origin - 0.5)).unbind(1)
    return x, y


def _neighbours(
    position: Float[Tensor, "b m m k k"], length: int | torch.SymInt
) -> list[tuple[Int32[Tensor, "b m m k k"], Float[Tensor, "b m m k k"]]]:
    """The two indices around each position on an axis, and their shares; 0 outside the picture."""
    low = position.floor()
    share = position - low
    found = []
    for at, weight in ((low, 1 - share), (low + 1, share)):
        inside = (at >= 0) & (at <= length - 1)
        # Before conversion: a distant region would overflow the integers; it is black anyway.
        found.append((torch.where(inside, at, 0).int(), weight * inside))
    return found


def export_onnx_picture(
    net: Network,
    precision: Precision = "fp32",
    samples: int = 1,
    target: Target | None = None,
    *,
    opset: int = OPSET,
    verify: bool = True,
) -> bytes:
    """Exports a network as an ONNX file that cuts its own crops.

    Inputs: `picture` (h w 3) uint8 RGB of any size, `rois` (b 4): centre x and y, side [px], angle
    [radians, clockwise on the screen]. Outputs: `landmarks` (b n 3) [picture px], `face_flag` (b),
    and `expected_error` (b n) [picture px] if the network predicts it. They are NaN for a region
    that is no number or has no side.

    Args:
        net: A network of the family.
        precision: Precision of the network; crops are cut in single precision.
        samples: Samples along each side of a crop pixel. To avoid aliasing, use at least the factor
            by which crops shrink the picture.
        target: As for `export_onnx`; TensorRT takes files for `gpu` only.
        opset: As for `export_onnx`.
        verify: Compare the file with PyTorch; otherwise the caller must.

    Raises:
        UserError: As for `export_onnx`; or `samples` is out of range.
    """
    if precision not in ("fp32", "fp16"):
        raise UserError(f"ONNX files come in fp32 and fp16, not {precision}")
    if samples not in SAMPLES:
        raise UserError(f"samples {samples}: expected {SAMPLES[0]} to {SAMPLES[-1]}")
    half = precision == "fp16"
    target = target or ("gpu" if half else "cpu")
    network = OnnxNetwork(net, half, target)
    height, width = torch.export.Dim("height", min=2), torch.export.Dim("width", min=2)
    model = trace(
        PictureNetwork(network, samples, cast_first=target == "gpu"),
        {PICTURE: (37, 41, 3), ROIS: (None, 4)},
        network.outputs,
        dynamic={PICTURE: {0: height, 1: width}},
        example=(
            torch.zeros(37, 41, 3, dtype=torch.uint8),
            torch.tensor([[20.0, 18.0, 30.0, math.pi / 8], [15.0, 12.0, 20.0, 0.0]]),
        ),
    )
    about = {
        "model": net.config.name,
        "architecture": type(net).__name__,
        "topology": net.config.topology,
        "precision": precision,
        "samples": str(samples),
    }
    content = finish(model, about, ROTATION, opset)
    if verify:
        what = "the ONNX file that cuts its own crops"
        parity.verify(run_turned(OnnxFile(content)), TurnedPictures(net, samples), precision, what)
    return content


class PictureOutput(NamedTuple):
    """What a file that cuts its own crops answers, in pixels of the picture."""

    landmarks: Float[Tensor, "b n 3"]
    face_flag: Float[Tensor, " b"]
    expected_error: Float[Tensor, "b n"] | None = None


class TurnedPictures(nn.Module):
    """What such a file should answer where each crop of a comparison is a picture, in PyTorch.

    The face in it is turned, and partly outside.
    """

    def __init__(self, net: Network, samples: int) -> None:
        """Wraps a copy of a network.

        Args:
            net: A network of the family.
            samples: As for `PictureNetwork`.
        """
        super().__init__()
        self.config = net.config
        self.net = PictureNetwork(AsIs(copy.deepcopy(net).cpu().float().eval()), samples)

    def forward(self, image: Float[Tensor, "b 3 s s"]) -> PictureOutput:
        """Predicts the landmarks of pictures in [0, 1]."""
        pictures = (image.permute(0, 2, 3, 1) * 255).round().to(torch.uint8)
        square = torch.from_numpy(_turned(self.config.input_size))
        found = [self.net(picture, square) for picture in pictures]
        return PictureOutput(*map(torch.cat, zip(*found, strict=True)))


def run_turned(file: Callable[..., dict[str, np.ndarray]]) -> parity.Run:
    """Runs a file that cuts its own crops as `TurnedPictures` runs the network.

    Args:
        file: Takes `picture` and `rois`.
    """

    def run(crops: Float32[np.ndarray, "b s s 3"]) -> dict[str, np.ndarray]:
        pictures = (crops * 255).round().astype(np.uint8)
        square = _turned(crops.shape[1])
        found = [file(**{PICTURE: picture, ROIS: square}) for picture in pictures]
        return {name: np.concatenate([one[name] for one in found]) for name in found[0]}

    return run


def _turned(size: int) -> Float32[np.ndarray, "1 4"]:
    """A region as large as the crop, so that picture and crop pixels have the same size."""
    return np.array([[size * 0.52, size * 0.47, size, 0.3]], np.float32)
