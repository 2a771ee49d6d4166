"""Loads the released Attention Mesh from Google's TFLite file into our network.

The only module that knows that file's names and structure. Unless every constant is used exactly
once and every parameter is filled, the file is rejected.
"""

from torch import nn

from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.blocks import Convolution, DownBlock, PointHead, ResidualBlock
from amesh.nn.config import NAMED
from amesh.nn.region_submodel import RegionSubmodel
from amesh.weights.tflite_file import TfliteFile
from amesh.weights.tflite_walk import Walk


def convert(file: TfliteFile, source: str = "tflite file") -> AttentionMesh:
    """Builds `released-192` with the weights of `face_landmark_with_attention.tflite`.

    Args:
        file: The parsed file.
        source: Name of the file in error messages.

    Raises:
        UserError: The file is another network.
    """
    net = AttentionMesh(NAMED["released-192"])
    try:
        _Loader(file).load(net)
    except (LookupError, ValueError, RuntimeError) as error:
        raise UserError(
            f"{source}: not the released attention mesh ({error}); expected "
            "face_landmark_with_attention.tflite of mediapipe 0.10.21"
        ) from error
    return net.eval()


class _Loader(Walk):
    """Walks the file's graph along with the modules of an Attention Mesh."""

    def load(self, net: AttentionMesh) -> None:
        [image] = self.file.inputs
        shared = self.chain(net.shared, image)
        features = self.head_features(net.mesh.head, self.chain(net.mesh.stages, shared))
        points, flag = self.followers(features, "CONV_2D")
        self.constants(points, net.mesh.head.points)
        self.constants(flag, net.mesh.face_flag)
        crops = [op.outputs[0] for op in self.followers(shared, "TransformTensorBilinear")]
        for module, crop in zip(net.regions.values(), crops, strict=True):
            assert isinstance(module, RegionSubmodel)
            split = self.chain(module.trunk, crop)
            for i, branch in enumerate(module.branches.children()):
                blocks, head = branch.blocks, branch.head
                assert isinstance(blocks, nn.Sequential)
                assert isinstance(head, PointHead)
                end = self.head_features(head, self.chain(blocks, split, branch=i))
                self.constants(self.follower(end, "CONV_2D"), head.points)
        self.check_complete(net)

    def chain(self, blocks: nn.Module, tensor: int, branch: int = 0) -> int:
        """Loads nested blocks in order; `branch` is the one to follow at the first fork."""
        for block in blocks.children():
            if isinstance(block, (ResidualBlock, DownBlock)):
                tensor = self.residual(block, tensor, branch)
            elif isinstance(block, Convolution):
                tensor = self.convolution(tensor, block.convolution)
                tensor = self.activation(tensor, block.activation)
            else:
                tensor = self.chain(block, tensor, branch)
            branch = 0
        return tensor

    def residual(self, block: ResidualBlock | DownBlock, tensor: int, branch: int = 0) -> int:
        depthwise = self.followers(tensor, "DEPTHWISE_CONV_2D")[branch]
        self.constants(depthwise, block.depthwise)
        add = self.follower(self.convolution(depthwise.outputs[0], block.pointwise), "ADD")
        return self.activation(add.outputs[0], block.activation)

    def head_features(self, head: PointHead, tensor: int) -> int:
        reduced = self.convolution(tensor, head.reduce)
        return self.residual(head.block, self.activation(reduced, head.activation))
