import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnx
import pytest

from amesh.deploy.onnx.runner import OnnxFile
from amesh.deploy.sidecar import sidecar_file
from amesh.deploy.tensorrt import export as engines
from amesh.deploy.tensorrt.library import Batches, Gpu
from amesh.deploy.tensorrt.plan import BuildOptions
from amesh.deploy.tensorrt.sidecar import check_place
from amesh.errors import UserError

GraphMaker = Callable[..., onnx.ModelProto]
ORIGIN = engines.Origin("small")


@pytest.fixture
def model(small_graph: GraphMaker, tmp_path: Path) -> Path:
    path = tmp_path / "small-fp16.onnx"
    onnx.save(small_graph(), path)
    return path


@pytest.fixture
def engine(tmp_path: Path) -> Path:
    return tmp_path / "small.engine"


def test_the_sidecar_says_what_the_engine_is(tensorrt: ModuleType, model: Path, engine: Path):
    sidecar = engines.build(model, engine, ORIGIN)
    assert engine.read_bytes() == b"plan"
    assert sidecar == json.loads((engine.parent / "small.engine.json").read_bytes())
    assert sidecar["inputs"] == {"image": {"shape": [None, 3, 64, 64], "dtype": "float32"}}
    assert sidecar["outputs"]["landmarks"] == {"shape": [None, 478, 3], "dtype": "float32"}
    assert sidecar["profiles"] == [[1, 8, 64], [1, 1, 1]]
    assert sidecar["precision"] == "fp16"
    assert sidecar["numbers"] == {"fp16": 1000, "fp32": 10}
    assert sidecar["convolutions"] == {"fp16": 5, "fp32": 2}
    assert sidecar["tensorrt"] == "10.13.3.9"
    assert sidecar["gpu"] == {"name": "Test GPU 9000", "capability": "9.0"}
    assert sidecar["topology"] == "face478"
    assert "fp16" not in sidecar["trtexec"].replace(str(model), "")
    assert [p.name for p in sorted(engine.parent.glob("small.engine*"))] == [
        "small.engine",
        "small.engine.json",
    ]


def test_nothing_is_left_of_an_engine_in_another_precision(
    tensorrt: ModuleType, model: Path, engine: Path
):
    engine.write_bytes(b"an earlier engine")
    tensorrt.will.update(convolved="Float")
    with pytest.raises(UserError, match=r"stem\.convolution asked for in fp16, built in fp32"):
        engines.build(model, engine, ORIGIN)
    assert engine.read_bytes() == b"an earlier engine"
    assert not sidecar_file(engine).exists()


def test_a_graph_in_another_precision_is_refused_before_the_build(
    tensorrt: ModuleType, model: Path, engine: Path
):
    with pytest.raises(UserError, match=r"asked for fp32.*fp16; .*--precision"):
        engines.build(model, engine, ORIGIN, BuildOptions(precision="fp32"))
    assert not tensorrt.built


def test_numbers_that_fail_leave_no_file(tensorrt: ModuleType, model: Path, engine: Path):
    def refuse(_runner: Any) -> dict[str, float]:
        raise UserError("lips: max 0.7 px, allowed 0.5 px")

    with pytest.raises(UserError, match="lips: max"):
        engines.build(model, engine, ORIGIN, verify=refuse)
    assert not engine.exists()
    sidecar = engines.build(model, engine, ORIGIN, verify=lambda _: {"max": 0.01})
    assert sidecar["parity"] == {"max": 0.01}


def test_the_comparison_with_onnx_runtime(small_graph: GraphMaker):
    model = small_graph(half=False).SerializeToString()
    run = OnnxFile(model).run_crops
    verify = engines.against_onnx(model, ORIGIN, "fp32")
    figures = verify(run)
    assert figures["against"] == "ONNX Runtime"
    assert figures["all"]["max"] < 1e-5

    def shifted(crops: np.ndarray) -> dict[str, np.ndarray]:
        found = run(crops)
        return found | {"landmarks": found["landmarks"] + np.float32(0.02)}

    with pytest.raises(UserError, match=r"small.*ONNX Runtime.*0\.03"):
        verify(shifted)


