"""Reading pictures of every kind, and the errors of bad ones."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from amesh.errors import UserError
from amesh.pipeline.images import read_image

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
