"""The pictures and index maps in docs/face are what the script writes from the topology."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from amesh.topology import Topology, load

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "face"


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", FOLDER / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load()


@pytest.fixture(scope="module")
def written(draw: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("face")
    draw.write(folder)
    return folder


@pytest.mark.parametrize("name", ["README.md", "landmarks.svg", "parts.svg"])
def test_committed_texts_are_current(written: Path, name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == (written / name).read_text("utf-8")


@pytest.mark.parametrize("name", ["landmarks.png", "parts.png"])
def test_committed_pictures_are_current(written: Path, name: str) -> None:
    stored, made = (
        np.asarray(Image.open(folder / name).convert("RGB"), dtype=np.float64)
        for folder in (FOLDER, written)
    )
    assert stored.shape == made.shape
    assert np.abs(stored - made).mean() < 0.1  # another version of FreeType moves some pixels


def test_every_landmark_has_its_number_once(draw: ModuleType, topology: Topology) -> None:
    texts = [text for _, _, text, _, _ in draw.landmarks(topology).texts]
    assert sorted(map(int, texts)) == list(range(topology.points))


def test_numbers_stand_at_their_landmarks_and_never_overlap(
    draw: ModuleType, topology: Topology
) -> None:
    drawing = draw.landmarks(topology)
    boxes = []
    for (x, y, _, _), (text_x, text_y, text, size, _) in zip(
        drawing.dots, drawing.texts, strict=True
    ):
        half = (0.3 * size * len(text), 0.42 * size)
        assert np.hypot(text_x - x, text_y - y) < 4 * size
        boxes.append((text_x - half[0], text_y - half[1], text_x + half[0], text_y + half[1]))
        assert boxes[-1][0] > 0
        assert boxes[-1][2] < drawing.width
    left, top, right, bottom = np.array(boxes).T
    meets = (left[:, None] < right - 1e-9) & (left < right[:, None] - 1e-9)
    meets &= (top[:, None] < bottom - 1e-9) & (top < bottom[:, None] - 1e-9)
    np.fill_diagonal(meets, False)
    assert not meets.any()


def test_the_page_lists_every_contour_and_region(draw: ModuleType, topology: Topology) -> None:
    assert set(draw.PARTS) == {*topology.contours, *(iris.name for iris in topology.irises)}
    page = draw.index_maps(topology)
    for region in topology.regions:
        assert f"### {region.name} (region)" in page
