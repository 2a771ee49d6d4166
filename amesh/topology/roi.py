"""How a network's crop, a square, is determined from landmarks and from a detected face.

Training crops by the annotated landmarks; running crops by the box from the face detector. Both
must give the same square, or the network runs on crops unlike those it was trained on. A scheme
whose landmarks do not cover the whole face therefore states a rule for each.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

# Largest difference of the two squares on the mean face [sides].
_APART = 0.1


class RoiRule(NamedTuple):
    """How a region of interest is determined from a box.

    Attributes:
        scale: Ratio of the square's side to the longer side of the box.
        shift: Offset of the square's centre from the box's, right and down in the rotated square
            [longer sides of the box].
    """

    scale: float = 1.5
    shift: tuple[float, float] = (0.0, 0.0)


class RoiRules(NamedTuple):
    """The two rules that must give the same square.

    Attributes:
        from_landmarks: Applies to the box around all landmarks.
        from_detection: Applies to the detector's box of a whole face.
    """

    from_landmarks: RoiRule
    from_detection: RoiRule


class _Square(NamedTuple):
    centre: Float[np.ndarray, " 2"]
    side: float


def parse(entry: Mapping[str, Any]) -> RoiRules:
    """Reads the `roi` entry of a topology file.

    Raises:
        KeyError: A rule or its scale is missing.
        ValueError: A scale is not above 0.
    """
    rules = []
    for name in RoiRules._fields:
        right, down = entry[name].get("shift", (0.0, 0.0))
        rule = RoiRule(float(entry[name]["scale"]), (float(right), float(down)))
        if not rule.scale > 0:
            raise ValueError(f"roi: scale of {name} is {rule.scale}; it must be above 0")
        rules.append(rule)
    return RoiRules(*rules)


def suggested(
    template: Float[np.ndarray, "n 3"], face: Float[np.ndarray, "m 3"], rule: RoiRule | None = None
) -> str:
    """Returns the `roi` entry for a rule for landmarks, as a line of JSON.

    It assumes that the detector's box is the box of the 478 landmarks. On 151 faces in pictures,
    their centres were 3 % of the side apart, and the detector's box was 5 % smaller (medians).

    Args:
        template: The scheme's landmarks on the mean face.
        face: The 478 landmarks on it.
        rule: The rule for the scheme's landmarks.
    """
    rule = rule or RoiRule()
    square, whole = _square(_box(template), rule), _box(face)
    shift = [round(float(part), 3) for part in (square.centre - whole.centre) / whole.side]
    detection = {"scale": round(square.side / whole.side, 3), "shift": shift}
    return '"roi": ' + json.dumps({"from_landmarks": rule._asdict(), "from_detection": detection})


def disagreement(
    rules: RoiRules, template: Float[np.ndarray, "n 3"], face: Float[np.ndarray, "m 3"]
) -> str | None:
    """Describes how the squares of the two rules differ on the mean face; None if they agree."""
    trained, run = _square(_box(template), rules[0]), _square(_box(face), rules[1])
    away = float(np.linalg.norm(trained.centre - run.centre)) / trained.side
    ratio = run.side / trained.side
    if away <= _APART and 1 / (1 + _APART) <= ratio <= 1 + _APART:
        return None
    return (
        f"roi: on the mean face, the square from a detection is {ratio:.2f} times as large as that "
        f"from landmarks and {100 * away:.0f} % of its side away; to make them agree, use "
        + suggested(template, face, rules.from_landmarks)
    )


def _box(template: Float[np.ndarray, "n 3"]) -> _Square:
    low, high = template[:, :2].min(0), template[:, :2].max(0)
    return _Square((low + high) / 2, float((high - low).max()))


def _square(box: _Square, rule: RoiRule) -> _Square:
    return _Square(box.centre + box.side * np.array(rule.shift), box.side * rule.scale)
