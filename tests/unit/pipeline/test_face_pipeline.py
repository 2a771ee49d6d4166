import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np
import pytest

from amesh.errors import UserError
from amesh.geometry import roi
from amesh.geometry.roi import Roi
from amesh.nn.names import DEFAULT
from amesh.pipeline.crops import as_mediapipe_cuts, crop_image
from amesh.pipeline.detector import Detection
from amesh.pipeline.face_pipeline import FacePipeline
from amesh.runner import RunnerOutput, TorchRunner
from amesh.topology import load
from amesh.topology.roi import RoiRule, RoiRules


class Probe:
    """A landmark network whose landmarks are the crop's corners and centre, z growing."""

    name = "probe"
    input_size = 64
    topology = replace(load("ibug68"), roi=load("face478").roi)

    def __init__(self, flags: list[float] | None = None, errors: np.ndarray | None = None) -> None:
        self.flags, self.errors = flags, errors
        self.batches: list[np.ndarray] = []

    def __call__(self, crops: np.ndarray) -> RunnerOutput:
        start = sum(map(len, self.batches))
        self.batches.append(crops)
        points = np.zeros((len(crops), 68, 3), np.float32)
        points[:, :5] = [(0, 0, 0), (64, 0, 1), (0, 64, 2), (64, 64, 3), (32, 32, 4)]
        flags = self.flags[start : start + len(crops)] if self.flags else [20.0] * len(crops)
        errors = None
        if self.errors is not None:
            errors = np.tile(self.errors.astype(np.float32), (len(crops), 1))
        return RunnerOutput(points, np.array(flags, np.float32), errors)


def detection(x: float, y: float, side: float) -> Detection:
    keypoints = np.zeros((6, 2), np.float32)
    keypoints[0], keypoints[1] = (x + 0.3 * side, y), (x + 0.7 * side, y)
    return Detection(np.array([x, y, x + side, y + side], np.float32), keypoints, 0.9)


IMAGE = np.random.default_rng(0).integers(0, 255, (200, 300, 3), np.uint8)


def test_landmarks_come_back_to_the_picture():
    face_mesh = FacePipeline(Probe(), lambda _: [detection(50, 40, 80)])
    [face] = face_mesh(IMAGE)
    # The box's centre is (90, 80), the ROI 1.5 times its side: 30 to 150 and 20 to 140.
    expected = [[30, 20], [150, 20], [30, 140], [150, 140], [90, 80]]
    np.testing.assert_allclose(face.landmarks[:5, :2], expected, atol=1e-4)
    np.testing.assert_allclose(face.landmarks[:5, 2], np.arange(5) * 120 / 64, atol=1e-5)
    assert face.roi.size.item() == pytest.approx(120)


def test_expected_errors_are_scaled_to_the_picture_and_give_confidence():
    probe = Probe(errors=np.linspace(0, 8, 68))
    [face] = FacePipeline(probe, lambda _: [detection(50, 40, 80)])(IMAGE)
    # The square of 120 px is a crop of 64 px.
    np.testing.assert_allclose(face.expected_error, np.linspace(0, 15, 68), rtol=1e-5, atol=1e-6)
    assert face.confidence.shape == (68,)
    assert face.confidence[0] == 1
    assert (np.diff(face.confidence) <= 0).all()
    assert 0 < face.confidence[-1] < 0.5


def test_a_network_that_predicts_no_errors_gives_no_confidence():
    [face] = FacePipeline(Probe(), lambda _: [detection(50, 40, 80)])(IMAGE)
    assert face.expected_error is None
    assert face.confidence is None


def test_a_face_with_an_expected_error_that_is_not_finite_is_broken():
    probe = Probe(errors=np.r_[np.ones(67), np.nan])
    face_mesh = FacePipeline(probe, lambda _: [detection(50, 40, 80)])
    assert face_mesh(IMAGE) == []
    [face] = face_mesh(IMAGE, Roi.at(90, 80, 120))
    assert face.score == 0
    assert np.isnan(face.landmarks).all()
    assert np.isnan(face.confidence).all()


