from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from labelled_pictures import Pose, encode, photo

from amesh.data.augment import geometric as augment_module
from amesh.data.augment import photometric as photometric_module
from amesh.data.augment.config import NO_AUGMENTATION, AugmentConfig
from amesh.data.augment.extremes import draw_extremes
from amesh.data.augment.geometric import (
    Augment,
    Motion,
    bounds,
    draw_motion,
    move_landmarks,
    resample,
)
from amesh.data.loading.dataset import FaceDataset, collate, make_sample
from amesh.data.loading.sample import Canvas
from amesh.data.random import keys
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import ListSource
from amesh.errors import UserError
from amesh.geometry import affine, coordinates, roi
from amesh.topology.roi import RoiRule, RoiRules
from amesh.topology.scheme import Topology

SIZE = 64
FULL = AugmentConfig()
# Moves the crop, and leaves its pixels alone.
GEOMETRY = replace(
    NO_AUGMENTATION, rotation=25.0, scale=0.2, shift=0.12, perspective=0.1, mirror=0.5
)


def unmove_points(points: torch.Tensor, motion: Motion, crop_size: int) -> torch.Tensor:
    """Crop coordinates [crop px] to picture coordinates: the inverse of `move_landmarks`."""
    unit = coordinates.normalise(points, crop_size)
    unit = unit / (1.0 + (unit * motion.tilt[:, None]).sum(-1, keepdim=True))
    return affine.apply(motion.image_from_unit, unit)


@pytest.fixture
def canvas(source: Callable[..., ListSource], topology: Topology) -> Canvas:
    data = FaceDataset([source()], topology, SIZE, FULL.reach)
    return collate([data[i] for i in range(6)])


def test_without_augmentation_the_crop_is_the_tracked_roi(
    canvas: Canvas, topology: Topology
) -> None:
    batch = Augment(topology, SIZE, NO_AUGMENTATION)(canvas)
    points = canvas.landmarks[..., :2]
    region = roi.from_landmarks(points, points[:, list(topology.anchors)])
    crop_from_image = affine.invert(roi.image_from_crop(region, SIZE))
    expected = affine.apply(crop_from_image, points)
    torch.testing.assert_close(batch.landmarks[..., :2], expected, rtol=0, atol=1e-3)
    scale = SIZE / region.size[:, None]
    torch.testing.assert_close(batch.landmarks[..., 2], canvas.landmarks[..., 2] * scale)
    anchors = batch.landmarks[:, list(topology.anchors), 1]
    torch.testing.assert_close(anchors[:, 0], anchors[:, 1], rtol=0, atol=1e-3)
    assert (batch.image.amin(), batch.image.amax()) > (0, 0)
    assert batch.image.amax() <= 1


def test_training_crops_by_the_rule_of_the_scheme(
    record: Callable[..., LabelledFace], topology: Topology, pose: Pose
) -> None:
    """Of a turned face, whose square lies far from its landmarks' box."""
    rule = RoiRule(1.2, (0.3, -0.8))
    own = replace(topology, roi=RoiRules(rule, RoiRule()))
    face = pose(size=20.0, roll=40.0, centre=(200.0, 150.0))
    sample = make_sample(record(picture=encode(photo(400, 300)), points=face), own, SIZE, 1.0)
    batch = Augment(own, SIZE, NO_AUGMENTATION)(collate([sample]))
    points = torch.from_numpy(face[None, :, :2])
    region = roi.from_landmarks(points, points[:, list(own.anchors)], rule)
    expected = affine.apply(affine.invert(roi.image_from_crop(region, SIZE)), points)
    torch.testing.assert_close(batch.landmarks[..., :2], expected, rtol=0, atol=1e-3)
    # The cut is the square itself, upright, with a pixel or two around it.
    h, w = sample.image.shape[:2]
    middle = face[0, :2] - sample.landmarks[0, :2] + [w / 2, h / 2]
    np.testing.assert_allclose(middle, region.centre[0], atol=1.0)
    assert w == pytest.approx(region.size.item() + 2, abs=2)


