"""Closes the eyes of pictures: draws the skin above an open eye down over it.

Convention:
    - in the frame of an eye, x runs from 0 at its image-left corner to 1 at the other, and y
      down the face at right angles, in the same unit
    - the edge of the upper lid moves down along y; the skin between it and the brow stretches, and
      covers what the edge passes; the eyeball stays where it is. The lower lid moves up likewise
    - so closed lids meet, and no slit of the eyeball is left between them
"""

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from amesh.data.augment.closure import Closure, iris_weight
from amesh.errors import UserError
from amesh.topology.lids import eye_lids
from amesh.topology.scheme import Topology

# In widths of the eye: how open an eye has to be to be closed, how far below it skin moves, and
# how little of the skin above it may be there to stretch.
_OPEN, _CHEEK, _LEAST = 0.12, 0.4, 0.2
_BROW = 0.9  # of the way to the brow: where the skin that moves begins
_AROUND = 0.6  # and the reach of the skin: farther from the middle of the eye, nothing moves
_OVERLAP = 0.03  # how far closed lids overlap in the picture
_SMALLEST = 10.0  # width of an eye [px]
_TURNED = 0.5  # of the other eye's width: an eye that is narrower is turned away


class Eyes(NamedTuple):
    """The eyes of each picture and how they close, the subject's right eye first.

    Attributes:
        corner: (b, 2, 2) image-left corner [px].
        along: (b, 2, 2) from there to the other corner [px].
        upper: (b, 2, k, 2) x and y of the landmarks on the edge of the upper lid, corners included.
        lower: (b, 2, k, 2) the same of the lower one.
        reach: (b, 2) length of the skin above the edge that moves with it.
        amount: (b, 2) see `Closure`; 0 for eyes that cannot be closed.
        raised: (b, 2).
    """

    corner: Float[Tensor, "b 2 2"]
    along: Float[Tensor, "b 2 2"]
    upper: Float[Tensor, "b 2 k 2"]
    lower: Float[Tensor, "b 2 k 2"]
    reach: Float[Tensor, "b 2"]
    amount: Float[Tensor, "b 2"]
    raised: Float[Tensor, "b 2"]

    @property
    def moving(self) -> Tensor:
        """(b,) bool: whether anything moves."""
        return ((self.amount > 0) | (self.raised > 0)).any(1)

    @property
    def farthest(self) -> Tensor:
        """(b,) how far skin may be drawn at most [px]: from edge to edge of a wide open eye."""
        opening = self.lower[..., 1].amax(-1) - self.upper[..., 1].amin(-1)
        farthest: Tensor = (self.along.norm(dim=-1) * (opening.clamp_min(0) + _OVERLAP)).amax(1)
        return farthest

    def shifted(self, origin: Float[Tensor, "b 2"]) -> "Eyes":
        """The same eyes in a part of the picture that begins at `origin` [px]."""
        return self._replace(corner=self.corner - origin[:, None])


class CloseEyes(nn.Module):
    """Closes eyes in pictures with labelled lids."""

    upper: Tensor
    lower: Tensor
    brows: Tensor
    irises: Tensor

    def __init__(self, topology: Topology) -> None:
        """Finds the lids.

        Raises:
            UserError: The topology has no irises, by which its eyes are known, or no brows.
        """
        super().__init__()
        names = [iris.name.replace("iris", "eyebrow") for iris in topology.irises]
        if len(names) != 2 or any(name not in topology.contours for name in names):
            raise UserError(
                f"augmentation: lids: topology {topology.name} has no two eyes with irises and "
                "eyebrows; leave data.augment.lids at 0"
            )
        lids = eye_lids(topology)
        for name, value in {
            "upper": [[lid.corners[0], *lid.upper, lid.corners[1]] for lid in lids],
            "lower": [[lid.corners[0], *lid.lower, lid.corners[1]] for lid in lids],
            "brows": [topology.contours[name][0] for name in names],
            "irises": [iris.indices for iris in topology.irises],
        }.items():
            self.register_buffer(name, torch.tensor(value), persistent=False)

    def find(
        self,
        landmarks: Float[Tensor, "b n 3"],
        weights: Float[Tensor, "b n"],
        closure: Closure,
    ) -> Eyes:
        """Measures the eyes; those that are labelled, open and in view will close.

        Args:
            landmarks: Landmarks in the pictures [px].
            weights: Their weights; 0 without a label.
            closure: How far the eyes shall close.
        """
        points = landmarks[..., :2]
        corner, other = points[:, self.upper[:, 0]], points[:, self.upper[:, -1]]
        along = other - corner
        upper, lower, brow = (
            _local(points[:, which], corner, along)
            for which in (self.upper, self.lower, self.brows)
        )
        width = along.norm(dim=-1)
        reach = _BROW * (upper[..., 1].mean(-1) - brow[..., 1].mean(-1))
        opening = (lower[..., 1] - upper[..., 1]).mean(-1)
        can = (width > _SMALLEST) & (width > _TURNED * width.flip(1))
        can &= (reach > _LEAST) & (opening > _OPEN)
        for which, edge in ((self.upper, upper), (self.lower, lower)):
            can &= (weights[:, which] > 0).all(-1) & (edge[..., 0].diff(dim=-1) > 0).all(-1)
        amount, raised = (torch.where(can, share, 0.0) for share in closure[1:])
        return Eyes(corner, along, upper, lower, reach, amount, raised)

    def move(self, landmarks: Float[Tensor, "b n 3"], eyes: Eyes) -> Float[Tensor, "b n 3"]:
        """Moves landmarks with the skin; irises stay."""
        x, y = _local(landmarks[:, None, :, :2], eyes.corner, eyes.along).unbind(-1)
        upper, lower, new_upper, new_lower = _edges(eyes, x)
        top, bottom = upper - eyes.reach[..., None], lower + _CHEEK
        above = top + (y - top) * (new_upper - top) / eyes.reach[..., None]
        below = bottom - (bottom - y) * (bottom - new_lower) / _CHEEK
        inside = (x > 0) & (x < 1)
        slack = 1e-4
        on_upper = inside & (y > top) & (y < upper + slack)
        on_lower = inside & (y > lower - slack) & (y < bottom) & ~on_upper
        shift = torch.where(on_upper, above - y, torch.where(on_lower, below - y, 0.0))
        shift[:, :, self.irises.flatten()] = 0.0
        moved = landmarks.clone()
        moved[..., :2] += (shift[..., None] * _down(eyes)).sum(1)
        return moved

    def weigh(self, weights: Float[Tensor, "b n"], eyes: Eyes) -> Float[Tensor, "b n"]:
        """Lowers the weights of irises as lids cover them."""
        found = weights.clone()
        found[:, self.irises] *= iris_weight(eyes.amount)[..., None]
        return found


