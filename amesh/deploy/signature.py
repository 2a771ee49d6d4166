"""Inputs and outputs of every exported landmark network, the same for all runtimes.

`image` holds RGB crops in [0, 1], (b 3 s s) in ONNX and TensorRT, (b s s 3) in LiteRT. `landmarks`
(b n 3) are in pixels of the crop, z in the same unit; `face_flag` (b) is a logit. All tensors are
float32. Outputs are named after the fields of `amesh.nn.output.MeshOutput`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from amesh.errors import UserError
from amesh.topology import Topology, load

INPUT = "image"
OUTPUTS = ("landmarks", "face_flag")
# Key of the exporter's JSON in a file's metadata.
METADATA = "amesh"

Layout = Literal["nchw", "nhwc"]  # order of the image's axes
Shapes = Mapping[str, Sequence[Any]]  # by name; an axis that is not a number is dynamic


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
    image = inputs.get(INPUT, ())
    channels, side = (1, 2) if layout == "nchw" else (3, 1)
    if len(image) != 4 or image[channels] != 3 or set(outputs) != set(OUTPUTS):
        raise UserError(
            f"{source}: not an exported landmark network (inputs {', '.join(inputs)}; "
            f"outputs {', '.join(outputs)})"
        )
    size = image[side]
    if not isinstance(size, int):
        raise UserError(f"{source}: the size of its input is not fixed")
    return size


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
    return topology
