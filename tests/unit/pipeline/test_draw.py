"""Overlays and contact sheets: where ink lands, at which size, and what is left alone."""

import dataclasses

import numpy as np
import pytest

from amesh.geometry.roi import Roi
from amesh.pipeline.draw import Style, draw_faces, draw_sheet
from amesh.pipeline.face_pipeline import Face
from amesh.topology import Topology, load

ONLY_IRISES = Style(mesh=False, contours=False)
ONLY_MESH = Style(contours=False, irises=False)


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load()


def small_topology() -> Topology:
    """A square of four points in two triangles with a closed contour; a fifth, sixth ... iris."""
    square, iris = ((0, 1, 2, 3, 0),), (4, 5, 6, 7, 8)
    full = load()
    region = dataclasses.replace(full.regions[1], indices=(0, 1, 2, 3), anchors=(0, 1))
    assert region.iris is not None
    region = dataclasses.replace(
        region, iris=dataclasses.replace(region.iris, indices=iris, z_from=(0, 1))
    )
    return dataclasses.replace(
        full,
        name="square",
        points=9,
        regions=(region,),
        contours={"lips_outer": square},
        triangles=np.array([[0, 1, 2], [0, 2, 3]]),
    )


def square_face(left: float, top: float, side: float) -> np.ndarray:
    unit = [[0, 0], [1, 0], [1, 1], [0, 1], [0.5, 0.5], [0.7, 0.5], [0.5, 0.3], [0.3, 0.5]]
    return np.array([*unit, [0.5, 0.7]]) * side + (left, top)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_the_picture_itself_stays_and_its_size_too() -> None:
    image = np.full((500, 640, 3), 90, np.uint8)
    drawn = draw_faces(image, [square_face(100, 100, 300)], small_topology())
    assert drawn.shape == image.shape
    assert (image == 90).all()
    assert changed(image, drawn).any()


def test_no_face_leaves_the_picture_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (500, 640, 3), np.uint8)
    drawn = draw_faces(image, [], small_topology())
    assert np.array_equal(drawn, image)
    assert drawn is not image


@pytest.mark.parametrize("side", [40.3, 300.7, 1700.2])
def test_contours_are_centred_on_their_landmarks_to_a_fifth_of_a_pixel(side: float) -> None:
    image = np.zeros((1800, 1800, 3), np.uint8)
    left, top = 30.37, 41.81
    style = Style(mesh=False, irises=False)
    drawn = draw_faces(image, [square_face(left, top, side)], small_topology(), style)
    row = drawn[int(top + side / 2), :, 0].astype(float)  # crosses the left and the right line
    centres = np.arange(1800) + 0.5
    for x, part in (
        (left, centres < left + side / 2),
        (left + side, centres > left + side / 2),
    ):
        middle = (row[part] * centres[part]).sum() / row[part].sum()
        assert middle == pytest.approx(x, abs=0.2)