@pytest.mark.parametrize("yaw", [-94.0, -80.0, 75.0, 88.0, 94.0])
def test_crops_of_profiles_are_upright(
    yaw: float, record: Callable[..., LabelledFace], topology: Topology, pose: Pose
) -> None:
    face = pose(yaw=yaw, size=20.0, roll=25.0, centre=(200.0, 150.0))
    sample = make_sample(record(picture=encode(photo(400, 300)), points=face), topology, SIZE, 1.0)
    crop = Augment(topology, SIZE, NO_AUGMENTATION)(collate([sample])).landmarks[0]
    across, down = crop[152, :2] - crop[10, :2]  # from the forehead to the chin
    assert down > 0
    assert abs(across) < 0.02 * down


@pytest.mark.parametrize("yaw", [0.0, 30.0, -50.0])
def test_the_eyes_show_the_roll_of_other_faces(
    yaw: float, record: Callable[..., LabelledFace], topology: Topology, pose: Pose
) -> None:
    points = torch.from_numpy(pose(yaw=yaw, roll=25.0))[None]
    found = draw_motion(points, topology, SIZE, FULL, key := keys(0, 0, torch.arange(1)))
    same = draw_motion(points, replace(topology, midline=None), SIZE, FULL, key)
    assert torch.equal(same.image_from_unit, found.image_from_unit)


def test_resampling_equals_opencvs_warp(canvas: Canvas, topology: Topology) -> None:
    """A second implementation: OpenCV's perspective warp with the same motion."""
    key = keys(0, 0, canvas.index)
    motion = draw_motion(canvas.landmarks, topology, SIZE, GEOMETRY, key)
    assert motion.tilt.abs().min() > 0
    crops = resample(canvas.pictures, motion, SIZE)
    for i in range(6):
        corners = np.array([[0, 0], [SIZE, 0], [0, SIZE], [SIZE, SIZE]], np.float32)
        places = unmove_points(torch.from_numpy(corners)[None], _one(motion, i), SIZE)[0].numpy()
        # OpenCV's coordinates have the pixel centres at whole numbers.
        matrix = cv2.getPerspectiveTransform(corners - 0.5, places - 0.5)
        picture = canvas.pictures[i].permute(1, 2, 0).numpy().astype(np.float32)
        expected = cv2.warpPerspective(
            picture, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        )
        found = crops[i].permute(1, 2, 0).numpy() * 255
        # OpenCV rounds positions to 1/32 px.
        inner = np.abs(found - expected)[2:-2, 2:-2]
        assert np.quantile(inner, 0.98) < 1.5


def _one(motion: object, i: int) -> object:
    return type(motion)(*(part[i : i + 1] for part in motion))  # type: ignore[call-arg, attr-defined]


def test_landmarks_move_with_the_picture(canvas: Canvas, topology: Topology) -> None:
    """A dot drawn at a landmark is found where the moved landmark says."""
    key = keys(3, 1, canvas.index)
    motion = draw_motion(canvas.landmarks, topology, SIZE, GEOMETRY, key)
    moved = move_landmarks(canvas.landmarks, motion, SIZE)
    y, x = torch.meshgrid(
        *(torch.arange(n) + 0.5 for n in canvas.pictures.shape[2:]), indexing="ij"
    )
    grid = (torch.arange(SIZE) + 0.5).expand(SIZE, SIZE)
    for landmark in (4, 33, 291):
        at = canvas.landmarks[:, landmark, :2, None, None]
        dot = torch.exp(-((x - at[:, 0]) ** 2 + (y - at[:, 1]) ** 2) / 8)
        pictures = (255 * dot)[:, None].expand(-1, 3, -1, -1).to(torch.uint8)
        crop = resample(pictures, motion, SIZE)[:, 0]
        total = crop.sum((1, 2))
        found = torch.stack([(crop * grid).sum((1, 2)), (crop * grid.T).sum((1, 2))], 1)
        torch.testing.assert_close(found / total[:, None], moved[:, landmark, :2], rtol=0, atol=0.1)


