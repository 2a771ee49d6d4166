import json
import math
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
ANCHORS_ONLY = replace(FACE, midline=None)


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


def seen(topology: Topology, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """The mean face turned, then nodding, then rolled in the picture [degrees]; (1, n, 3) [px]."""
    (cy, cp, cr), (sy, sp, sr) = (f(np.radians([yaw, pitch, roll])) for f in (np.cos, np.sin))
    x, y, z = topology.template.T
    x, z = cy * x + sy * z, cy * z - sy * x
    y, z = cp * y - sp * z, cp * z + sp * y
    x, y = cr * x - sr * y, cr * y + sr * x
    return 100 * np.stack([x, y, z], axis=1)[None] + [320.0, 240.0, 0.0]


def angle(topology: Topology, points: np.ndarray) -> float:
    return math.degrees(topology.region_of_interest(points).angle.item())


@pytest.mark.parametrize("roll", [0.0, 30.0])
@pytest.mark.parametrize("side", [-1, 1])
def test_the_square_is_upright_at_any_yaw(side: int, roll: float):
    for yaw in range(0, 96, 5):
        found = angle(FACE, seen(FACE, side * yaw, roll=roll))
        assert found == pytest.approx(roll, abs=3.0), yaw
    assert abs(angle(ANCHORS_ONLY, seen(FACE, side * 95, roll=roll)) - roll) > 170


@pytest.mark.parametrize("yaw", [-95.0, -80.0, 80.0, 95.0])
def test_a_nod_does_not_roll_a_profile(yaw: float):
    points = seen(FACE, yaw, pitch=10.0, roll=30.0)
    assert angle(FACE, points) == pytest.approx(30.0, abs=3.0)
    assert abs(angle(ANCHORS_ONLY, points) - 30.0) > 40


@pytest.mark.parametrize("yaw", [-55.0, -30.0, 0.0, 30.0, 55.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_other_faces_have_the_square_of_mediapipe_to_the_last_bit(yaw: float, dtype: type):
    points = seen(FACE, yaw, pitch=10.0, roll=30.0).astype(dtype)
    eyes = points[:, [33, 263], :2]
    expected = squares.from_landmarks(points[..., :2], eyes, FACE.landmark_rule)
    for found, part in zip(FACE.region_of_interest(points), expected, strict=True):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, part)


def test_the_roll_does_not_jump_where_the_midline_takes_over():
    angles = [angle(FACE, seen(FACE, yaw, pitch=10.0)) for yaw in np.arange(50.0, 95.0, 0.5)]
    assert np.abs(np.diff(angles)).max() < 1.0


def test_a_batch_gives_what_its_faces_give_in_either_library():
    faces = np.concatenate(
        [seen(FACE, yaw, pitch, 30.0) for yaw in (0, 60, 70, 95) for pitch in (-20, 0, 20)]
    )
    batch = FACE.region_of_interest(faces)
    singles = squares.Roi.joined([FACE.region_of_interest(face[None]) for face in faces])
    tensors = FACE.region_of_interest(torch.from_numpy(faces))
    for one, other, tensor in zip(batch, singles, tensors, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(tensor.numpy(), one, rtol=1e-12)


def test_landmarks_in_one_point_give_a_number():
    assert math.isfinite(angle(FACE, np.zeros((1, 478, 3))))


def test_the_midline_takes_over_by_the_proportions_of_the_scheme():
    """The midline of `ibug68` starts at the bridge of the nose, and is a third shorter."""
    ibug68 = load("ibug68")
    assert (FACE.midline, ibug68.midline) == ((10, 152), (27, 8))
    for yaw, same in ((55, True), (60, False)):
        points = seen(ibug68, yaw, pitch=10.0)
        expected = angle(replace(ibug68, midline=None), points)
        assert (angle(ibug68, points) == expected) is same
    assert angle(ibug68, seen(ibug68, 95, roll=30)) == pytest.approx(30, abs=5)


def test_a_scheme_without_a_midline_goes_by_its_anchors():
    scheme = parse(
        {
            "name": "three",
            "points": 3,
            "anchors": [0, 1],
            "regions": [],
            "contours": {},
            "normalisers": {},
            "mirror": [1, 0, 2],
            "template": [[-0.5, 0, 0], [0.5, 0, 0], [0, 1, 0]],
        }
    )
    assert scheme.midline is None
    assert angle(scheme, np.array([[[0.0, 0.0], [0.1, 0.1], [0.0, 9.0]]])) == pytest.approx(45)
