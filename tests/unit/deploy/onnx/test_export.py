import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from amesh.deploy import parity
from amesh.deploy.crops import parity_crops
from amesh.deploy.network.cascade_parts import take_part
from amesh.deploy.network.traced import AsIs
from amesh.deploy.onnx import artefact, picture
from amesh.deploy.onnx import export as onnx_file
from amesh.deploy.onnx.runner import OnnxFile, OnnxRunner
from amesh.deploy.request import Request
from amesh.deploy.sidecar import TensorSpec, tensor_specs
from amesh.deploy.tensorrt import readiness
from amesh.errors import UserError
from amesh.geometry import roi
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED
from amesh.nn.mesh_only import MeshOnly
from amesh.pipeline.crops import crop_image
from amesh.runner import TorchRunner
from amesh.weights import store

pytestmark = pytest.mark.slow  # a dozen exports of some seconds, in one interpreter


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("onnx")
    script = Path(__file__).parents[1] / "small_networks.py"
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
    )
    assert done.returncode == 0, done.stderr
    return folder


def network(exported: Path, name: str) -> nn.Module:
    return store.load(exported / f"{name}.safetensors")


def graph(exported: Path, name: str) -> onnx.ModelProto:
    return onnx.load(exported / f"{name}.onnx")


@pytest.mark.parametrize(
    "name", ["released-fp32-None", "released-fp32-2", "soft-fp32-None", "plain-fp32-None"]
)
def test_whole_networks_agree_with_pytorch(exported: Path, name: str):
    net = network(exported, name.split("-")[0])
    found = parity.measure(OnnxRunner(exported / f"{name}.onnx"), net)
    assert found.all.max < 1e-3, found.lines()  # ten times better than what is promised
    assert found.logit is not None
    assert found.logit < 1e-3
    # The figures mean nothing where a network says the same of every crop.
    spread = parity.reference(net, parity_crops(parity.input_size(net)).images)["landmarks"].std(
        axis=0
    )
    assert spread.max() > 0.1


@pytest.mark.parametrize(
    ("part", "batch"), [("mesh", None), ("right_eye", 2)], ids=["mesh", "right_eye"]
)
def test_parts_of_a_cascade_agree_with_pytorch(exported: Path, part: str, batch: int | None):
    net = take_part(network(exported, "cascade"), part)
    file = OnnxFile(exported / f"cascade.{part}-fp32-{batch}.onnx")
    assert tuple(file.outputs) == net.outputs
    found = parity.measure(file.run_crops, net)
    assert found.all.max < 1e-3, found.lines()
    assert file.about["part"] == part


def test_half_precision_is_half_and_near(exported: Path):
    found = parity.measure(
        OnnxRunner(exported / "cascade-fp16-None.onnx"), network(exported, "cascade")
    )
    # These weights are wild: trained networks are held to the real tolerance where they are there.
    assert found.all.max < 0.2, found.lines()
    assert found.all.max > 1e-3, "so exact that it cannot be half precision"


def test_prelu_is_one_operator_on_a_gpu_and_none_on_a_cpu(exported: Path):
    net = network(exported, "released")
    gpu, cpu = (onnx_file.census(graph(exported, f"released-fp32-{batch}")) for batch in (2, None))
    assert cpu["PRelu"] == 0
    # Side by side, the regions need as many as one of them, and their branches as one of those.
    activations = {
        "backbone": [*net.shared.modules(), *net.mesh.stages.modules(), *net.mesh.head.modules()],
        "regions": [*net.regions["lips"].modules()],
    }
    expected = sum(isinstance(m, nn.PReLU) for part in activations.values() for m in part)
    assert gpu["PRelu"] == expected
    assert cpu["Relu"] - expected == gpu["Relu"] == 2  # the error head's, on a vector


