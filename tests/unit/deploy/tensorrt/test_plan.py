import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import onnx
import pytest
import torch

from amesh.deploy.tensorrt import library, readiness
from amesh.deploy.tensorrt.library import Batches, Gpu
from amesh.deploy.tensorrt.plan import BuildOptions, build_plan, cache_file, input_shapes, trtexec
from amesh.errors import UserError

GraphMaker = Callable[..., onnx.ModelProto]


def build(model: onnx.ModelProto, **options: object) -> bytes:
    graph = readiness.check(model)
    return build_plan(model.SerializeToString(), graph, BuildOptions(**options))


def test_profiles_for_many_and_for_one(tensorrt: ModuleType, small_graph: GraphMaker):
    build(small_graph(), batches=Batches(2, 4, 16))
    rest = (3, 64, 64)
    assert tensorrt.built["profiles"] == [
        ("image", (2, *rest), (4, *rest), (16, *rest)),
        ("image", (1, *rest), (1, *rest), (1, *rest)),
    ]


def test_a_fixed_batch_has_one_profile(tensorrt: ModuleType, small_graph: GraphMaker):
    build(small_graph(batch=2))
    assert [profile[1][0] for profile in tensorrt.built["profiles"]] == [2]
    tensorrt.reset()
    build(small_graph(), batches=Batches(1, 1, 1))
    assert len(tensorrt.built["profiles"]) == 1


def test_strongly_typed_without_a_precision_flag(tensorrt: ModuleType, small_graph: GraphMaker):
    build(small_graph(), workspace=2, optimisation_level=5)
    config = tensorrt.built["config"]
    assert tensorrt.built["network_flags"] == 1 << 1
    # TF32, on by default, is off; nothing else is on.
    assert config.on == set()
    assert config.profiling_verbosity is tensorrt.ProfilingVerbosity.DETAILED
    assert config.builder_optimization_level == 5
    assert tensorrt.built["workspace"] == 2 * 1024 * 1024


def test_options_become_flags(
    tensorrt: ModuleType, small_graph: GraphMaker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "tensorrt_lean_libs", ModuleType("tensorrt_lean_libs"))
    build(small_graph(), hardware="capability", version_compatible=True, strip_weights=True)
    config, flags = tensorrt.built["config"], tensorrt.BuilderFlag
    assert config.on == {flags.VERSION_COMPATIBLE, flags.STRIP_PLAN, flags.REFIT_IDENTICAL}
    levels = tensorrt.HardwareCompatibilityLevel
    assert config.hardware_compatibility_level is levels.SAME_COMPUTE_CAPABILITY
    build(small_graph(), hardware="ampere")
    assert tensorrt.built["config"].hardware_compatibility_level is levels.AMPERE_PLUS


def test_all_errors_of_the_parser(tensorrt: ModuleType, small_graph: GraphMaker):
    tensorrt.will["errors"] = [("a", "Pad", "odd"), ("b", "GatherND", "batch dims")]
    with pytest.raises(UserError, match=r"a \(Pad\): odd; b \(GatherND\): batch"):
        build(small_graph())


def test_no_plan_says_why(tensorrt: ModuleType, small_graph: GraphMaker):
    tensorrt.will["plan"] = None
    with pytest.raises(UserError, match=r"10\.13\.3\.9.*no kernel fits"):
        build(small_graph())


def test_timings_are_kept_by_version_and_gpu(
    tensorrt: ModuleType, small_graph: GraphMaker, tmp_path: Path
):
    file = tmp_path / "trt10.13.3.9-test-gpu-9000-sm9.0.timing"
    assert cache_file(tmp_path, "10.13.3.9", Gpu("Test GPU 9000", "9.0")) == file
    build(small_graph(), timing_cache=tmp_path)
    assert tensorrt.built["cache"] == b""
    assert file.read_bytes() == b"+timed"
    build(small_graph(), timing_cache=tmp_path)
    assert tensorrt.built["cache"] == b"+timed"
    assert file.read_bytes() == b"+timed+timed"


def test_timings_that_do_not_fit_are_started_afresh(
    tensorrt: ModuleType, small_graph: GraphMaker, tmp_path: Path
):
    build(small_graph(), timing_cache=tmp_path)
    tensorrt.will["cache_fits"] = False
    build(small_graph(), timing_cache=tmp_path)
    assert tensorrt.built["cache"] == b""


