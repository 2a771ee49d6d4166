"""Bundles for MediaPipe Tasks. `nox -s tasks` runs them inside the real one."""

import hashlib
import io
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import tflite
import torch

from amesh.deploy.export import export
from amesh.deploy.litert import export as litert_export
from amesh.deploy.litert import task
from amesh.deploy.litert.artefact import task_artefact
from amesh.deploy.litert.export import export_for_task
from amesh.deploy.litert.flatbuffer import read_metadata
from amesh.deploy.litert.metadata import TASKS_NAME, add_metadata
from amesh.deploy.litert.operators import OperatorGraph
from amesh.deploy.litert.task_runner import TASK_SIZE, as_task_crops
from amesh.deploy.network.prepare import Network, prepare
from amesh.deploy.request import Request
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.config import NAMED
from amesh.weights import install, tflite_file


def small(metadata: dict[str, bytes] | None = None) -> bytes:
    """image (1 4 4 3) -> a convolution of it."""
    graph = OperatorGraph(False)
    image = graph.input("image", (1, 4, 4, 3))
    kernel = np.arange(6, dtype=np.float32).reshape(2, 1, 1, 3)
    x = graph.convolution(image, kernel, np.array([1, 2], np.float32))
    return graph.to_bytes({"answer": x}, "a test", metadata)


@pytest.fixture
def net() -> AttentionMesh:
    return AttentionMesh(NAMED["tiny-128"]).eval()


