from pathlib import Path

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.labelling.vote import Vote, parse_member, yaw
from amesh.topology import load

TOPOLOGY = load()


def test_a_network_alone_is_named_without_weights():
    assert parse_member("released-192") == ("released-192", Vote())
    assert (Vote().of_parts(TOPOLOGY) == 1).all()


def test_a_member_states_its_weights():
    words = "face-landmarker-v2,iris=0,left_eye=0.5,turned=3,flag=0"
    model, vote = parse_member(words)
    assert model == "face-landmarker-v2"
    assert vote == Vote({"iris": 0.0, "left_eye": 0.5}, turned=3.0, flag=0.0)
    weights = vote.of_parts(TOPOLOGY)
    assert not weights[468:478].any()  # both irises
    assert weights[[263, 362]].tolist() == [0.5, 0.5]  # the left eye's corners
    assert weights[[33, 133]].tolist() == [1.0, 1.0]
    assert weights.sum() == 478 - 10 - 16 / 2


def test_the_path_of_a_member_may_contain_commas(tmp_path: Path):
    path = tmp_path / "a,b=1,c.safetensors"
    path.touch()
    assert parse_member(str(path)) == (str(path), Vote())
    assert parse_member(f"{path},iris=0,flag=2") == (str(path), Vote({"iris": 0.0}, flag=2.0))


def test_of_overlapping_parts_the_last_counts():
    assert Vote({"nose": 2.0, "right_iris": 3.0, "iris": 0.0}).of_parts(TOPOLOGY)[468] == 0
    assert Vote({"iris": 0.0, "right_iris": 3.0}).of_parts(TOPOLOGY)[[468, 473]].tolist() == [3, 0]


def test_the_factor_of_turned_faces_sets_in_between_30_and_60_degrees():
    vote = Vote(turned=3.0)
    assert [vote.at(yaw) for yaw in (0.0, 30.0, 45.0, 60.0, 90.0)] == [1.0, 1.0, 2.0, 3.0, 3.0]
    assert Vote(turned=0.0).at(90.0) == 0


@pytest.mark.parametrize("turn", [-75, -20, 0, 20, 75])
def test_yaw_is_how_far_the_head_was_turned(turn: int):
    angle = np.radians(turn)
    across = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    assert yaw(TOPOLOGY.template @ across.T, TOPOLOGY) == pytest.approx(abs(turn), abs=0.5)
    # Neither a rotation of the picture nor its size changes it.
    rolled = (TOPOLOGY.template @ across.T)[:, [1, 0, 2]] * 90
    assert yaw(rolled, TOPOLOGY) == pytest.approx(abs(turn), abs=0.5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("v2,iris", r"v2,iris: expected MODEL,PART=WEIGHT,\.\.\., found 'iris'"),
        ("v2,iris=none", "found 'iris=none'"),
        ("v2,iris=-1", "weight of iris: expected 0 or more, found -1"),
        ("v2,flag=nan", "weight of flag: expected 0 or more, found nan"),
        ("v2,turned=inf", "weight of turned: expected 0 or more, found inf"),
    ],
)
def test_a_weight_that_is_none_is_refused(words: str, message: str):
    with pytest.raises(UserError, match=message):
        parse_member(words)


def test_a_part_that_the_face_lacks_is_refused():
    with pytest.raises(UserError, match="face478 has no part 'ear'; it has: right_iris, "):
        parse_member("v2,ear=0")[1].of_parts(TOPOLOGY)