def test_unmove_undoes_move(canvas: Canvas, topology: Topology) -> None:
    motion = draw_motion(canvas.landmarks, topology, SIZE, FULL, keys(0, 0, canvas.index))
    moved = move_landmarks(canvas.landmarks, motion, SIZE)[..., :2]
    back = unmove_points(moved, motion, SIZE)
    torch.testing.assert_close(back, canvas.landmarks[..., :2], rtol=0, atol=1e-3)


def test_mirror_swaps_landmarks_and_weights(canvas: Canvas, topology: Topology) -> None:
    weights, swap = torch.rand(6, 478), torch.tensor(topology.mirror)
    canvas = canvas._replace(weight_xy=weights, weight_z=1 - weights)
    plain = Augment(topology, SIZE, NO_AUGMENTATION)(canvas)
    mirrored = Augment(topology, SIZE, replace(NO_AUGMENTATION, mirror=1.0))(canvas)
    torch.testing.assert_close(mirrored.image, plain.image.flip(-1), rtol=0, atol=1e-4)
    expected = plain.landmarks[:, swap] * torch.tensor([-1.0, 1, 1])
    expected = expected + torch.tensor([SIZE, 0.0, 0.0])
    torch.testing.assert_close(mirrored.landmarks, expected, rtol=0, atol=1e-3)
    assert torch.equal(mirrored.weight_xy, weights[:, swap])
    assert torch.equal(mirrored.weight_z, 1 - weights[:, swap])