def test_the_scheme_says_where_its_crop_lies_in_a_detected_face():
    probe = Probe()
    rules = RoiRules(RoiRule(), RoiRule(0.8, (0.0, -0.25)))
    probe.topology = replace(probe.topology, roi=rules)
    face_mesh = FacePipeline(probe, lambda _: [detection(50, 40, 80)])
    [found], [given] = face_mesh(IMAGE), face_mesh(IMAGE, boxes=[50, 40, 130, 120])
    for face in (found, given):  # 80 wide, its centre at (90, 80)
        np.testing.assert_allclose(face.roi.centre, [[90, 60]], atol=1e-5)
        assert face.roi.size.item() == pytest.approx(64)


def test_a_scheme_that_does_not_say_so_is_run_on_rois_only():
    probe = Probe()
    probe.topology = replace(probe.topology, roi=None)
    face_mesh = FacePipeline(probe, lambda _: [])
    assert len(face_mesh(IMAGE, Roi.at(90, 80, 120))) == 1
    for boxes in (None, [50, 40, 130, 120]):
        with pytest.raises(UserError, match="does not say how a crop"):
            face_mesh(IMAGE, boxes=boxes)


@pytest.mark.parametrize("samples", [1, 2])
def test_the_network_sees_the_crop_as_floats_from_zero_to_one(samples: int):
    probe = Probe()
    FacePipeline(probe, lambda _: [detection(50, 40, 80)], samples=samples)(IMAGE)
    [crops] = probe.batches
    image_from_crop = roi.image_from_crop(Roi.at(90, 80, 120), 64)[0]
    expected = crop_image(IMAGE, image_from_crop, 64, samples=samples).astype(np.float32) / 255
    assert crops.dtype == np.float32
    np.testing.assert_allclose(crops[0], expected, atol=1.1 / 255)


def test_no_detection_is_no_face():
    pipeline = FacePipeline(Probe(), lambda _: [])
    assert pipeline(IMAGE) == []
    assert pipeline.detect(IMAGE).centre.shape == (0, 2)
    assert pipeline.look(IMAGE, pipeline.detect(IMAGE)).landmarks.shape == (0, 68, 3)


def test_the_steps_of_a_pipeline_can_be_taken_one_by_one():
    """As a tracker takes them: it detects now and then, and looks at each frame."""
    found = [detection(50, 40, 80), detection(200, 90, 40)]
    pipeline = FacePipeline(Probe([3.0, -3.0]), lambda _: found)
    rois = pipeline.detect(IMAGE)
    np.testing.assert_allclose(rois.size, [120, 60])
    looks = pipeline.look(IMAGE, rois)
    assert looks.rois is rois
    assert {part.dtype for part in (*rois, looks.landmarks, looks.logits)} == {np.dtype(float)}
    np.testing.assert_allclose(looks.landmarks[:, 4, :2], [[90, 80], [220, 110]], atol=1e-4)
    np.testing.assert_allclose(looks.scores, 1 / (1 + np.exp([-3.0, 3.0])))


@pytest.mark.parametrize("coordinate", [0, 1, 2])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_no_face(coordinate: int, value: float):
    class Broken(Probe):
        def __call__(self, crops: np.ndarray) -> RunnerOutput:
            output = super().__call__(crops)
            output.landmarks[0, 7, coordinate] = value
            return output

    pipeline = FacePipeline(Broken(), lambda _: [detection(50, 40, 80), detection(200, 90, 40)])
    looks = pipeline.look(IMAGE, pipeline.detect(IMAGE))
    assert np.isnan(looks.landmarks[0]).all()
    assert looks.scores[0] == 0
    assert np.isfinite(looks.landmarks[1]).all()
    [face] = pipeline(IMAGE)
    assert face.landmarks[4, 0] == pytest.approx(220)


