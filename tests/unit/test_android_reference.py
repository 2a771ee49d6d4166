"""The numbers that docs/android gives to other implementations are ours, and right."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "android"
STORED = json.loads((FOLDER / "reference.json").read_text())


def test_the_stored_numbers_are_what_the_package_computes():
    spec = importlib.util.spec_from_file_location("reference", FOLDER / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.reference()
    assert [face["name"] for face in found] == [face["name"] for face in STORED]
    for ours, stored in zip(found, STORED, strict=True):
        np.testing.assert_allclose(ours["image_from_crop"], stored["image_from_crop"], atol=1e-5)
        for mine, pixel in zip(ours["crop_pixels"], stored["crop_pixels"], strict=True):
            np.testing.assert_allclose(mine["rgb"], pixel["rgb"], atol=0.05)


@pytest.mark.parametrize("face", STORED, ids=lambda face: face["name"])
def test_a_pixel_is_where_the_matrix_says(face: dict):
    """The formula's red and green are the pixel's own indices: half a pixel below coordinates."""
    matrix = np.array(face["image_from_crop"])
    for pixel in face["crop_pixels"]:
        x, y = matrix @ [pixel["column"] + 0.5, pixel["row"] + 0.5, 1]
        np.testing.assert_allclose(pixel["rgb"][:2], [(x - 0.5) % 256, (y - 0.5) % 256], atol=0.05)
