"""What exported TFLite files are made of; no runtime needed. Parity is in tests/integration."""

import json
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from amesh.deploy.formats import Precision
from amesh.deploy.litert import export as litert_export
from amesh.deploy.litert.export import export_for_task, export_litert, export_parts
from amesh.deploy.litert.flatbuffer import read_metadata
from amesh.deploy.litert.runner import LitertFile
from amesh.deploy.network.prepare import Network, prepare
from amesh.deploy.signature import METADATA
from amesh.errors import UserError
from amesh.nn.attention_mesh import AttentionMesh
from amesh.nn.cascade import Cascade
from amesh.nn.config import NAMED, RegionConfig
from amesh.nn.mesh_only import MeshOnly
from amesh.nn.plain_config import PlainConfig
from amesh.nn.plain_mesh import PlainMesh
from amesh.weights import tflite_file

TINY = NAMED["tiny-128"]

# All of them run on LiteRT's GPU accelerator (`nox -s litert_gpu`). GATHER_ND, BROADCAST_TO and
# EMBEDDING_LOOKUP, which converters make of indexing, do not.
ALLOWED = {
    *("CONV_2D", "DEPTHWISE_CONV_2D", "PRELU", "ADD", "SUB", "MUL", "MAX_POOL_2D", "PAD"),
    *("CONCATENATION", "SLICE", "RESHAPE", "TRANSPOSE", "GATHER", "CAST", "FLOOR", "RSQRT"),
    *("MINIMUM", "MAXIMUM", "SUM", "REDUCE_MIN", "REDUCE_MAX", "RESIZE_BILINEAR", "LOGISTIC"),
}
NETWORKS: dict[str, Callable[[], Network]] = {
    "attention": lambda: AttentionMesh(TINY),
    "without mesh irises": lambda: AttentionMesh(replace(TINY, mesh_irises=False)),
    "batch norm": lambda: AttentionMesh(replace(TINY, batch_norm=True)),
    "corners": lambda: AttentionMesh(replace(TINY, theta_rule="corners")),
    "regressed": lambda: AttentionMesh(replace(TINY, crop_source="regressed")),
    "uneven": lambda: AttentionMesh(replace(TINY, regions={"lips": RegionConfig(depth=1)})),
    "errors": lambda: AttentionMesh(replace(TINY, error_width=8)),
    "mesh only": lambda: MeshOnly(TINY),
    "mesh only, errors": lambda: MeshOnly(replace(TINY, error_width=8)),
    "cascade": lambda: Cascade(TINY),
    "plain": lambda: PlainMesh(PlainConfig("plain", input_size=128, depth=1)),
}


def written(net: Network, precision: Precision = "fp32", batch: int = 1) -> bytes:
    """The file without the comparison, which needs LiteRT."""
    return export_litert(net, precision, batch, verify=False)


def census(content: bytes) -> Counter[str]:
    return Counter(op.name for op in tflite_file.read(content).operators)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 3])
def test_operators_and_shapes(name: str, batch: int):
    net = NETWORKS[name]()
    content = written(net.eval(), "fp32", batch)
    file = tflite_file.read(content)
    assert {op.name for op in file.operators} <= ALLOWED
    assert max(len(shape) for shape in file.shapes.values()) <= 4
    assert [file.shapes[i] for i in file.inputs] == [(batch, 128, 128, 3)]
    errors = [(batch, 478)] if net.config.predicts_errors else []
    assert [file.shapes[i] for i in file.outputs] == [(batch, 478, 3), (batch,), *errors]


def test_layout_changes_once():
    counts = census(written(AttentionMesh(TINY).eval()))
    assert counts["TRANSPOSE"] == 1  # regions become channels, where the crops are cut
    assert census(written(MeshOnly(TINY).eval()))["TRANSPOSE"] == 0


def test_prelu_is_one_operator():
    net = MeshOnly(TINY).eval()
    wanted = sum(isinstance(module, torch.nn.PReLU) for module in net.modules())
    assert census(written(net))["PRELU"] == wanted