def test_a_score_that_is_nan_is_no_face():
    found = [detection(50, 40, 80)]
    assert FacePipeline(Probe([math.nan]), lambda _: found, look_again=False)(IMAGE) == []
    [face] = FacePipeline(Probe([math.nan]), lambda _: [])(IMAGE, Roi.at(90, 80, 120))
    assert face.score == 0


def test_unsure_faces_are_dropped_and_the_others_renumbered():
    found = [detection(10, 10, 50), detection(100, 10, 50), detection(200, 100, 50)]
    faces = FacePipeline(Probe([3.0, -3.0, 1.0]), lambda _: found, look_again=False)(IMAGE)
    assert [face.id for face in faces] == [0, 1]
    assert faces[1].score == pytest.approx(1 / (1 + np.exp(-1.0)))
    np.testing.assert_allclose(faces[1].landmarks[4, :2], [225, 125], atol=1e-3)


def test_at_most_max_faces_come_back_and_no_false_detection_takes_their_place():
    found = [detection(50 * i, 10, 30) for i in range(5)]
    pipeline = FacePipeline(
        Probe([-3.0, 1, 2, 3, 4]), lambda _: found, max_faces=2, look_again=False
    )
    np.testing.assert_allclose(
        [face.landmarks[4, 0] for face in pipeline(IMAGE)], [65, 115], atol=1e-3
    )


@pytest.mark.parametrize("options", [{"max_faces": 0}, {"max_faces": -1}, {"min_score": 1.0}])
def test_options_out_of_range_are_refused(options: dict):
    with pytest.raises(UserError, match=f"{next(iter(options))} is .*; expected"):
        FacePipeline(Probe(), lambda _: [], **options)


def test_rois_must_be_finite():
    rois = Roi.at(np.nan, 1, 2)
    with pytest.raises(UserError, match=r"region of interest 0 .* expected"):
        FacePipeline(Probe(), lambda _: [])(IMAGE, rois)


def test_a_face_gives_its_parts_by_name():
    [face] = FacePipeline(Probe(), lambda _: [detection(50, 40, 80)])(IMAGE)
    assert face.topology is Probe.topology
    contour = next(name for name in face.topology.contours if name != "jaw")
    np.testing.assert_array_equal(
        face[contour], face.landmarks[list(face.topology.indices(contour))]
    )
    with pytest.raises(UserError, match=r"no part 'ear'; it has: .*jaw"):
        face["ear"]


def test_boxes_give_one_face_each_whatever_the_score():
    faces = FacePipeline(Probe([-9.0, 9]), lambda _: [])(
        IMAGE, boxes=[[50, 40, 130, 120], [10, 10, 30, 30]]
    )
    np.testing.assert_allclose(
        [face.landmarks[4, :2] for face in faces], [[90, 80], [20, 20]], atol=1e-4
    )
    assert FacePipeline(Probe(), lambda _: [])(IMAGE, boxes=[]) == []


def test_arrays_that_are_no_picture_are_refused_outside_of_tests_too(run_python):
    run_python("""
import numpy as np
from amesh.errors import UserError
from amesh.pipeline.face_pipeline import FacePipeline
face_mesh = FacePipeline(None, lambda image: [])
for bad in (np.zeros((9, 9, 3)), np.zeros((9, 9), np.uint8), np.zeros((9, 9, 4), np.uint8),
            np.zeros((0, 9, 3), np.uint8), np.zeros((3, 9, 9), np.uint8)):
    try:
        face_mesh(bad)
    except UserError as error:
        assert "expected uint8 (height, width, 3)" in str(error), error
    else:
        raise AssertionError(bad.shape)
""")


def test_a_crowd_goes_through_in_batches():
    probe = Probe()
    found = [detection(7 * i, 10, 4) for i in range(37)]
    faces = FacePipeline(probe, lambda _: found)(IMAGE)
    assert [len(batch) for batch in probe.batches] == [16, 16, 5]
    np.testing.assert_allclose([f.landmarks[4, 0] for f in faces], 2 + 7 * np.arange(37), atol=1e-3)


