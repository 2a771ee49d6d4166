import io
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from amesh.data.sources.labelled_face import LabelledFace
from amesh.profiling.head import HeadFitter
from amesh.synth import faces as synthesis
from amesh.synth.config import SynthConfig
from amesh.synth.faces import SyntheticFaces
from amesh.synth.pose import Pose, draw_pose, rotation
from amesh.topology import Topology, load

BARE = SynthConfig(
    hand=0, mask=0, glasses=0, noise=0, blur=0, fov=(10, 10), shift=0, face=(0.5, 0.5), closed=0
)


class Rendered(NamedTuple):
    """A synthetic face in a pose: its picture, landmarks and visibility."""

    pixels: np.ndarray
    points: np.ndarray
    visibility: np.ndarray


@pytest.fixture(scope="session")
def topology() -> Topology:
    return load()


@pytest.fixture(scope="session")
def fitter(topology: Topology) -> HeadFitter:
    return HeadFitter(topology)


@pytest.fixture(scope="session")
def render(topology: Topology) -> Callable[..., Rendered]:
    """Draws synthetic face `number` of 160 px, turned by `yaw`. The same face at each yaw."""
    faces = SyntheticFaces(topology, 160, BARE)

    def draw(number: int, yaw: float) -> Rendered:
        def posed(key: torch.Tensor, config: SynthConfig) -> Pose:
            turn = rotation(torch.tensor([[yaw, 5.0, 0.0]]).deg2rad())
            return draw_pose(key, config)._replace(head=turn, body=turn)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(synthesis, "draw_pose", posed)
            canvas = faces(3, 0, torch.tensor([number]))
        pixels = canvas.pictures[0].permute(1, 2, 0).numpy()
        return Rendered(pixels, canvas.landmarks[0].numpy(), canvas.visibility[0].numpy())

    return draw


@pytest.fixture(scope="session")
def face(render: Callable[..., Rendered]) -> Callable[..., LabelledFace]:
    """A labelled face: synthetic face `number`, its picture in memory."""
    made = {n: render(n, 4.0 * (n - 1)) for n in range(3)}

    def make(number: int = 0, **changes: object) -> LabelledFace:
        pixels, points, _ = made[number % 3]
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        known = LabelledFace(
            picture=file.getvalue(),
            source="ours",
            key=f"face {number}.png",
            where=f"face {number}",
            scheme="face478",
            points=points,
            licence="CC0-1.0",
        )
        return replace(known, **changes)  # type: ignore[arg-type]

    return make
