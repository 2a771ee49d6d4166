"""Large pictures are read in bands, and their memory is freed on the way: same pixels."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from amesh.data.loading import pixels
from amesh.data.loading.pictures import decode
from amesh.errors import UserError

SUFFIXES = (".png", ".jpg", ".webp", ".gif", ".bmp", ".tif", ".jp2", ".ppm", ".avif")


def photo(mode: str, height: int = 61, width: int = 47) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 4), np.uint8)
    if mode == "I;16":
        return Image.fromarray(noise[..., 0].astype(np.uint16) * 257 + noise[..., 1])
    return Image.fromarray(noise, "RGBA").convert(mode)


@pytest.fixture
def banded(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes every picture a large one: bands of a few rows, pages that are freed."""

    def apply() -> None:
        monkeypatch.setattr(pixels, "_LARGE", 0)
        monkeypatch.setattr(pixels, "_BAND", 200)

    return apply


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_bands_give_the_same_pixels(
    tmp_path: Path, mode: str, suffix: str, banded: Callable[[], None]
) -> None:
    path = tmp_path / f"a{suffix}"
    try:
        photo(mode).save(path)
    except (OSError, KeyError, ValueError):
        pytest.skip(f"no {mode} in {suffix}")
    whole = decode(path, "a").pixels
    banded()
    assert np.array_equal(decode(path, "a").pixels, whole)


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_bands_are_turned_as_the_whole_is(
    tmp_path: Path, turn: int, suffix: str, banded: Callable[[], None]
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    photo("RGB").save(tmp_path / f"a{suffix}", exif=exif)
    whole = decode(tmp_path / f"a{suffix}", "a")
    assert whole.pixels.shape == ((47, 61, 3) if turn > 4 else (61, 47, 3))
    banded()
    found = decode(tmp_path / f"a{suffix}", "a")
    assert np.array_equal(found.pixels, whole.pixels)
    assert found.pixels.flags.c_contiguous
    memory = found.pixels if found.pixels.base is None else found.pixels.base
    assert np.asarray(memory).nbytes == found.pixels.nbytes  # no more than it needs
    found.pixels[:] = 0  # its owner may draw on it


def test_16_bits_are_rounded_to_the_nearest_of_8() -> None:
    grey = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    found = pixels.upright_rgb(Image.fromarray(grey), "a")
    assert np.array_equal(found[..., 0], np.rint(grey / 257).astype(np.uint8))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
def test_a_large_picture_that_is_cut_short_is_refused(
    tmp_path: Path, suffix: str, banded: Callable[[], None]
) -> None:
    banded()
    photo("RGB").save(tmp_path / f"a{suffix}")
    data = (tmp_path / f"a{suffix}").read_bytes()
    with pytest.raises(UserError, match="damaged or cut short"):
        decode(data[: len(data) // 2], "a")


# The peak of this process alone: getrusage also knows the parent that it was forked from.
MEASURE = """
from amesh.pipeline.images import read_image
assert read_image({path!r}).shape == (13_300, 13_300, 3)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured, and freed, as Linux does")
@pytest.mark.parametrize(("mode", "turn"), [("I;16", 1), ("RGBA", 1), ("RGB", 6)])
def test_the_largest_picture_takes_less_than_a_gigabyte(
    tmp_path: Path, mode: str, turn: int, run_python: Callable[[str], str]
) -> None:
    path, exif = tmp_path / "a.png", Image.Exif()
    exif[0x0112] = turn
    Image.new(mode, (13_300, 13_300)).save(path, compress_level=1, exif=exif)
    assert int(run_python(MEASURE.format(path=str(path)))) * 1024 < 1e9
