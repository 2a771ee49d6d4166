import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_pictures import Pose, encode, photo
from torch.utils.data import DataLoader

from amesh.data.augment.config import NO_AUGMENTATION
from amesh.data.augment.geometric import Augment
from amesh.data.loading.dataset import FaceDataset, collate, make_sample
from amesh.data.loading.sampler import EpochBatchSampler
from amesh.data.sources.labelled_face import LabelledFace
from amesh.data.sources.source import ListSource
from amesh.errors import UserError
from amesh.topology.scheme import Topology, load

Make = Callable[..., LabelledFace]


def test_cutting_out_a_sample_shifts_its_landmarks(
    record: Make, topology: Topology, pose: Pose
) -> None:
    pixels = photo(400, 300)
    face = pose(size=20.0, centre=(250.0, 150.0))
    sample = make_sample(record(picture=encode(pixels), points=face), topology, 64, 1.5)
    assert max(sample.image.shape) < 110
    corner = np.round((face - sample.landmarks)[0, :2]).astype(int)
    np.testing.assert_allclose(face - sample.landmarks, [[*corner, 0]] * 478, atol=1e-4)
    h, w = sample.image.shape[:2]
    np.testing.assert_array_equal(
        sample.image, pixels[corner[1] : corner[1] + h, corner[0] : corner[0] + w]
    )
    assert (sample.source, sample.key, sample.face) == ("ours", "face 0", True)


