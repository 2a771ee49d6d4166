"""Exported files in the cache are used while they are of the weights that bear their name."""

from pathlib import Path

import pytest
import torch

from amesh.deploy import cache, formats, sidecar
from amesh.deploy.sidecar import EXPORTERS, Sidecar
from amesh.errors import UserError
from amesh.face_mesh import open_runner
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.runner import TorchRunner
from amesh.weights import hashes, store


@pytest.fixture
def mine(empty_cache: Path) -> Path:
    path = empty_cache / "weights" / "mine.safetensors"
    store.save(AttentionMesh(NAMED["tiny-128"]), path, {}, half=True)
    return path


def _export(name: str, runtime: str, exporters: str = EXPORTERS) -> Path:
    """A file of the cache, of which only the description is real."""
    path = cache.exported(name, formats.format_named(runtime))
    path.parent.mkdir(parents=True)
    path.write_bytes(b"a graph")
    net = store.load(name)
    described = Sidecar(
        kind=runtime,
        sha256=sidecar.sha256(b"a graph"),
        bytes=7,
        model=name,
        architecture="AttentionMesh",
        topology="face478",
        topology_sha256=sidecar.topology_hash(net.config.load_topology()),
        precision="fp32",
        layout="NCHW",
        inputs={},
        outputs={},
        weights_sha256=hashes.weights_hash(net),
        parity={},
        versions={"exporters": exporters},
    )
    sidecar.write(path, described)
    return path


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_files_hash_is_that_of_its_network(tmp_path: Path, batch_norm: bool):
    from dataclasses import replace

    net = AttentionMesh(replace(NAMED["tiny-128"], batch_norm=batch_norm))
    path = tmp_path / "net.safetensors"
    for half in (False, True):
        store.save(net, path, {}, half)
        found = hashes.tensors_hash(store.tensors(path))
        assert found == hashes.weights_hash(store.load(path))
    with torch.no_grad():
        net.shared.stem.convolution.weight[0, 0, 0, 0] += 0.1
    store.save(net, path, {}, half=True)
    assert hashes.tensors_hash(store.tensors(path)) != found


@pytest.mark.parametrize("runtime", ["onnx", "litert"])
def test_new_weights_of_the_same_name_invalidate_the_exported_file(mine: Path, runtime: str):
    pytest.importorskip({"onnx": "onnxruntime", "litert": "ai_edge_litert"}[runtime])
    path, row = _export("mine", runtime), formats.format_named(runtime)
    assert cache.is_current("mine", row)
    with pytest.raises(UserError, match=path.name):  # it is taken, and is no graph
        open_runner("mine")

    store.save(AttentionMesh(NAMED["tiny-128"]), mine, {})
    assert not cache.is_current("mine", row)
    assert isinstance(open_runner("mine"), TorchRunner)
    message = f"than mine has now, .*; export it again: `amesh export {runtime} --model mine "
    with pytest.raises(UserError, match=message):
        open_runner("mine", runtime)


def test_a_file_of_older_exporters_is_not_current(mine: Path) -> None:
    _export("mine", "onnx", exporters="1")
    assert not cache.is_current("mine", formats.format_named("onnx"))
    assert isinstance(open_runner("mine"), TorchRunner)
    with pytest.raises(UserError, match="by an older exporter"):
        open_runner("mine", "onnx")
