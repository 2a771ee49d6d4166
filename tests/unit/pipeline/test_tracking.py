import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from amesh.errors import UserError
from amesh.geometry.roi import Roi
from amesh.pipeline.detector import Detection
from amesh.pipeline.face_pipeline import Face, FacePipeline
from amesh.pipeline.looks import Looks
from amesh.pipeline.smoothing import Smoother, as_one_euro
from amesh.pipeline.tracking import Tracker
from amesh.runner import RunnerOutput
from amesh.topology import load

TOPOLOGY = load()
LOW, HIGH = TOPOLOGY.template.min(0), TOPOLOGY.template.max(0)
FACE = (TOPOLOGY.template - (LOW + HIGH) / 2) / (HIGH - LOW)[:2].max()  # 1 px, around the origin
SIDE = 1.5  # of the square, in faces
IMAGE = np.zeros((600, 800, 3), np.uint8)


@dataclass(frozen=True)
class Person:
    """A face in the scene: its centre, longer side, roll and yaw."""

    x: float
    y: float = 300.0
    size: float = 100.0
    roll: float = 0.0
    detectable: bool = True
    yaw: float = 0.0

    def landmarks(self) -> np.ndarray:
        cos, sin = math.cos(self.roll), math.sin(self.roll)
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        aside = FACE @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
        turned = aside @ np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        return turned * self.size + [self.x, self.y, 0]


class Runner:
    name, input_size, topology = "fake", 192, TOPOLOGY

    def __call__(self, crops: np.ndarray) -> RunnerOutput:
        raise AssertionError("the scene is looked at instead")


class Scene(FacePipeline):
    """People in front of a camera, and a network that sees the one nearest to a square's centre.

    It reaches a quarter of the square's side.
    """

    def __init__(self, people: list[Person], max_faces: int | None = 1, min_score: float = 0.5):
        super().__init__(Runner(), self.nothing, max_faces, min_score)
        self.people = people
        self.false: list[tuple[float, float]] = []  # where the detector errs
        self.confidence = 30.0
        self.detections = 0
        self.regions: list[Roi] = []

    @staticmethod
    def nothing(image: np.ndarray) -> list[Detection]:
        raise AssertionError("the scene detects")

    def detect(self, image: np.ndarray) -> Roi:
        self.detections += 1
        seen = [(p.x, p.y, SIDE * p.size) for p in self.people if p.detectable]
        found = np.array([(*place, 150.0) for place in self.false] + seen, float).reshape(-1, 3)
        return Roi(found[:, :2], found[:, 2], np.zeros(len(found)))

    def look(self, image: np.ndarray, rois: Roi) -> Looks:
        self.regions.append(rois)
        landmarks, logits = [], []
        for centre, size in zip(rois.centre, rois.size, strict=True):
            away = [math.dist(centre, (p.x, p.y)) / size for p in self.people]
            seen = bool(away) and min(away) < 0.25
            person = self.people[int(np.argmin(away))] if seen else Person(*centre, size / SIDE)
            landmarks.append(person.landmarks())
            logits.append(self.confidence if seen else -9.0)
        count = len(self.regions)  # the expected errors tell one look from another
        errors = np.full((len(logits), 478), 0.1 * count)
        return Looks(rois, np.array(landmarks).reshape(-1, 478, 3), np.array(logits, float), errors)


def follow(tracker: Tracker, scene: Scene, frames: list[list[Person]]) -> list[list[Face]]:
    """The faces of frames, 30 in a second."""
    found = []
    for i, people in enumerate(frames):
        scene.people = people
        found.append(tracker.process(IMAGE, i / 30))
    return found


def ids(found: list[list[Face]]) -> list[list[int]]:
    return [[face.id for face in faces] for faces in found]


def test_expected_errors_are_those_of_the_last_look_and_not_filtered():
    scene = Scene([])
    found = follow(Tracker(scene), scene, [[Person(200)]] * 3)
    [[face]] = found[-1:]
    assert face.expected_error == pytest.approx(0.1 * len(scene.regions))
    assert face.confidence.min() > 0.99


