import threading
import warnings

import pytest
from PIL import Image

from amesh.data.loading.limits import MAX_PIXELS
from amesh.data.loading.pillow_settings import decoding


def test_threads_that_overlap_leave_the_settings_as_they_were(monkeypatch: pytest.MonkeyPatch):
    """The first to start is the first to end: it must not restore what the other still needs."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 900)
    filters = list(warnings.filters)
    begun, ended = threading.Event(), threading.Event()

    def first() -> None:
        with decoding(2 * MAX_PIXELS):
            assert begun.wait(60)
        ended.set()

    thread = threading.Thread(target=first)
    thread.start()
    with decoding(2 * MAX_PIXELS):
        begun.set()
        assert ended.wait(60)
        assert Image.MAX_IMAGE_PIXELS == 2 * MAX_PIXELS
        assert list(warnings.filters) != filters
    thread.join()
    assert Image.MAX_IMAGE_PIXELS == 900
    assert list(warnings.filters) == filters


def test_only_pillow_is_silent():
    with decoding(MAX_PIXELS), pytest.warns(UserWarning, match="hear me"):
        warnings.warn("hear me", UserWarning, stacklevel=1)