def test_operators_are_on_the_list_and_opset_is_19(exported: Path):
    for path in sorted(exported.glob("*.onnx")):
        model = onnx.load(path)
        also = {"Cos", "Sin"} if path.stem == "picture" else set()
        assert set(onnx_file.census(model)) <= onnx_file.ALLOWED_OPERATORS | also, path.name
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 19)], path.name
        onnx.checker.check_model(model, full_check=True)
    assert "GridSample" not in onnx_file.ALLOWED_OPERATORS


def test_every_constant_is_a_number(exported: Path):
    """Readiness for TensorRT takes others for broken weights."""
    for path in sorted(exported.glob("*.onnx")):
        for weight in onnx.load(path).graph.initializer:
            values = numpy_helper.to_array(weight)
            assert values.dtype.kind != "f" or np.isfinite(values).all(), (path.name, weight.name)


def test_graphs_are_ready_for_tensorrt(exported: Path):
    for name in ("released-fp32-2", "cascade-fp16-None"):
        found = readiness.check(graph(exported, name))
        assert found.problems == ()
        assert found.precision == ("fp16" if "fp16" in name else "fp32")


def test_batch_is_dynamic_or_fixed(exported: Path):
    dynamic, fixed = graph(exported, "released-fp32-None"), graph(exported, "released-fp32-2")
    for model, expected in ((dynamic, "batch"), (fixed, 2)):
        for value in (*model.graph.input, *model.graph.output):
            first = value.type.tensor_type.shape.dim[0]
            assert (first.dim_param or first.dim_value) == expected
            assert value.type.tensor_type.elem_type == TensorProto.FLOAT


def test_blocks_are_half_and_coordinates_single(exported: Path):
    model = graph(exported, "cascade-fp16-None")
    kinds = {w.name: w.data_type for w in model.graph.initializer}
    convolutions = [n for n in model.graph.node if n.op_type == "Conv"]
    assert {kinds[n.input[1]] for n in convolutions} == {TensorProto.FLOAT16}
    products = [n.input[1] for n in model.graph.node if n.op_type == "Gemm"]
    assert {name.split(".")[-2]: kinds[name] for name in products} == {
        "points": TensorProto.FLOAT,
        "hidden": TensorProto.FLOAT16,
        "errors": TensorProto.FLOAT16,
    }


def test_bytes_are_the_same_and_tell_nothing_of_the_machine(exported: Path):
    content = (exported / "cascade.right_eye-fp32-2.onnx").read_bytes()
    assert content == (exported / "again.onnx").read_bytes()
    for trace in (b".py", b"site-packages", b"torch", str(Path(__file__).parents[4]).encode()):
        assert trace not in content, trace
    model = onnx.load_from_string(content)
    assert all(not node.metadata_props and not node.doc_string for node in model.graph.node)
    assert onnx_file.about(model) == {
        "model": "cascade",
        "architecture": "RegionPart",
        "part": "right_eye",
        "topology": "face478",
        "precision": "fp32",
        "layout": "nchw",
        "normalisation": "RGB / 255, in [0, 1]",
    }


def test_weights_lie_in_the_file(exported: Path):
    model = onnx.load(exported / "released-fp32-2.onnx", load_external_data=False)
    assert all(w.data_location != TensorProto.EXTERNAL for w in model.graph.initializer)