def test_a_moving_face_is_detected_once_and_followed_by_its_raw_landmarks():
    scene = Scene([])
    tracker = Tracker(scene)
    frames = [[Person(200 + 10 * i, size=100 * 1.02**i, roll=0.1 * i)] for i in range(20)]
    found = follow(tracker, scene, frames)
    assert ids(found) == [[0]] * 20
    assert scene.detections == 1
    for [face], [person] in zip(found, frames, strict=True):
        np.testing.assert_allclose(face.raw, person.landmarks(), atol=1e-3)
    # The square of the last look is that of the face one frame before.
    assert found[-1][0].roi.centre[0] == pytest.approx((380, 300), abs=3)
    assert found[-1][0].roi.angle[0] == pytest.approx(1.8)
    assert found[-1][0].score == pytest.approx(1.0)


def test_landmarks_are_smoothed_and_raw_ones_are_not():
    scene = Scene([])
    frames = [[Person(200 + 5 * i)] for i in range(8)]
    found = follow(Tracker(scene, smoothing="strong"), scene, frames)
    smoother = Smoother(as_one_euro("strong"))
    for i, ([face], [person]) in enumerate(zip(found, frames, strict=True)):
        np.testing.assert_allclose(face.landmarks, smoother(person.landmarks(), i / 30), atol=1e-3)
        assert face.raw.dtype == face.landmarks.dtype == np.float32
    assert found[-1][0].landmarks[0, 0] < found[-1][0].raw[0, 0] - 0.5
    off = follow(Tracker(scene, smoothing="off"), scene, frames)
    np.testing.assert_array_equal(off[-1][0].landmarks, off[-1][0].raw)


def test_a_lost_face_frees_its_place_and_comes_back_under_a_new_id():
    scene = Scene([])
    frames = [[Person(200)]] * 3 + [[]] * 20 + [[Person(210)]] * 3
    found = follow(Tracker(scene, detect_every=1), scene, frames)
    assert ids(found) == [[0]] * 3 + [[]] * 20 + [[1]] * 3
    # It starts with a filter of its own.
    np.testing.assert_array_equal(found[-3][0].landmarks, found[-3][0].raw)


@pytest.mark.parametrize("every", [1, 4, 10])
def test_the_detector_runs_at_once_after_a_loss_and_then_every_few_frames(every: int):
    scene = Scene([])
    tracker = Tracker(scene, detect_every=every)
    ran = []
    for i in range(24):
        before, scene.people = scene.detections, [Person(200)] if i < 3 else []
        tracker.process(IMAGE, i / 30)
        if scene.detections > before:
            ran.append(i)
    assert ran == [0, *range(3, 24, every)]


def test_the_detector_rests_while_all_places_are_taken():
    scene = Scene([Person(200), Person(500)], max_faces=2)
    tracker = Tracker(scene, detect_every=1)
    for i in range(5):
        tracker.process(IMAGE, i / 30)
    assert scene.detections == 1
    scene.max_faces = None  # a place is always free
    tracker.process(IMAGE, 1)
    assert scene.detections == 2


def test_after_a_cut_the_new_face_is_there_in_the_same_frame():
    scene = Scene([])
    found = follow(Tracker(scene), scene, [[Person(200)]] * 2 + [[Person(600)]] * 2)
    assert ids(found) == [[0], [0], [1], [1]]
    np.testing.assert_allclose(found[2][0].raw, Person(600).landmarks(), atol=1e-3)


def test_a_face_that_joins_is_found_when_the_detector_runs_next():
    scene = Scene([], max_faces=2)
    frames = [[Person(200)]] * 3 + [[Person(600), Person(200)]] * 6
    found = follow(Tracker(scene, detect_every=4), scene, frames)
    assert ids(found) == [[0]] * 4 + [[0, 1]] * 5
    assert found[-1][1].raw[:, 0].mean() > 500


