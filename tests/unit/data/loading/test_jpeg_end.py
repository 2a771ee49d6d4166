import numpy as np
import pytest
from labelled_pictures import encode, photo

from amesh.data.loading.pictures import decode
from amesh.errors import UserError


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("shrink", [1, 2])
def test_a_jpeg_without_its_end_is_read_with_a_warning(
    missing: int, progressive: bool, shrink: int, caplog: pytest.LogCaptureFixture
) -> None:
    data = encode(photo(), "JPEG", progressive=progressive)
    where = f"{missing}, {progressive}, {shrink}"  # each picture is warned of once
    cut = decode(data[:-missing], where, shrink)
    np.testing.assert_array_equal(cut.pixels, decode(data, where, shrink).pixels)
    assert caplog.messages == [f"{where}: the end of the file is missing, but all pixels are there"]


@pytest.mark.parametrize("missing", [5, 8, 20, 100, 1000])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_some_of_its_pixels_is_refused(missing: int, progressive: bool) -> None:
    data = encode(photo(), "JPEG", progressive=progressive)
    with pytest.raises(UserError, match="here: damaged or cut short"):
        decode(data[:-missing], "here")
