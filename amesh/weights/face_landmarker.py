"""Loads the landmark network of Google's Face Landmarker V2 from its TFLite file into our network.

The only module that knows that file's structure. Unless every constant is used exactly once and
every parameter is filled, the file is rejected. Its third output is a second score; MediaPipe does
not read it, and it is left out.
"""

from amesh.errors import UserError
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import Bottleneck, DownBottleneck, PlainMesh
from amesh.weights.tflite_file import TfliteFile
from amesh.weights.tflite_walk import Walk


def convert(file: TfliteFile, source: str = "tflite file") -> PlainMesh:
    """Builds `face-landmarker-v2` with the weights of `face_landmarks_detector.tflite`.

    Args:
        file: The parsed file.
        source: Name of the file in error messages.

    Raises:
        UserError: The file is another network.
    """
    net = PlainMesh(PlainConfig())
    try:
        _load(Walk(file), net)
    except (LookupError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{source}: not the network of Face Landmarker V2 ({error}); expected "
            "face_landmarks_detector.tflite of face_landmarker.task"
        ) from error
    return net.eval()


def _load(walk: Walk, net: PlainMesh) -> None:
    [tensor] = walk.file.inputs
    tensor = walk.convolution(tensor, net.stem.convolution)
    tensor = walk.activation(tensor, net.stem.activation)
    for block in net.stages:
        assert isinstance(block, Bottleneck | DownBottleneck)
        inner = walk.convolution(tensor, block.reduce)
        inner = walk.activation(inner, block.inner_activation)
        inner = walk.convolution(inner, block.depthwise)
        inner = walk.convolution(inner, block.pointwise)
        tensor = walk.activation(walk.follower(inner, "ADD").outputs[0], block.activation)
    last = {op.outputs[0]: op for op in walk.followers(tensor, "CONV_2D")}
    points, flag, _ = walk.file.outputs
    walk.constants(last.pop(points), net.points)
    walk.constants(last.pop(flag), net.face_flag)
    [score] = last.values()
    walk.leave_out(score)
    walk.check_complete(net)
