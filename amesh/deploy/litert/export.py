"""Exports networks of the family as TFLite files for LiteRT, with builtin operators only.

There is no converter: the graph is written operator by operator. Running a file, and therefore
comparing it with PyTorch, needs the extra `litert`; see `amesh.deploy.litert.runner`.
"""

import json

import numpy as np
from torch import nn

from amesh.deploy import parity
from amesh.deploy.formats import Precision, format_named
from amesh.deploy.litert.attention import HeadRows
from amesh.deploy.litert.blocks import (
    bias_of,
    expected_error,
    head_features,
    kernel_of,
    mesh_features,
    mesh_stages,
    sequence,
    shared_map,
)
from amesh.deploy.litert.flatbuffer import Value
from amesh.deploy.litert.operators import OperatorGraph
from amesh.deploy.litert.regions import Refined
from amesh.deploy.litert.runner import LitertFile
from amesh.deploy.litert.task_runner import TASK_SIZE, TaskFile
from amesh.deploy.network.cascade_parts import take_part
from amesh.deploy.network.prepare import Family, Network, prepare, without_errors
from amesh.deploy.request import tolerance_of
from amesh.deploy.signature import EXPECTED_ERROR, INPUT, METADATA, PLACES
from amesh.errors import UserError, how_to_install
from amesh.nn.cascade import Cascade, RegionNetwork
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.network_config import NetworkConfig
from amesh.nn.plain_mesh import PlainMesh
from amesh.nn.region_submodel import Branch


def export_litert(
    net: Network,
    precision: Precision = "fp32",
    batch: int = 1,
    *,
    web: bool = False,
    verify: bool = True,
) -> bytes:
    """Exports a TFLite file: `image` (b s s 3) to `landmarks` (b n 3) and `face_flag` (b).

    Where the network predicts its errors, they are a third output, `expected_error` (b n).

    Args:
        net: A network of the family.
        precision: `fp16` stores the kernels in half precision; the runtime chooses the arithmetic.
        batch: Faces per run.
        web: Write a file for browsers: large kernels are rounded so that it compresses. Where
            `landmarks` would need a GATHER, which LiteRT.js refuses on WebGPU, `numbers` (b k)
            takes their place; `LitertFile` and the module in `web/` put these in order by `places`
            in the metadata.
        verify: Compare the file with PyTorch, which needs LiteRT; otherwise the caller must.

    Raises:
        UserError: A weight is not finite, the network or the precision has no TFLite form, LiteRT
            is missing, or the file's outputs differ from PyTorch's.
    """
    if verify:
        require_litert()
    prepared = _prepared(net)
    graph = _graph(precision, web)
    image = _image(graph, _positive(batch), net.config.input_size)
    places = None
    if web and not isinstance(prepared, MeshOnly | PlainMesh):
        refined = Refined(graph, prepared)
        outputs, places = refined.add(image, gather=False), refined.places
    else:
        outputs = network(graph, prepared, image)
    content = _to_bytes(graph, outputs, net.config, precision, places=places)
    if verify:
        tolerance = tolerance_of(precision, web)
        parity.verify(LitertFile(content).run_crops, net, tolerance, "the TFLite file")
    return content


def export_parts(
    net: Cascade, precision: Precision = "fp32", batch: int = 1, *, verify: bool = True
) -> dict[str, bytes]:
    """Exports each independent network of a cascade as a TFLite file.

    Args:
        net: A cascade; the caller of its parts crops the picture.
        precision: As for `export_litert`.
        batch: Crops per run.
        verify: Compare each file with PyTorch, which needs LiteRT; otherwise the caller must.

    Returns:
        `mesh`: `image` to `mesh` (b m 3) and `face_flag`; and by region name: `image` (b k k 3), a
        crop, to its points (b p 2) in pixels of that crop, and an eye's iris likewise.

    Raises:
        UserError: As for `export_litert`.
    """
    if verify:
        require_litert()
    prepared = _prepared(net)
    assert isinstance(prepared, Cascade)
    graph = _graph(precision)
    image = _image(graph, _positive(batch), prepared.config.input_size)
    outputs = mesh_network(graph, prepared, image)
    files = {"mesh": _to_bytes(graph, outputs, prepared.config, precision, "mesh")}
    for region, part in prepared.regions.items():
        assert isinstance(part, RegionNetwork)
        graph = _graph(precision)
        crop = _image(graph, batch, part.submodel.crop_extent)
        outputs = region_network(graph, part, crop)
        files[region] = _to_bytes(graph, outputs, prepared.config, precision, region)
    if verify:
        for name, content in files.items():
            run = LitertFile(content).run_crops
            parity.verify(run, take_part(net, name), precision, f"the TFLite file of {name}")
    return files


