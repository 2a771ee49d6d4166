"""Pillow's settings while pictures are decoded.

They belong to the whole process, and several threads may decode: the first one to start changes
them, and the last one to finish restores them.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from PIL import Image

from amesh.data.loading.limits import MAX_PIXELS

_changing = threading.Lock()
_limits: list[int] = []  # of the pictures that are being decoded
_restore = ExitStack()


@contextmanager
def decoding(max_pixels: int) -> Iterator[None]:
    """Silences Pillow's warnings, and lets it read pictures of `max_pixels`.

    Pillow warns about size, which `decode` checks itself, and about unusual metadata: nothing that
    a user could act on. Its own limit stays, unless `max_pixels` is more than the default.
    """
    with _changing:
        if not _limits:
            _restore.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _restore.callback(setattr, Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
        _limits.append(max_pixels)
        if max_pixels > MAX_PIXELS and Image.MAX_IMAGE_PIXELS is not None:
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)
    try:
        yield
    finally:
        with _changing:
            _limits.remove(max_pixels)
            if not _limits:
                _restore.close()
