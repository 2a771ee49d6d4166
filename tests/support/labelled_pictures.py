"""Faces on disk: the mean face posed over a smooth picture, with labels taken from it."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import ListSource
from amesh.topology.scheme import Topology, load

Pose = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def topology() -> Topology:
    return load()


@pytest.fixture(scope="session")
def pose(topology: Topology) -> Pose:
    """A face in a picture: yaw, roll [degrees], eye distance [px], centre [px]; (478, 3)."""

    def make(
        yaw: float = 0.0,
        roll: float = 0.0,
        size: float = 30.0,
        centre: tuple[float, float] = (60.0, 50.0),
    ) -> np.ndarray:
        a, c = np.deg2rad([yaw, roll])
        about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        turned = topology.template @ (about_z @ about_y).T
        return (size * turned + np.array([*centre, 0.0])).astype(np.float32)

    return make


def photo(width: int = 120, height: int = 110, seed: int = 0) -> np.ndarray:
    """A smooth picture that looks different everywhere."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (9.0 + 3 * c) + seed) + np.cos(y / (8.0 + 2 * c) - seed) for c in range(3)]
    return (127.5 + 60 * np.stack(waves, axis=2)).clip(0, 255).astype(np.uint8)


def encode(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def close(record: LabelledFace, expected: np.ndarray) -> None:
    np.testing.assert_allclose(record.points, expected, atol=2e-3)
    assert Path(str(record.picture)).is_file()


def write_pts(path: Path, points: np.ndarray, count: int | None = None) -> None:
    save(path.with_suffix(".png"), photo())
    rows = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    path.write_text(f"version: 1\nn_points:  {count or len(points)}\n{{\n{rows}\n}}\n")


@pytest.fixture
def record(pose: Pose) -> Callable[..., LabelledFace]:
    """A face labelled with all 478 points, its picture in memory."""

    def make(seed: int = 0, **changes: object) -> LabelledFace:
        known = {
            "picture": encode(photo(seed=seed)),
            "scheme": "face478",
            "points": pose(roll=3.0 * seed),
            "source": "ours",
            "key": f"face {seed}",
            "where": f"labels.jsonl, line {seed + 1}",
            "licence": "CC0",
        }
        return LabelledFace(**(known | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def source(record: Callable[..., LabelledFace]) -> Callable[..., ListSource]:
    def make(count: int = 6) -> ListSource:
        return ListSource("ours", [record(seed) for seed in range(count)])

    return make
