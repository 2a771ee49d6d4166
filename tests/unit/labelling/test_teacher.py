import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from amesh.data.correction import Correction, face_axes
from amesh.errors import UserError
from amesh.labelling.summary import claim, describe_teacher
from amesh.labelling.teacher import Member, Teacher
from amesh.labelling.views import ViewConfig
from amesh.labelling.vote import Vote
from amesh.pipeline.detector import Detection

from .conftest import TOPOLOGY, ColourReader, coloured, detect, face

Make = Callable[..., Teacher]
CLOSE = 0.25  # colours of 8 bits tell a place no better [px]


def test_labels_are_where_the_face_is(network: ColourReader, make_teacher: Make):
    [found] = make_teacher(network)(coloured())
    np.testing.assert_allclose(found.landmarks, face(), atol=CLOSE)
    assert found.landmarks.dtype == np.float32
    assert found.size == pytest.approx(60, abs=CLOSE)
    assert found.score == pytest.approx(1 / (1 + np.exp(-9.0)))
    assert found.disagreement < 0.003
    assert found.weight_xy.min() > 0.8
    assert found.weight_z.min() > 0.8
    assert network.batches == [1, 8, 8]  # detection's region; looks at the face, at the eyes


def test_errors_in_proportion_to_the_jitter_cancel_but_cost_weight(
    network: ColourReader, make_teacher: Make
):
    def error(image_from_crop: np.ndarray) -> np.ndarray:
        turn = np.arctan2(-image_from_crop[0, 1], image_from_crop[1, 1])
        side = np.log(np.linalg.norm(image_from_crop[:, 1]))
        wrong = np.zeros((478, 3))
        # Where it looks, in its own crop: to the right by what it is turned and scaled.
        wrong[10, 0] = 20 * np.sign(np.linalg.det(image_from_crop[:, :2])) * turn
        wrong[152, 1] = 60 * (side - np.log(90 / 64))
        return wrong

    network.error = error
    [found] = make_teacher(network)(coloured())
    np.testing.assert_allclose(found.landmarks, face(), atol=CLOSE)
    assert (found.weight_xy[[10, 152]] < 0.4).all()
    others = np.delete(found.weight_xy, [10, 152])
    assert others.min() > 0.8


def test_a_network_that_answers_a_mirrored_face_differently_is_averaged(
    network: ColourReader, make_teacher: Make
):
    def error(image_from_crop: np.ndarray) -> float:
        return 5.0 if np.linalg.det(image_from_crop[:, :2]) < 0 else 0.0

    network.error = error
    [found] = make_teacher(network)(coloured())
    # Half of 5 crop px of 90 / 64 px each; a mirrored crop's x points to the left.
    half = 2.5 * 90 / 64
    np.testing.assert_allclose((found.landmarks - face())[5, :2], [-half, half], atol=CLOSE)


def test_eyes_come_from_the_closer_looks_and_their_depth_does_not(
    network: ColourReader, make_teacher: Make
):
    def error(image_from_crop: np.ndarray) -> float:
        return 5.0 if np.linalg.norm(image_from_crop[:, 1]) < 0.9 * 90 / 64 else 0.0

    network.error = error
    [found] = make_teacher(network, ViewConfig(scale=0.0, eyes=0.8))(coloured())
    eyes = np.zeros(478, bool)
    for region in TOPOLOGY.regions:
        if region.iris is not None:
            eyes[[*region.indices, *region.iris.indices]] = True
    wrong = np.abs(found.landmarks - face())
    np.testing.assert_allclose(wrong[eyes, 1], 5 * 0.8 * 90 / 64, atol=CLOSE)
    assert wrong[~eyes].max() < CLOSE
    assert wrong[eyes, 2].max() < CLOSE


def test_faces_come_in_the_detectors_order_and_each_once(make_teacher: Make):
    left, right = face((70, 128), 50.0), face((190, 128), 60.0)
    network = ColourReader([right, left])
    teacher = make_teacher(network)
    found = teacher(coloured())
    assert [round(one.size) for one in found] == [60, 50]
    again = teacher.pipeline.detector
    teacher.pipeline.detector = lambda image: [*again(image), *again(image)]
    assert len(teacher(coloured())) == 2