def test_a_graph_that_does_not_match_its_own_sidecar(
    tensorrt: ModuleType, model: Path, engine: Path
):
    sidecar_file(model).write_text("{}")
    with pytest.raises(UserError, match=r"small-fp16\.onnx\.json: damaged"):
        engines.build(model, engine, ORIGIN)


def test_a_graph_says_what_it_is(tensorrt: ModuleType, small_graph: GraphMaker, tmp_path: Path):
    model, path = small_graph(), tmp_path / "plain.onnx"
    assert engines.Origin.of(model, path) == engines.Origin("plain")
    outputs = ("landmarks", "face_flag", "expected_error")
    more = small_graph()
    more.graph.output.add().name = outputs[-1]
    assert engines.Origin.of(more, path) == engines.Origin("plain", outputs=outputs)
    facts = json.dumps({"model": "paper-256", "topology": "face478"})
    onnx.helper.set_model_props(model, {"amesh": facts})
    onnx.save(model, path)
    assert engines.build(path, tmp_path / "p.engine")["model"] == "paper-256"
    # A part of a cascade has outputs of its own.
    facts = json.dumps({"model": "paper-256", "topology": "face478", "part": "lips"})
    onnx.helper.set_model_props(model, {"amesh": facts})
    del model.graph.output[1]
    model.graph.output[0].name = model.graph.node[-2].output[0] = "lips"
    onnx.save(model, path)
    sidecar = engines.build(path, tmp_path / "lips.engine")
    assert list(sidecar["outputs"]) == ["lips"]


def test_an_interrupted_build_leaves_no_file(
    tensorrt: ModuleType, model: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tensorrt.Builder, "build_serialized_network", interrupt)
    with pytest.raises(KeyboardInterrupt):
        engines.build(model, engine, ORIGIN)
    assert sorted(p.name for p in engine.parent.iterdir()) == [".small.engine.lock", model.name]


def test_a_stripped_engine_gets_its_weights_back(tensorrt: ModuleType, model: Path, engine: Path):
    engines.build(model, engine, ORIGIN, BuildOptions(strip_weights=True))
    flags = tensorrt.built["config"].on
    assert {tensorrt.BuilderFlag.STRIP_PLAN, tensorrt.BuilderFlag.REFIT_IDENTICAL} <= flags
    assert tensorrt.built.pop("refitted") == model.read_bytes()
    engines.open_engine(engine)
    assert tensorrt.built["refitted"] == model.read_bytes()
    model.write_bytes(model.read_bytes() + b"\0")
    with pytest.raises(UserError, match=r"small-fp16\.onnx is not"):
        engines.open_engine(engine)
    model.unlink()
    with pytest.raises(UserError, match=r"stripped.*small-fp16\.onnx"):
        engines.open_engine(engine)


def test_inspect_asks_the_engine_too(tensorrt: ModuleType, model: Path, engine: Path):
    engines.build(model, engine, ORIGIN)
    live = engines.inspect(engine)["engine"]
    assert live["numbers"] == {"fp16": 1000, "fp32": 10}
    assert (live["bytes"], live["layers"]) == (4, 1)


def test_a_damaged_engine(tensorrt: ModuleType, model: Path, engine: Path):
    engines.build(model, engine, ORIGIN)
    engine.write_bytes(b"plam")
    with pytest.raises(UserError, match=r"small\.engine: SHA-256"):
        engines.open_engine(engine)


def test_an_engine_that_tensorrt_does_not_take(
    tensorrt: ModuleType, model: Path, engine: Path, monkeypatch: pytest.MonkeyPatch
):
    engines.build(model, engine, ORIGIN)
    monkeypatch.setattr(tensorrt.Runtime, "deserialize_cuda_engine", lambda *_: None)
    with pytest.raises(UserError, match=r"cannot load the engine .*newer driver: build it again"):
        engines.open_engine(engine)


