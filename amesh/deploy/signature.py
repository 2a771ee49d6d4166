"""Inputs and outputs of every exported network, the same for all runtimes.

`image` holds RGB pictures in [0, 1], (b 3 s s) in ONNX and TensorRT, (b s s 3) in LiteRT. All
tensors are float32; ONNX and TensorRT files that were asked to take bytes have a uint8 `image`, (b
s s 3), from 0 to 255. Outputs are named after the fields of what the network returns in PyTorch:

- a landmark network: `landmarks` (b n 3) in pixels of the crop, z in the same unit; `face_flag`
  (b) is a logit; where the network predicts it, `expected_error` (b n), the distance of each
  landmark in x and y from its true place, in pixels of the crop;
- a face detector: `boxes` (b anchors 16) in pixels of the input, `scores` (b anchors), logits; see
  `amesh.pipeline.decoding`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from amesh.blazeface.config import BOX_VALUES, FULL, SHORT, DetectorConfig
from amesh.errors import UserError
from amesh.topology import Topology, load

INPUT = "image"
# Inputs of files that cut their own crops; see `amesh.deploy.onnx.picture`.
PICTURE, ROIS = "picture", "rois"
OUTPUTS = ("landmarks", "face_flag")
EXPECTED_ERROR = "expected_error"
# Files that leave the landmarks' order to the host have a vector (b k) in their place; the file's
# metadata and its sidecar say where in it the landmarks' numbers are (n*3).
NUMBERS, PLACES = "numbers", "places"
DETECTOR_OUTPUTS = ("boxes", "scores")
# Value ranges of pictures.
NORMALISATION = "RGB / 255, in [0, 1]"
BYTES = "RGB, 0 to 255"
_OUTPUT_MEANINGS = {
    "landmarks": "x, y and z of each landmark [px of the crop]",
    NUMBERS: "the numbers of the landmarks, in an order of the file's own",
    "face_flag": "whether there is a face: a logit, above 0 for a face",
    EXPECTED_ERROR: "expected distance of each landmark from its true place, in x and y [px]",
    "boxes": "box and keypoints of each anchor, relative to its centre [px of the input]",
    "scores": "whether there is a face at each anchor: a logit",
}
# Key of the exporter's JSON in a file's metadata.
METADATA = "amesh"

Layout = Literal["nchw", "nhwc"]  # order of the image's axes
Shapes = Mapping[str, Sequence[Any]]  # by name; an axis that is not a number is dynamic


def meanings(inputs: Iterable[str], normalisation: str = NORMALISATION) -> dict[str, str]:
    """What inputs and outputs hold; formats that have a place for a text carry it.

    Args:
        inputs: Names of the file's inputs.
        normalisation: Value range of its pictures.

    Returns:
        By name, for all that exported networks have.
    """
    if PICTURE not in inputs:
        return {INPUT: f"pictures, {normalisation}", **_OUTPUT_MEANINGS}
    return {
        **_OUTPUT_MEANINGS,
        PICTURE: f"a picture of any size, {BYTES}",
        ROIS: "centre x and y, side [px], angle [radians, clockwise on the screen] of each face",
        "landmarks": "x, y and z of each landmark [px of the picture]",
    }


def landmark_outputs(predicts_errors: bool) -> tuple[str, ...]:
    """Names of a landmark network's outputs, in order."""
    return (*OUTPUTS, EXPECTED_ERROR) if predicts_errors else OUTPUTS


def check_landmark_network(source: str, inputs: Shapes, outputs: Shapes, layout: Layout) -> int:
    """Checks that a file is a landmark network as described above.

    Args:
        source: Name of the file in error messages.
        inputs: Shapes by name.
        outputs: Shapes by name.
        layout: Order of the image's axes.

    Returns:
        Side of its input [px].

    Raises:
        UserError: The file is not such a network.
    """
    size = _side(inputs, layout)
    if size is None or set(outputs) != set(landmark_outputs(EXPECTED_ERROR in outputs)):
        raise _not_a("landmark network", source, inputs, outputs)
    if not isinstance(size, int):
        raise UserError(f"{source}: the size of its input is not fixed")
    return size


def check_detector(source: str, inputs: Shapes, outputs: Shapes, layout: Layout) -> DetectorConfig:
    """Checks that a file is one of the face detectors, as described above.

    Args:
        source: Name of the file in error messages.
        inputs: Shapes by name.
        outputs: Shapes by name.
        layout: Order of the image's axes.

    Returns:
        Which of the detectors it is.

    Raises:
        UserError: The file is not such a network.
    """
    size = _side(inputs, layout)
    found = {name: tuple(shape[1:]) for name, shape in outputs.items()}
    for config in (SHORT, FULL):
        shapes = ((config.anchors, BOX_VALUES), (config.anchors,))
        if size == config.input_size and found == dict(zip(DETECTOR_OUTPUTS, shapes, strict=True)):
            return config
    raise _not_a("face detector", source, inputs, outputs)


def _side(inputs: Shapes, layout: Layout) -> Any:
    """Side of the picture that goes in; None if none does."""
    image = inputs.get(INPUT, ())
    channels, side = (1, 2) if layout == "nchw" else (3, 1)
    return image[side] if len(image) == 4 and image[channels] == 3 else None


def _not_a(what: str, source: str, inputs: Shapes, outputs: Shapes) -> UserError:
    known = {
        "network that cuts its own crops, for programs without amesh": PICTURE in inputs,
        "face detector": set(outputs) == set(DETECTOR_OUTPUTS),
        "landmark network": set(OUTPUTS) <= set(outputs),
    }
    found = next((kind for kind, fits in known.items() if fits and kind != what), "")
    but = f", but a {found}" if found else ""
    names = f"inputs {', '.join(inputs)}; outputs {', '.join(outputs)}"
    return UserError(f"{source}: not an exported {what}{but} ({names})")


def check_points(source: object, outputs: Shapes, scheme: str) -> Topology:
    """Checks that a network's landmarks are those of a topology.

    Args:
        source: Name of the network in error messages.
        outputs: Shapes by name; a part of a cascade has no landmarks and passes.
        scheme: Name of the topology.

    Returns:
        The topology.

    Raises:
        UserError: There is no such topology, or its number of landmarks differs.
    """
    topology = load(scheme)
    landmarks = outputs.get(OUTPUTS[0], (None, topology.points, 3))
    if tuple(landmarks[1:]) != (topology.points, 3):
        found = " x ".join(map(str, landmarks[1:]))
        raise UserError(
            f"{source}: landmarks are {found}, but topology {scheme} has {topology.points} x 3"
        )
    errors = outputs.get(EXPECTED_ERROR, (None, topology.points))
    if tuple(errors[1:]) != (topology.points,):
        found = " x ".join(map(str, errors[1:]))
        raise UserError(
            f"{source}: expected errors are {found}, but topology {scheme} has {topology.points}"
        )
    return topology


def about_detector(config: DetectorConfig) -> dict[str, str]:
    """Metadata of a detector's file."""
    return {"model": config.model, "architecture": "Detector", "precision": "fp32"}