def test_the_same_picture_gives_the_same_labels(network: ColourReader, make_teacher: Make):
    teacher = make_teacher(network)
    [one], [two] = teacher(coloured()), teacher(coloured())
    np.testing.assert_array_equal(one.landmarks, two.landmarks)
    np.testing.assert_array_equal(one.weight_xy, two.weight_xy)


@pytest.mark.parametrize("scale", [1, 8])
def test_a_face_that_detectors_miss_is_searched_for_with_a_margin(
    network: ColourReader, make_teacher: Make, scale: int
):
    """At once, and in a picture so large that the search is on a smaller one."""
    image = coloured().repeat(scale, axis=0).repeat(scale, axis=1)
    searched: list[tuple[int, ...]] = []

    def detector(picture: np.ndarray) -> list[Detection]:
        searched.append(picture.shape)
        side = min(256 * scale, 1024)
        if len(picture) == 256 * scale:
            return []
        assert not picture[: side // 4].any()
        assert picture.shape == (side * 3 // 2, side * 3 // 2, 3)
        return [detect(face() * (side / 256) + side / 4)]

    teacher = make_teacher(network)
    teacher.pipeline.detector = detector
    [found] = teacher(image)
    np.testing.assert_allclose(found.landmarks, face() * scale, atol=CLOSE * scale)
    assert len(searched) == 2


def test_habits_are_taken_out_of_the_labels(
    network: ColourReader, make_teacher: Make, tmp_path: Path
):
    shifts = np.zeros((TOPOLOGY.points, 2))
    shifts[10] = (0.1, -0.2)  # in the face's axes
    correction = Correction(TOPOLOGY.name, shifts)
    [before] = make_teacher(network)(coloured())
    teacher = Teacher(make_teacher(network).pipeline, correction=correction)
    [after] = teacher(coloured())

    moved = after.landmarks - before.landmarks
    expected = correction(before.landmarks.astype(np.float64), TOPOLOGY) - before.landmarks
    np.testing.assert_allclose(moved, expected, atol=1e-3)
    assert np.abs(moved[10]).max() > 1
    assert after.landmarks.dtype == np.float32
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"any")
    # A folder of labels that were not corrected is not gone on with.
    plain = describe_teacher([weights], make_teacher(network))
    assert plain["correction"] is None
    assert describe_teacher([weights], teacher)["correction"] == correction.digest


def test_a_correction_of_another_topology_is_refused(network: ColourReader, make_teacher: Make):
    with pytest.raises(UserError, match="does not fit landmarks of face478"):
        Teacher(make_teacher(network).pipeline, correction=Correction("o", np.zeros((5, 2))))


def test_labels_are_what_all_members_agree_on(network: ColourReader, make_teacher: Make):
    """Two networks, each with a habit of its own; that of the second one is known."""
    right, down = np.zeros((478, 3)), np.zeros((478, 3))
    right[10, 0], down[10, 1], down[152, 1] = 4.0, 4.0, 4.0  # [crop px], of 90 / 64 px each
    second = ColourReader(network.faces)
    plain = make_teacher(network).pipeline
    # Mirrored looks would take a shift to the right out again.
    network.error = lambda at: right * np.sign(np.linalg.det(at[:, :2]))
    second.error = lambda _: down
    shifts = np.zeros((TOPOLOGY.points, 2))
    [wrong] = make_teacher(second)(coloured())
    axes = face_axes(face(), TOPOLOGY)
    shifts[152] = np.linalg.solve(axes.T, (face() - wrong.landmarks)[152, :2])
    correction = Correction(TOPOLOGY.name, shifts)

    teacher = Teacher(plain, others=[Member(second, correction)])
    [found] = teacher(coloured())
    half = 2.0 * 90 / 64
    np.testing.assert_allclose((found.landmarks - face())[10, :2], [half, half], atol=2 * CLOSE)
    np.testing.assert_allclose(found.landmarks[152], face()[152], atol=2 * CLOSE)
    assert found.weight_xy[10] < 0.2  # on which they disagree
    assert found.weight_xy[152] > 2 * found.weight_xy[10]
    assert second.batches[-2:] == [8, 8]
    assert network.batches[-3:] == [1, 8, 8]
    second.logit = -9.0
    assert teacher(coloured())[0].score == pytest.approx(0.5, abs=1e-3)


def test_a_member_counts_where_it_has_a_vote(network: ColourReader, make_teacher: Make):
    second = ColourReader(network.faces, logit=-9.0)
    wrong = np.zeros((478, 3))
    wrong[[152, 468], 1] = 4.0  # chin and pupil [crop px], of 90 / 64 px each
    second.error = lambda _: wrong
    pipeline = make_teacher(network).pipeline
    vote = Vote({"iris": 0.0, "face_oval": 3.0}, flag=0.0)
    [found] = Teacher(pipeline, others=[Member(second, vote=vote)])(coloured())
    [plain] = make_teacher(network)(coloured())
    moved = (found.landmarks - plain.landmarks)[:, 1] * 64 / 90
    # Three quarters of the weight, of which the sixth that is trimmed is all the first network's.
    assert moved[152] == pytest.approx(4 * 5 / 6, abs=2 * CLOSE)
    assert moved[468] == pytest.approx(0, abs=CLOSE)
    assert found.weight_xy[468] > 0.8
    assert found.score == plain.score


def test_the_views_of_a_profile_are_upright(make_teacher: Make):
    """Past 90 degrees, the corners of the eyes have changed places."""
    angle = np.radians(95)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, 0.1]])
    network = ColourReader([(face() - 128) @ turn.T + 128])
    rolls: list[float] = []
    network.error = lambda at: rolls.append(np.degrees(np.arctan2(-at[0, 1], at[1, 1]))) or 0.0
    [_] = make_teacher(network)(coloured())
    views = rolls[network.batches[0] :]  # the first batch is the pipeline's look
    assert len(views) > 10
    assert np.abs(views).max() < 45


