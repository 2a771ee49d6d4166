"""Makeup on a real face, whose landmarks are recorded, and on drawn ones."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from skimage.color import rgb2lab

from amesh.effects.makeup import (
    Product,
    _products,
    apply,
    blush,
    eye_shadow,
    eyeliner,
    iris_tint,
    lipstick,
)
from amesh.errors import UserError
from amesh.topology import load

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "face_landmarker_v2.npz"
TOPOLOGY = load()
MAKERS = [lipstick, eyeliner, eye_shadow, blush, iris_tint]
LOOK = [blush(), eye_shadow(), eyeliner(), lipstick(), iris_tint()]
TEETH = (236, 230, 214)


@pytest.fixture(scope="module")
def portrait() -> tuple[np.ndarray, np.ndarray]:
    """A face some 400 px large and its landmarks."""
    with np.load(GOLDEN) as golden:
        number = golden["names"].tolist().index("upright")
        crop, landmarks = golden["crops"][number], golden["landmarks"][number]
    return cv2.resize(crop, None, fx=2.5, fy=2.5, interpolation=cv2.INTER_CUBIC), landmarks * 2.5


def drawn_face(
    yaw: float = 0.0, mouth: float = 0.0, closed: bool = False, unit: float = 180.0
) -> tuple[np.ndarray, np.ndarray]:
    """The mean face, turned and with an open mouth, on skin without shade."""
    points = TOPOLOGY.template.copy()
    inner = [14, 87, 178, 88, 95, 317, 402, 318, 324]
    outer = [17, 84, 181, 91, 146, 314, 405, 321, 375]
    points[inner + outer, 1] += mouth
    if closed:
        for lower, upper in ((LOWER, UPPER), (MIRROR[LOWER], MIRROR[UPPER])):
            points[lower] = points[upper]
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    points = points @ np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]).T
    landmarks = points * unit + (256, 200, 0)
    image = np.full((512, 512, 3), (205, 160, 135), np.uint8)
    for name, colour in (("lips_outer", (176, 96, 92)), ("lips_inner", TEETH)):
        line = np.rint(landmarks[list(TOPOLOGY.contours[name][0]), :2]).astype(np.int32)
        cv2.fillPoly(image, [line], colour)
    return image, landmarks


MIRROR = TOPOLOGY.mirror
UPPER = np.array([246, 161, 160, 159, 158, 157, 173])
LOWER = np.array([7, 163, 144, 145, 153, 154, 155])


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def far_from(landmarks: np.ndarray, contours: list[str], distance: float) -> np.ndarray:
    """Pixels of the portrait more than `distance` [px] outside of all these contours."""
    outside = np.full((640, 640), 1, np.uint8)
    for name in contours:
        for line in TOPOLOGY.contours[name]:
            cv2.fillPoly(outside, [np.rint(landmarks[list(line), :2]).astype(np.int32)], 0)
    return cv2.distanceTransform(outside, cv2.DIST_L2, 5) > distance


@pytest.mark.parametrize(
    ("product", "contours", "reach"),
    [
        (lipstick("#b0103a", 1), ["lips_outer"], 0.04),
        (iris_tint("blue", 1), ["right_iris", "left_iris"], 0.05),
        (eyeliner(strength=1), ["right_eye", "left_eye"], 0.12),
        (eye_shadow(strength=1), ["right_eye", "left_eye"], 0.28),
        (blush(strength=1), ["face_oval"], 0.03),
    ],
    ids=lambda value: value.name if isinstance(value, Product) else None,
)
def test_pixels_outside_of_the_mask_keep_their_values(portrait, product, contours, reach) -> None:
    image, landmarks = portrait
    kept = image.copy()
    painted = apply(image, landmarks, [product])
    unit = np.linalg.norm(landmarks[33] - landmarks[263])
    outside = far_from(landmarks, contours, reach * unit)
    assert changed(image, painted).sum() > 100
    assert not changed(image, painted)[outside].any()
    assert np.array_equal(image, kept), "the picture that was passed is left alone"


@pytest.mark.parametrize("colour", ["#b0103a", "#3a0a18", "#ffb6c1", "#0000ff", "#00ff00", "#fff"])
@pytest.mark.parametrize("maker", [lipstick, eye_shadow, blush, iris_tint])
def test_lightness_follows_the_skin(portrait, maker, colour) -> None:
    image, landmarks = portrait
    painted = apply(image, landmarks, [maker(colour)])
    inside = changed(image, painted)
    if maker is lipstick:  # a feathered edge between darker lips and skin is no texture
        unit = np.linalg.norm(landmarks[33] - landmarks[263])
        edge = far_from(landmarks, ["lips_outer"], 0) | ~far_from(landmarks, ["lips_inner"], 0)
        inside = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, 5) > 0.025 * unit
    assert inside.sum() > 150
    before, after = (rgb2lab(picture[inside])[:, 0] for picture in (image, painted))
    assert np.corrcoef(before, after)[0, 1] >= 0.97


@pytest.mark.parametrize("colour", ["#b0103a", "#7a4a6a", "teal"])
@pytest.mark.parametrize("maker", MAKERS)
def test_colours_move_towards_the_wanted_one(portrait, maker, colour) -> None:
    image, landmarks = portrait
    wanted = rgb2lab(np.array([[RGB[colour]]], np.uint8))[0, 0]
    full = changed(image, apply(image, landmarks, [maker(colour, 1)]))
    distances = []
    for strength in (0.0, 0.4, 0.8):
        painted = apply(image, landmarks, [maker(colour, strength)])
        lab = rgb2lab(painted[full])
        # A surface of this colour in the light on the pixel; less colourful if that is strong.
        shade = (lab[:, :1] + 16) / (wanted[0] + 16)
        shade = np.where(shade > 1, np.sqrt(shade), shade)
        distances.append(np.linalg.norm(lab[:, 1:] - shade * wanted[1:], axis=1).mean())
    assert distances[0] > distances[1] > distances[2]


RGB = {"#b0103a": (0xB0, 0x10, 0x3A), "#7a4a6a": (0x7A, 0x4A, 0x6A), "teal": (0, 128, 128)}


def test_dark_lipstick_darkens_and_light_does_not_glare(portrait) -> None:
    image, landmarks = portrait
    light = {}
    for colour in ("#3a0a18", "#ffd0d8"):
        painted = apply(image, landmarks, [lipstick(colour, 1)])
        inside = changed(image, painted)
        light[colour] = np.divide(
            *(rgb2lab(each[inside])[:, 0].mean() for each in (painted, image))
        )
    assert 0.68 < light["#3a0a18"] < 0.85
    assert 1.0 < light["#ffd0d8"] < 1.15


def test_an_open_mouth_keeps_its_teeth() -> None:
    image, landmarks = drawn_face(mouth=0.3)
    painted = apply(image, landmarks, [lipstick("#f00", 1)])
    teeth = (image == TEETH).all(axis=2).astype(np.uint8)
    within = cv2.erode(teeth, np.ones((7, 7), np.uint8)).astype(bool)
    assert within.sum() > 1000
    assert not changed(image, painted)[within].any()
    lips = (image == (176, 96, 92)).all(axis=2)
    assert changed(image, painted)[lips].mean() > 0.95


def test_a_closed_mouth_has_no_seam() -> None:
    image, landmarks = drawn_face()
    inner = TOPOLOGY.indices("lips_inner")
    upper, lower = [80, 81, 82, 13, 312, 311, 310], [88, 178, 87, 14, 317, 402, 318]
    landmarks[lower] = landmarks[upper]
    landmarks[[95, 324]] = landmarks[[191, 415]]
    image[:] = (176, 96, 92)
    painted = apply(image, landmarks, [lipstick("#f00", 1)])
    across = [tuple(np.rint(landmarks[i, :2]).astype(int)) for i in inner if i not in (78, 308)]
    assert all(painted[y, x, 0] > 200 for x, y in across)


def test_closed_lids_leave_the_iris() -> None:
    image, landmarks = drawn_face(closed=True)
    assert not changed(image, apply(image, landmarks, [iris_tint("blue", 1)])).any()
    image, landmarks = drawn_face()
    assert changed(image, apply(image, landmarks, [iris_tint("blue", 1)])).sum() > 50


def test_a_closing_eye_loses_its_tint_smoothly() -> None:
    image, landmarks = drawn_face()
    shut = landmarks.copy()
    for lower, upper in ((LOWER, UPPER), (MIRROR[LOWER], MIRROR[UPPER])):
        shut[lower] = landmarks[upper]
    sums = []
    for share in np.linspace(0, 1, 21):
        face = landmarks + share * (shut - landmarks)
        painted = apply(image, face, [iris_tint("blue", 1)])
        sums.append(np.abs(painted.astype(int) - image).sum())
    steps = np.diff(sums) / sums[0]
    assert sums[-1] == 0
    assert (steps < 0.02).all()
    assert steps.min() > -0.25


def painted_sides(yaw: float, product: Product) -> tuple[float, float]:
    """How much of a product the image's left and right half of a turned face get."""
    image, landmarks = drawn_face(yaw)
    difference = np.abs(apply(image, landmarks, [product]).astype(int) - image).sum(axis=2)
    middle = round(float(landmarks[6, 0]))
    return float(difference[:, :middle].sum()), float(difference[:, middle:].sum())