@pytest.fixture
def detector(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A file in the cache that stands for Google's."""
    return stand_in("detector-short", monkeypatch)


def stand_in(name: str, monkeypatch: pytest.MonkeyPatch) -> bytes:
    content = small()
    fake = replace(install.NETWORKS[name], sha256=hashlib.sha256(content).hexdigest())
    monkeypatch.setattr(install, "NETWORKS", {**install.NETWORKS, name: fake})
    path = install.original_file(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


class Fields:
    """Reads a flatbuffer by the numbers of its fields."""

    def __init__(self, data: bytes, at: int) -> None:
        self.table = flatbuffers.table.Table(bytearray(data), at)

    def at(self, number: int) -> int:
        return int(self.table.Offset(4 + 2 * number))

    def byte(self, number: int) -> int:
        return int(self.table.Bytes[self.table.Pos + self.at(number)])

    def child(self, number: int) -> "Fields":
        at = self.table.Indirect(self.table.Pos + self.at(number))
        return Fields(self.table.Bytes, at)

    def children(self, number: int) -> list["Fields"]:
        start, count = self.table.Vector(self.at(number)), self.table.VectorLen(self.at(number))
        starts = (self.table.Indirect(start + 4 * i) for i in range(count))
        return [Fields(self.table.Bytes, at) for at in starts]

    def floats(self, number: int) -> list[float]:
        start, count = self.table.Vector(self.at(number)), self.table.VectorLen(self.at(number))
        return list(struct.unpack_from(f"<{count}f", self.table.Bytes, start))


def normalisation(content: bytes) -> tuple[list[float], list[float]]:
    """Mean and std, read along the path that Tasks takes."""
    data = read_metadata(content, TASKS_NAME)
    assert data[4:8] == b"M001"
    [graph] = Fields(data, struct.unpack_from("<I", data)[0]).children(3)
    [image] = graph.children(2)
    assert len(graph.children(3)) == (
        tflite.Model.GetRootAsModel(content, 0).Subgraphs(0).OutputsLength()
    )
    assert image.child(3).byte(0) == 2  # content: a picture
    assert image.child(3).child(1).byte(0) == 1  # in RGB
    [unit] = image.children(4)
    assert unit.byte(0) == 1  # NormalizationOptions
    return unit.child(1).floats(0), unit.child(1).floats(1)


def test_metadata_reads_back_along_the_schema():
    found = task.with_tasks_metadata(small(), "a name", 127.5, 64)
    assert normalisation(found) == ([127.5], [64.0])


def test_the_old_file_is_kept_byte_for_byte_behind_the_new_root():
    old = small({"amesh": b"{}"})
    new = add_metadata(old, {"more": b"words"})
    assert old in new
    assert read_metadata(new, "more") == b"words"
    assert read_metadata(new, "amesh") == b"{}"
    before, after = tflite_file.read(old), tflite_file.read(new)
    assert [op.name for op in after.operators] == [op.name for op in before.operators]
    for a, b in zip(before.operators[0].constants, after.operators[0].constants, strict=True):
        np.testing.assert_array_equal(a, b)
    model = tflite.Model.GetRootAsModel(new, 0)
    assert (model.Version(), model.Description()) == (3, b"a test")
    assert model.SignatureDefs(0).Outputs(0).Name() == b"answer"
    for i in range(1, model.BuffersLength()):
        data = model.Buffers(i).DataAsNumpy()
        assert (data.ctypes.data - np.frombuffer(new, np.uint8).ctypes.data) % 16 == 0


def test_metadata_of_the_same_name_is_replaced():
    new = add_metadata(add_metadata(small(), {"note": b"one"}), {"note": b"two"})
    assert read_metadata(new, "note") == b"two"
    assert tflite.Model.GetRootAsModel(new, 0).MetadataLength() == 1


def test_metadata_needs_a_tflite_file():
    with pytest.raises(UserError, match="not a TFLite file"):
        add_metadata(b"PK\3\4 something else", {})


def test_a_file_with_metadata_still_runs():
    interpreter = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    image = np.linspace(0, 1, 48, dtype=np.float32).reshape(1, 4, 4, 3)
    answers = []
    for content in (small(), task.with_tasks_metadata(small(), "a name", 0, 255)):
        run = interpreter(model_content=content).get_signature_runner()
        answers.append(run(image=image)["answer"])
    np.testing.assert_array_equal(*answers)


def test_a_bundle_holds_both_networks_with_their_normalisation(net: AttentionMesh, detector: bytes):
    files = task.read_bundle(task.export_task(net, verify=False))
    assert list(files) == [task.DETECTOR, task.LANDMARKS]
    assert detector in files[task.DETECTOR]
    assert export_for_task(net, verify=False) in files[task.LANDMARKS]
    assert normalisation(files[task.DETECTOR]) == ([127.5], [127.5])
    assert normalisation(files[task.LANDMARKS]) == ([0.0], [255.0])


def test_imported_blendshapes_go_into_the_bundle(
    net: AttentionMesh, detector: bytes, monkeypatch: pytest.MonkeyPatch
):
    content = stand_in("face-blendshapes", monkeypatch)
    files = task.read_bundle(task.export_task(net, verify=False))
    assert list(files) == [task.DETECTOR, task.LANDMARKS, task.BLENDSHAPES]
    assert files[task.BLENDSHAPES] == content
    install.original_file("face-blendshapes").write_bytes(b"half")
    with pytest.raises(UserError, match=r"face_blendshapes\.tflite: damaged.*face-landmarker"):
        task.export_task(net)


def test_a_bundle_is_stored_aligned_and_the_same_each_time(
    net: AttentionMesh, detector: bytes, monkeypatch: pytest.MonkeyPatch
):
    content = task.export_task(net, verify=False)
    monkeypatch.setattr("time.time", lambda: 2e9)
    assert task.export_task(net, verify=False) == content
    for info in zipfile.ZipFile(io.BytesIO(content)).infolist():
        assert info.compress_type == zipfile.ZIP_STORED
        name, extra = struct.unpack_from("<HH", content, info.header_offset + 26)
        start = info.header_offset + 30 + name + extra
        assert start % 64 == 0
        assert content[start + 4 : start + 8] == b"TFL3"


def test_a_missing_or_damaged_detector_says_what_to_do(net: AttentionMesh, empty_cache: Path):
    with pytest.raises(UserError, match="`amesh weights import`"):
        task.export_task(net)
    path = install.original_file("detector-short")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half")
    with pytest.raises(UserError, match=r"short_range\.tflite: damaged"):
        task.export_task(net)


def test_a_bundle_that_differs_from_pytorch_is_refused(
    net: AttentionMesh, detector: bytes, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("ai_edge_litert")
    task.export_task(net)

    def shifted(net: Network) -> Network:
        ready = prepare(net)
        with torch.no_grad():
            ready.mesh.head.points.bias += 1
        return ready

    monkeypatch.setattr(litert_export, "prepare", shifted)
    with pytest.raises(UserError, match="the task bundle: differs from PyTorch"):
        task.export_task(net)


def test_other_landmarks_do_not_fit(net: AttentionMesh, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(task, "_POINTS", 500)
    with pytest.raises(UserError, match=r"500 landmarks.*478"):
        task.export_task(net)


def test_a_part_does_not_fit(net: AttentionMesh, detector: bytes):
    with pytest.raises(UserError, match="a whole network, not a part"):
        task_artefact(Request(net, "lips", "fp32", 1))


@pytest.mark.parametrize("size", [128, 192, 256])
def test_the_resize_in_the_graph_gives_back_the_crops(size: int):
    crops = np.random.default_rng(0).random((2, size, size, 3), dtype=np.float32)
    wide = as_task_crops(crops)
    assert wide.shape == (2, TASK_SIZE, TASK_SIZE, 3)
    again = torch.nn.functional.interpolate(
        torch.from_numpy(wide).permute(0, 3, 1, 2), (size, size), mode="bilinear"
    )
    np.testing.assert_allclose(again.permute(0, 2, 3, 1), crops, atol=1e-4)


def test_export_checks_and_writes_a_bundle(net: AttentionMesh, detector: bytes, tmp_path: Path):
    pytest.importorskip("ai_edge_litert")
    said: list[str] = []
    path = export(net, "task", tmp_path / "face.task", say=said.append)
    assert path.read_bytes() == task.export_task(net, "fp32")
    assert (tmp_path / "face.task.json").is_file()
    assert "exporting tiny-128-fp32 for task" in said