def test_an_engine_of_another_topology(tensorrt: ModuleType, model: Path, engine: Path):
    engines.build(model, engine, ORIGIN)
    path = sidecar_file(engine)
    sidecar = json.loads(path.read_bytes())
    sidecar["outputs"]["landmarks"]["shape"] = [None, 468, 3]
    path.write_text(json.dumps(sidecar))
    with pytest.raises(UserError, match=r"468 x 3.*face478 has 478"):
        engines.open_engine(engine)


def test_a_missing_engine_or_sidecar(tensorrt: ModuleType, model: Path, engine: Path):
    with pytest.raises(UserError, match=r"small\.engine.*`amesh export tensorrt`"):
        engines.open_engine(engine)
    engines.build(model, engine, ORIGIN)
    path = sidecar_file(engine)
    for content in (b"{", b"[]", b'{"kind": "onnx"}'):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r"engine\.json: damaged"):
            engines.open_engine(engine)
    path.unlink()
    with pytest.raises(UserError, match=r"no small\.engine\.json beside it"):
        engines.open_engine(engine)


def test_an_engine_of_another_version(tensorrt: ModuleType, model: Path, engine: Path):
    engines.build(model, engine, ORIGIN)
    tensorrt.__version__ = "10.16.0.1"
    with pytest.raises(UserError, match=r"10\.13\.3\.9.*10\.16\.0\.1"):
        engines.open_engine(engine)


@pytest.mark.parametrize(
    ("here", "fits"), [("10.16.0", True), ("10.12.0", False), ("11.4.0", False)]
)
def test_version_compatible_engines_run_in_later_minor_versions(
    tensorrt: ModuleType,
    model: Path,
    engine: Path,
    here: str,
    fits: bool,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(sys.modules, "tensorrt_lean_libs", ModuleType("tensorrt_lean_libs"))
    sidecar = engines.build(model, engine, ORIGIN, BuildOptions(version_compatible=True))
    assert tensorrt.built["host_code"] is True
    device = Gpu(**sidecar["gpu"])
    if fits:
        check_place(sidecar, engine, here, device)
    else:
        with pytest.raises(UserError, match="built by TensorRT"):
            check_place(sidecar, engine, here, device)


@pytest.mark.parametrize(
    ("hardware", "device", "fits"),
    [
        ("this", Gpu("Test GPU 9000", "9.0"), True),
        ("this", Gpu("Other GPU", "9.0"), False),
        ("capability", Gpu("Other GPU", "9.0"), True),
        ("capability", Gpu("Other GPU", "8.9"), False),
        ("ampere", Gpu("Other GPU", "12.0"), True),
        ("ampere", Gpu("Old GPU", "7.5"), False),
    ],
)
def test_an_engine_of_another_gpu(
    tensorrt: ModuleType, model: Path, engine: Path, hardware: Any, device: Gpu, fits: bool
):
    sidecar = engines.build(model, engine, ORIGIN, BuildOptions(hardware=hardware))
    if fits:
        check_place(sidecar, engine, "10.13.3.9", device)
    else:
        with pytest.raises(UserError, match=rf"Test GPU 9000 .9\.0.*{device[0]}"):
            check_place(sidecar, engine, "10.13.3.9", device)


def test_a_missing_extra_says_which(model: Path, engine: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(UserError, match=r"not installed.*\.\[tensorrt\]"):
        engines.build(model, engine, ORIGIN)
    assert not engine.exists()


def test_a_graph_that_is_not_ready_names_the_nodes(
    tensorrt: ModuleType, small_graph: GraphMaker, engine: Path, tmp_path: Path
):
    model = small_graph()
    node = onnx.helper.make_node("Erf", ["bent"], ["bell"], "bell_node")
    model.graph.node.append(node)
    path = tmp_path / "odd.onnx"
    onnx.save(model, path)
    with pytest.raises(UserError, match=r"odd\.onnx: .*Erf .*bell_node"):
        engines.build(path, engine, ORIGIN)


def test_batches_out_of_order():
    with pytest.raises(UserError, match="batches 4, 2, 8"):
        BuildOptions(batches=Batches(4, 2, 8))
    with pytest.raises(UserError, match=r"level 6 .*0 to 5"):
        BuildOptions(optimisation_level=6)