@pytest.mark.parametrize("product", [blush(), eye_shadow(), eyeliner(), iris_tint()])
def test_makeup_fades_on_the_far_side(product) -> None:
    level = painted_sides(0, product)
    assert level[0] == pytest.approx(level[1], rel=0.1)
    far = [painted_sides(yaw, product)[0] / level[0] for yaw in (20, 40, 60, 80)]
    assert far == sorted(far, reverse=True)
    assert far[-1] == 0
    near = painted_sides(40, product)[1] / level[1]
    assert near > 0.6


def test_a_profile_keeps_makeup_on_its_near_side() -> None:
    image, landmarks = drawn_face(75)
    painted = apply(image, landmarks, LOOK)
    columns = np.flatnonzero(changed(image, painted).any(axis=0))
    assert columns.size
    assert np.isfinite(painted).all()


def test_a_mirrored_picture_gives_the_mirrored_makeup(portrait) -> None:
    image, landmarks = portrait
    there = apply(np.ascontiguousarray(image[:, ::-1]), reflected(landmarks)[MIRROR], LOOK)
    difference = np.abs(apply(image, landmarks, LOOK).astype(int) - there[:, ::-1])
    assert difference.mean() < 0.1
    assert np.percentile(difference, 99.5) <= 4


def test_landmarks_that_are_only_reflected_give_it_too(portrait) -> None:
    image, landmarks = portrait
    there = apply(np.ascontiguousarray(image[:, ::-1]), reflected(landmarks), LOOK)
    difference = np.abs(apply(image, landmarks, LOOK).astype(int) - there[:, ::-1])
    assert difference.mean() < 0.1