def sources(places: Float[Tensor, "b m 2"], eyes: Eyes) -> Float[Tensor, "b m 2"]:
    """Returns where in the picture each place of the picture with closed eyes comes from [px]."""
    if len(places) > 1:
        return _sources(places, eyes)
    # Of a single picture, as a CPU takes them, only the few places around the eyes are computed.
    middle, width = eyes.corner + eyes.along / 2, eyes.along.norm(dim=-1)
    far = (width * (eyes.reach + _AROUND))[..., None]
    left, top = (middle - far).amin(1)[0]
    right, bottom = (middle + far).amax(1)[0]
    x, y = places[0].unbind(-1)
    near = ((x > left) & (x < right) & (y > top) & (y < bottom)).nonzero()[:, 0]
    return places.index_copy(1, near, _sources(places.index_select(1, near), eyes))


def _sources(places: Float[Tensor, "b m 2"], eyes: Eyes) -> Float[Tensor, "b m 2"]:
    x, y = _local(places[:, None], eyes.corner, eyes.along).unbind(-1)
    upper, lower, new_upper, new_lower = _edges(eyes, x)
    top, bottom = upper - eyes.reach[..., None], lower + _CHEEK
    # Labels are not exact: what is left of the eyeball below a closed lid is covered, too.
    new_upper = new_upper + _OVERLAP * (eyes.amount**8)[..., None]
    above = top + (y - top) * eyes.reach[..., None] / (new_upper - top)
    below = bottom - (bottom - y) * _CHEEK / (bottom - new_lower)
    inside = (x > 0) & (x < 1)
    on_upper = inside & (y > top) & (y <= new_upper)
    on_lower = inside & (y >= new_lower) & (y < bottom) & ~on_upper
    shift = torch.where(on_upper, above - y, torch.where(on_lower, below - y, 0.0))
    return places + (shift[..., None] * _down(eyes)).sum(1)


def draw_closed(pictures: UInt8[Tensor, "b 3 h w"], eyes: Eyes) -> UInt8[Tensor, "b 3 h w"]:
    """Returns the pictures with these eyes closed."""
    height, width = pictures.shape[-2:]
    y, x = (torch.arange(side, device=pictures.device) + 0.5 for side in (height, width))
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), -1).expand(len(pictures), -1, -1, -1)
    found = sources(places.flatten(1, 2), eyes).view_as(places)
    grid = found * (2.0 / found.new_tensor([width, height])) - 1.0
    drawn = nn.functional.grid_sample(
        pictures.to(grid.dtype), grid, padding_mode="border", align_corners=False
    )
    return drawn.round().to(torch.uint8)


def _edges(eyes: Eyes, x: Float[Tensor, "b 2 m"]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The y of both edges at these x, before and after."""
    upper, lower = _read(eyes.upper, x), _read(eyes.lower, x)
    upper = torch.minimum(upper, lower)
    new_lower = lower - eyes.raised[..., None] * (lower - upper)
    new_upper = upper + eyes.amount[..., None] * (new_lower - upper)
    return upper, lower, new_upper, new_lower


def _down(eyes: Eyes) -> Float[Tensor, "b 2 1 2"]:
    """One unit of y in the picture [px]."""
    return torch.stack([-eyes.along[..., 1], eyes.along[..., 0]], -1)[:, :, None]


def _local(
    points: Float[Tensor, "b eyes_or_1 m 2"],
    corner: Float[Tensor, "b 2 2"],
    along: Float[Tensor, "b 2 2"],
) -> Float[Tensor, "b 2 m 2"]:
    """Returns points of the picture [px] in the frame of each eye."""
    arm = points - corner[:, :, None]
    x, y = (along / along.square().sum(-1, keepdim=True)).unsqueeze(2).unbind(-1)
    return torch.stack(
        [arm[..., 0] * x + arm[..., 1] * y, arm[..., 1] * x - arm[..., 0] * y], dim=-1
    )


def _read(curve: Float[Tensor, "b 2 k 2"], x: Float[Tensor, "b 2 m"]) -> Float[Tensor, "b 2 m"]:
    """Reads piecewise linear curves, which continue straight at their ends."""
    knots, values = curve.unbind(-1)
    slopes = values.diff(dim=-1) / knots.diff(dim=-1).clamp_min(1e-4)
    bends = slopes.diff(dim=-1)
    result = values[..., :1] + slopes[..., :1] * (x - knots[..., :1])
    for number in range(bends.shape[-1]):
        knot = knots[..., number + 1, None]
        result = result + bends[..., number, None] * (x - knot).clamp_min(0)
    return result
