"""The package as a whole: what importing it costs, its version, and where its tests are."""

import importlib.metadata
import re
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    *("ai_edge_litert", "cv2", "kornia", "lightning", "mediapipe", "onnx", "onnxruntime"),
    *("onnxscript", "pytorch_lightning", "tensorrt", "tflite", "wandb"),
}


def modules_after(run_python: Callable[[str], str], statement: str) -> set[str]:
    path = f"import sys; sys.path.insert(0, {str(ROOT)!r})"
    printed = run_python(f"{path}\n{statement}\nprint('LOADED', *sorted(sys.modules))")
    loaded = printed.rsplit("LOADED", 1)[1].split()
    return {name.partition(".")[0] for name in loaded}


def test_import_brings_no_optional_or_heavy_package(run_python: Callable[[str], str]) -> None:
    loaded = modules_after(run_python, "import amesh")
    assert "amesh" in loaded
    assert not loaded & HEAVY


def test_network_needs_neither_lightning_nor_a_runtime(run_python: Callable[[str], str]) -> None:
    loaded = modules_after(run_python, "from amesh import AttentionMesh, MeshConfig, load")
    assert "torch" in loaded
    assert not loaded & (HEAVY - {"kornia"})


def test_public_names_exist() -> None:
    import amesh

    assert amesh.__all__
    for name in amesh.__all__:
        assert getattr(amesh, name) is not None


def test_unknown_name_is_an_attribute_error() -> None:
    import amesh

    with pytest.raises(AttributeError, match="no_such_name"):
        amesh.no_such_name  # noqa: B018


def test_version_is_that_of_the_installed_distribution() -> None:
    import amesh

    assert importlib.metadata.version("amesh") == amesh.__version__


def test_version_is_the_newest_in_the_changelog() -> None:
    import amesh

    headings = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert amesh.__version__ in headings[:2]  # the first may be the unreleased changes


def test_the_citation_names_this_version() -> None:
    import amesh

    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {amesh.__version__}\n" in citation


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_licence_is_there(name: str) -> None:
    assert "Apache License" in (ROOT / name).read_text()


# What these test is no single module.
NO_MODULE = {
    "deploy/tensorrt/test_recipes.py",  # deploy/trt
    "nn/test_networks.py",  # what the networks have in common
    "test_pipeline_reference.py",  # docs/pipeline
    "test_docstrings.py",
    "test_documents.py",
    "test_numbered_face.py",
    "test_package.py",
    "test_splits.py",  # conf/splits
    "test_web.py",  # web/tools
    "test_weights_recipe.py",  # docs/weights.py
}


def test_unit_tests_mirror_the_package() -> None:
    """A file of tests has the place and the name of what it tests."""
    folder = ROOT / "tests" / "unit"
    found = {path.relative_to(folder) for path in folder.rglob("test_*.py")}
    without = {
        path.as_posix()
        for path in found
        if not (ROOT / "amesh" / path.with_name(path.name.removeprefix("test_"))).is_file()
    }
    assert without == NO_MODULE