def reflected(landmarks: np.ndarray) -> np.ndarray:
    return landmarks * [-1, 1, 1] + [640, 0, 0]


def test_a_look_is_its_products_in_order(portrait) -> None:
    image, landmarks = portrait
    steps = image
    for product in LOOK:
        steps = apply(steps, landmarks, [product])
    assert np.array_equal(apply(image, landmarks, LOOK), steps)
    assert np.array_equal(apply(image, landmarks, [LOOK[0]]), apply(image, landmarks, LOOK[0]))


def test_several_faces_get_it_in_every_form() -> None:
    image, one = drawn_face(unit=90)
    one, other = one - np.array([120, 0, 0]), one + np.array([120, 0, 0])
    both = apply(image, np.stack([one, other]), LOOK)
    assert np.array_equal(both, apply(apply(image, one, LOOK), other, LOOK))
    assert np.array_equal(both, apply(image, [one, other.tolist()], LOOK))
    faces = [SimpleNamespace(landmarks=one), SimpleNamespace(landmarks=other)]
    assert np.array_equal(both, apply(image, faces, LOOK))
    assert np.array_equal(apply(image, faces[0], LOOK), apply(image, one, LOOK))


def test_no_face_and_no_product_give_a_copy() -> None:
    image, landmarks = drawn_face()
    for faces, products in (([], LOOK), (np.zeros((0, 478, 3)), LOOK), (landmarks, [])):
        result = apply(image, faces, products)
        assert np.array_equal(result, image)
        assert result is not image


