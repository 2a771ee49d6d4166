import io
from pathlib import Path

import numpy as np
import pytest
from labelled_pictures import encode, photo
from PIL import Image

from amesh.data.loading.pictures import decode
from amesh.errors import UserError
from amesh.pipeline.images import read_image


def stored(orientation: int, kind: str, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encode(photo(120, 90), kind, exif=exif, **options)


@pytest.mark.parametrize("orientation", range(10))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_pictures_are_upright_as_in_pillow(orientation: int, kind: str) -> None:
    from PIL import ImageOps

    data = stored(orientation, kind)
    shown = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    pixels, size, shrunk = decode(data, "here")
    np.testing.assert_array_equal(pixels, shown)
    assert pixels.flags.c_contiguous
    assert (size, shrunk) == (shown.shape[1::-1], 1)
    assert size == ((90, 120) if orientation in (5, 6, 7, 8) else (120, 90))


def test_a_large_jpeg_is_shrunk_and_its_full_size_is_reported() -> None:
    pixels, size, shrunk = decode(stored(6, "JPEG", quality=95), "here", shrink=3)
    assert pixels.shape == (60, 45, 3)
    assert (size, shrunk) == ((90, 120), 2)


def test_a_picture_with_damaged_exif_is_readable() -> None:
    data = encode(photo(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert decode(data, "here")[0].shape == (110, 120, 3)


def test_transparency_is_shown_on_white() -> None:
    pixels = np.zeros((4, 4, 4), np.uint8)
    pixels[:2, :, 3] = 255
    assert decode(encode(pixels), "here")[0][:, 0, 0].tolist() == [0, 0, 255, 255]


def test_16_bit_values_are_scaled() -> None:
    data = encode(np.array([[0, 257, 65535]], np.uint16))
    assert decode(data, "here").pixels[0, :, 0].tolist() == [0, 1, 255]


@pytest.mark.parametrize("kind", ["BMP", "DIB", "TIFF", "GIF", "PPM", "JPEG2000", "WEBP", "AVIF"])
def test_training_reads_every_picture_format_that_run_reads(kind: str, tmp_path: Path) -> None:
    Image.init()
    if kind not in Image.SAVE:
        pytest.skip("older Pillow cannot write it")
    path = tmp_path / "picture"
    path.write_bytes(encode(photo(), kind))
    decoded = decode(path.read_bytes(), "here").pixels
    assert decoded.shape == (110, 120, 3)
    np.testing.assert_array_equal(decoded, read_image(path))


@pytest.mark.parametrize(
    ("mode", "subsampling", "counts"),
    [("RGB", "4:4:4", 2.0), ("RGB", "4:2:2", 1.6), ("RGB", "4:2:0", 1.4), ("L", "4:4:4", 1.0)],
)
def test_pixels_of_a_progressive_jpeg_count_by_its_coefficients(
    mode: str, subsampling: str, counts: float
) -> None:
    """Y, Cb and Cr of 2 bytes and 4 bytes of Pillow's; the limit counts 5 bytes a pixel."""
    picture, file = Image.new(mode, (50, 40)), io.BytesIO()
    picture.save(file, "JPEG", progressive=True, subsampling=subsampling)
    limit = round(2000 * counts)
    assert decode(file.getvalue(), "here", max_pixels=limit).size == (50, 40)
    with pytest.raises(UserError, match=r"too large \(50 x 40 px") as caught:
        decode(file.getvalue(), "here", max_pixels=limit - 1)
    if counts > 1:
        assert f"which count {counts:g} times in a progressive JPEG" in str(caught.value)
    file = io.BytesIO()
    picture.save(file, "JPEG", subsampling=subsampling)
    assert decode(file.getvalue(), "here", max_pixels=2000).size == (50, 40)
