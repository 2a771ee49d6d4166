"""The examples in docstrings run, and what people call first has one."""

import doctest
import inspect
import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

import amesh
from amesh.topology import load

ROOT = Path(amesh.__file__).parent
FILES = sorted(file for file in ROOT.rglob("*.py") if ">>> " in file.read_text(encoding="utf-8"))
MODULES = [".".join(("amesh", *file.relative_to(ROOT).with_suffix("").parts)) for file in FILES]
# Examples that find faces need the detectors, which come with `amesh weights import`.
NEED_WEIGHTS = {
    "amesh.effects.blendshapes.Blendshapes",
    "amesh.face_mesh.FaceMesh",
    "amesh.pipeline.face_pipeline.FacePipeline.map",
    *(f"amesh.face_tracker.{name}" for name in ("FaceTracker", "Frame", "track")),
}
# Nobody calls these first.
NOT_FIRST = {"Eyes", "MeshOutput", "Pose", "RegionConfig", "UserError"}
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


def examples() -> list[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    found = [test for name in MODULES for test in finder.find(import_module(name), name)]
    return [test for test in found if test.examples]


EXAMPLES = examples()


@pytest.fixture
def workplace(tmp_path: Path, astronaut: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the examples name: a picture, and a manifest of its face."""
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        Image.fromarray(astronaut).save(tmp_path / name, quality=95)
    face = {
        "image": "photo.jpg",
        "source": "example",
        "licence": "public domain",
        "scheme": "face478",
        "coordinates": "corner",
        "points": (load().template * 90 + (225, 115, 0)).tolist(),
    }
    (tmp_path / "landmarks.jsonl").write_text(json.dumps(face) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(
            test, id=test.name, marks=[pytest.mark.weights] if test.name in NEED_WEIGHTS else []
        )
        for test in EXAMPLES
    ],
)
def test_examples_in_docstrings_run(
    example: doctest.DocTest, workplace: Path, astronaut: np.ndarray
) -> None:
    if "clip.mp4" in (example.docstring or ""):
        pytest.importorskip("av", reason="needs PyAV: pip install '.[video]'")
        write_clip(workplace / "clip.mp4", [astronaut] * 3)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)
    assert result.attempted
    assert not result.failed, "".join(said)


@pytest.mark.parametrize("name", amesh.__all__)
def test_public_names_have_an_example(name: str) -> None:
    if name in NOT_FIRST:
        return
    assert ">>> " in (inspect.getdoc(getattr(amesh, name)) or "")