def test_makeup_begins_at_32_px_and_is_whole_at_64() -> None:
    sums = {}
    for size in (31, 36, 48, 64):
        image, landmarks = drawn_face(unit=1.0)
        image[:] = (205, 160, 135)
        landmarks = (landmarks - landmarks.mean(0)) * size / np.ptp(landmarks[:, :2], axis=0).max()
        painted = apply(image, landmarks + np.array([256, 256, 0]), [lipstick("#f00", 1)])
        sums[size] = np.abs(painted.astype(int) - image).sum() / size**2
    assert sums[31] == 0
    assert 0 < sums[36] < sums[48] / 2 < sums[64] / 3


@pytest.mark.parametrize("shift", [(-230, 0), (240, 0), (0, -190), (0, 260), (-5000, 0)])
def test_what_lies_outside_of_the_picture_is_left_out(shift) -> None:
    """The part inside looks as in a picture that continues."""
    _, landmarks = drawn_face()
    wide = np.full((1536, 1536, 3), (205, 160, 135), np.uint8)
    moved = landmarks + np.array([*shift, 0])
    painted = apply(wide[:512, :512], moved, LOOK)
    expected = apply(wide, moved + np.array([512, 512, 0]), LOOK)[512:1024, 512:1024]
    assert np.abs(painted.astype(int) - expected).mean() < 0.2


@pytest.mark.parametrize("scale", [1e4, 1e12])
def test_a_face_much_larger_than_the_picture_ends(scale) -> None:
    image, landmarks = drawn_face()
    assert apply(image, landmarks * scale, LOOK).shape == image.shape


def test_collapsed_landmarks_get_no_makeup() -> None:
    image, landmarks = drawn_face()
    assert np.array_equal(apply(image, np.full_like(landmarks, 100), LOOK), image)
    flat = landmarks * [1, 1, 0]
    assert changed(image, apply(image, flat, LOOK)).any(), "no depth: a face from the front"


def test_pictures_in_any_order_of_memory() -> None:
    image, landmarks = drawn_face()
    for other in (np.asfortranarray(image), image[:, ::-1][:, ::-1]):
        assert np.array_equal(apply(other, landmarks, LOOK), apply(image, landmarks, LOOK))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((64, 64), np.uint8), r"uint8 \(64, 64\)"),
        (np.zeros((64, 64, 4), np.uint8), r"uint8 \(64, 64, 4\)"),
        (np.zeros((64, 64, 3), np.float32), "float32"),
        ("photo.jpg", "str"),
    ],
)
def test_other_pictures_are_refused_in_one_line(image, message) -> None:
    apply_unchecked = getattr(apply, "__wrapped__", apply)
    with pytest.raises(UserError, match=message) as caught:
        apply_unchecked(image, [], LOOK)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("landmarks", "message"),
    [
        (np.zeros((468, 3)), r"face 0 .*\(468, 3\)"),
        (np.zeros((2, 478, 2)), r"face 0 .*\(478, 2\)"),
        ([np.full((478, 3), np.nan)], "face 0 .*not finite"),
        (None, "NoneType"),
        (np.full((478, 3), "x"), "ndarray of <U1"),
    ],
)
def test_other_landmarks_are_refused_in_one_line(landmarks, message) -> None:
    with pytest.raises(UserError, match=message):
        apply(np.zeros((64, 64, 3), np.uint8), landmarks, LOOK)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("strength", [-0.1, 1.5, float("nan"), True])
def test_other_strengths_are_refused(maker, strength) -> None:
    with pytest.raises(UserError, match="strength of"):
        maker("#f00", strength)


@pytest.mark.parametrize("wrong", ["rouge", lipstick, [lipstick], None])
def test_what_is_no_product_is_refused_in_one_line(wrong: object) -> None:
    with pytest.raises(UserError, match="is not makeup; give products"):
        _products(wrong)
