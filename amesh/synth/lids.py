"""Eyelids: which landmarks move with them, and how far they are closed.

Closed lids meet exactly.
"""

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from amesh.data import random
from amesh.data.augment.closure import Closure, draw_closure
from amesh.synth.config import SynthConfig
from amesh.synth.eyes import BALL, IRIS, Eyes
from amesh.topology import Topology
from amesh.topology.lids import Lids as Borders
from amesh.topology.lids import eye_lids

_THICK = 0.012  # thickness of a lid


class Lids(nn.Module):
    """Moves eyelids over the eyeballs, and the skin around them."""

    upper_share: Tensor
    lower_share: Tensor
    upper: Tensor
    lower: Tensor
    around: Tensor
    corners: Tensor

    def __init__(self, topology: Topology) -> None:
        super().__init__()
        lids = eye_lids(topology)
        for name, value in {
            "upper": np.array([lid.upper for lid in lids]),
            "lower": np.array([lid.lower for lid in lids]),
            "around": np.array([list(iris.z_from) for iris in topology.irises]),
            "corners": np.array([lid.corners for lid in lids]),
        }.items():
            self.register_buffer(name, torch.from_numpy(value), persistent=False)
        for name, is_upper in (("upper_share", True), ("lower_share", False)):
            shares = np.stack([_shares(topology.template, lid, is_upper) for lid in lids])
            self.register_buffer(name, torch.tensor(shares, dtype=torch.float32), persistent=False)

    def place(self, face: Float[Tensor, "b n 3"], key: Int64[Tensor, " b"]) -> Eyes:
        """Places eyeballs behind the openings, looking straight ahead."""
        size = 1.0 + 0.05 * random.bell(key, "eyeballs", [2])
        radius, iris = BALL * size[:, 0], IRIS * size[:, 1]
        around = face[:, self.around]  # b 2 16 3
        middle = slice(2, -2)
        lids = [face[:, side[:, middle]][..., 2].mean(2) for side in (self.upper, self.lower)]
        depth = (lids[0] + lids[1]) / 2 + radius[:, None] - 0.012
        centre = torch.cat([around[..., :2].mean(2), depth[..., None]], -1)
        axes = torch.eye(3, device=face.device) * face.new_tensor([1.0, -1.0, -1.0])
        return Eyes(centre, radius, iris, axes.expand(len(face), 2, 3, 3))

    def close(
        self, face: Float[Tensor, "b n 3"], eyes: Eyes, closure: Closure
    ) -> Float[Tensor, "b n 3"]:
        """Raises the lower lids, and lowers the upper ones towards them.

        Args:
            face: Landmarks.
            eyes: Eyeballs from `place`.
            closure: How far.
        """
        upper, lower = face[:, self.upper], face[:, self.lower]  # b 2 7 3
        raised = _slide(lower, upper, eyes, closure.raised)
        lowered = _slide(upper, raised, eyes, closure.amount)
        change = _spread(self.upper_share, lowered - upper)
        return face + change + _spread(self.lower_share, raised - lower)


def draw_lids(key: Int64[Tensor, " b"], config: SynthConfig, pitch: Float[Tensor, " b"]) -> Closure:
    """Draws how far the eyes are closed.

    Args:
        key: Keys of the samples.
        config: `closed` and `lids` are probabilities.
        pitch: How far the eyes look up [radians]; upper lids follow eyes that look down.
    """
    draw = random.uniform(key, "eyes", [4])
    shut = (draw[:, 1] < config.closed).float()
    half = (draw[:, 1] > 1 - config.closed / 2).float()
    wink = nn.functional.one_hot((draw[:, 3] * 4).long().clamp(max=3), 4)[:, :2]
    amount = (0.7 * (-pitch[:, None]).clamp(min=0)).expand(-1, 2)
    amount = torch.maximum(amount, half[:, None] * (draw[:, 2:3] + wink).clamp(max=1))
    amount = torch.maximum(amount, shut[:, None].expand(-1, 2))
    free = draw_closure(key, config.lids)
    return Closure(free.chosen, torch.where(free.chosen, free.amount, amount), free.raised)


def _slide(
    moving: Float[Tensor, "b 2 k 3"],
    still: Float[Tensor, "b 2 k 3"],
    eyes: Eyes,
    amount: Float[Tensor, "b 2"],
) -> Float[Tensor, "b 2 k 3"]:
    """Moves the edge of a lid towards the other one, around the eyeball."""
    target = torch.lerp(moving, still, amount[..., None, None])
    arm = target - eyes.centre[:, :, None]
    length = arm.norm(dim=-1, keepdim=True)
    least = (eyes.radius + _THICK)[:, None, None, None]
    pushed = eyes.centre[:, :, None] + arm * (least / length).clamp(min=1.0)
    # Keeps the eyeball behind a moving lid, and leaves an open lid where it is.
    return torch.lerp(target, pushed, (4 * amount * (1 - amount)).clamp(0, 1)[..., None, None])


def _spread(
    share: Float[Tensor, "2 n k"], moved: Float[Tensor, "b 2 k 3"]
) -> Float[Tensor, "b n 3"]:
    """Moves all landmarks with the edges of lids."""
    return (share[None, :, :, :, None] * moved[:, :, None]).sum((1, 3))


def _shares(
    template: Float[np.ndarray, "n 3"], lid: Borders, is_upper: bool
) -> Float[np.ndarray, "n k"]:
    """How far each landmark moves with each one of a lid's edge: less, further from the eye."""
    edge, other = (lid.upper, lid.lower) if is_upper else (lid.lower, lid.upper)
    corners = template[list(lid.corners)]
    level, x = corners[:, 1].mean(), corners[:, 0]
    between = (template[:, 0] > x.min()) & (template[:, 0] < x.max())
    beyond = template[:, 1] < level if is_upper else template[:, 1] > level
    moves = between & beyond & (template[:, 2] < 0.1)
    moves[[*lid.corners, *other]] = False
    gap = np.linalg.norm((template[:, None] - template[None, list(edge)])[..., :2], axis=-1)
    nearest = np.exp(-((gap / 0.035) ** 2))
    nearest /= nearest.sum(1, keepdims=True).clip(1e-9)
    fade = np.exp(-((gap.min(1) / 0.07) ** 2)) * moves
    shares = nearest * fade[:, None]
    shares[list(edge)] = np.eye(len(edge))
    return np.asarray(shares)