def test_detections_of_followed_faces_are_not_looked_at():
    scene = Scene([Person(200)], max_faces=3)
    tracker = Tracker(scene, detect_every=1)
    for i in range(3):
        tracker.process(IMAGE, i / 30)
    assert [len(rois.size) for rois in scene.regions] == [1, 1, 1, 1]  # the first frame has two


def test_all_faces_of_a_frame_go_through_together():
    scene = Scene([Person(150 * i + 75) for i in range(5)], max_faces=4)
    tracker = Tracker(scene)
    assert len(tracker.process(IMAGE, 0)) == 4
    assert len(tracker.process(IMAGE, 1 / 30)) == 4
    assert [len(rois.size) for rois in scene.regions] == [4, 4, 4]  # the first frame has two


def test_false_detections_take_no_place():
    scene = Scene([Person(500), Person(200)], max_faces=2)
    scene.look_again = False
    scene.false = [(50.0, 50.0), (400.0, 500.0), (750.0, 80.0)]
    faces = Tracker(scene).process(IMAGE, 0)
    assert [face.id for face in faces] == [0, 1]
    assert [round(float(face.raw[:, 0].mean())) for face in faces] == [500, 200]


def test_a_face_detected_twice_is_followed_once():
    scene = Scene([Person(200)], max_faces=2)
    scene.false = [(215.0, 305.0)]  # near enough for the network to see the same face
    faces = Tracker(scene).process(IMAGE, 0)
    assert len(faces) == 1
    np.testing.assert_allclose(faces[0].raw, Person(200).landmarks(), atol=1e-3)


def test_a_detection_that_turns_out_to_be_a_followed_face_is_dropped():
    scene = Scene([Person(200)], max_faces=2)
    scene.look = jumping(scene.look)  # type: ignore[method-assign]
    tracker = Tracker(scene, detect_every=1)
    tracker.process(IMAGE, 0)
    scene.false, looked = [(200 - 0.3 * 150, 300.0)], len(scene.regions)
    assert [face.id for face in tracker.process(IMAGE, 1 / 30)] == [0]
    assert len(scene.regions) > looked + 2  # the detection was looked at


def test_a_face_whose_square_was_wrong_is_looked_at_again():
    """From a detection, or after a quick movement."""
    scene = Scene([])
    tracker = Tracker(scene)
    follow(tracker, scene, [[Person(200)]])
    assert len(scene.regions) == 2
    [[face]] = follow(tracker, scene, [[Person(200 + 0.2 * 150)]])
    assert len(scene.regions) == 4
    np.testing.assert_allclose(face.roi.centre, [[230, 300]], atol=1e-6)
    follow(tracker, scene, [[Person(230 + 0.05 * 150)]])
    assert len(scene.regions) == 5
    follow(tracker, scene, [[Person(237.5, size=125)]])
    assert len(scene.regions) == 7
    follow(tracker, scene, [[Person(237.5, size=125, roll=0.4)]])
    assert len(scene.regions) == 9


def test_a_track_that_jumps_onto_a_neighbour_ends():
    """The network's reach grows here, as it does for real ones when a face vanishes."""
    scene = Scene([Person(300)])
    tracker = Tracker(scene, detect_every=100)
    assert len(tracker.process(IMAGE, 0)) == 1
    scene.look = jumping(scene.look)  # type: ignore[method-assign]
    scene.people = [Person(300 + 0.39 * 150)]
    assert [face.id for face in tracker.process(IMAGE, 1 / 30)] == [0]
    scene.people = [Person(300 + 0.39 * 150 + 0.41 * 150)]
    [other] = tracker.process(IMAGE, 2 / 30)
    assert other.id == 1
    np.testing.assert_allclose(other.raw, scene.people[0].landmarks(), atol=1e-3)


