"""What our blendshape network learns from real faces, with Google's network as the teacher.

The teacher is asked about the faces as they are in their pictures, and about their mouths turned to
the front: that is how our network sees them, and there the teacher's jaw follows the lips better.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64

from amesh.effects.blendshape_features import COUNT, features
from amesh.effects.blendshapes import NAMES
from amesh.effects.canonical import canonical_face
from amesh.topology import load
from amesh.training.blendshape_faces import Model, mirrored_names
from amesh.weights.released_blendshapes import read_network

SHAPES = len(NAMES) - 1  # without tongueOut
# Names for which Google's network has next to nothing to say.
_UNSURE = (
    *("cheekPuff", "cheekSquintLeft", "cheekSquintRight", "jawForward"),
    *("noseSneerLeft", "noseSneerRight"),
)
_UNSURE_SIDE = ("jawRight", "eyeWideRight")  # it knows the other side, so mirrored faces teach them
# What real faces do of these names by themselves is unknown, so what is not added counts less than
# what is: otherwise the network learns to say nothing.
_NOT_ADDED, _ADDED = 0.15, 3.0
# Names that count more, against lids and lips that follow too loosely: for synthetic faces, and for
# real ones.
COUNT_MORE = {"jawOpen": (1.0, 5.0), "eyeBlinkLeft": (1.7, 5.2), "eyeBlinkRight": (1.7, 5.2)}


class Examples(NamedTuple):
    """What the network learns from: features, values, and how much each value counts."""

    features: Float32[np.ndarray, "n f"]
    values: Float32[np.ndarray, "n 51"]
    weights: Float32[np.ndarray, "n 51"]


def examples(
    seen: Float[np.ndarray, "n f"],
    values: Float[np.ndarray, "n 51"],
    weights: Float[np.ndarray, "n 51"],
    *,
    real: bool,
) -> Examples:
    """Examples, with more weight on the names of `COUNT_MORE`."""
    weights = weights.copy()
    for name, factors in COUNT_MORE.items():
        weights[:, NAMES.index(name)] *= factors[real]
    return Examples(*(np.asarray(array, np.float32) for array in (seen, values, weights)))


def real_examples(
    faces: Float[np.ndarray, "n 478 3"], model: Model, rng: np.random.Generator
) -> Iterator[Examples]:
    """Real faces, the same mirrored, and the same with shapes of the names that Google leaves out.

    Args:
        faces: Landmarks [px].
        model: ICT-FaceKit's shapes.
        rng: Where random numbers come from.
    """
    teacher = read_network()
    swap, unsure = mirrored_names(), _places(_UNSURE + _UNSURE_SIDE)
    seen = features(faces)
    at_front = seen.reshape(len(seen), -1, 2) + canonical_face().points[:, :2]
    values = np.where(_mouth(), _asked(teacher, at_front), _asked(teacher, faces))
    sure = np.ones(SHAPES)
    sure[unsure] = 0
    yield examples(seen, values, np.tile(sure, (len(faces), 1)), real=True)

    flipped = features(faces[:, load().mirror] * (-1.0, 1.0, 1.0))
    yield examples(flipped, values[:, swap], np.tile(sure[swap], (len(faces), 1)), real=True)

    places = sorted({*unsure, *swap[_places(_UNSURE_SIDE)].tolist()})
    amounts = _amounts(len(faces), places, rng)
    moved = amounts @ model.shapes[places, :, :2].reshape(len(places), COUNT)
    changed, weights = values.copy(), np.ones((len(faces), SHAPES))
    changed[:, places] = amounts
    weights[:, places] = np.where(amounts > 0, 1 + _ADDED * amounts, _NOT_ADDED)
    yield examples(seen + moved, changed, weights, real=True)


def _asked(
    teacher: Callable[..., Float32[np.ndarray, "b 51"]], faces: Float[np.ndarray, "n 478 d"]
) -> Float32[np.ndarray, "n 51"]:
    return np.concatenate([teacher(faces[i : i + 64]) for i in range(0, len(faces), 64)])


def _mouth() -> Bool[np.ndarray, " 51"]:
    return np.array([name.startswith(("jaw", "mouth")) for name in NAMES[:-1]])


def _amounts(count: int, places: list[int], rng: np.random.Generator) -> Float64[np.ndarray, "n k"]:
    """How much of each name is added: mostly nothing, and never a jaw to both sides."""
    amounts = rng.uniform(size=(count, len(places)))
    amounts *= rng.random(amounts.shape) < 0.2
    left, right = (places.index(NAMES.index(name)) for name in ("jawLeft", "jawRight"))
    amounts[(amounts[:, left] > 0) & (amounts[:, right] > 0), left] = 0
    return amounts


def _places(names: tuple[str, ...]) -> list[int]:
    return [NAMES.index(name) for name in names]