def test_timings_of_other_processes_are_kept(
    tensorrt: ModuleType, small_graph: GraphMaker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "new" / "trt10.13.3.9-test-gpu-9000-sm9.0.timing"

    def meanwhile(*_: object) -> bytes:
        file.write_bytes(b"theirs")
        return b"plan"

    monkeypatch.setattr(tensorrt.Builder, "build_serialized_network", meanwhile)
    build(small_graph(), timing_cache=tmp_path / "new")  # the folder is made
    assert file.read_bytes() == b"+theirs+timed"


def test_a_folder_for_timings_that_cannot_be_made(
    tensorrt: ModuleType, small_graph: GraphMaker, tmp_path: Path
):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: cannot be written into"):
        build(small_graph(), timing_cache=tmp_path / "file" / "timings")
    assert not tensorrt.built  # told before the work


def test_a_missing_lean_runtime(
    tensorrt: ModuleType, small_graph: GraphMaker, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "tensorrt_lean_libs", None)
    with pytest.raises(UserError, match=r"lean runtime.*\.\[tensorrt-lean\]"):
        build(small_graph(), version_compatible=True)


def test_an_old_tensorrt(tensorrt: ModuleType, small_graph: GraphMaker):
    tensorrt.__version__ = "10.11.0.33"
    with pytest.raises(UserError, match=r"10\.11\.0\.33.*10\.12"):
        build(small_graph())


@pytest.mark.skipif(torch.cuda.is_available(), reason="shows what happens without a GPU")
def test_no_gpu(tensorrt: ModuleType, small_graph: GraphMaker, monkeypatch: pytest.MonkeyPatch):
    module = importlib.import_module("amesh.deploy.tensorrt.plan")
    monkeypatch.setattr(module, "gpu", library.gpu)
    with pytest.raises(UserError, match=r"needs an NVIDIA GPU.*sees no GPU"):
        build(small_graph())


def test_a_picture_has_profiles_of_its_own(small_graph: GraphMaker):
    model = small_graph()
    model.graph.input[0].name = model.graph.node[0].input[0] = "rois"
    del model.graph.input[0].type.tensor_type.shape.dim[2:]
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 4
    picture = onnx.helper.make_tensor_value_info(
        "picture", onnx.TensorProto.UINT8, ["height", "width", 3]
    )
    model.graph.input.insert(0, picture)
    graph = readiness.check(model)
    assert graph.cuts_crops
    assert input_shapes(graph, Batches(1, 2, 4)) == {
        "picture": [[32, 32, 3], [1080, 1920, 3], [4320, 7680, 3]],
        "rois": [[1, 4], [2, 4], [4, 4]],
    }
    line = trtexec(Path("a.onnx"), Path("c"), graph, BuildOptions(batches=Batches(1, 2, 4)))
    assert "--optShapes=picture:1080x1920x3,rois:2x4 " in line


def test_the_line_for_trtexec(small_graph: GraphMaker, tmp_path: Path):
    graph = readiness.check(small_graph())
    options = BuildOptions(
        batches=Batches(1, 2, 4), hardware="capability", version_compatible=True, strip_weights=True
    )
    line = trtexec(Path("a b.onnx"), Path("c.engine"), graph, options)
    assert line == (
        "trtexec '--onnx=a b.onnx' --saveEngine=c.engine --stronglyTyped --noTF32 "
        "--profile=0 --minShapes=image:1x3x64x64 --optShapes=image:2x3x64x64 "
        "--maxShapes=image:4x3x64x64 --profile=1 --minShapes=image:1x3x64x64 "
        "--optShapes=image:1x3x64x64 --maxShapes=image:1x3x64x64 --builderOptimizationLevel=3 "
        "--memPoolSize=workspace:1024M --profilingVerbosity=detailed "
        "--hardwareCompatibilityLevel=sameComputeCapability --versionCompatible --stripWeights "
        "--skipInference"
    )
    fixed = trtexec(
        Path("a.onnx"), Path("c"), readiness.check(small_graph(batch=1)), BuildOptions()
    )
    assert "Shapes" not in fixed
    for gone in ("--fp16", "--int8", "--best"):
        assert gone not in line
