"""Writes the numbers that rules in the browser share with Python: `python web/tools/constants.py`.

`src/lib/constants.json` is a copy, so that no number is written twice by hand. Python's modules say
where each comes from. Run this again after a change of one of them; a test fails until then.
"""

import inspect
import json
import math
import sys
from pathlib import Path
from typing import Any

from amesh.blazeface.config import SHORT
from amesh.effects import blendshapes, eyes, makeup, makeup_colour, makeup_masks
from amesh.face_tracker import FaceTracker
from amesh.geometry import roi
from amesh.pipeline import confidence, crops, detector, looks, repeats, smoothing, tracking

HERE = Path(__file__).resolve().parent
FILE = HERE.parent / "src" / "lib" / "constants.json"
# Names in the browser, and the functions that make the products in Python.
_PRODUCTS = {
    "lipstick": makeup.lipstick,
    "eyeliner": makeup.eyeliner,
    "eyeShadow": makeup.eye_shadow,
    "blush": makeup.blush,
    "irisTint": makeup.iris_tint,
}


def constants() -> dict[str, dict[str, Any]]:
    """The numbers by module; lengths, angles and times in the units of their modules."""
    distance, ratio, angle = tracking._SETTLED
    defaults = inspect.signature(FaceTracker).parameters
    return {
        "tracker": {
            "maxFaces": defaults["max_faces"].default,
            "minScore": defaults["min_score"].default,
            "detectEvery": defaults["detect_every"].default,
            "smoothing": defaults["smoothing"].default,
        },
        "tracking": {
            "settled": {"distance": distance, "ratio": ratio, "cosine": _nine(math.cos(angle))},
            "far": tracking._FAR,
            "jump": tracking._JUMP,
            "same": tracking._SAME,
            "shared": repeats._SHARED,
        },
        "looks": {
            "sure": looks._SURE,
            "roll": _nine(looks._ROLL),
            "margin": looks._MARGIN,
            "likely": looks._LIKELY,
            "near": looks._NEAR,
            "apart": looks._APART,
            "far": looks._FAR,
        },
        "smoothing": {
            "gap": smoothing._GAP,
            "derivativeCutoff": smoothing.OneEuro(1, 1).derivative_cutoff,
            "presets": {name: _one_euro(preset) for name, preset in smoothing.PRESETS.items()},
        },
        "detector": {
            "size": SHORT.input_size,
            "grids": SHORT.grids,
            "overlap": detector.IOU,
            "leastLogit": _logit(detector.MIN_SCORE[SHORT.name]),
        },
        "region": {"profile": roi._PROFILE},
        "crops": {"step": crops._STEP},
        "confidence": {"tolerance": confidence.TOLERANCE, "certain": confidence._CERTAIN},
        "blendshapes": {
            "leastRange": blendshapes._LEAST_RANGE,
            "leastBlink": blendshapes._LEAST_BLINK,
            "closed": blendshapes._CLOSED,
            "openMouth": blendshapes._OPEN_MOUTH,
        },
        "eyes": {
            "ballFromCorners": eyes._BALL_FROM_CORNERS.tolist(),
            "reach": _nine(eyes._DEPTH * eyes.IRIS_MM / 2),
            "closed": eyes.CLOSED,
        },
        "makeup": {
            "small": makeup._SMALL,
            "least": makeup._LEAST,
            "reach": makeup_masks._REACH,
            "maxFeather": makeup_masks._MAX_FEATHER,
            "steps": makeup_colour._STEPS,
            "sample": makeup_colour._SAMPLE,
            "products": {name: _product(make) for name, make in _PRODUCTS.items()},
        },
    }


def text() -> str:
    """The file's content: a line per module, so that changes can be read."""
    lines = [f'  "{name}": {json.dumps(values)}' for name, values in constants().items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _one_euro(preset: smoothing.OneEuro | None) -> dict[str, float] | None:
    return preset and {"minCutoff": preset.min_cutoff, "beta": preset.beta}


def _product(make: Any) -> dict[str, Any]:
    pigment, defaults = make().pigment, inspect.signature(make).parameters
    return {
        "color": defaults["color"].default,
        "strength": defaults["strength"].default,
        "depth": pigment.depth,
        "gains": pigment.gains,
        "glints": pigment.glints,
    }


def _nine(value: float) -> float:
    """Nine digits behind the point: the last ones may depend on the machine."""
    return round(float(value), 9)


def _logit(probability: float) -> float:
    return math.log(probability / (1 - probability))


if __name__ == "__main__":
    FILE.write_text(text())
    sys.stdout.write(f"{FILE}\n")
