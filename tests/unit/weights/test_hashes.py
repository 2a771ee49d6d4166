import numpy as np
import torch

from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly
from amesh.weights.hashes import checksum, weights_hash


def test_the_hash_sees_every_number_and_name():
    net = MeshOnly(NAMED["tiny-128"])
    before = weights_hash(net)
    assert weights_hash(net) == before
    with torch.no_grad():
        net.mesh.head.points.bias[7] += 1
    assert weights_hash(net) != before


def test_the_checksum_sees_the_header_and_the_numbers():
    tensors = {"a": np.ones((2, 3), np.float32)}
    one = checksum("{}", tensors)
    assert one == checksum("{}", {"a": np.ones((2, 3), np.float32)})
    others = (
        ("{ }", tensors),
        ("{}", {"b": tensors["a"]}),
        ("{}", {"a": np.ones((3, 2), np.float32)}),
        ("{}", {"a": tensors["a"].astype(int)}),
        ("{}", {"a": tensors["a"] * np.float32(1.0001)}),
    )
    assert one not in [checksum(*other) for other in others]
