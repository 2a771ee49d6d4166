"""The networks of the family as TFLite graphs: what `amesh.nn` computes, in fewer operators."""

from amesh.deploy.flatbuffer import Value
from amesh.deploy.litert_attention import HeadRows
from amesh.deploy.litert_blocks import (
    bias_of,
    head_features,
    kernel_of,
    mesh_features,
    sequence,
    shared_map,
)
from amesh.deploy.litert_operators import OperatorGraph
from amesh.deploy.litert_refined import Refined
from amesh.deploy.wrapper import Network
from amesh.nn.cascade import RegionNetwork
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.region_submodel import Branch


def network(graph: OperatorGraph, net: Network, image: Value) -> dict[str, Value]:
    """Adds a whole network: `landmarks` (b n 3) and `face_flag` (b)."""
    if isinstance(net, MeshOnly):
        outputs = mesh_network(graph, net, image)
        return {"landmarks": outputs["mesh"], "face_flag": outputs["face_flag"]}
    return Refined(graph, net).add(image)


def mesh_network(graph: OperatorGraph, net: Network, image: Value) -> dict[str, Value]:
    """Adds backbone and mesh head alone: `mesh` (b m 3) and `face_flag` (b)."""
    features = mesh_features(graph, net, shared_map(graph, net, image))
    rows = HeadRows()
    points = net.mesh.head.points
    mesh = rows.add(kernel_of(points), bias_of(points))
    flag = rows.add(kernel_of(net.mesh.face_flag), bias_of(net.mesh.face_flag))
    head = rows.convolve(graph, features)
    b = image.shape[0]
    landmarks = graph.slice(head, 1, mesh, flag)
    return {
        "mesh": graph.reshape(landmarks, (b, points.out_channels // 3, 3)),
        "face_flag": graph.reshape(graph.slice(head, 1, flag, flag + 1), (b,)),
    }


def region_network(graph: OperatorGraph, net: RegionNetwork, crop: Value) -> dict[str, Value]:
    """Adds a region's own network: points by output name (b k 2) [px of its crop]."""
    shared = sequence(graph, crop, [net.shared])
    split = sequence(graph, shared, [net.submodel.trunk])
    outputs = {}
    for name, branch in net.submodel.branches.items():
        assert isinstance(branch, Branch)
        with graph.scope(name):
            x = head_features(graph, sequence(graph, split, [branch.blocks]), [branch.head])
            points = branch.head.points
            x = graph.convolution(x, kernel_of(points), bias_of(points), valid=True)
            outputs[name] = graph.reshape(x, (crop.shape[0], points.out_channels // 2, 2))
    return outputs