def test_lines_grow_with_the_face_and_never_vanish() -> None:
    inks = []
    for side in (20, 40, 400, 1600):
        image = np.zeros((1800, 1800, 3), np.uint8)
        style = Style(mesh=False, irises=False)
        drawn = draw_faces(image, [square_face(50, 50, side)], small_topology(), style)
        inks.append(drawn[50 + side // 2, : 50 + side // 2, 0].sum() / 255)  # width [px]
    assert inks == pytest.approx([1.2, 1.2, 0.007 * 400, 0.007 * 1600], rel=0.2)


@pytest.mark.parametrize("size", [(20, 10), (1, 1), (479, 2), (20_000, 3)])
@pytest.mark.parametrize("scale", [1, 3])
def test_a_drawing_has_the_size_asked_for(size: tuple[int, int], scale: int) -> None:
    image = np.full((size[1], size[0], 3), 60, np.uint8)
    face = square_face(0, 0, min(size))
    drawn = draw_faces(image, [face], small_topology(), scale=scale)
    assert drawn.shape == (size[1] * scale, size[0] * scale, 3)


def test_landmarks_are_enlarged_with_the_picture() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    face = square_face(5, 5, 10)
    drawn = draw_faces(image, [face], small_topology(), ONLY_IRISES, scale=24)
    rows, columns = np.nonzero(drawn[..., 0])
    assert (rows + 0.5).mean() == pytest.approx(240, abs=0.5)
    assert (columns + 0.5).mean() == pytest.approx(240, abs=0.5)
    assert np.ptp(columns) == pytest.approx(0.4 * 240, abs=4)


def test_an_iris_is_a_ring_and_a_dot_around_its_centre() -> None:
    image = np.zeros((600, 600, 3), np.uint8)
    drawn = draw_faces(image, [square_face(100, 100, 400)], small_topology(), ONLY_IRISES)
    assert drawn[300, 300].min() > 200  # the dot; the centre is at (300, 300), the radius 80
    assert drawn[300, 340].max() == 0
    angles = np.linspace(0, 2 * np.pi, 12)
    ring = drawn[(300 + 80 * np.sin(angles)).astype(int), (300 + 80 * np.cos(angles)).astype(int)]
    assert ring.min() > 100
    assert drawn[300, 390:].max() == 0


def test_colours_tell_the_parts_apart(topology: Topology) -> None:
    style = Style()
    names = ("lips_outer", "right_eye", "left_eye", "face_oval")
    assert len({style.colour(name) for name in names}) == 4
    assert style.colour("right_eye") == style.colour("right_eyebrow")
    assert set(names) <= set(topology.contours)
    own = Style(colours={"lips": (1, 2, 3)})
    assert own.colour("lips_inner") == (1, 2, 3)
    assert own.colour("unknown") == style.colour("unknown")


def test_the_mesh_fades_out_on_a_small_face() -> None:
    image = np.zeros((600, 600, 3), np.uint8)
    ink = [
        draw_faces(image, [square_face(50, 50, side)], small_topology(), ONLY_MESH).max()
        for side in (70, 150, 400)
    ]
    assert ink[0] == 0
    assert 0 < ink[1] < ink[2] < 128


def test_what_faces_away_is_fainter() -> None:
    # The last triangle is folded over the first: seen from behind.
    folded = dataclasses.replace(
        small_topology(), triangles=np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6]]), regions=()
    )
    face = square_face(100, 100, 400)
    image = np.zeros((600, 600, 3), np.uint8)
    drawn = draw_faces(image, [face], folded, ONLY_MESH)
    front, back = drawn[99:101, 300].max(), drawn[299:301, 340].max()
    assert 0 < back < 0.5 * front


def test_a_mirrored_face_is_not_taken_for_its_back() -> None:
    image = np.zeros((600, 600, 3), np.uint8)
    face = square_face(100, 100, 400)
    mirrored = face * (-1, 1) + (600, 0)
    drawn = draw_faces(image, [face], small_topology())
    other = draw_faces(image, [mirrored], small_topology())
    assert np.abs(drawn.astype(int) - other[:, ::-1]).mean() < 0.2


@pytest.mark.parametrize("corner", [(-5000, 0), (590, 590), (-200, -200), (1e12, 1e12)])
def test_a_face_that_leaves_the_picture_is_cut(corner: tuple[float, float]) -> None:
    image = np.zeros((600, 600, 3), np.uint8)
    drawn = draw_faces(image, [square_face(*corner, 400)], small_topology())
    assert changed(image, drawn).any() == (-400 < corner[0] < 600)


@pytest.mark.parametrize("side", [0, 1e8])
def test_a_degenerate_or_vast_face_does_no_harm(side: float) -> None:
    image = np.zeros((500, 500, 3), np.uint8)
    assert draw_faces(image, [square_face(-50, 250, side)], small_topology()).shape == image.shape


def test_the_shipped_topologies_can_be_drawn(topology: Topology) -> None:
    points = np.random.default_rng(0).uniform(50, 550, (topology.points, 3)).astype(np.float32)
    image = np.zeros((600, 600, 3), np.uint8)
    assert changed(image, draw_faces(image, [points], topology)).any()
    assert changed(image, draw_faces(image, [points[:68, :2]], load("ibug68"))).any()


