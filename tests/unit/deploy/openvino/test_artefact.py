import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from own_interpreter import run_apart

from amesh.deploy import parity, sidecar
from amesh.errors import UserError
from amesh.face_mesh import open_runner
from amesh.weights import store

pytest.importorskip("openvino")
pytestmark = pytest.mark.slow  # two exports of some seconds, in one interpreter

CODE = """
import sys
from pathlib import Path
import torch
import small_networks
from amesh.blazeface.config import SHORT
from amesh.blazeface.network import build_detector
from amesh.deploy.export import export
from amesh.deploy.openvino.artefact import openvino_artefact
from amesh.deploy.request import Request
from amesh.weights import store
folder = Path(sys.argv[1])
torch.manual_seed(0)
nets = {"mesh": small_networks.networks()["released"], "detector": build_detector(SHORT)}
said = (folder / "said.txt").open("w")
for name, net in nets.items():
    store.save(net, folder / f"{name}.safetensors", {})
    export(net, "openvino", folder / f"{name}.xml", say=lambda line: print(line, file=said))
# These weights are too wild for the tolerance of half precision.
half = openvino_artefact(Request(nets["mesh"], None, "fp16", batch=2))
(folder / "half.xml").write_bytes(half.content)
(folder / "half.bin").write_bytes(half.beside["{stem}.bin"])
"""


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("openvino")
    run_apart(CODE, folder)
    return folder


def test_a_network_agrees_with_pytorch(exported: Path):
    runner = open_runner(exported / "mesh.xml")
    assert (runner.name, runner.input_size, runner.topology.name) == ("released", 64, "face478")
    net = store.load(exported / "mesh.safetensors")
    found = parity.measure(runner, net)
    assert found.all.max < 1e-3, found.lines()
    about = sidecar.read(exported / "mesh.xml")
    assert (about.kind, about.layout) == ("openvino", "nchw")
    assert "MB, with mesh.bin, mesh.xml.json\n" in (exported / "said.txt").read_text()
    assert about.parity["all"]["max"] < 1e-3
    assert about.inputs["image"].shape == (None, 3, 64, 64)
    assert set(about.outputs) == {"landmarks", "face_flag", "expected_error"}


def test_weights_in_half_precision_halve_the_file(exported: Path):
    whole, half = ((exported / f"{name}.bin").stat().st_size for name in ("mesh", "half"))
    assert half < 0.6 * whole
    runner = open_runner(exported / "half.xml")
    assert runner.file.batch == 2
    assert runner.file.about["precision"] == "fp16"
    found = parity.measure(runner, store.load(exported / "mesh.safetensors"))
    assert 1e-3 < found.all.max < 0.5, found.lines()


def test_a_detector_agrees_with_pytorch(exported: Path):
    from amesh.deploy.openvino.runner import open_detector

    net, detector = (
        store.load(exported / "detector.safetensors"),
        open_detector(exported / "detector.xml"),
    )
    assert detector.config == net.config
    images = np.random.default_rng(0).random((3, 128, 128, 3), np.float32)
    assert parity.measure(detector.file.run_crops, net, images).all.max < 1e-3
    expected = detector.file.run_crops(images)["boxes"]
    for count in (0, 1):
        found = detector.file.run_crops(images[:count])["boxes"]
        np.testing.assert_allclose(found, expected[:count], atol=1e-3)


def test_any_number_of_crops_and_threads(exported: Path):
    runner = open_runner(exported / "mesh.xml")
    crops = np.random.default_rng(0).random((19, 64, 64, 3), np.float32)
    expected = runner(crops).landmarks
    assert expected.shape == (19, 478, 3)
    for count in (0, 1, 3):
        np.testing.assert_allclose(runner(crops[:count]).landmarks, expected[:count], atol=1e-3)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda crop: runner(crop[None]).landmarks[0], crops))
    np.testing.assert_allclose(found, expected, atol=1e-3)
    again = pickle.loads(pickle.dumps(runner.file)).run_crops(crops[:1])["landmarks"]
    np.testing.assert_allclose(again, expected[:1], atol=1e-3)


def test_files_that_do_not_belong_together_are_refused(exported: Path, tmp_path: Path):
    for name in ("mesh.xml", "mesh.bin"):
        (tmp_path / name).write_bytes((exported / name).read_bytes())
    weights = tmp_path / "mesh.bin"
    changed = bytearray(weights.read_bytes())
    changed[100] ^= 1
    for wrong in (changed, changed[:1000], b""):
        weights.write_bytes(wrong)
        with pytest.raises(UserError, match=r"mesh\.xml: its \.bin is damaged or belongs to ano"):
            open_runner(tmp_path / "mesh.xml")
    # Nothing says which .bin belongs to a file that OpenVINO's own converter wrote.
    foreign = (tmp_path / "mesh.xml").read_bytes().replace(b"amesh_bin_sha256", b"other")
    (tmp_path / "mesh.xml").write_bytes(foreign)
    with pytest.raises(UserError, match=r"mesh\.xml: OpenVINO cannot load it \(Incorrect w"):
        open_runner(tmp_path / "mesh.xml")
    weights.unlink()
    with pytest.raises(UserError, match=r"no mesh\.bin beside it"):
        open_runner(tmp_path / "mesh.xml")
    (tmp_path / "mesh.xml").write_bytes(b"<net")
    weights.touch()
    with pytest.raises(UserError, match=r"mesh\.xml: OpenVINO cannot load it"):
        open_runner(tmp_path / "mesh.xml")


def test_wrong_input_is_reported_in_one_line(exported: Path):
    file = open_runner(exported / "mesh.xml").file
    with pytest.raises(UserError, match=r"mesh\.xml: OpenVINO cannot run it"):
        file(image=np.zeros((1, 3, 32, 32), np.float32))


def test_operators_that_openvino_does_not_know_are_named():
    from amesh.deploy.openvino.artefact import convert

    nodes = [
        helper.make_node("Wave", ["x"], ["y"], domain="own"),
        helper.make_node("Bend", ["y"], ["z"], domain="own"),
    ]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xz"]
    opsets = [helper.make_opsetid("", 19), helper.make_opsetid("own", 1)]
    graph = helper.make_graph(nodes, "strange", ends[:1], ends[1:])
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=opsets)
    with pytest.raises(UserError, match=r"cannot convert this network: own\.Bend, own\.Wave$"):
        convert(model.SerializeToString())