def test_file_that_cuts_its_own_crops_agrees_with_the_pipeline(
    exported: Path, astronaut: np.ndarray
):
    file = OnnxFile(exported / "picture.onnx")
    rois = np.array([[225, 128, 141, 0.17], [30, 100, 300, 0.5], [500, 500, 90, -2.0]], np.float32)
    # An odd size that the file was not traced with, and regions that leave the picture.
    picture = np.ascontiguousarray(astronaut[:, :499])
    found = file(picture=picture, rois=rois)
    squares = roi.Roi(*(torch.from_numpy(rois[:, i]).double() for i in ([0, 1], 2, 3)))
    affines = roi.image_from_crop(squares, 128).numpy()
    fine = np.stack(
        [crop_image(picture.astype(np.float32), affine, 128, antialias=False) for affine in affines]
    )
    crops = fine.reshape(-1, 64, 2, 64, 2, 3).mean((2, 4)) / np.float32(255)
    expected = TorchRunner(network(exported, "mesh_only"))(crops)
    image_from_crop = roi.image_from_crop(squares, 64).numpy()
    xy = np.einsum("bij,bnj->bni", image_from_crop[..., :2], expected.landmarks[..., :2])
    xy += image_from_crop[..., 2][:, None]
    scale = rois[:, 2:3] / 64
    most = 0.02 if cv2.__version__ < "5" else 0.01  # OpenCV 4 cuts at multiples of 1/32 px
    assert np.abs(found["landmarks"][..., :2] - xy).max() < most
    assert np.abs(found["landmarks"][..., 2] - expected.landmarks[..., 2] * scale).max() < most
    assert np.abs(found["face_flag"] - expected.face_flag).max() < 1e-3
    # The errors of this untrained head, up to 75 px, answer more strongly to OpenCV's rounding.
    most *= 10 if cv2.__version__ < "5" else 1
    assert np.abs(found["expected_error"] - expected.expected_error * scale).max() < most


def test_file_that_cuts_its_own_crops_takes_any_number_and_any_region(
    exported: Path, astronaut: np.ndarray
):
    file = OnnxFile(exported / "picture.onnx")
    good = np.array([[225, 128, 141, 0.17]], np.float32)
    alone = file(picture=astronaut, rois=good)
    assert file(picture=astronaut, rois=good[:0])["landmarks"].shape == (0, 478, 3)
    # What cannot be a region spoils its own row only.
    odd = [[np.nan, 1, 9, 0], [225, 128, 0, 0], [225, 128, -141, 0]]
    odd += [[1e30, 0, 9, 0], [0, 0, np.inf, 0], [0, 0, 1e12, 0]]
    found = file(picture=astronaut, rois=np.concatenate([odd, good], dtype=np.float32))
    np.testing.assert_allclose(found["landmarks"][-1], alone["landmarks"][0], atol=1e-3)
    for name, values in found.items():
        assert np.isnan(values[:3]).all(), name
    for shape in ((1, 1, 3), (1, 500, 3)):
        black = file(picture=np.zeros(shape, np.uint8), rois=good)
        assert np.isfinite(black["landmarks"]).all()
    with pytest.raises(UserError, match=r"picture\.onnx: ONNX Runtime cannot run it"):
        file(picture=np.zeros((0, 0, 3), np.uint8), rois=good)


def test_artefact_that_cuts_its_own_crops_is_compared_with_pytorch_that_does(
    exported: Path, monkeypatch: pytest.MonkeyPatch
):
    content = (exported / "picture.onnx").read_bytes()
    monkeypatch.setattr(artefact, "export_onnx_picture", lambda *_, **__: content)
    net = network(exported, "mesh_only")
    made = artefact.onnx_artefact(Request(net, None, "fp32", None, samples=2))
    assert (made.dtypes, made.normalisation) == ({"picture": "uint8"}, "RGB, 0 to 255")
    assert tensor_specs(made.inputs, made.dtypes) == {
        "picture": TensorSpec((None, None, 3), "uint8"),
        "rois": TensorSpec((None, 4), "float32"),
    }
    assert made.reference is not None
    found = parity.measure(made.run, made.reference)
    assert found.all.max < 2e-3, found.lines()
    # One sample instead of four makes a difference, so the comparison sees the crop.
    other = parity.measure(made.run, picture.TurnedPictures(net, samples=1))
    assert other.all.max > 10 * found.all.max


