"""Cutting square crops out of pictures."""

from typing import Any, Literal

import cv2
import numpy as np
import pytest

from amesh.pipeline.crops import crop_image


def turn(angle: float, scale: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def reference(
    image: np.ndarray, affine: np.ndarray, size: int, border: str = "zero", samples: int = 1
) -> np.ndarray:
    """Bilinear sampling at the centres of crop pixels, one by one, in double precision."""
    height, width = image.shape[:2]
    crop = np.zeros((size, size, 3))
    for i, j, a, b in np.ndindex(size, size, samples, samples):
        u, v = j + (b + 0.5) / samples, i + (a + 0.5) / samples
        x, y = affine @ (u, v, 1) - 0.5  # indices
        left, top = int(np.floor(x)), int(np.floor(y))
        for row, column in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            if border == "replicate":
                row, column = min(max(row, 0), height - 1), min(max(column, 0), width - 1)
            elif not (0 <= row < height and 0 <= column < width):
                continue
            crop[i, j] += weight * image[row, column].astype(np.float64) / samples**2
    return crop


class TestCropImage:
    def test_identity(self) -> None:
        image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
        assert np.array_equal(crop_image(image, turn(0, 1, 0, 0), 32), image)

    def test_convention_pixel_centres(self) -> None:
        image = np.arange(48, dtype=np.float32).reshape(4, 4, 3)
        crop = crop_image(image, turn(0, 1, 1, 2), 2)
        assert np.array_equal(crop, image[2:4, 1:3])
        half = crop_image(image, turn(0, 1, 0.5, 0), 2)  # between two columns
        assert half[0, 0, 0] == pytest.approx((image[0, 0, 0] + image[0, 1, 0]) / 2)
        twice = crop_image(image, turn(0, 0.5, 1, 1), 4)  # enlarged: centres at 1.25, 1.75, ...
        assert twice[0, 0, 0] == pytest.approx(image[0, 0, 0] * 0.0625 + 0.9375 * 12, abs=0.2)

    def test_convention_half_by_area(self) -> None:
        image = np.random.default_rng(0).uniform(0, 255, (8, 8, 3)).astype(np.float32)
        crop = crop_image(image, turn(0, 2, 0, 0), 4)
        assert crop == pytest.approx(image.reshape(4, 2, 4, 2, 3).mean(axis=(1, 3)), abs=1e-3)

    @pytest.mark.parametrize("border", ["zero", "replicate"])
    @pytest.mark.parametrize(
        "affine",
        [
            turn(0.3, 0.7, 12, 8),
            turn(-2.5, 0.9, 20, 33),
            turn(0, 1, -7.25, 30.5),
            turn(1, 0.8, 99, 9),
        ],
    )
    def test_against_a_double_precision_loop(
        self, affine: np.ndarray, border: Literal["zero", "replicate"]
    ) -> None:
        rows, columns = np.mgrid[:40, :50]
        image = np.stack([columns * 2 + 90, rows * 3 + 80, rows + columns + 99], 2)
        expected = reference(image, affine, 24, border)
        # OpenCV 4 rounds coordinates to 1/32 px: it errs by 1/64 px of a slope of 3, and by more
        # at a black edge.
        tolerance = 0.1 if border == "replicate" else 5
        crop = crop_image(image.astype(np.float32), affine, 24, border)
        assert crop.dtype == np.float32
        assert np.abs(crop - expected).max() < tolerance
        assert np.abs(crop - expected).mean() < 0.1
        crop = crop_image(image.astype(np.uint8), affine, 24, border)
        assert crop.dtype == np.uint8
        assert np.abs(crop - expected).max() < tolerance + 0.6

    @pytest.mark.parametrize(
        ("shrink", "halved", "samples"),
        [(2.0, 1, 2), (3.6, 2, 2), (7.5, 4, 2), (1.7, 1, 1), (1.8, 2, 1), (3.6, 4, 1)],
    )
    def test_shrinking_against_a_double_precision_loop(
        self, shrink: float, halved: int, samples: int
    ) -> None:
        """Samples of the picture, or of the picture halved, halved twice."""
        image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
        affine = turn(0.2, shrink, 8, 4)  # low enough for the cells to start at the edges
        cells = image.reshape(60 // halved, halved, 60 // halved, halved, 3).mean(axis=(1, 3))
        expected = reference(cells, affine / halved, 12, samples=samples)
        crop = crop_image(image, affine, 12, samples=samples)
        assert np.abs(crop - expected).max() < 4
        # OpenCV 4 reads at multiples of 1/32 px.
        assert np.abs(crop - expected).mean() < (1.0 if cv2.__version__ < "5" else 0.6)

    @pytest.mark.parametrize("shrink", [1.2, 1.95])
    def test_a_little_shrinking_samples_the_blurred_picture(self, shrink: float) -> None:
        """Blurred, black around included, with the variance of a mean over a crop pixel."""
        image = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8)
        share = shrink**2 / 24
        kernel = np.array([share, 1 - 2 * share, share])
        assert kernel @ np.array([1, 0, 1]) == pytest.approx(shrink**2 / 12)
        black = np.pad(image, ((2, 2), (2, 2), (0, 0)))
        blurred = sum(
            kernel[i] * kernel[j] * black[i : i + 62, j : j + 62] for i, j in np.ndindex(3, 3)
        )
        affine = turn(0.2, shrink, 8, -3)
        moved = affine + np.array([[0, 0, 1], [0, 0, 1]])
        crop = crop_image(image, affine, 40)
        expected = reference(blurred, moved, 40)
        assert np.abs(crop - expected).max() < 4
        assert np.abs(crop - expected).mean() < (1.0 if cv2.__version__ < "5" else 0.6)

    @pytest.mark.parametrize("samples", [1, 2])
    @pytest.mark.parametrize("shrink", [0.4, 1.0, 1.7, 2.3, 7.0, 11.0])
    def test_a_ramp_shows_where_each_pixel_came_from(self, shrink: float, samples: int) -> None:
        rows, columns = np.mgrid[:301, :403] + 0.5
        ramp = np.stack([columns, rows, rows], 2).astype(np.float32)
        affine = turn(0.4, shrink, 150, 60)
        i, j = np.mgrid[:24, :24] + 0.5
        x, y = np.tensordot(affine, np.stack([j, i, np.ones_like(i)]), 1)
        crop = crop_image(ramp, affine, 24, samples=samples)
        inside = (x > 10) & (x < 390) & (y > 10) & (y < 290)
        assert inside.sum() > 250
        # OpenCV 4 reads at multiples of 1/32 px of the picture that it warps, a halved one.
        most = 0.02 * max(shrink, 1) if cv2.__version__ < "5" else 1e-3
        assert np.abs(crop[..., 0] - x)[inside].max() < most
        assert np.abs(crop[..., 1] - y)[inside].max() < most

    @pytest.mark.parametrize("shrink", [1.3, 2.0, 2.4, 3.4, 3.6, 4.0, 5.5, 6.2])
    def test_shrinking_is_close_to_many_samples(self, astronaut: np.ndarray, shrink: float) -> None:
        """Root mean square in grey levels; a single sample without halving is 1.5 to 14 away."""
        image = astronaut.astype(np.float32)
        affine = turn(0.3, shrink, 130, 20)
        steps = (np.arange(24) + 0.5) / 24 - 0.5
        shifts = [affine[:, :2] @ (x, y) for x in steps for y in steps]
        moved = [affine + np.pad(shift[:, None], ((0, 0), (2, 0))) for shift in shifts]
        many = np.mean([crop_image(image, one, 64, antialias=False) for one in moved], axis=0)
        away = crop_image(image, affine, 64) - many
        assert np.sqrt((away**2).mean()) < 1.9
        away = crop_image(image, affine, 64, samples=1) - many
        assert np.sqrt((away**2).mean()) < 7.5

    def test_the_work_does_not_grow_with_the_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sizes = []
        warp = cv2.warpAffine

        def counted(image: np.ndarray, affine: np.ndarray, size: tuple[int, int], **kw: Any) -> Any:
            sizes.append((image.shape[:2], size))
            return warp(image, affine, size, **kw)

        monkeypatch.setattr(cv2, "warpAffine", counted)
        image = np.zeros((2000, 3000, 3), np.uint8)
        for shrink in (1.5, 3.0, 6.0, 12.0, 60.0):
            crop_image(image, turn(0.4, shrink, 900, -100), 32)
        assert [made for _, made in sizes] == [(32, 32), *[(64, 64)] * 4]
        for seen, _ in sizes:
            assert max(seen) < 3.5 * 32 * np.sqrt(2) + 8

    @pytest.mark.parametrize("border", ["zero", "replicate"])
    @pytest.mark.parametrize("shape", [(101, 77), (3, 90)])
    def test_what_lies_outside_counts_when_shrinking(
        self, border: Literal["zero", "replicate"], shape: tuple[int, int]
    ) -> None:
        """Odd sides do not divide into cells; the picture's share of the crop remains right."""
        image = np.full((*shape, 3), 200, np.float32)
        shrink = 7.0
        crop = crop_image(image, turn(0.3, shrink, -30, -60), 40, border)
        if border == "replicate":
            assert np.abs(crop - 200).max() < 1e-3
        else:
            total = crop[..., 0].sum() * shrink**2 / 200
            assert total == pytest.approx(shape[0] * shape[1], rel=0.02)

    def test_fine_stripes_do_not_alias(self) -> None:
        stripes = np.zeros((400, 400, 3), np.uint8)
        stripes[:, ::2] = 255
        affine = turn(0, 4.3, 20, 20)
        assert np.ptp(crop_image(stripes, affine, 80).astype(int)) <= 32
        assert np.ptp(crop_image(stripes, affine, 80, antialias=False).astype(int)) > 200

    @pytest.mark.parametrize(("border", "value"), [("zero", 0), ("replicate", 200)])
    @pytest.mark.parametrize("x", [-5000.0, 5000.0, 1e15])
    def test_a_crop_beside_the_picture(
        self, border: Literal["zero", "replicate"], value: int, x: float
    ) -> None:
        image = np.full((20, 30, 3), 200, np.uint8)
        assert (crop_image(image, turn(0.1, 1, x, 3), 16, border) == value).all()

    def test_one_pixel_picture(self) -> None:
        image = np.full((1, 1, 3), 200, np.uint8)
        for scale in (0.1, 1, 9):
            assert (crop_image(image, turn(0, scale, 0, 0), 8, "replicate") == 200).all()

    def test_the_far_end_of_a_wide_picture(self) -> None:
        image = np.zeros((40, 40_000, 3), np.float32)
        image[...] = (np.arange(40_000) + 0.5)[None, :, None]
        crop = crop_image(image, turn(0, 0.5, 39_900, 4), 64)
        assert crop[5, :, 0] == pytest.approx(39_900 + (np.arange(64) + 0.5) / 2, abs=0.02)

    def test_the_whole_of_a_wide_picture(self) -> None:
        image = np.zeros((40, 40_000, 3), np.float32)
        image[...] = (np.arange(40_000) + 0.5)[None, :, None]
        crop = crop_image(image, turn(0, 40_000 / 128, 0, -20_000 + 20), 128)
        row = crop[63:65].sum(axis=0)[:, 0] * (40_000 / 128) / 40  # the strip is 0.128 px high
        centres = (np.arange(128) + 0.5) * 40_000 / 128
        assert np.corrcoef(row, centres)[0, 1] > 0.999

    def test_a_picture_that_is_a_view_is_taken(self) -> None:
        image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
        crop = crop_image(image[::-1, ::-1], turn(0, 1, 0, 0), 32)
        assert np.array_equal(crop, image[::-1, ::-1])

    def test_bad_arguments(self) -> None:
        image = np.zeros((4, 4, 3), np.uint8)
        with pytest.raises(ValueError, match=r"finite affine.*size 0"):
            crop_image(image, turn(0, 1, 0, 0), 0)
        with pytest.raises(ValueError, match=r"a finite affine, found size 2, .*nan"):
            crop_image(image, turn(0, 1, np.nan, 0), 2)