def export_for_task(net: Network, precision: Precision = "fp16", *, verify: bool = True) -> bytes:
    """Exports a network with the interface of MediaPipe's Face Landmarker, without its metadata.

    That is: `image` (1 256 256 3) in [0, 1] to `landmarks` (1 1 1 3n) [px of 256] and `face_flag`
    (1 1 1 1), a logit; expected errors are left out. For a network of another input size, the
    graph resizes the picture.

    Args:
        net: A network of the family with 478 landmarks.
        precision: As for `export_litert`.
        verify: Compare the file with PyTorch, which needs LiteRT; otherwise the caller must.

    Raises:
        UserError: As for `export_litert`.
    """
    if verify:
        require_litert()
    net = without_errors(net)
    prepared = _prepared(net)
    graph, size = _graph(precision), net.config.input_size
    image = _image(graph, 1, TASK_SIZE)
    resized = image if size == TASK_SIZE else graph.resize_bilinear(image, size)
    outputs = network(graph, prepared, resized)
    landmarks = outputs["landmarks"]
    if size != TASK_SIZE:
        landmarks = graph.multiply(landmarks, TASK_SIZE / size)
    outputs = {
        "landmarks": graph.reshape(landmarks, (1, 1, 1, 3 * net.config.load_topology().points)),
        "face_flag": graph.reshape(outputs["face_flag"], (1, 1, 1, 1)),
    }
    content = _to_bytes(graph, outputs, net.config, precision, "task")
    if verify:
        parity.verify(TaskFile(content).run_crops, net, precision, "the task's TFLite file")
    return content


def require_litert() -> None:
    """Checks that files can be compared with PyTorch, before any work is done.

    Raises:
        UserError: LiteRT is not installed.
    """
    if not format_named("litert").is_installed:
        raise UserError(
            f"comparing a TFLite file with PyTorch needs LiteRT: {how_to_install('litert')} "
            "(in Python, verify=False writes the file without it)"
        )


def _prepared(net: Network) -> Network:
    """Copies a network, folds every BatchNorm and checks the weights."""
    if not isinstance(net, PlainMesh) and net.config.sampler == "gaussian":
        raise UserError(
            f"{net.config.name}: the gaussian sampler has no TFLite form; train with `affine`"
        )
    return prepare(net)


def _graph(precision: Precision, web: bool = False) -> OperatorGraph:
    if precision == "int8":
        raise UserError(
            "TFLite files come in fp32 and fp16: int8 is slower on the CPU and far less accurate"
        )
    return OperatorGraph(half=precision == "fp16", rounded=web)


def _image(graph: OperatorGraph, batch: int, size: int) -> Value:
    return graph.input(INPUT, (batch, size, size, 3))


def _positive(batch: int) -> int:
    if batch < 1:
        raise UserError(f"batch {batch}: expected 1 or more; a TFLite file has a fixed batch")
    return batch


def _to_bytes(
    graph: OperatorGraph,
    outputs: dict[str, Value],
    config: NetworkConfig,
    precision: Precision,
    part: str = "",
    places: np.ndarray | None = None,
) -> bytes:
    about = {"model": config.name, "topology": config.topology, "precision": precision}
    if part:
        about["part"] = part
    ordered = {} if places is None else {PLACES: places.reshape(-1).tolist()}
    metadata = {METADATA: json.dumps({**about, **ordered}, sort_keys=True).encode()}
    return graph.to_bytes(outputs, " ".join(["amesh", *about.values()]), metadata)


def network(graph: OperatorGraph, net: Network, image: Value) -> dict[str, Value]:
    """Adds a whole network: `landmarks` (b n 3), `face_flag` (b), `expected_error` (b n)."""
    if isinstance(net, MeshOnly | PlainMesh):
        outputs = mesh_network(graph, net, image)
        return {"landmarks": outputs.pop("mesh"), **outputs}
    return Refined(graph, net).add(image)


def mesh_network(graph: OperatorGraph, net: Family | PlainMesh, image: Value) -> dict[str, Value]:
    """Adds backbone and heads alone: `mesh` (b m 3), `face_flag` (b), `expected_error` (b n)."""
    errors: dict[str, Value] = {}
    if isinstance(net, PlainMesh):
        features = sequence(graph, image, [nn.Sequential(net.stem, net.stages)])
        points, face_flag = net.points, net.face_flag
    else:
        deep = mesh_stages(graph, net, shared_map(graph, net, image))
        features = mesh_features(graph, net, deep)
        if net.mesh.error_head is not None:
            errors[EXPECTED_ERROR] = expected_error(graph, net.mesh.error_head, deep)
        points, face_flag = net.mesh.head.points, net.mesh.face_flag
    rows = HeadRows()
    mesh = rows.add(kernel_of(points), bias_of(points))
    flag = rows.add(kernel_of(face_flag), bias_of(face_flag))
    head = rows.convolve(graph, features)
    b = image.shape[0]
    landmarks = graph.slice(head, 1, mesh, flag)
    return {
        "mesh": graph.reshape(landmarks, (b, points.out_channels // 3, 3)),
        "face_flag": graph.reshape(graph.slice(head, 1, flag, flag + 1), (b,)),
        **errors,
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