def test_a_file_that_takes_bytes(exported: Path):
    runner = OnnxRunner(exported / "bytes.onnx")
    assert runner.file.inputs["image"][1:] == (64, 64, 3)
    assert runner.file.byte_input
    crops = np.random.default_rng(4).random((3, 64, 64, 3), np.float32)
    steps = np.rint(crops * 255).astype(np.uint8)
    expected = TorchRunner(network(exported, "mesh_only"))(steps.astype(np.float32) / 255)
    for found in (runner(crops).landmarks, runner.file(image=steps)["landmarks"]):
        np.testing.assert_allclose(found, expected.landmarks, atol=0.01)
    crops[1, 0, 0] = np.nan
    found = runner(crops)
    assert np.isnan(found.landmarks[1]).all()
    assert np.isnan(found.face_flag).tolist() == [False, True, False]
    model = onnx.load(exported / "bytes.onnx")
    # Old onnxscript asks for the shape, too; nothing else may read bytes.
    readers = {node.op_type for node in model.graph.node if "image" in node.input}
    assert readers - {"Shape"} == {"Cast"}
    assert model.graph.input[0].doc_string == "pictures, RGB, 0 to 255"


def test_unsupported_operator_is_named(exported: Path):
    message = json.loads((exported / "strange.json").read_text())
    assert message == "the network needs operators that not every runtime has: Sin"


def test_every_unsupported_operator_is_named():
    nodes = [
        helper.make_node("GridSample", ["x", "g"], ["a"]),
        helper.make_node("Gelu", ["a"], ["b"], domain="com.microsoft"),
    ]
    model = helper.make_model(helper.make_graph(nodes, "g", [], []))
    with pytest.raises(UserError, match=r"GridSample, com\.microsoft\.Gelu"):
        onnx_file.check_operators(model)


def test_weights_that_are_not_finite_are_refused():
    net = MeshOnly(NAMED["tiny-128"])
    with torch.no_grad():
        net.shared.stem.convolution.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(UserError, match=r"stem\.convolution\.weight.*finite"):
        onnx_file.export_onnx(net)
    cascade = Cascade(NAMED["tiny-128"])
    with torch.no_grad():
        cascade.regions["lips"].shared.stem.convolution.bias[3] = torch.inf
    with pytest.raises(UserError, match=r"stem\.convolution\.bias is not finite"):
        onnx_file.export_onnx(take_part(cascade, "lips"))