def test_a_face_is_drawn_by_its_own_topology() -> None:
    scheme = load("ibug68")
    points = (scheme.template * 200 + 300).astype(np.float32)
    image = np.zeros((600, 600, 3), np.uint8)
    drawn = draw_faces(image, [Face(0, 1.0, points, Roi.at(300, 300, 400), scheme)])
    assert np.array_equal(drawn, draw_faces(image, [points], scheme))
    assert changed(image, drawn).any()


def test_landmarks_are_dots_in_the_colours_of_their_confidence() -> None:
    image = np.full((600, 600, 3), 128, np.uint8)
    points = (load().template * 180 + 300).astype(np.float32)
    face = Face(0, 1.0, points, Roi.at(300, 300, 400), expected_error=np.zeros(478, np.float32))
    face.expected_error[4] = 1e6  # the tip of the nose
    style = Style(mesh=False, confidence=True)
    drawn = draw_faces(image, [face], style=style)
    at = np.floor(points[:, :2]).astype(int)
    unsure, sure = drawn[at[4, 1], at[4, 0]], drawn[at[10, 1], at[10, 0]]
    assert np.abs(unsure - np.array([255.0, 88, 84])).max() < 30  # coral
    assert np.abs(sure - np.array([56.0, 214, 214])).max() < 30  # aqua
    plain = Face(0, 1.0, points, Roi.at(300, 300, 400))
    assert np.array_equal(
        draw_faces(image, [plain], style=style), draw_faces(image, [plain], style=Style(mesh=False))
    )


def test_landmarks_that_do_not_fit_are_refused() -> None:
    image = np.zeros((500, 500, 3), np.uint8)
    with pytest.raises(ValueError, match=r"square has 9 points, found \(8, 2\)"):
        draw_faces(image, [square_face(0, 0, 9)[:8]], small_topology())
    with pytest.raises(ValueError, match="not finite"):
        draw_faces(image, [np.full((9, 2), np.nan)], small_topology())
    with pytest.raises(ValueError, match="scale of 1 or more, found 0"):
        draw_faces(image, [], small_topology(), scale=0)


def test_a_sheet_places_each_picture_in_its_cell() -> None:
    red = np.zeros((10, 40, 3), np.uint8) + np.uint8([255, 0, 0])
    green = np.zeros((900, 900, 3), np.uint8) + np.uint8([0, 255, 0])
    sheet = draw_sheet([red, green, green], columns=2, cell=160)
    assert sheet.shape == (2 * 160 + 3 * 5, 2 * 160 + 3 * 5, 3)
    assert tuple(sheet[5 + 80, 5 + 80]) == (255, 0, 0)
    assert (sheet[5 + 80 - 20 : 5 + 80 + 20, 5 : 5 + 160] == (255, 0, 0)).all()
    assert (sheet[5 : 5 + 160, 170 : 170 + 160] == (0, 255, 0)).all()
    assert (sheet[170:, 170:] == sheet[0, 0]).all()  # the last cell is empty


def test_captions_stand_below_and_are_cut_to_the_cell() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    plain = draw_sheet([image] * 2, columns=5, cell=100)
    sheet = draw_sheet([image] * 2, columns=5, captions=["a", "long " * 40], cell=100)
    assert sheet.shape[1] == plain.shape[1] == 2 * 100 + 3 * 3
    text = changed(np.broadcast_to(sheet[0, 0], sheet.shape), sheet)[3 + 100 :]
    assert text[:, 3:103].any()
    assert text[:, 106:206].any()
    assert not text[:, :3].any()
    assert not text[:, 206:].any()


def test_a_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one picture"):
        draw_sheet([], columns=2)
    with pytest.raises(ValueError, match="a caption for each of 1, found 0"):
        draw_sheet([np.zeros((4, 4, 3), np.uint8)], columns=2, captions=[])
