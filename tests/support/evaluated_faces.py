"""Synthetic faces: the mean face rotated, scaled and shifted, with labels taken from it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from amesh.data.sources.labelled_face import LabelledFace
from amesh.evaluation.scores import Scores
from amesh.geometry.roi import Roi
from amesh.pipeline.face_pipeline import Face
from amesh.topology.scheme import Topology, load


class Finder:
    """A network that knows where the face is, but is `off` pixels too far to the right.

    The red value of the top-left pixel says how far down the face lies; blue pictures have none.
    """

    def __init__(self, face: np.ndarray, off: float) -> None:
        self.face = face + np.array([off, 0, 0])
        self.rois: list[Roi] = []

    def __call__(self, image: np.ndarray, rois: Roi | None = None) -> list[Face]:
        red, _, blue = image[0, 0].tolist()
        found = (self.face + np.array([0, red, 0])).astype(np.float32)
        if rois is not None:
            self.rois.append(rois)
            # Each region gives a different face, so that they cannot be confused.
            down = np.array([0, 1, 0], dtype=np.float32)
            score = 1.0 - blue / 255
            return [Face(i, score, found + i * down, rois) for i in range(len(rois.size))]
        return [] if blue else [Face(0, 1.0, found, Roi(*[None] * 3))]  # type: ignore[arg-type]


def scores_of(*errors: float) -> Scores:
    """Scores of faces by one measure, `lips`; predictions lie right of and above their labels."""
    found = np.array(errors)
    labelled = {"lips": np.ones(len(found), dtype=bool)}
    offsets = np.stack([found, -2 * found], axis=-1)
    return Scores(
        ~np.isnan(found), {"lips": found}, labelled, offsets, np.full((len(found), 3), np.nan)
    )


def cells(text: str) -> list[list[str]]:
    """The cells of all Markdown tables in a text, line by line."""
    lines = [line.replace(r"\|", "/") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.fixture(scope="session")
def topology() -> Topology:
    return load()


@pytest.fixture
def pose(topology: Topology) -> Callable[..., np.ndarray]:
    """A face in a picture: yaw, pitch and roll [degrees], eye distance [px], centre [px]."""

    def make(
        yaw: float = 0.0,
        pitch: float = 0.0,
        roll: float = 0.0,
        size: float = 60.0,
        centre: tuple[float, float] = (100.0, 90.0),
    ) -> np.ndarray:
        a, b, c = np.deg2rad([yaw, pitch, roll])
        about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
        about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
        about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
        turned = topology.template @ (about_z @ about_x @ about_y).T
        return size * turned + np.array([*centre, 0.0])

    return make


@pytest.fixture
def label(topology: Topology) -> Callable[..., LabelledFace]:
    """A label in the 68-point scheme, taken from a face without error."""

    def make(face: np.ndarray, image: str = "a.jpg", **changes: object) -> LabelledFace:
        known = {
            "picture": Path(image),
            "source": "helen",
            "licence": "CC0",
            "scheme": "ibug68",
            "points": topology.map_points(face[:, :2], "ibug68"),
            "key": f"{image}#1",
            "where": "labels.jsonl, line 1",
        }
        return LabelledFace(**(known | changes))  # type: ignore[arg-type]

    return make
