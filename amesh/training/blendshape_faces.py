"""Random faces whose blendshapes are known: ICT-FaceKit's shapes, seen by a camera.

Convention
    Shapes are in the head's axes of `amesh.effects.canonical` [mm]; left is the subject's.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int

from amesh.effects.blendshape_features import features
from amesh.effects.blendshapes import NAMES
from amesh.effects.canonical import OPENGL
from amesh.errors import UserError

_NAMES = NAMES[:-1]  # ICT-FaceKit has no tongueOut either
_MM_PER_CM = 10.0
_HELD_OUT = 5  # of the shapes of identity, every fifth is left to testing
# Of pairs of names, a face makes at most one.
_EXCLUSIVE = (
    *(("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")),
    *(
        (first + side, second + side)
        for side in ("Left", "Right")
        for first, second in (
            *(("eyeLookIn", "eyeLookOut"), ("eyeLookUp", "eyeLookDown")),
            *(("eyeBlink", "eyeWide"), ("browDown", "browOuterUp")),
        )
    ),
)
# Movements to one side, or of eyes across: their two sides are no pair that moves together.
_ACROSS = ("jaw", "mouth", "eyeLookIn", "eyeLookOut")
_IRISES = {"Right": slice(468, 473), "Left": slice(473, 478)}
_EYE_RADIUS = 12.0  # from the middle of the eye to the iris [mm]
_LOOK_ACROSS, _LOOK_UP = np.radians(28.0), np.radians(22.0)  # what a value of 1 turns eyes by
_POSE = np.radians([17.5, 12.5, 7.5])  # standard deviations of yaw, pitch, roll
_DISTANCES = (300.0, 1500.0)  # of the camera [mm]
_DEPTHS = (0.8, 1.2)  # what networks make of the depth of a face
_NOISE = (0.1, 0.5)  # standard deviation of landmarks [mm]; twice that in depth


class Model(NamedTuple):
    """ICT-FaceKit's shapes at the 478 landmarks [mm].

    Attributes:
        neutral: The average face.
        shapes: What each name of the 52 moves, tongueOut left out.
        identities: Differences between people, each one standard deviation.
    """

    neutral: Float64[np.ndarray, "478 3"]
    shapes: Float64[np.ndarray, "51 478 3"]
    identities: Float64[np.ndarray, "i 478 3"]


def read_model(path: Path) -> Model:
    """Reads the shapes from a file with `neutral`, `expressions`, `expression_names`, `identities`.

    Raises:
        UserError: There is no such file, or it holds something else.
    """
    axes = OPENGL * _MM_PER_CM
    try:
        with np.load(path) as data:
            names = [str(name) for name in data["expression_names"]]
            moved = dict(zip(names, data["expressions"].astype(np.float64) @ axes, strict=True))
            shapes = np.stack([_shape(moved, name) for name in _NAMES])
            neutral, identities = (
                data[key].astype(np.float64) @ axes for key in ("neutral", "identities")
            )
            if neutral.shape != (478, 3):
                raise ValueError(f"neutral is {neutral.shape}, expected (478, 3)")
    except (OSError, KeyError, ValueError, TypeError) as error:  # TypeError: an .npy file
        raise UserError(f"{path}: cannot be read as ICT-FaceKit's shapes ({error})") from error
    return Model(neutral, shapes, identities)


def _shape(moved: dict[str, np.ndarray], name: str) -> Float64[np.ndarray, "478 3"]:
    """One name of ARKit; some of those without a side are two in ICT-FaceKit."""
    if name in moved:
        return moved[name]
    for side in ("Left", "Right"):
        if name.endswith(side):
            return moved[f"{name.removesuffix(side)}_{side[0]}"]
    return np.asarray(moved[f"{name}_L"] + moved[f"{name}_R"])


def mirrored_names() -> Int[np.ndarray, " 51"]:
    """For each name, the place of the one that it is in a mirrored face."""
    other = {"Left": "Right", "Right": "Left"}
    found = []
    for name in _NAMES:
        side = next((side for side in other if name.endswith(side)), None)
        found.append(_NAMES.index(name.removesuffix(side) + other[side] if side else name))
    return np.array(found)


def synthetic_faces(
    model: Model, count: int, rng: np.random.Generator, *, held_out: bool = False
) -> tuple[Float32[np.ndarray, "n f"], Float64[np.ndarray, "n 51"]]:
    """Faces of random people with random expressions, from random sides and distances.

    Args:
        model: The shapes.
        count: How many.
        rng: Where random numbers come from.
        held_out: People for testing: of shapes of identity that training never sees.

    Returns:
        The features of what a camera sees, and the values.
    """
    values = random_values(count, rng)
    faces = people(model, count, rng, held_out=held_out)
    faces += np.tensordot(values, model.shapes, 1)
    turn_eyes(faces, values)
    return features(seen(faces, rng)), values


def people(
    model: Model, count: int, rng: np.random.Generator, *, held_out: bool = False
) -> Float64[np.ndarray, "n 478 3"]:
    """Random people at rest; arguments as for `synthetic_faces`."""
    tested = np.arange(len(model.identities)) % _HELD_OUT == _HELD_OUT - 1
    shares = rng.normal(size=(count, len(tested))) * (tested if held_out else ~tested)
    shares *= rng.uniform(0.5, 1.5, (count, 1))
    return np.asarray(model.neutral + np.tensordot(shares, model.identities, 1))


def random_values(count: int, rng: np.random.Generator) -> Float64[np.ndarray, "n 51"]:
    """Values as faces make them: few at a time, and most of them on both sides."""
    shape = (count, len(_NAMES))
    values = rng.uniform(size=shape) * (rng.random(shape) < rng.uniform(0.03, 0.25, (count, 1)))
    both = rng.random(count) < 0.7
    across = {prefix + side for prefix in _ACROSS for side in ("Left", "Right")}
    for left, right in enumerate(mirrored_names()):
        if right > left and _NAMES[left] not in across:
            uneven = rng.uniform(0.8, 1.2, both.sum())
            values[both, right] = (values[both, left] * uneven).clip(0, 1)
    together = rng.random(count) < 0.9  # eyes look the same way
    for inward, outward in (("Right", "Left"), ("Left", "Right")):
        to, of = _NAMES.index(f"eyeLookIn{inward}"), _NAMES.index(f"eyeLookOut{outward}")
        values[together, to] = values[together, of]
    for pair in _EXCLUSIVE:
        first, second = map(_NAMES.index, pair)
        clash = (values[:, first] > 0) & (values[:, second] > 0)
        heads = rng.random(count) < 0.5
        values[clash & heads, second] = 0
        values[clash & ~heads, first] = 0
    # Lips close as far as the jaw has opened them.
    values[:, _NAMES.index("mouthClose")] *= values[:, _NAMES.index("jawOpen")]
    return values


def turn_eyes(faces: Float64[np.ndarray, "n 478 3"], values: Float64[np.ndarray, "n 51"]) -> None:
    """Turns the irises, in place: the shapes of looks move only the lids."""
    for side, iris in _IRISES.items():
        inward, outward, up, down = (
            values[:, _NAMES.index(f"eyeLook{way}{side}")] for way in ("In", "Out", "Up", "Down")
        )
        yaw = _LOOK_ACROSS * (outward - inward) * (1 if side == "Left" else -1)
        middle = faces[:, iris][:, :1] + (0, 0, _EYE_RADIUS)
        turn = _rotations(-yaw, 2, 0) @ _rotations(_LOOK_UP * (down - up), 1, 2)
        faces[:, iris] = (faces[:, iris] - middle) @ turn.swapaxes(1, 2) + middle


def seen(
    faces: Float64[np.ndarray, "n 478 3"], rng: np.random.Generator
) -> Float64[np.ndarray, "n 478 3"]:
    """Landmarks of turned faces before a camera [px of a picture with one px to the mm]."""
    count = len(faces)
    yaw, pitch, roll = _POSE[:, None] * rng.normal(size=(3, count))
    turn = _rotations(yaw, 2, 0) @ _rotations(pitch, 1, 2) @ _rotations(roll, 0, 1)
    turned = faces @ turn.swapaxes(1, 2)
    distance = rng.uniform(*_DISTANCES, (count, 1, 1))
    turned[..., :2] *= distance / (turned[..., 2:] + distance)
    turned[..., 2:] *= rng.uniform(*_DEPTHS, (count, 1, 1))
    noise = rng.uniform(*_NOISE, (count, 1, 1)) * (1.0, 1.0, 2.0)
    return np.asarray(turned + noise * rng.normal(size=turned.shape))


def _rotations(
    angles: Float64[np.ndarray, " n"], first: int, second: int
) -> Float64[np.ndarray, "n 3 3"]:
    """Rotations in the plane of two axes, from the first towards the second [radians]."""
    found = np.tile(np.eye(3), (len(angles), 1, 1))
    found[:, first, first] = found[:, second, second] = np.cos(angles)
    found[:, second, first] = np.sin(angles)
    found[:, first, second] = -np.sin(angles)
    return found