def test_a_member_counts_more_on_turned_faces(make_teacher: Make):
    angle = np.radians(60)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, 0.5]])
    for points, share in ((face(), 0.5), ((face() - 128) @ turn.T + 128, 1.0)):
        first, second = ColourReader([points]), ColourReader([points])
        wrong = np.zeros((478, 3))
        wrong[152, 1] = 4.0
        second.error = lambda _, wrong=wrong: wrong
        pipeline = make_teacher(first).pipeline
        [found] = Teacher(pipeline, others=[Member(second, vote=Vote(turned=50.0))])(coloured())
        [plain] = make_teacher(first)(coloured())
        moved = (found.landmarks - plain.landmarks)[152, 1] / (4 * found.size * 1.5 / 64)
        assert moved == pytest.approx(share, abs=0.1)


def test_what_labelled_a_folder_names_all_members(
    network: ColourReader, make_teacher: Make, tmp_path: Path
):
    files = [tmp_path / "one.safetensors", tmp_path / "two.safetensors"]
    for file in files:
        file.write_bytes(file.name.encode())
    alone = make_teacher(network)
    both = Teacher(alone.pipeline, others=[Member(network)])
    assert describe_teacher(files[:1], alone)["others"] is None
    [other] = describe_teacher(files, both)["others"]
    assert other["network"] == "colours"
    assert other["sha256"] == hashlib.sha256(b"two.safetensors").hexdigest()
    assert other["correction"] is None
    voting = Teacher(alone.pipeline, others=[Member(network, vote=Vote(turned=2.0))])
    [of_two] = describe_teacher(files, voting)["others"]
    assert of_two == {**other, "vote": {"parts": {}, "turned": 2.0, "flag": 1.0}}
    claim(tmp_path, describe_teacher(files[:1], alone), {})
    colours = r"colours \([0-9a-f]{12}, correction None\)"
    with pytest.raises(UserError, match=f"others None.*{colours}"):
        claim(tmp_path, describe_teacher(files, both), {})
    # Their order is of no account.
    three = [*files, tmp_path / "three.safetensors"]
    three[2].write_bytes(b"3")
    all_three = Teacher(alone.pipeline, others=[Member(network), Member(network)])
    one_way = describe_teacher(three, all_three)
    assert describe_teacher([three[0], three[2], three[1]], all_three) == one_way


def test_a_member_of_another_topology_is_refused(network: ColourReader, make_teacher: Make):
    other = ColourReader(network.faces)
    other.topology = replace(TOPOLOGY, name="face10")
    with pytest.raises(UserError, match=r"colours is for face10, but .*face478"):
        Teacher(make_teacher(network).pipeline, others=[Member(other)])
