"""Landmarks drawn as dots, coloured by the network's confidence in each."""

import numpy as np
from jaxtyping import Float

from amesh.pipeline.strokes import Colour, Layer

# From no confidence to full: coral, gold, aqua. They differ in hue and in brightness, and
# colour-blind readers can tell them apart, too.
_SCALE = np.array([(255, 88, 84), (255, 196, 72), (56, 214, 214)], np.float64)
_STEPS = 10
_RADIUS = 0.0065  # of a dot, share of the face's size
_LEAST = 1.1  # radius [px]
_EDGE = 1.5  # radius of the dark dot below, which keeps the colours legible on light skin


def draw_confidence(
    layer: Layer,
    points: Float[np.ndarray, "n 2"],
    confidence: Float[np.ndarray, " n"],
    size: float,
) -> None:
    """Draws a dot for each landmark; those of little confidence lie on top.

    Args:
        layer: Where to draw.
        points: The landmarks [px of the drawing].
        confidence: Probability that each is right, 0 to 1.
        size: The face's size [px of the drawing].
    """
    radius = max(_RADIUS * size, _LEAST)
    for point in points:
        layer.dot(point, _EDGE * radius, 1.0)
    layer.paint((0, 0, 0), 0.35)
    steps = np.rint(confidence * _STEPS).astype(int)
    for step in np.unique(steps)[::-1]:
        for point in points[steps == step]:
            layer.dot(point, radius, 1.0)
        layer.paint(colour(step / _STEPS), 0.95)


def colour(confidence: float) -> Colour:
    """The colour of a confidence, 0 to 1.

    Examples:
        >>> colour(0.0), colour(0.5), colour(1.0)
        ((255, 88, 84), (255, 196, 72), (56, 214, 214))
    """
    places = np.linspace(0, 1, len(_SCALE))
    red, green, blue = (round(float(np.interp(confidence, places, part))) for part in _SCALE.T)
    return red, green, blue
