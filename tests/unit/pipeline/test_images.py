"""Reading pictures of every kind, the errors of bad ones, and cutting crops."""

import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from PIL import Image

from amesh.errors import UserError
from amesh.pipeline.images import IMAGE_SUFFIXES, crop_image, list_images, read_image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def save(path: Path, array: Any, **options: Any) -> Path:
    Image.fromarray(np.asarray(array)).save(path, **options)
    return path


def photo(height: int = 48, width: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    return (
        np.stack([columns * 3, rows * 4, 255 - columns * 2], axis=2).clip(0, 255).astype(np.uint8)
    )


def png_header(width: int, height: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + b"\0" * 4


class TestReadImage:
    @pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".ppm"])
    def test_pixels_come_back(self, tmp_path: Path, suffix: str) -> None:
        path = save(tmp_path / f"a{suffix}", photo())
        assert np.array_equal(read_image(path), photo())
        assert np.array_equal(read_image(str(path)), photo())

    @pytest.mark.parametrize("name", ["a.jpg", "a.webp", "no-suffix"])
    def test_the_content_decides_on_the_format(self, tmp_path: Path, name: str) -> None:
        Image.fromarray(photo()).save(tmp_path / name, "WEBP" if "webp" in name else "JPEG")
        pixels = read_image(tmp_path / name)
        assert pixels.dtype == np.uint8
        assert np.abs(pixels.astype(int) - photo()).mean() < 8

    @pytest.mark.parametrize(
        ("orientation", "corners"),
        # Stored: red green / blue white. Shown, row by row:
        [
            (1, [RED, GREEN, BLUE, WHITE]),
            (2, [GREEN, RED, WHITE, BLUE]),
            (3, [WHITE, BLUE, GREEN, RED]),
            (4, [BLUE, WHITE, RED, GREEN]),
            (5, [RED, BLUE, GREEN, WHITE]),
            (6, [BLUE, RED, WHITE, GREEN]),
            (7, [WHITE, GREEN, BLUE, RED]),
            (8, [GREEN, WHITE, RED, BLUE]),
            (0, [RED, GREEN, BLUE, WHITE]),
            (99, [RED, GREEN, BLUE, WHITE]),
        ],
    )
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
    def test_exif_orientation(
        self, tmp_path: Path, suffix: str, orientation: int, corners: list[tuple[int, int, int]]
    ) -> None:
        stored = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8)
        stored = stored.repeat(16, axis=0).repeat(32, axis=1)  # 64 px wide, 32 px high
        exif = Image.Exif()
        exif[0x0112] = orientation
        options = {".jpg": {"subsampling": 0, "quality": 95}, ".webp": {"lossless": True}}
        path = save(tmp_path / f"a{suffix}", stored, exif=exif, **options.get(suffix, {}))
        shown = read_image(path)
        height, width = (64, 32) if orientation in (5, 6, 7, 8) else (32, 64)
        assert shown.shape == (height, width, 3)
        assert shown.flags.c_contiguous
        centres = shown[height // 4 :: height // 2, width // 4 :: width // 2].reshape(4, 3)
        assert np.abs(centres.astype(int) - corners).max() < 8

    def test_tiff_orientation_is_applied_once(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.tif", photo(), tiffinfo={274: 6})
        assert np.array_equal(read_image(path), np.rot90(photo(), -1))

    def test_damaged_exif_does_not_matter(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.jpg", photo(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
        assert read_image(path).shape == (48, 64, 3)

    def test_grey(self, tmp_path: Path) -> None:
        pixels = read_image(save(tmp_path / "a.png", np.uint8([[0, 100, 255]])))
        assert pixels.tolist() == [[[0] * 3, [100] * 3, [255] * 3]]

    @pytest.mark.parametrize("suffix", [".png", ".tif", ".pgm"])
    def test_16_bits_are_scaled_and_not_clipped(self, tmp_path: Path, suffix: str) -> None:
        path = save(tmp_path / f"a{suffix}", np.uint16([[0, 257, 32768, 65535]]))
        assert read_image(path)[0, :, 0].tolist() == [0, 1, 128, 255]

    def test_16_bit_colour(self, tmp_path: Path) -> None:
        row = np.array([[65535, 32768, 0]], ">u2").tobytes()
        path = tmp_path / "a.ppm"
        path.write_bytes(b"P6 1 1 65535\n" + row)
        assert np.abs(read_image(path)[0, 0].astype(int) - (255, 128, 0)).max() <= 1

    def test_one_bit(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.png", np.array([[True, False]]))
        assert read_image(path)[0, :, 0].tolist() == [255, 0]

    def test_rgba_lies_on_white(self, tmp_path: Path) -> None:
        rgba = np.uint8([[[200, 0, 0, 255], [200, 0, 0, 0], [200, 0, 0, 51]]])
        pixels = read_image(save(tmp_path / "a.png", rgba))
        assert pixels[0, :2].tolist() == [[200, 0, 0], [255, 255, 255]]
        assert np.abs(pixels[0, 2].astype(int) - (244, 204, 204)).max() <= 1

    def test_grey_with_alpha_lies_on_white(self, tmp_path: Path) -> None:
        Image.fromarray(np.uint8([[[10, 255], [10, 0]]]), "LA").save(tmp_path / "a.png")
        assert read_image(tmp_path / "a.png")[0, :, 0].tolist() == [10, 255]

    @pytest.mark.parametrize("transparency", [1, b"\xff\x00"])
    def test_a_palette_with_transparency_lies_on_white(
        self, tmp_path: Path, transparency: int | bytes
    ) -> None:
        image = Image.fromarray(np.uint8([[0, 1]]), "P")
        image.putpalette([9, 8, 7, 50, 60, 70])
        image.save(tmp_path / "a.png", transparency=transparency)
        assert read_image(tmp_path / "a.png").tolist() == [[[9, 8, 7], [255, 255, 255]]]

    def test_cmyk(self, tmp_path: Path) -> None:
        Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg")
        assert np.abs(read_image(tmp_path / "a.jpg")[4, 4].astype(int) - RED).max() < 8

    def test_an_animation_gives_its_first_frame(self, tmp_path: Path) -> None:
        frames = [Image.new("RGB", (9, 9), colour) for colour in (RED, GREEN, BLUE)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
        assert (read_image(tmp_path / "a.gif") == RED).all()

    def test_one_pixel_is_a_picture(self, tmp_path: Path) -> None:
        assert read_image(save(tmp_path / "a.png", np.uint8([[[1, 2, 3]]]))).tolist() == [
            [[1, 2, 3]]
        ]

    def test_the_array_is_the_callers_own(self, tmp_path: Path) -> None:
        pixels = read_image(save(tmp_path / "a.png", photo()))
        pixels[:] = 0
        assert pixels.flags.owndata

    def test_a_wide_picture_is_read_whole(self, tmp_path: Path) -> None:
        assert read_image(save(tmp_path / "a.png", photo(4, 20_000))).shape == (4, 20_000, 3)


class TestBadPictures:
    def check(self, path: Path, message: str) -> None:
        with pytest.raises(UserError, match=message) as error:  # warnings are errors, too
            read_image(path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)

    def test_missing(self, tmp_path: Path) -> None:
        self.check(tmp_path / "a.jpg", "no such file")

    def test_folder(self, tmp_path: Path) -> None:
        self.check(tmp_path, "a folder, not a file")

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "a.jpg").touch()
        self.check(tmp_path / "a.jpg", r"the file is empty \(0 bytes\)")

    def test_device(self) -> None:
        self.check(Path("/dev/null"), "not a regular file")

    @pytest.mark.parametrize("content", [b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\0" * 500])
    def test_no_picture(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "a.jpg").write_bytes(content)
        self.check(tmp_path / "a.jpg", "not a picture that can be read$")

    def test_heic_says_what_to_do(self, tmp_path: Path) -> None:
        (tmp_path / "a.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
        self.check(tmp_path / "a.HEIC", "convert HEIC to JPEG first")

    @pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp", ".tif", ".gif", ".ppm"])
    def test_cut_short(self, tmp_path: Path, suffix: str, share: float) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
        whole = save(tmp_path / f"whole{suffix}", noise).read_bytes()
        path = tmp_path / f"a{suffix}"
        path.write_bytes(whole[: int(len(whole) * share)])
        self.check(path, r"damaged or cut short \(.+\)|not a picture that can be read")

    def test_a_progressive_jpeg_cut_short(self, tmp_path: Path) -> None:
        whole = save(tmp_path / "whole.jpg", photo(200, 200), progressive=True).read_bytes()
        (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
        self.check(tmp_path / "a.jpg", r"cut short \(.*truncated")

    @pytest.mark.parametrize("size", [(13_400, 13_400), (30_000, 30_000), (2**31 - 1, 2**31 - 1)])
    def test_a_decompression_bomb(self, tmp_path: Path, size: tuple[int, int]) -> None:
        (tmp_path / "a.png").write_bytes(png_header(*size))
        self.check(tmp_path / "a.png", "too large .*the limit is 178 million pixels")

    @pytest.mark.parametrize(("suffix", "weight"), [(".png", 1), (".webp", 3), (".jp2", 4)])
    def test_the_limit_can_be_chosen_and_counts_memory(
        self, tmp_path: Path, suffix: str, weight: int
    ) -> None:
        path = save(tmp_path / f"a{suffix}", photo(40, 50))
        assert read_image(path, max_pixels=2000 * weight).shape == (40, 50, 3)
        with pytest.raises(UserError, match=r"too large \(50 x 40 px.* limit is 0\.00"):
            read_image(path, max_pixels=2000 * weight - 1)

    def test_a_higher_limit_is_not_refused_by_pillow(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = save(tmp_path / "a.png", photo(40, 50))
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)  # and twice that is refused
        with pytest.raises(UserError, match="too large"):
            read_image(path)
        assert read_image(path, max_pixels=200_000_000).shape == (40, 50, 3)
        assert Image.MAX_IMAGE_PIXELS == 900

    def test_below_the_limit_pillow_does_not_warn(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(png_header(13_000, 13_000))
        self.check(tmp_path / "a.png", "damaged or cut short")

    @pytest.mark.parametrize("dtype", [np.float32, np.int32])
    def test_32_bits_have_no_white(self, tmp_path: Path, dtype: type[np.generic]) -> None:
        self.check(save(tmp_path / "a.tif", np.ones((2, 2), dtype)), "32-bit pixels")

    def test_a_name_that_cannot_be(self) -> None:
        with pytest.raises(UserError, match=r"cannot be opened \(embedded null"):
            read_image("a\0b.jpg")
        with pytest.raises(UserError, match=r"cannot be opened \(File name too long"):
            read_image("a" * 5000)


class TestListImages:
    def test_sorted_recursive_without_the_hidden(self, tmp_path: Path) -> None:
        names = ["b.JPG", "a/z.png", "a/b/c.webp", "a.txt", ".hidden.jpg", ".git/x.png", "c.heic"]
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        found = [path.relative_to(tmp_path).as_posix() for path in list_images(tmp_path)]
        assert found == ["a/b/c.webp", "a/z.png", "b.JPG", "c.heic"]
        assert set(IMAGE_SUFFIXES) == {suffix.lower() for suffix in IMAGE_SUFFIXES}

    def test_a_loop_of_links_ends(self, tmp_path: Path) -> None:
        (tmp_path / "loop").symlink_to(tmp_path)
        (tmp_path / "a.png").touch()
        assert list_images(tmp_path) == [tmp_path / "a.png"]

    def test_an_empty_folder_is_an_empty_list(self, tmp_path: Path) -> None:
        assert list_images(tmp_path) == []

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="none: no such folder"):
            list_images(tmp_path / "none")
        (tmp_path / "a.png").touch()
        with pytest.raises(UserError, match=r"a.png: not a folder"):
            list_images(tmp_path / "a.png")


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
        [(1.5, 1, 2), (2.0, 1, 2), (3.6, 2, 2), (7.5, 4, 2), (1.7, 1, 1), (1.8, 2, 1), (3.6, 4, 1)],
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
        assert np.abs(crop - expected).mean() < 0.6

    @pytest.mark.parametrize("samples", [1, 2])
    @pytest.mark.parametrize("shrink", [0.4, 1.0, 2.3, 7.0, 11.0])
    def test_a_ramp_shows_where_each_pixel_came_from(self, shrink: float, samples: int) -> None:
        rows, columns = np.mgrid[:301, :403] + 0.5
        ramp = np.stack([columns, rows, rows], 2).astype(np.float32)
        affine = turn(0.4, shrink, 150, 60)
        i, j = np.mgrid[:24, :24] + 0.5
        x, y = np.tensordot(affine, np.stack([j, i, np.ones_like(i)]), 1)
        crop = crop_image(ramp, affine, 24, samples=samples)
        inside = (x > 10) & (x < 390) & (y > 10) & (y < 290)
        assert inside.sum() > 250
        # 1/64 px: what OpenCV 4 leaves; OpenCV 5 is a thousand times better.
        assert np.abs(crop[..., 0] - x)[inside].max() < 0.02
        assert np.abs(crop[..., 1] - y)[inside].max() < 0.02

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
        for seen, made in sizes:
            assert made == (64, 64)
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
