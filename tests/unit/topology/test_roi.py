import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from amesh.errors import UserError
from amesh.geometry import roi as squares
from amesh.topology import Topology, load, parse
from amesh.topology.roi import RoiRule, RoiRules, disagreement, suggested

FACE = load("face478")
EYES = FACE.template[[*FACE.indices("right_eye"), *FACE.indices("left_eye")]]


def square(template: np.ndarray, rule: RoiRule) -> np.ndarray:
    """Centre and side of the square around a level template."""
    points = torch.from_numpy(template[None, :, :2].copy())
    level = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
    region = squares.from_landmarks(points, level, rule)
    return np.array([*region.centre[0].tolist(), region.size.item()])


@pytest.mark.parametrize("name", ["face478", "ibug68"])
def test_shipped_schemes_train_and_run_on_the_same_crop(name: str):
    topology = load(name)
    rules = topology.require_roi()
    trained = square(topology.template, rules.from_landmarks)
    run = square(FACE.template, rules.from_detection)
    np.testing.assert_allclose(run, trained, atol=2e-3)
    assert rules.from_landmarks == RoiRule(1.5)


@pytest.mark.parametrize("rule", [RoiRule(), RoiRule(2.0, (0.1, -0.2))])
def test_a_suggestion_leads_to_the_same_square(rule: RoiRule):
    entry = json.loads("{" + suggested(EYES, FACE.template, rule) + "}")["roi"]
    run = RoiRule(entry["from_detection"]["scale"], tuple(entry["from_detection"]["shift"]))
    assert RoiRule(*entry["from_landmarks"].values()) == (rule.scale, list(rule.shift))
    np.testing.assert_allclose(square(FACE.template, run), square(EYES, rule), atol=2e-3)
    assert disagreement(RoiRules(rule, run), EYES, FACE.template) is None


def test_crops_that_disagree_are_refused_with_the_line_that_is_needed():
    both = RoiRules(RoiRule(), RoiRule())
    wrong = disagreement(both, EYES, FACE.template)
    assert wrong is not None
    assert wrong.endswith(suggested(EYES, FACE.template))
    near = RoiRules(RoiRule(), RoiRule(1.5 * 1.15))
    assert "1.15 times as large" in str(disagreement(near, FACE.template, FACE.template))


def own(**changes: object) -> Topology:
    entry = {
        "name": "own",
        "points": 2,
        "anchors": [0, 1],
        "regions": [],
        "contours": {},
        "normalisers": {},
        "mirror": [1, 0],
        "template": [[-0.5, 0, 0], [0.5, 0, 0]],
    }
    return parse(entry | changes)


def test_a_scheme_that_does_not_say_its_crop_gets_the_line_to_add():
    undeclared = own()
    assert undeclared.landmark_rule == RoiRule(1.5)
    with pytest.raises(UserError, match="own does not say how a crop") as refused:
        undeclared.require_roi()
    line = str(refused.value)[str(refused.value).index('"roi"') :]
    assert own(**json.loads("{" + line + "}")).require_roi().from_landmarks == RoiRule(1.5)


def test_rules_of_a_file_are_checked():
    with pytest.raises(ValueError, match="roi: on the mean face"):
        own(roi={"from_landmarks": {"scale": 1.5}, "from_detection": {"scale": 1.5}})
    with pytest.raises(ValueError, match=r"scale of from_landmarks is -1\.0"):
        own(roi={"from_landmarks": {"scale": -1}, "from_detection": {"scale": 1.5}})
    with pytest.raises(KeyError, match="from_detection"):
        own(roi={"from_landmarks": {"scale": 1.5}})


def test_the_whole_face_needs_no_shift():
    assert replace(FACE, roi=None).landmark_rule == FACE.require_roi().from_detection
