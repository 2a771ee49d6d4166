"""The table of effects: names, values, and what is said of wrong ones."""

import numpy as np
import pytest
from posed_heads import seen, turned

from amesh import UserError, draw_faces
from amesh.cli.run import DETAILS
from amesh.effects import makeup
from amesh.effects.camera import Camera
from amesh.effects.drawing import draw_pose
from amesh.effects.head_pose import head_pose
from amesh.pipeline.effect_names import EFFECTS
from amesh.pipeline.effects import draw_effects, parse_effects

CAMERA = Camera.from_fov(640, 480)
FACES = [
    seen(CAMERA, turned(-20), (-70.0, 0.0, 600.0)).astype(np.float32),
    seen(CAMERA, turned(30), (90.0, 20.0, 700.0)).astype(np.float32),
]
GREY = np.full((480, 640, 3), 128, np.uint8)


def test_effects_are_drawn_one_after_the_other_on_all_faces() -> None:
    drawn = draw_effects(GREY, FACES, parse_effects("mesh, pose"), CAMERA)
    expected = draw_faces(GREY, FACES)
    for face in FACES:
        expected = draw_pose(expected, head_pose(face, CAMERA))
    np.testing.assert_array_equal(drawn, expected)
    assert (GREY == 128).all()


@pytest.mark.parametrize(
    ("text", "product"),
    [
        ("lipstick", makeup.lipstick()),
        ("eyeliner=:0.5", makeup.eyeliner(strength=0.5)),
        ("eye-shadow=#fff", makeup.eye_shadow("#fff")),
        ("blush = crimson:1", makeup.blush("crimson", 1)),
        ("iris=#0000ff:0.8", makeup.iris_tint("blue", 0.8)),
    ],
)
def test_makeup_is_a_colour_and_a_strength(text: str, product: makeup.Product) -> None:
    drawn = draw_effects(GREY, FACES, parse_effects(text), CAMERA)
    np.testing.assert_array_equal(drawn, makeup.apply(GREY, FACES, [product]))
    assert (drawn != GREY).any()


def test_without_a_face_nothing_is_drawn() -> None:
    assert (draw_effects(GREY, [], parse_effects("mesh,pose"), CAMERA) == GREY).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pose,nose", "no effect 'nose'; there are: mesh, pose, gaze"),
        ("", "no effect ''"),
        ("pose=3", "the effect pose takes no value, found '3'"),
        ("lipstick=reddish", "'reddish' is not a colour"),
        ("blush=#fff:2", "strength of blush is 2.0; expected 0 to 1"),
        ("blush=:much", "strength of blush is 'much'; expected 0 to 1"),
    ],
)
def test_wrong_effects_are_said(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_effects(text)


def test_what_cannot_be_a_face_is_left_out() -> None:
    mirrored = FACES[0] * np.array([-1, 1, 1], np.float32) + np.array([640, 0, 0], np.float32)
    effects = parse_effects("pose,gaze")
    assert (draw_effects(GREY, [mirrored], effects, CAMERA) == GREY).all()
    drawn = draw_effects(GREY, [mirrored, FACES[0]], effects, CAMERA)
    np.testing.assert_array_equal(drawn, draw_effects(GREY, [FACES[0]], effects, CAMERA))


def test_landmarks_of_another_scheme_are_refused() -> None:
    with pytest.raises(UserError, match="needs the 478 landmarks of face478"):
        draw_effects(GREY, [np.zeros((68, 3))], parse_effects("pose"), CAMERA)


def test_the_help_lists_each_effect() -> None:
    lines = DETAILS.splitlines()
    assert "  lipstick[=COLOUR[:STRENGTH]]    lipstick, which leaves the teeth" in lines
    for name, effect in EFFECTS.items():
        assert (
            sum(line.startswith(f"  {name}") and line.endswith(effect.about) for line in lines) == 1
        )
