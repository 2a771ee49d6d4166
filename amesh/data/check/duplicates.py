"""Finds copies of a face crop by perceptual hashes, even if resized, recompressed or graded."""

from collections import defaultdict
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import UInt8, UInt64

# Largest number of different bits of two 64-bit hashes that may be of the same picture.
_DISTANCE = 5
_BANDS = 8  # of 8 bits: hashes that differ in fewer bits than there are bands share one band
# Thumbnails with a higher correlation show the same picture; two portraits of one person in front
# of the same wall stay below it.
_SAME = 0.985

Thumbnail = UInt8[np.ndarray, "32 32"]


def thumbnail(pixels: UInt8[np.ndarray, "h w 3"]) -> Thumbnail:
    """Shrinks a picture to 32 x 32 grey pixels."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)


def perceptual_hash(thumb: Thumbnail) -> int:
    """Returns 64 bits: whether each low frequency exceeds their median; ignores brightness."""
    low = cv2.dct(thumb.astype(np.float32))[:9, :9].ravel()[1:65]
    return int.from_bytes(np.packbits(low > np.median(low)).tobytes(), "big")


def find_copies(thumbs: list[Thumbnail]) -> list[tuple[int, int]]:
    """Returns the pairs of indices (smaller first) of the same picture, each once, in order."""
    hashes = np.array([perceptual_hash(thumb) for thumb in thumbs], dtype=np.uint64)
    return sorted(p for p in near_pairs(hashes) if _correlation(*(thumbs[i] for i in p)) > _SAME)


def near_pairs(hashes: UInt64[np.ndarray, " n"]) -> Iterator[tuple[int, int]]:
    """Yields the pairs of indices (smaller first) whose hashes nearly agree, each once."""
    seen: set[tuple[int, int]] = set()
    for band in range(_BANDS):
        buckets: dict[int, list[int]] = defaultdict(list)
        values = (hashes >> np.uint64(8 * band)) & np.uint64(0xFF)
        for number, value in enumerate(values.tolist()):
            buckets[value].append(number)
        for bucket in buckets.values():
            members = np.array(bucket)
            for place, first in enumerate(bucket[:-1]):
                others = members[place + 1 :]
                bits = np.bitwise_count(hashes[others] ^ hashes[first])
                found = {(first, int(second)) for second in others[bits <= _DISTANCE]}
                yield from sorted(found - seen)
                seen |= found


def _correlation(one: Thumbnail, two: Thumbnail) -> float:
    spread = float(one.std()) * float(two.std())
    if spread == 0:
        return float(np.array_equal(one, two))
    product = (one - one.mean(dtype=np.float64)) * (two - two.mean(dtype=np.float64))
    return float(product.mean()) / spread
