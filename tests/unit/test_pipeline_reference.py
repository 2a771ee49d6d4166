"""The numbers that docs/pipeline gives to other implementations are ours, and right."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
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


@pytest.mark.parametrize("part", ["more_crops", "suppression", "profiles", "smoothing"])
def test_the_other_stored_numbers_are_what_the_package_computes(script: ModuleType, part: str):
    # OpenCV 4 cuts at multiples of 1/32 px.
    tolerance = 0.05 if part == "more_crops" and cv2.__version__ < "5" else 2e-3
    close(json.loads(json.dumps(getattr(script, part)())), STORED[part], tolerance)


@pytest.mark.parametrize(
    "face", [*STORED["crops"], STORED["more_crops"][0]], ids=lambda face: face["name"]
)
def test_a_pixel_is_where_the_matrix_says(face: dict):
    """The formula's red and green are the pixel's own indices: half a pixel below coordinates."""
    matrix = np.array(face["image_from_crop"])
    for pixel in face["crop_pixels"]:
        x, y = matrix @ [pixel["column"] + 0.5, pixel["row"] + 0.5, 1]
        np.testing.assert_allclose(pixel["rgb"][:2], [(x - 0.5) % 256, (y - 0.5) % 256], atol=0.05)


def test_pixels_beyond_the_edge_are_black_and_blend_over_the_last_half_pixel():
    left, edge, inside, below = STORED["more_crops"][1]["crop_pixels"]
    assert left["rgb"] == [0, 0, 0]
    # A quarter of column 0, whose red is 0, at rows 57 and 58 in halves.
    np.testing.assert_allclose(edge["rgb"], [0, 58 / 4, 58 / 4], atol=0.01)
    np.testing.assert_allclose(inside["rgb"], [0.25, 58, 58.25], atol=0.01)
    np.testing.assert_allclose(below["rgb"], [38.25, 91, 129.25], atol=0.01)


def test_suppression_follows_the_page():
    """Written from docs/pipeline.md alone, without the package."""
    given = STORED["suppression"]
    rows = sorted(zip(given["scores"], given["rows"], strict=True), reverse=True)

    def apart(one: list[float], other: list[float]) -> bool:
        w = max(0, min(one[2], other[2]) - max(one[0], other[0]))
        h = max(0, min(one[3], other[3]) - max(one[1], other[1]))
        area = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
        return w * h <= given["overlap"] * (sum(area) - w * h)

    found = []
    while rows:
        best = rows[0]
        same = [row for row in rows if row is best or not apart(best[1], row[1])]
        rows = [row for row in rows if row not in same]
        scores = np.array([score for score, _ in same])
        found.append((scores @ np.array([row for _, row in same]) / scores.sum(), best[0]))
    assert len(found) == 4
    for (row, score), stored in zip(found, given["merged"], strict=True):
        np.testing.assert_allclose(row, stored["row"], atol=1e-4)
        assert score == pytest.approx(stored["score"], abs=1e-6)


def test_smoothing_follows_the_page():
    """Written from docs/pipeline.md alone, without the package."""
    frames = STORED["smoothing"]["frames"]
    for given in STORED["smoothing"]["filters"]:
        last = None
        for frame, stored in zip(frames, given["landmarks"], strict=True):
            raw = np.array(frame["landmarks"])
            if last is None or abs(frame["time"] - last) > 0.5:
                before, smooth, speed = raw, raw, np.zeros_like(raw)
                last = frame["time"]
            elif frame["time"] > last:
                step = frame["time"] - last

                def weight(cutoff: Any, step: float = step) -> Any:
                    return 1 / (1 + 1 / (2 * np.pi * cutoff * step))

                size = ((raw.max(0) - raw.min(0))[:2]).sum() / 2
                change = (raw - before) / size / step
                speed = speed + weight(given["derivative_cutoff"]) * (change - speed)
                cutoff = given["min_cutoff"] + given["beta"] * np.abs(speed)
                smooth = smooth + weight(cutoff) * (raw - smooth)
                before, last = raw, frame["time"]
            np.testing.assert_allclose(smooth, stored, atol=1e-5)


def test_regions_of_faces_in_profile_follow_the_page():
    """Written from docs/pipeline.md alone, without the package."""
    for face in STORED["profiles"]:
        eyes, midline = np.array(face["eyes"]), np.array(face["midline"])
        (across_x, across_y), (down_x, down_y) = eyes[1] - eyes[0], midline[1] - midline[0]
        width = np.hypot(across_x, across_y) / np.hypot(down_x, down_y)
        share = np.clip((0.56 - width / 0.5313) / 0.28, 0, 1)
        across = np.array([across_x, across_y]) / np.hypot(across_x, across_y)
        level = np.array([down_y, -down_x]) / np.hypot(down_x, down_y)
        x, y = (1 - share) * across + share * level
        assert face["roi"]["angle_radians"] == pytest.approx(np.arctan2(y, x), abs=1e-4)


def close(found: Any, stored: Any, tolerance: float = 2e-3) -> None:
    """Compares nested lists and dictionaries of numbers."""
    if isinstance(stored, dict):
        assert list(found) == list(stored)
        for key, value in stored.items():
            close(found[key], value, tolerance)
    elif isinstance(stored, list) and stored and isinstance(stored[0], dict):
        assert len(found) == len(stored)
        for mine, theirs in zip(found, stored, strict=True):
            close(mine, theirs, tolerance)
    elif isinstance(stored, str):
        assert found == stored
    else:
        np.testing.assert_allclose(found, stored, atol=tolerance)


@pytest.mark.weights
@pytest.mark.parametrize("name", ["short", "full"])
def test_the_stored_detections_are_what_the_package_computes(script: ModuleType, name: str):
    close(script.detection(DetectorConfig(name)), STORED["detectors"][name])


@pytest.mark.weights
def test_the_stored_landmarks_are_what_the_package_computes(script: ModuleType):
    close(json.loads(json.dumps(script.landmarks())), STORED["landmarks"])


def test_the_numbers_of_the_swift_file_are_those_of_the_reference():
    text = (FOLDER.parents[1] / "deploy" / "swift" / "Amesh.swift").read_text()
    check = re.sub(r"//.*", "", text[text.index("func check()") :])
    stored = set(re.findall(r"-?\d+\.\d{3,}", json.dumps(STORED)))
    numbers = set(re.findall(r"-?\d+\.\d{3,}", check))
    assert len(numbers) > 20
    assert numbers <= stored


def test_the_region_of_the_next_frame_is_around_all_landmarks():
    stored = STORED["landmarks"]
    points = np.array(stored["all"])[:, :2]
    low, high = points.min(0), points.max(0)
    np.testing.assert_allclose(stored["next_roi"]["centre"], (low + high) / 2, atol=2e-3)
    assert stored["next_roi"]["side"] == pytest.approx(1.5 * (high - low).max(), abs=3e-3)
    right, down = points[263] - points[33]
    assert stored["next_roi"]["angle_radians"] == pytest.approx(np.arctan2(down, right), abs=1e-4)


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
