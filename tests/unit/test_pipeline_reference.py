"""The numbers that docs/pipeline gives to other implementations are ours, and right."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from amesh.blazeface.config import DetectorConfig

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pipeline"
STORED = json.loads((FOLDER / "reference.json").read_text())


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", FOLDER / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stored_crops_are_what_the_package_computes(script: ModuleType):
    found = script.crops()
    assert [face["name"] for face in found] == [face["name"] for face in STORED["crops"]]
    for ours, stored in zip(found, STORED["crops"], strict=True):
        np.testing.assert_allclose(ours["image_from_crop"], stored["image_from_crop"], atol=1e-5)
        for mine, pixel in zip(ours["crop_pixels"], stored["crop_pixels"], strict=True):
            np.testing.assert_allclose(mine["rgb"], pixel["rgb"], atol=0.05)


@pytest.mark.parametrize("face", STORED["crops"], ids=lambda face: face["name"])
def test_a_pixel_is_where_the_matrix_says(face: dict):
    """The formula's red and green are the pixel's own indices: half a pixel below coordinates."""
    matrix = np.array(face["image_from_crop"])
    for pixel in face["crop_pixels"]:
        x, y = matrix @ [pixel["column"] + 0.5, pixel["row"] + 0.5, 1]
        np.testing.assert_allclose(pixel["rgb"][:2], [(x - 0.5) % 256, (y - 0.5) % 256], atol=0.05)


def close(found: Any, stored: Any) -> None:
    """Compares nested lists and dictionaries of numbers."""
    if isinstance(stored, dict):
        assert list(found) == list(stored)
        for key, value in stored.items():
            close(found[key], value)
    elif isinstance(stored, list) and stored and isinstance(stored[0], dict):
        assert len(found) == len(stored)
        for mine, theirs in zip(found, stored, strict=True):
            close(mine, theirs)
    elif isinstance(stored, str):
        assert found == stored
    else:
        np.testing.assert_allclose(found, stored, atol=2e-3)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["short", "full"])
def test_the_stored_detections_are_what_the_package_computes(script: ModuleType, name: str):
    close(script.detection(DetectorConfig(name)), STORED["detectors"][name])


@pytest.mark.weights
def test_the_stored_landmarks_are_what_the_package_computes(script: ModuleType):
    close(script.landmarks(), STORED["landmarks"])


@pytest.mark.parametrize("name", ["short", "full"])
def test_the_steps_of_the_page_lead_from_the_raw_values_to_the_region(name: str):
    """Written from docs/pipeline.md alone, without the package."""
    steps = STORED["detectors"][name]

    def anchor(n: int) -> tuple[int, int]:
        if name == "full":
            return 4 * (n % 48) + 2, 4 * (n // 48) + 2
        if n < 512:
            return 8 * (n // 2 % 16) + 4, 8 * (n // 32) + 4
        return 16 * ((n - 512) // 6 % 8) + 8, 16 * ((n - 512) // 48) + 8

    for one in steps["anchors"]:
        assert tuple(one["centre"]) == anchor(one["number"])
    rows, scores = [], []
    for kept in steps["kept"]:
        r, (ax, ay) = kept["raw"], anchor(kept["anchor"])
        x, y, w, h = r[0] + ax, r[1] + ay, r[2], r[3]
        row = [x - w / 2, y - h / 2, x + w / 2, y + h / 2]
        for k in range(6):
            row += [r[4 + 2 * k] + ax, r[5 + 2 * k] + ay]
        score = 1 / (1 + np.exp(-kept["logit"]))
        assert score >= {"short": 0.5, "full": 0.6}[name]
        np.testing.assert_allclose(row, kept["row"], atol=1e-4)
        np.testing.assert_allclose(score, kept["score"], atol=1e-5)
        rows.append(row)
        scores.append(score)
    # All of them overlap the best one here.
    merged = np.array(scores) @ np.array(rows) / sum(scores)
    np.testing.assert_allclose(merged, steps["merged"]["row"], atol=1e-4)
    assert steps["merged"]["score"] == pytest.approx(max(scores), abs=1e-5)
    width, height = steps["picture"]
    longer, side = max(width, height), {"short": 128, "full": 192}[name]
    corner = np.array([(width - longer) / 2, (height - longer) / 2])
    points = merged.reshape(8, 2) * longer / side + corner
    np.testing.assert_allclose(points[:2].ravel(), steps["box"], atol=1e-3)
    np.testing.assert_allclose(points[2:], steps["keypoints"], atol=1e-3)
    region = steps["roi"]
    np.testing.assert_allclose(points[:2].mean(axis=0), region["centre"], atol=1e-3)
    assert region["side"] == pytest.approx(1.5 * (points[1] - points[0]).max(), abs=1e-3)
    right, down = points[3] - points[2]
    assert region["angle_radians"] == pytest.approx(np.arctan2(down, right), abs=1e-5)