def jumping(look: Callable[..., Looks]) -> Callable[..., Looks]:
    """Looks that find a face 0.3 sides right of the square, too."""

    def wider(image: np.ndarray, rois: Roi) -> Looks:
        right = rois._replace(centre=rois.centre + np.stack([0.3 * rois.size, 0 * rois.size], 1))
        found = look(image, rois)
        better = look(image, right)
        rows = np.flatnonzero((better.logits > found.logits) & (found.logits < 0))
        return found.replaced(rows, better.pick(rows)._replace(rois=rois.pick(rows)))

    return wider


@pytest.mark.parametrize("front", [0, 1])
def test_of_two_faces_that_cross_the_one_in_front_keeps_its_id(front: int):
    """Each moves by 16 px a frame; the one behind is hidden while they overlap."""
    scene = Scene([], max_faces=2)
    frames = []
    for i in range(30):
        pair = [Person(160 + 16 * i, 300), Person(640 - 16 * i, 300)]
        hidden = abs(pair[0].x - pair[1].x) < 50
        frames.append([pair[front]] if hidden else pair)
    found = follow(Tracker(scene, detect_every=1), scene, frames)
    for faces, people in zip(found, frames, strict=True):
        assert len(faces) == len(people)
    where = {face.id: face.raw[:, 0].mean() for face in found[-1]}
    assert set(where) == {front, 2}
    assert where[front] == pytest.approx(frames[-1][front].landmarks()[:, 0].mean(), abs=1e-3)
    order = [face.id for faces in found for face in faces]
    for number in (front, 2):
        path = [face.raw[:, 0].mean() for faces in found for face in faces if face.id == number]
        assert (np.abs(np.diff(path)) < 17).all(), order


def test_a_face_that_rushes_past_another_keeps_its_id():
    """In the frame in which it hides the other, the other's track jumps less than it moves."""
    frames = []
    for i in range(16):
        rushing, still = Person(50 + 36 * i), Person(400)
        hidden = -25 < rushing.x - still.x < 80
        frames.append([rushing] if hidden else [rushing, still])
    found = follow(Tracker(scene := Scene([], max_faces=2), detect_every=1), scene, frames)
    assert ids(found) == [[0, 1]] * 9 + [[0]] * 3 + [[0, 2]] * 4
    assert found[-1][0].raw[:, 0].mean() > 560


@pytest.mark.parametrize("way", ["right", "up"])
def test_a_face_that_leaves_the_picture_is_lost_whatever_its_score(way: str):
    scene = Scene([])
    frames = []
    for i in range(40):
        away = 20 * i
        frames.append([Person(600 + away) if way == "right" else Person(400, 250 - away)])
    tracker = Tracker(scene)
    lost = next(i for i, faces in enumerate(follow(tracker, scene, frames)) if not faces)
    person = frames[lost][0]
    beyond = person.x - 800 if way == "right" else -person.y
    assert 75 <= beyond < 95  # half the square, and one step


def test_nonsense_landmarks_end_a_track():
    for wrong in (np.nan, 10.0, 0.0):
        scene = Scene([Person(400)])
        tracker = Tracker(scene)
        assert len(tracker.process(IMAGE, 0)) == 1
        seen = scene.look

        def spoilt(image: np.ndarray, rois: Roi, seen=seen, wrong=wrong) -> Looks:
            looks = seen(image, rois)
            middle = looks.landmarks.mean(1, keepdims=True)
            return looks._replace(landmarks=middle + (looks.landmarks - middle) * wrong)

        scene.look, scene.look_again = spoilt, False  # type: ignore[method-assign]
        assert tracker.process(IMAGE, 1 / 30) == []


def test_the_score_decides():
    scene = Scene([Person(200)], min_score=0.9)
    scene.look_again = False
    tracker = Tracker(scene)
    scene.confidence = 2.0
    assert tracker.process(IMAGE, 0) == []
    scene.confidence = 3.0
    tracker = Tracker(scene)
    [face] = tracker.process(IMAGE, 0)
    assert face.score == pytest.approx(1 / (1 + math.exp(-3)))
    scene.confidence = 2.0
    assert tracker.process(IMAGE, 1 / 30) == []