def test_given_rois_are_used_whatever_the_score():
    def refuse(_: np.ndarray) -> list[Detection]:
        raise AssertionError("the detector is not asked")

    rois = [Roi.at(100, 100, 64, np.pi / 2), Roi.at(50, 60, 32)]
    faces = FacePipeline(Probe([-5.0, -6.0]), refuse)(IMAGE, rois)
    assert [face.id for face in faces] == [0, 1]
    # Turned clockwise by 90 degrees, the crop's top edge runs down the right side of the square.
    np.testing.assert_allclose(faces[0].landmarks[:2, :2], [[132, 68], [132, 132]], atol=1e-3)
    np.testing.assert_allclose(faces[1].landmarks[3, :2], [66, 76], atol=1e-3)


def test_own_boxes_are_upright_faces():
    boxes = np.array([[50, 40, 130, 120], [10, 10, 20, 40]])
    faces = FacePipeline(Probe([-5.0, 2.0]), lambda _: [])(IMAGE, boxes=boxes)
    assert [face.roi.size.item() for face in faces] == [120, 45]
    np.testing.assert_allclose(faces[0].landmarks[:2, :2], [[30, 20], [150, 20]], atol=1e-4)


@pytest.fixture(scope="module")
def shipped() -> TorchRunner:
    """The default network, which comes with the package."""
    return TorchRunner.open(DEFAULT)


def upright_detection(box: np.ndarray) -> Detection:
    """What a detector says of a face that it takes for an upright one."""
    left, top, right, bottom = box
    y, width = 0.6 * top + 0.4 * bottom, right - left
    keypoints = np.full((6, 2), (left + width / 2, y), np.float32)
    keypoints[0, 0], keypoints[1, 0] = left + 0.3 * width, left + 0.7 * width
    return Detection(np.array(box, np.float32), keypoints, 0.9)


ASTRONAUT = np.array([170.0, 63, 276, 169])  # box of the face [px]