@pytest.mark.parametrize(("size", "shrink"), [(39.0, 1), (41.0, 2), (62.0, 3), (170.0, 8)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_large_faces_and_their_landmarks_are_shrunk_by_integer_factors(
    record: Make, topology: Topology, pose: Pose, size: float, shrink: int, kind: str
) -> None:
    """The side of the ROI is 3.05 eye distances: from two crops on, the picture shrinks."""
    crop = int(np.ptp(pose(size=1.0)[:, :2], axis=0).max() * 1.5 * 20)
    face = pose(size=size, centre=(450.0, 420.0))
    pixels = np.asarray(np.kron(photo(90, 84), np.ones((10, 10, 1))), np.uint8)
    data = encode(pixels, kind, **({"quality": 95} if kind == "JPEG" else {}))
    sample = make_sample(record(picture=data, points=face), topology, crop, 1.2)
    spread = np.ptp(face[:, 0]) / np.ptp(sample.landmarks[:, 0])
    # A JPEG shrinks by 2 while it is decoded; what is left, 1.5, is the crop's.
    shrink = 2 if (kind, shrink) == ("JPEG", 3) else shrink
    assert spread == pytest.approx(shrink, rel=1e-4)
    np.testing.assert_allclose(np.ptp(sample.landmarks[:, 2]) * shrink, np.ptp(face[:, 2]), 1e-3)
    # Where the pixels say it was cut from: smooth in x and y, so the mean colour tells the place.
    augment = Augment(topology, crop, NO_AUGMENTATION)
    shrunk = augment(collate([sample])).image
    whole = make_sample(record(picture=data, points=face), topology, 10000, 1.2)
    direct = augment(collate([whole])).image
    assert (shrunk - direct).abs().mean() < 0.03


def test_exif_orientation_is_applied_before_the_labels(
    record: Make, topology: Topology, pose: Pose
) -> None:
    from PIL import Image

    pixels = photo(120, 90)
    stored = np.rot90(pixels)  # shown after a clockwise quarter turn
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = make_sample(
        record(picture=encode(stored, "PNG", exif=exif), points=pose(size=15.0)), topology, 64, 1.2
    )
    plain = make_sample(record(picture=encode(pixels), points=pose(size=15.0)), topology, 64, 1.2)
    np.testing.assert_array_equal(turned.image, plain.image)


def test_region_without_a_face_counts_only_for_the_flag(record: Make, topology: Topology) -> None:
    empty = record(scheme=None, points=np.zeros((0, 2)), face=False, box=(20.0, 20.0, 60.0, 60.0))
    sample = make_sample(empty, topology, 64, 1.2)
    assert not sample.face
    assert (sample.weight_xy == 0).all()
    assert np.isfinite(sample.landmarks).all()
    assert make_sample(replace(empty, box=None), topology, 200, 1.2).image.shape == (110, 120, 3)


def test_collate_pads_with_black_and_preserves_every_pixel(
    record: Make, topology: Topology
) -> None:
    samples = [
        make_sample(record(seed, picture=encode(photo(60 + 20 * seed, 100))), topology, 64, 3.0)
        for seed in range(3)
    ]
    canvas = collate(samples)
    assert canvas.pictures.shape == (3, 3, 100, 100)
    for sample, picture in zip(samples, canvas.pictures, strict=True):
        h, w = sample.image.shape[:2]
        np.testing.assert_array_equal(picture[:, :h, :w].permute(1, 2, 0), sample.image)
        assert picture[:, h:].sum() + picture[:, :, w:].sum() == 0
    assert canvas.face.tolist() == [1, 1, 1]


BAD = {
    "NaN": (lambda r, face: replace(r, points=face * np.nan), "a labelled point is not finite"),
    "wrong count": (lambda r, face: replace(r, points=face[:5]), "5 points, .* has 478"),
    "outside": (
        lambda r, face: replace(r, points=face + np.float32([900, 0, 0])),
        "outside the picture: they span .* the picture is 120 x 110 px",
    ),
    "far outside": (lambda r, face: replace(r, points=face * 50), "outside the picture"),
    "no picture": (lambda r, face: replace(r, picture=Path("none.jpg")), "none.jpg: no such file"),
    "cut short": (lambda r, face: replace(r, picture=r.picture[:500]), "damaged or cut short"),
    "no image": (lambda r, face: replace(r, picture=b"text"), "not a picture that can be read"),
    "a point": (lambda r, face: replace(r, points=face * 0), "a face needs 3"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_record_stops_or_is_reported_and_skipped(
    record: Make, topology: Topology, pose: Pose, case: str
) -> None:
    spoil, message = BAD[case]
    bad = spoil(record(1), pose())
    source = ListSource("ours", [record(0), bad, record(2)])
    with pytest.raises(UserError, match=rf"labels.jsonl, line 2: .*({message})"):
        FaceDataset([source], topology, 64, 1.5)[1]
    data = FaceDataset([source], topology, 64, 1.5, on_bad="skip")
    sample = data[1]
    assert (sample.key, sample.index, len(sample.problems)) == ("face 2", 1, 1)
    canvas = collate([data[0], sample])
    assert len(canvas.problems) == 1
    assert "labels.jsonl, line 2" in canvas.problems[0]


def test_nothing_but_bad_records(record: Make, topology: Topology) -> None:
    source = ListSource("ours", [record(i, picture=b"") for i in range(3)])
    data = FaceDataset([source], topology, 64, 1.5, on_bad="skip")
    with pytest.raises(UserError, match="none of the 3 records"):
        data[1]


def test_empty_sets_and_mixed_topologies_are_refused(record: Make, topology: Topology) -> None:
    with pytest.raises(UserError, match="every source is empty"):
        FaceDataset([ListSource("ours", [])], topology, 64, 1.5)
    source = ListSource("ours/train", [record()])
    with pytest.raises(UserError, match=r"ours/train: .*'face478'"):
        FaceDataset([source], load("ibug68"), 64, 1.5)


def test_a_scheme_that_does_not_define_its_crop_is_not_trained(
    source: Callable[..., ListSource], topology: Topology
) -> None:
    with pytest.raises(UserError, match="does not say how a crop"):
        FaceDataset([source()], replace(topology, roi=None), 64, 1.2)


def test_padding_does_not_count(source: Callable[..., ListSource], topology: Topology) -> None:
    data = FaceDataset([source()], topology, 64, 1.5)
    filler = data[~2]
    assert filler.key == data[2].key
    assert filler.index == -1
    assert filler.weight_xy.sum() + filler.weight_z.sum() == 0


def test_sources_are_concatenated(source: Callable[..., ListSource], topology: Topology) -> None:
    data = FaceDataset([source(2), source(3)], topology, 64, 1.5)
    assert len(data) == 5
    keys = [data[i].key for i in range(5)]
    assert keys == ["face 0", "face 1", "face 0", "face 1", "face 2"]
    assert [data[i].index for i in range(5)] == list(range(5))
    with pytest.raises(IndexError, match="sample 5 of 5"):
        data[5]


@pytest.mark.parametrize("workers", [0, 1])
def test_resuming_within_an_epoch_is_bit_identical(
    source: Callable[..., ListSource], topology: Topology, workers: int
) -> None:
    data = pickle.loads(pickle.dumps(FaceDataset([source()], topology, 64, 1.5)))
    augment = Augment(topology, 64)

    def batches(sampler: EpochBatchSampler) -> list[torch.Tensor]:
        sampler.set_epoch(1)
        loader = DataLoader(
            data,
            batch_sampler=sampler,
            num_workers=workers,
            collate_fn=collate,
            multiprocessing_context="fork" if workers else None,
        )
        return [augment(canvas, 0, 1).image for canvas in loader]

    whole = batches(EpochBatchSampler(6, 2))
    resumed = EpochBatchSampler(6, 2)
    resumed.load_state_dict(EpochBatchSampler(6, 2).state_dict(1, 1))
    rest = batches(resumed)
    assert len(rest) == 2
    assert all(torch.equal(a, b) for a, b in zip(whole[1:], rest, strict=True))


def test_two_ranks_train_on_the_samples_of_one(
    source: Callable[..., ListSource], topology: Topology
) -> None:
    data = FaceDataset([source(8)], topology, 64, 1.5)
    augment = Augment(topology, 64)

    def images(batch: int, rank: int, world: int) -> list[torch.Tensor]:
        sampler = EpochBatchSampler(8, batch, rank=rank, world=world)
        return [augment(collate([data[i] for i in numbers])).image for numbers in sampler]

    one = images(4, 0, 1)
    two = zip(images(2, 0, 2), images(2, 1, 2), strict=True)
    for together, parts in zip(one, two, strict=True):
        torch.testing.assert_close(together, torch.cat(parts), rtol=0, atol=1e-5)
