"""TFLite files for LiteRT: a network of the family with builtin operators only.

Needs no converter and no extra: the graph is written operator by operator. Running it needs
`amesh[litert]`; see `amesh.deploy.litert.runner`.
"""

import json

from amesh.deploy.litert import export
from amesh.deploy.litert.attention import HeadRows
from amesh.deploy.litert.blocks import (
    bias_of,
    head_features,
    kernel_of,
    mesh_features,
    sequence,
    shared_map,
)
from amesh.deploy.litert.flatbuffer import Value
from amesh.deploy.litert.operators import OperatorGraph
from amesh.deploy.litert.regions import Refined
from amesh.deploy.network.prepare import Network, prepare
from amesh.deploy.signature import INPUT, Precision, Signature
from amesh.errors import UserError
from amesh.nn.cascade import Cascade, RegionNetwork
from amesh.nn.config import MeshConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.region_submodel import Branch

METADATA = "amesh"
# Side of the crop that MediaPipe's Face Landmarker cuts, whatever network is in its bundle [px].
TASK_SIZE = 256


def export_litert(net: Network, precision: Precision = "fp32", batch: int = 1) -> bytes:
    """A network as a TFLite file: `image` (b s s 3) to `landmarks` (b n 3) and `face_flag` (b).

    Args:
        net: A network of the family.
        precision: `fp16` stores the kernels in half precision; arithmetic is the runtime's choice.
        batch: Faces per run.

    Raises:
        UserError: A weight is not finite, or the network or the precision has no TFLite form.
    """
    net = _prepared(net)
    graph = _graph(precision)
    signature = Signature.of(net.config, "nhwc", _positive(batch))
    outputs = export.network(graph, net, _image(graph, batch, signature.input_size))
    return _to_bytes(graph, outputs, net.config, precision)


def export_parts(net: Cascade, precision: Precision = "fp32", batch: int = 1) -> dict[str, bytes]:
    """The independent networks of a cascade, a TFLite file each.

    Args:
        net: A cascade; who runs its parts cuts the crops.
        precision: As for `export_litert`.
        batch: Crops per run.

    Returns:
        `mesh`: `image` to `mesh` (b m 3) and `face_flag`; and by region name: `image` (b k k 3), a
        crop, to its points (b p 2) in pixels of that crop, and an eye's iris likewise.

    Raises:
        UserError: As for `export_litert`.
    """
    prepared = _prepared(net)
    assert isinstance(prepared, Cascade)
    graph = _graph(precision)
    image = _image(graph, _positive(batch), prepared.config.input_size)
    outputs = export.mesh_network(graph, prepared, image)
    files = {"mesh": _to_bytes(graph, outputs, prepared.config, precision, "mesh")}
    for region, part in prepared.regions.items():
        assert isinstance(part, RegionNetwork)
        graph = _graph(precision)
        crop = _image(graph, batch, part.submodel.crop_extent)
        outputs = export.region_network(graph, part, crop)
        files[region] = _to_bytes(graph, outputs, prepared.config, precision, region)
    return files


def export_for_task(net: Network, precision: Precision = "fp16") -> bytes:
    """A network in the contract of MediaPipe's Face Landmarker, without its metadata.

    That is: `image` (1 256 256 3) in [0, 1] to `landmarks` (1 1 1 3n) [px of 256] and `face_flag`
    (1 1 1 1), a logit. A network of another input size gets its picture resized inside.

    Args:
        net: A network of the family with 478 landmarks.
        precision: As for `export_litert`.

    Raises:
        UserError: As for `export_litert`.
    """
    net = _prepared(net)
    graph, size = _graph(precision), net.config.input_size
    image = _image(graph, 1, TASK_SIZE)
    resized = image if size == TASK_SIZE else graph.resize_bilinear(image, size)
    outputs = export.network(graph, net, resized)
    landmarks = outputs["landmarks"]
    if size != TASK_SIZE:
        landmarks = graph.multiply(landmarks, TASK_SIZE / size)
    outputs = {
        "landmarks": graph.reshape(landmarks, (1, 1, 1, 3 * net.config.load_topology().points)),
        "face_flag": graph.reshape(outputs["face_flag"], (1, 1, 1, 1)),
    }
    return _to_bytes(graph, outputs, net.config, precision, "task")


def _prepared(net: Network) -> Network:
    """A copy with every BatchNorm folded, its weights checked."""
    if net.config.sampler == "gaussian":
        raise UserError(
            f"{net.config.name}: the gaussian sampler has no TFLite form; train with `affine`"
        )
    return prepare(net)


def _graph(precision: Precision) -> OperatorGraph:
    if precision == "int8":
        raise UserError(
            "TFLite files come in fp32 and fp16: int8 is slower on the CPU and far less exact"
        )
    return OperatorGraph(half=precision == "fp16")


def _image(graph: OperatorGraph, batch: int, size: int) -> Value:
    return graph.input(INPUT, (batch, size, size, 3))


def _positive(batch: int) -> int:
    if batch < 1:
        raise UserError(f"batch {batch}: expected 1 or more; a TFLite file has a fixed batch")
    return batch


def _to_bytes(
    graph: OperatorGraph,
    outputs: dict[str, Value],
    config: MeshConfig,
    precision: Precision,
    part: str = "",
) -> bytes:
    about = {"model": config.name, "topology": config.topology, "precision": precision}
    if part:
        about["part"] = part
    metadata = {METADATA: json.dumps(about, sort_keys=True).encode()}
    return graph.to_bytes(outputs, " ".join(["amesh", *about.values()]), metadata)


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