def turned(image: np.ndarray, quarters: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture turned clockwise, and the affine from the upright picture to it."""
    height, width = image.shape[:2]
    affines = [
        [[1, 0, 0], [0, 1, 0]],
        [[0, -1, height], [1, 0, 0]],
        [[-1, 0, width], [0, -1, height]],
        [[0, 1, 0], [-1, 0, width]],
    ]
    return np.ascontiguousarray(np.rot90(image, -quarters)), np.array(affines[quarters], float)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_face_that_is_not_upright_comes_back_as_it_is(
    shipped: TorchRunner, astronaut: np.ndarray, quarters: int
):
    [expected] = FacePipeline(shipped, lambda _: [upright_detection(ASTRONAUT)])(astronaut)
    image, turn = turned(astronaut, quarters)
    corners = np.stack([ASTRONAUT[:2], ASTRONAUT[2:]]) @ turn[:, :2].T + turn[:, 2]
    box = np.concatenate([corners.min(0), corners.max(0)])
    [face] = FacePipeline(shipped, lambda _: [upright_detection(box)])(image)
    truth = expected.landmarks[:, :2] @ turn[:, :2].T + turn[:, 2]
    size = np.ptp(truth, axis=0).max()
    assert np.linalg.norm(face.landmarks[:, :2] - truth, axis=1).mean() < 0.02 * size
    # One look either misses the face or misplaces its landmarks.
    for once in FacePipeline(shipped, lambda _: [upright_detection(box)], look_again=False)(image):
        assert np.linalg.norm(once.landmarks[:, :2] - truth, axis=1).mean() > 0.1 * size


def test_an_upright_face_is_looked_at_once(shipped: TorchRunner, astronaut: np.ndarray):
    one = upright_detection(ASTRONAUT)
    [face] = FacePipeline(shipped, lambda _: [one])(astronaut)
    [once] = FacePipeline(shipped, lambda _: [one], look_again=False)(astronaut)
    np.testing.assert_array_equal(face.landmarks, once.landmarks)


def test_a_face_detected_twice_is_one_face(shipped: TorchRunner, astronaut: np.ndarray):
    """The second detection is so wide that it does not overlap the first by much."""
    both = np.concatenate([astronaut, astronaut], axis=1)
    good = upright_detection(ASTRONAUT)
    wide = upright_detection(ASTRONAUT + np.array([-60, -40, 60, 80]))
    neighbour = upright_detection(ASTRONAUT + np.array([512, 0, 512, 0]))
    faces = FacePipeline(shipped, lambda _: [wide, good, neighbour])(both)
    assert [face.id for face in faces] == [0, 1]
    np.testing.assert_allclose(
        faces[1].landmarks[:, 0] - 512, faces[0].landmarks[:, 0], atol=0.02 * 106
    )


@pytest.mark.skipif(cv2.__version__ < "5", reason="OpenCV 4 rounds coordinates to 1/32 px")
def test_mediapipes_cut_is_reproduced():
    """Its converter by another road: `warpPerspective` from the corners of the turned square."""
    size = 96
    image_from_crop = roi.image_from_crop(Roi.at(140, 90, 150, 0.4), size)[0]
    box = cv2.boxPoints(((140.0, 90.0), (150.0, 150.0), np.degrees(0.4)))
    corners = np.array([[0, size], [0, 0], [size, 0], [size, size]], np.float32)
    matrix = cv2.getPerspectiveTransform(box, corners)
    theirs = cv2.warpPerspective(
        IMAGE, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    ours = crop_image(
        IMAGE, as_mediapipe_cuts(image_from_crop), size, border="replicate", antialias=False
    )
    assert np.abs(ours.astype(int) - theirs.astype(int)).max() <= 2
    right = crop_image(IMAGE, image_from_crop, size, border="replicate", antialias=False)
    assert np.abs(right.astype(int) - theirs.astype(int)).mean() > 5  # the half pixel is there


class Brightest:
    """Finds a face where a picture is brightest: each picture has its own."""

    def __call__(self, image: np.ndarray) -> list[Detection]:
        y, x, _ = np.unravel_index(image.argmax(), image.shape)
        return [detection(float(x), float(y), 40)]


def spots(number: int) -> list[np.ndarray]:
    pictures = np.zeros((number, 100, 200, 3), np.uint8)
    for i, picture in enumerate(pictures):
        picture[2 * i, 3 * i] = 255
    return list(pictures)


def test_a_list_of_pictures_gives_a_list_for_each():
    face_mesh, pictures = FacePipeline(Probe(), Brightest()), spots(20)
    found = face_mesh(pictures)
    assert len(found) == 20
    for i, [face] in enumerate(found):
        np.testing.assert_array_equal(face.landmarks, face_mesh(pictures[i])[0].landmarks)
    assert len({face.roi.centre.tobytes() for [face] in found}) == 20
    assert face_mesh([]) == []


def test_map_takes_pictures_only_a_few_ahead():
    taken = 0

    def pictures() -> Iterator[np.ndarray]:
        nonlocal taken
        for picture in spots(30):
            taken += 1
            yield picture

    for i, [face] in enumerate(FacePipeline(Probe(), Brightest()).map(pictures(), workers=2)):
        assert face.roi.centre[0, 0] == 3 * i + 20
        assert taken <= i + 8


def test_map_raises_for_a_bad_picture_after_the_faces_before_it():
    results = FacePipeline(Probe(), Brightest()).map([*spots(3), "gone.jpg"], workers=2)
    assert [len(next(results)) for _ in range(3)] == [1, 1, 1]
    with pytest.raises(UserError, match=r"gone\.jpg"):
        next(results)