def test_a_file_that_differs_from_pytorch_is_refused(
    small_graph: Callable[..., onnx.ModelProto], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(onnx_file, "trace", lambda *_, **__: small_graph(half=False, size=128))
    with pytest.raises(UserError, match="the ONNX file: differs from PyTorch"):
        onnx_file.export_onnx(MeshOnly(NAMED["tiny-128"]))
    onnx_file.export_onnx(MeshOnly(NAMED["tiny-128"]), verify=False)


def test_a_file_that_cuts_wrongly_is_refused(
    small_graph: Callable[..., onnx.ModelProto], monkeypatch: pytest.MonkeyPatch
):
    class Shifted:
        """Answers for the file: what PyTorch computes, off by so many px."""

        def __init__(self, _: bytes) -> None:
            self.net = picture.PictureNetwork(AsIs(net))

        def __call__(self, picture: np.ndarray, rois: np.ndarray) -> dict[str, np.ndarray]:
            with torch.inference_mode():
                landmarks, flag = self.net(torch.from_numpy(picture), torch.from_numpy(rois))
            return {"landmarks": landmarks.numpy() + np.float32(shift), "face_flag": flag.numpy()}

    net, shift = MeshOnly(NAMED["tiny-128"]).eval(), 0.0
    monkeypatch.setattr(picture, "trace", lambda *_, **__: small_graph(half=False, size=128))
    monkeypatch.setattr(picture, "OnnxFile", Shifted)
    picture.export_onnx_picture(net)
    shift = 0.02
    with pytest.raises(UserError, match="its own crops: differs from PyTorch"):
        picture.export_onnx_picture(net)


def test_weights_without_a_finite_half_are_refused():
    net = MeshOnly(NAMED["tiny-128"])
    with torch.no_grad():
        net.shared.stem.convolution.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(UserError, match=r"half precision.*finite"):
        onnx_file.export_onnx(net, "fp16")


def test_precision_and_batch_out_of_range_are_refused():
    net = MeshOnly(NAMED["tiny-128"])
    with pytest.raises(UserError, match="fp32 and fp16, not int8"):
        onnx_file.export_onnx(net, "int8")
    with pytest.raises(UserError, match="batch 0: expected 1 or more"):
        onnx_file.export_onnx(net, batch=0)


def test_parts_are_named_when_one_is_not_there():
    with pytest.raises(UserError, match=r"'nose'.*mesh, lips, right_eye"):
        take_part(Cascade(NAMED["tiny-128"]), "nose")
    with pytest.raises(UserError, match="a MeshOnly has no parts"):
        take_part(MeshOnly(replace(NAMED["tiny-128"])), "mesh")


def test_runner_takes_any_number_of_crops(exported: Path):
    fixed = OnnxRunner(exported / "released-fp32-2.onnx")
    dynamic = OnnxRunner(exported / "released-fp32-None.onnx", threads=2)
    assert (fixed.name, fixed.input_size, fixed.topology.name) == ("released", 64, "face478")
    assert (fixed.file.batch, dynamic.file.batch) == (2, None)
    crops = np.random.default_rng(0).uniform(size=(19, 64, 64, 3)).astype(np.float32)
    for count in (0, 1, 2, 3, 19):
        one, other = fixed(crops[:count]), dynamic(crops[:count])
        assert one.landmarks.shape == other.landmarks.shape == (count, 478, 3)
        assert one.face_flag.shape == other.face_flag.shape == (count,)
        np.testing.assert_allclose(one.landmarks, other.landmarks, atol=1e-3)


def test_runner_refuses_what_is_no_landmark_network(exported: Path, tmp_path: Path):
    with pytest.raises(UserError, match="inputs image; outputs ri"):
        OnnxRunner(exported / "cascade.right_eye-fp32-2.onnx")
    with pytest.raises(UserError, match=r"no file .*missing\.onnx"):
        OnnxRunner(tmp_path / "missing.onnx")
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes((exported / "released-fp32-2.onnx").read_bytes()[:1000])
    with pytest.raises(UserError, match=r"damaged\.onnx: .*cannot load"):
        OnnxRunner(damaged)
    with pytest.raises(UserError, match=r"478 x 3.*ibug68 has 68"):
        OnnxRunner(exported / "released-fp32-2.onnx", topology="ibug68")


def test_runner_says_where_cuda_is_missing(exported: Path):
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime has CUDA here")
    with pytest.raises(UserError, match=r"CUDAExecutionProvider.*onnxruntime-gpu"):
        OnnxRunner(exported / "released-fp32-2.onnx", device="cuda")


def test_graph_weights_are_those_of_the_network(exported: Path):
    net = network(exported, "released")
    values = {
        w.name: numpy_helper.to_array(w)
        for w in graph(exported, "released-fp32-2").graph.initializer
    }
    [stem] = [v for k, v in values.items() if k.endswith("shared.stem.convolution.weight")]
    np.testing.assert_array_equal(stem, net.shared.stem.convolution.weight.detach().numpy())


def test_what_the_exporter_prints_is_not_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    export = torch.onnx.export

    def talkative(*args: object, **options: object) -> object:
        print("Applied 95 of general pattern rewrite rules.")
        return export(*args, **options)

    monkeypatch.setattr(torch.onnx, "export", talkative)
    model = onnx_file.trace(nn.ReLU(), {"x": (1, 3)}, ("y",))
    assert [node.op_type for node in model.graph.node] == ["Relu"]
    assert capsys.readouterr().out == ""
