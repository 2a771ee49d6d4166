"""Strong expressions of the mouth: pursed, rolled, wide open and others.

The shapes are ICT-FaceKit's (MIT, USC Institute for Creative Technologies), under its names, read
at the landmarks and scaled to the frame of the topology's template.
"""

import io
from importlib import resources
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random
from amesh.synth.controls import NAMES
from amesh.topology import Topology
from amesh.topology.lids import lips_inside

# The expressions, each of shapes that act together.
_EXPRESSIONS = (
    ("mouthPucker",),
    ("mouthPucker", "cheekPuff_L", "cheekPuff_R"),
    ("mouthFunnel",),
    ("mouthRollLower", "mouthRollUpper"),
    ("mouthRollLower",),
    ("mouthRollUpper",),
    ("mouthPress_L", "mouthPress_R"),
    ("jawOpen",),
    ("jawOpen", "mouthStretch_L", "mouthStretch_R"),
    ("jawOpen", "mouthFunnel"),
    ("mouthShrugLower", "mouthShrugUpper"),
    ("cheekPuff_L", "cheekPuff_R"),
    ("mouthSmile_L", "mouthSmile_R"),
    ("mouthDimple_L", "mouthDimple_R"),
    ("mouthFrown_L", "mouthFrown_R"),
    ("mouthLowerDown_L", "mouthLowerDown_R", "mouthUpperUp_L", "mouthUpperUp_R"),
    ("noseSneer_L", "noseSneer_R", "mouthUpperUp_L", "mouthUpperUp_R"),
    ("mouthLeft", "jawLeft"),
    ("mouthRight", "jawRight"),
    ("jawForward",),
)
# The controls that they replace: not those of eyes and brows, nor how thick the lips are.
_LIPS = tuple(NAMES.index(name) for name in NAMES if name.startswith(("mouth", "lip", "jaw")))
_OPEN = NAMES.index("mouth_open")


class Strengths(NamedTuple):
    """The expressions of a batch.

    Attributes:
        chosen: (b, 1) bool: the face has a strong expression.
        shapes: (b, k) strength of each shape.
    """

    chosen: Tensor
    shapes: Float[Tensor, "b k"]


class Expressions(nn.Module):
    """Draws strong expressions of the mouth and applies them.

    Attributes:
        names: ICT-FaceKit's names of the shapes.
    """

    effects: Tensor
    members: Tensor
    upper: Tensor
    lower: Tensor

    def __init__(self, topology: Topology) -> None:
        super().__init__()
        file = resources.files("amesh.synth") / "expressions.npz"
        with np.load(io.BytesIO(file.read_bytes()), allow_pickle=False) as data:
            self.names, effects = data["names"].tolist(), data["effects"]
        members = [[float(name in shapes) for name in self.names] for shapes in _EXPRESSIONS]
        inside = lips_inside(topology)
        for name, value in {
            "effects": torch.tensor(effects, dtype=torch.float32),
            "members": torch.tensor(members),
            "upper": torch.tensor(inside.upper),
            "lower": torch.tensor(inside.lower),
        }.items():
            self.register_buffer(name, value, persistent=False)

    def draw(self, key: Int64[Tensor, " b"], chance: float) -> Strengths:
        """Draws two expressions for each face, a strong one and a weaker one.

        Args:
            key: Keys of the samples.
            chance: Probability that a face has them.
        """
        draw = random.uniform(key, "strong expression", [5])
        chosen = draw[:, :1] < chance
        count = len(self.members)
        which = (draw[:, 1:3] * count).long().clamp(max=count - 1)
        strength = torch.stack([0.4 + 0.6 * draw[:, 3], 0.6 * draw[:, 4]], 1) * chosen
        shapes = (strength[..., None] * self.members[which]).sum(1)
        # No face is symmetric.
        sides = 1.0 - 0.4 * random.uniform(key, "sides of the expression", [shapes.shape[1]])
        return Strengths(chosen, shapes.clamp(max=1.0) * sides)

    def relax(
        self,
        controls: Float[Tensor, "b k"],
        mean: Float[Tensor, " k"],
        strengths: Strengths,
    ) -> Float[Tensor, "b k"]:
        """Replaces the controls of the mouth by those of a mouth at rest.

        Args:
            controls: Controls; see `amesh.synth.controls`.
            mean: Those of the average face.
            strengths: Which faces have a strong expression.
        """
        rest = controls.clone()
        rest[:, list(_LIPS)] = mean[list(_LIPS)]
        rest[:, _OPEN] = 0.0
        return torch.where(strengths.chosen, rest, controls)

    def forward(self, face: Float[Tensor, "b n 3"], strengths: Strengths) -> Float[Tensor, "b n 3"]:
        """Adds the shapes to frontal faces; where lips would cross, they meet.

        Args:
            face: Landmarks in the template's frame.
            strengths: From `draw`.
        """
        moved = face + (strengths.shapes[:, :, None, None] * self.effects).sum(1)
        upper, lower = moved[:, self.upper], moved[:, self.lower]
        overlap = (upper[..., 1] - lower[..., 1]).clamp(min=0) / 2 * strengths.chosen
        upper[..., 1] -= overlap
        lower[..., 1] += overlap
        moved[:, self.upper], moved[:, self.lower] = upper, lower
        return moved