def test_regions_share_operators():
    """Three regions and two irises: 295 operators; each on its own they would be above 400."""
    assert sum(census(written(AttentionMesh(TINY).eval())).values()) <= 300


def test_groups_of_convolutions_are_fours_of_channels():
    """The GPU delegate ends its process over others."""
    for name in ("attention", "cascade"):
        file = tflite_file.read(written(NETWORKS[name]().eval()))
        for op in file.operators:
            if op.name == "CONV_2D":
                kernel, inputs = op.constants[0], file.shapes[op.inputs[0]][3]
                groups = inputs // kernel.shape[3]
                assert groups == 1 or (kernel.shape[3] % 4, kernel.shape[0] // groups % 4) == (0, 0)


def test_half_precision_halves_the_file():
    net = AttentionMesh(TINY).eval()
    single, half = written(net), written(net, "fp16")
    assert len(half) < 0.53 * len(single)
    assert census(half) == census(single)


def test_equal_networks_give_equal_bytes():
    def file() -> bytes:
        torch.manual_seed(0)
        return written(AttentionMesh(TINY).eval())

    assert file() == file()


def test_the_file_says_what_it_is():
    facts = json.loads(read_metadata(written(AttentionMesh(TINY).eval(), "fp16"), METADATA))
    assert facts == {"model": "tiny-128", "topology": "face478", "precision": "fp16"}


def test_a_task_has_no_place_for_errors():
    torch.manual_seed(0)
    plain = AttentionMesh(TINY).eval()
    more = AttentionMesh(replace(TINY, error_width=8)).eval()
    more.load_state_dict(plain.state_dict(), strict=False)
    assert export_for_task(more, verify=False) == export_for_task(plain, verify=False)


def test_parts_of_a_cascade():
    files = {
        name: tflite_file.read(content)
        for name, content in export_parts(Cascade(TINY), verify=False).items()
    }
    shapes = {
        name: [file.shapes[i] for i in (*file.inputs, *file.outputs)]
        for name, file in files.items()
    }
    assert shapes == {
        "mesh": [(1, 128, 128, 3), (1, 478, 3), (1,)],
        "lips": [(1, 64, 64, 3), (1, 80, 2)],
        "right_eye": [(1, 64, 64, 3), (1, 71, 2), (1, 5, 2)],
        "left_eye": [(1, 64, 64, 3), (1, 71, 2), (1, 5, 2)],
    }
    assert {op.name for file in files.values() for op in file.operators} <= ALLOWED


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_the_contract_of_face_landmarker(precision: str):
    content = export_for_task(AttentionMesh(TINY).eval(), precision, verify=False)  # type: ignore[arg-type]
    file = tflite_file.read(content)
    assert [file.shapes[i] for i in file.inputs] == [(1, 256, 256, 3)]
    assert [file.shapes[i] for i in file.outputs] == [(1, 1, 1, 1434), (1, 1, 1, 1)]
    assert census(content)["RESIZE_BILINEAR"] == 1


def test_exporting_leaves_the_network_as_it_was():
    net = AttentionMesh(replace(TINY, batch_norm=True)).eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    written(net)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_weights_that_are_not_finite_are_refused():
    net = AttentionMesh(TINY)
    with torch.no_grad():
        net.mesh.head.points.weight[0, 0, 0, 0] = torch.nan
    with pytest.raises(UserError, match=r"points\.weight.*finite"):
        written(net)


@pytest.mark.parametrize(
    ("net", "precision", "batch", "message"),
    [
        (AttentionMesh(TINY), "int8", 1, "come in fp32 and fp16"),
        (AttentionMesh(TINY), "fp32", 0, "batch 0: expected 1 or more"),
        (AttentionMesh(replace(TINY, sampler="gaussian")), "fp32", 1, "gaussian sampler has no"),
    ],
)
def test_what_has_no_tflite_form_is_refused(net, precision, batch, message):
    with pytest.raises(UserError, match=message):
        written(net, precision, batch)


def shift_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes exporters write a network whose mesh is off by 1 px."""

    def shifted(net: Network) -> Network:
        ready = prepare(net)
        with torch.no_grad():
            ready.mesh.head.points.bias += 1
        return ready

    monkeypatch.setattr(litert_export, "prepare", shifted)


@pytest.mark.parametrize("export", [export_litert, export_for_task, export_parts])
def test_a_file_that_differs_from_pytorch_is_refused(
    export: Callable[[Network], object], monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("ai_edge_litert")
    net = Cascade(TINY).eval()
    export(net)
    shift_points(monkeypatch)
    with pytest.raises(UserError, match=r"file.* differs from PyTorch by up to"):
        export(net)
    export(net, verify=False)  # type: ignore[call-arg]


def test_of_regions_with_common_landmarks_the_last_one_wins():
    """Whatever their capacities: those of equal ones run together, out of turn."""
    pytest.importorskip("ai_edge_litert")
    lips = TINY.region("lips")
    first, last = (
        replace(lips, points=(1, 2, 3), anchors=(1, 3), depth=lips.depth + more) for more in (1, 0)
    )
    net = AttentionMesh(replace(TINY, regions={**TINY.regions, "first": first, "last": last}))
    with torch.no_grad():
        net.regions["first"].branches["first"].head.points.bias += 5
    export_litert(net)


def test_a_network_in_training_is_compared_in_evaluation():
    pytest.importorskip("ai_edge_litert")
    net = MeshOnly(replace(TINY, batch_norm=True)).train()
    export_litert(net)
    assert net.training


@pytest.mark.parametrize("export", [export_litert, export_for_task, export_parts])
def test_comparing_needs_litert(
    export: Callable[[Network], object], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    with pytest.raises(UserError, match=r"install .*'\.\[litert\]'"):
        export(Cascade(TINY))


def test_running_without_litert_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(UserError, match=r"install .*'\.\[litert\]'"):
        LitertFile(b"")


def test_writing_needs_no_extra(run_python: Callable[[str], str]):
    print_modules = (
        "import sys, numpy as np\n"
        "from amesh.deploy.litert.export import export_litert\n"
        "from amesh.nn.config import NAMED\n"
        "from amesh.nn.mesh_only import MeshOnly\n"
        "export_litert(MeshOnly(NAMED['tiny-128']).eval(), verify=False)\n"
        "print([m for m in ('ai_edge_litert', 'litert_torch', 'tensorflow') if m in sys.modules])"
    )
    assert run_python(print_modules).strip() == "[]"


@pytest.mark.parametrize("name", NETWORKS)
def test_file_for_browsers_has_no_gather_of_landmarks(name: str):
    net = NETWORKS[name]().eval()
    usual, web = (export_litert(net, verify=False, web=web) for web in (False, True))
    places = json.loads(read_metadata(web, METADATA)).get("places")
    if isinstance(net, MeshOnly | PlainMesh):  # nothing to put in order
        assert places is None
        assert census(web) == census(usual)
        return
    assert len(places) == 478 * 3
    assert census(usual)["GATHER"] - census(web)["GATHER"] == 1
    file = tflite_file.read(web)
    numbers = file.shapes[file.outputs[0]]
    assert 0 <= min(places) <= max(places) < numbers[1]


def test_landmarks_of_a_file_for_browsers_are_in_order():
    pytest.importorskip("ai_edge_litert")
    net = AttentionMesh(replace(TINY, error_width=8)).eval()
    crops = np.random.default_rng(0).random((2, 128, 128, 3), np.float32)
    usual, web = (LitertFile(export_litert(net, verify=False, web=web)) for web in (False, True))
    assert web.outputs == usual.outputs
    assert "numbers" in web.stored
    expected, found = usual.run_crops(crops), web.run_crops(crops)
    assert set(found) == set(expected)
    assert np.abs(found["landmarks"] - expected["landmarks"]).max() < 0.1