def test_reset_forgets_faces_and_no_id_comes_twice():
    scene = Scene([Person(200), Person(500)], max_faces=2)
    tracker = Tracker(scene)
    assert [face.id for face in tracker.process(IMAGE, 0)] == [0, 1]
    tracker.reset()
    found = tracker.process(IMAGE, 0.01)
    assert [face.id for face in found] == [2, 3]
    np.testing.assert_array_equal(found[0].landmarks, found[0].raw)


def test_a_frame_of_another_size_starts_afresh():
    scene = Scene([Person(200)])
    tracker = Tracker(scene)
    tracker.process(IMAGE, 0)
    [face] = tracker.process(IMAGE[:500], 1 / 30)
    assert face.id == 1
    assert scene.detections == 2


def test_a_time_that_stands_still_repeats_the_landmarks_but_not_the_raw_ones():
    scene = Scene([Person(200)])
    tracker = Tracker(scene)
    [first] = tracker.process(IMAGE, 5.0)
    scene.people = [Person(205)]
    [second] = tracker.process(IMAGE, 5.0)
    np.testing.assert_array_equal(second.landmarks, first.landmarks)
    np.testing.assert_allclose(second.raw, first.raw + np.float32([5, 0, 0]), atol=1e-3)


def test_a_face_that_turns_past_the_side_is_followed_upright():
    """Past 90 degrees, the corners of the eyes change places."""
    scene = Scene([])
    tracker = Tracker(scene, smoothing=None)
    frames = [[Person(400, roll=0.3, yaw=math.radians(yaw))] for yaw in range(0, 100, 5)]
    found = follow(tracker, scene, frames)
    assert ids(found) == [[0]] * len(frames)
    assert [face.roi.angle.item() for [face] in found] == pytest.approx([0.3] * len(frames))


def test_own_settings_and_other_topologies_are_taken():
    part = replace(TOPOLOGY, anchors=(61, 291))
    scene = Scene([Person(200, roll=0.3)])
    scene.runner.topology = part  # type: ignore[misc]
    try:
        [face] = Tracker(scene, smoothing=None).process(IMAGE, 0)
    finally:
        scene.runner.topology = TOPOLOGY  # type: ignore[misc]
    assert face.topology is part


@pytest.mark.parametrize("every", [0, -1])
def test_the_detector_cannot_run_more_often_than_in_every_frame(every: int):
    with pytest.raises(UserError, match=r"detect_every is .*; expected 1, 2"):
        Tracker(Scene([]), detect_every=every)


def test_smoothing_is_one_of_the_presets():
    with pytest.raises(UserError, match="no smoothing 'much'"):
        Tracker(Scene([]), smoothing="much")


@pytest.mark.parametrize("time", [math.nan, math.inf])
def test_a_time_is_finite(time: float):
    with pytest.raises(UserError, match="expected seconds"):
        Tracker(Scene([])).process(IMAGE, time)


def test_times_in_milliseconds_are_warned_of_once() -> None:
    tracker = Tracker(Scene([Person(300.0)]))
    for i in range(3):
        tracker.process(IMAGE, i * 33.0)
    with pytest.warns(UserWarning, match=r"33 s apart, .* in milliseconds\?"):
        tracker.process(IMAGE, 99.0)
    for i in range(4, 12):
        tracker.process(IMAGE, i * 33.0)  # a second warning would be an error


@pytest.mark.parametrize(("smoothing", "times"), [("off", (0, 33, 66, 99)), ("light", (0, 9, 99))])
def test_rare_frames_are_not_warned_of(smoothing: str, times: tuple[float, ...]) -> None:
    tracker = Tracker(Scene([Person(300.0)]), smoothing)
    for time in times:
        tracker.process(IMAGE, time)