def test_the_gpu_path_gives_the_same_result(
    canvas: Canvas, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All samples at once and picked by masks, as against one at a time in its own window."""
    config = replace(FULL, occluder_chance=0.6, blur_chance=0.5, compression_chance=0.5, grey=0.3)
    canvas = canvas._replace(pictures=canvas.pictures.contiguous())
    augment = Augment(topology, SIZE, config)
    alone = augment(canvas, 7, 1)
    for module in (augment_module, photometric_module):
        monkeypatch.setattr(module, "together", lambda images: True)
    at_once = augment(canvas, 7, 1)
    torch.testing.assert_close(at_once.image, alone.image, rtol=0, atol=1e-4)
    assert (at_once.image - alone.image).abs().mean() < 2e-6
    assert torch.equal(at_once.landmarks, alone.landmarks)


def test_no_pixel_outside_the_bounds_is_read(canvas: Canvas, topology: Topology) -> None:
    config = replace(FULL, perspective=0.2, shift=0.5)
    motion = draw_motion(canvas.landmarks, topology, SIZE, config, keys(0, 0, canvas.index))
    pictures = canvas.pictures.clamp_min(1)
    spoilt = pictures.clone()
    box = bounds(motion, *pictures.shape[-2:])
    for picture, (left, top, right, bottom) in zip(spoilt, box.tolist(), strict=True):
        inner = picture[:, top:bottom, left:right].clone()
        picture.zero_()
        picture[:, top:bottom, left:right] = inner
    assert (spoilt == 0).any((1, 2, 3)).sum() >= 3
    assert torch.equal(resample(spoilt, motion, SIZE), resample(pictures, motion, SIZE))


def test_a_crop_beside_its_picture_is_black(canvas: Canvas, topology: Topology) -> None:
    far = canvas._replace(landmarks=canvas.landmarks + torch.tensor([5000.0, -3000.0, 0.0]))
    assert Augment(topology, SIZE, NO_AUGMENTATION)(far).image.abs().max() == 0


def test_channels_are_last_in_memory_on_a_cpu(canvas: Canvas, topology: Topology) -> None:
    image = Augment(topology, SIZE, FULL)(canvas).image
    assert image.is_contiguous(memory_format=torch.channels_last)


def test_a_sample_is_the_same_in_any_batch(canvas: Canvas, topology: Topology) -> None:
    augment = Augment(topology, SIZE, FULL)
    together = augment(canvas, seed=5, epoch=2)
    for i in (5, 0, 3):
        alone = augment(Canvas(*(t[i : i + 1] for t in canvas[:-1])), seed=5, epoch=2)
        torch.testing.assert_close(alone.image[0], together.image[i], rtol=0, atol=1e-5)
        assert torch.equal(alone.landmarks[0], together.landmarks[i])
    again, later = augment(canvas, 5, 2), augment(canvas, 5, 3)
    assert torch.equal(again.image, together.image)
    assert not torch.equal(later.landmarks, together.landmarks)


@pytest.mark.parametrize("roll", [0, 45, 100])
def test_a_cut_out_shows_a_rolled_head_like_the_whole_picture(
    record: Callable[..., LabelledFace], pose: Pose, topology: Topology, roll: float
) -> None:
    labelled = record(picture=encode(photo(300, 300)), points=pose(0, roll, 30.0, (150, 150)))
    augment = Augment(topology, SIZE, NO_AUGMENTATION)
    near, whole = (
        augment(collate([make_sample(labelled, topology, SIZE, reach)])).image
        for reach in (NO_AUGMENTATION.reach, 9.0)
    )
    torch.testing.assert_close(near, whole, rtol=0, atol=1e-4)


def test_no_crop_extends_beyond_the_cut_out_of_a_sample(topology: Topology) -> None:
    """The widest motions of thousands of samples stay inside the square of `reach`."""
    count = 4000
    face = torch.tensor(topology.template, dtype=torch.float32)[None] * 40 + 200
    face = face.expand(count, -1, -1)
    # Heads of every roll, about the middle of the face's box.
    centre = (face[0].amin(0) + face[0].amax(0)) / 2
    angle = torch.linspace(0, 6.28, count)[:, None]
    x, y = (face - centre)[..., 0], (face - centre)[..., 1]
    rolled = [angle.cos() * x - angle.sin() * y, angle.sin() * x + angle.cos() * y, face[..., 2]]
    face = torch.stack(rolled, dim=-1)
    motion = draw_motion(face, topology, SIZE, FULL, keys(0, 0, torch.arange(count)))
    corners = torch.tensor([[0.0, 0], [SIZE, 0], [0, SIZE], [SIZE, SIZE]]).expand(count, 4, 2)
    places = unmove_points(corners, motion, SIZE)
    low, high = face[..., :2].amin(1), face[..., :2].amax(1)
    side = (high - low).amax(1) * 1.5 * FULL.reach
    offset = (places - ((low + high) / 2)[:, None]).abs().amax((1, 2)) / (side / 2)
    assert 0.7 < offset.max() < 1


def test_invalid_ranges_are_refused() -> None:
    with pytest.raises(UserError, match="rotation is 200, expected 0 to 180"):
        AugmentConfig(rotation=200)
    with pytest.raises(UserError, match=r"mirror is -0\.5"):
        AugmentConfig(mirror=-0.5)
    with pytest.raises(UserError, match="blur is nan"):
        AugmentConfig(blur=float("nan"))


def test_a_face_that_is_lost_counts_as_none(canvas: Canvas, topology: Topology) -> None:
    batches = [Augment(topology, SIZE, AugmentConfig(extreme=x))(canvas) for x in (0.0, 1.0)]
    lost = draw_extremes(keys(0, 0, canvas.index), 1.0).lost
    assert 0 < lost.sum() < len(lost)
    torch.testing.assert_close(batches[1].face, batches[0].face * ~lost)
    for name in ("weight_xy", "weight_z"):
        before, after = (getattr(batch, name) for batch in batches)
        torch.testing.assert_close(after, before * ~lost[:, None])
    torch.testing.assert_close(batches[0].landmarks, batches[1].landmarks)
    assert (batches[0].image - batches[1].image).abs().amax((1, 2, 3)).min() > 0.01
