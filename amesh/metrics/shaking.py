"""Jitter: how much landmarks shake from frame to frame. NumPy, double precision.

The second difference over time, `a[t] = q[t-1] - 2 p[t] + q[t+1]`, is zero for landmarks at rest
or in uniform motion, so only high-frequency motion remains. `q` are the neighbouring frames,
aligned to frame t by the least-squares similarity (shift, rotation, scale) over all landmarks, so
that head motion does not count. Independent errors of single frames with root mean square r give
`a` a root mean square of sqrt(6) r. Hence

    jitter[t] = |a[t]| / sqrt(6) / length[t]

estimates the random error of a landmark in one frame, relative to the length.
"""

import numpy as np
from jaxtyping import Float


def landmark_jitter(
    track: Float[np.ndarray, "t n 2"], length: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "u n"]:
    """Returns the jitter of each landmark in all frames but the first and last [%], u = t - 2.

    Args:
        track: Landmarks of one face over time [px].
        length: Normalising length, such as the distance between the eyes [px].

    Raises:
        ValueError: There are fewer than three frames.
    """
    _check(track)
    now = track[1:-1]
    second = onto(track[:-2], now) - 2 * now + onto(track[2:], now)
    return np.asarray(100 * np.linalg.norm(second, axis=-1) / np.sqrt(6) / length[1:-1, None])


def face_jitter(
    track: Float[np.ndarray, "t n 2"], length: Float[np.ndarray, " t"]
) -> Float[np.ndarray, " u"]:
    """Returns the jitter of the landmarks' centroid, which `landmark_jitter` aligns away [%].

    Raises:
        ValueError: There are fewer than three frames.
    """
    _check(track)
    middle = track.mean(1)
    second = middle[:-2] - 2 * middle[1:-1] + middle[2:]
    return np.asarray(100 * np.linalg.norm(second, axis=-1) / np.sqrt(6) / length[1:-1])


def onto(
    points: Float[np.ndarray, "t n 2"], target: Float[np.ndarray, "t n 2"]
) -> Float[np.ndarray, "t n 2"]:
    """Aligns points to the target by the least-squares similarity, frame by frame."""
    source, wanted = points @ (1, 1j), target @ (1, 1j)  # complex numbers x + iy
    middle = wanted.mean(-1, keepdims=True)
    source, wanted = source - source.mean(-1, keepdims=True), wanted - middle
    motion = (source.conj() * wanted).sum(-1) / (np.abs(source) ** 2).sum(-1)
    moved = motion[..., None] * source + middle
    return np.stack([moved.real, moved.imag], axis=-1)


def _check(track: Float[np.ndarray, "t n 2"]) -> None:
    if len(track) < 3:
        raise ValueError(f"expected 3 or more frames, found {len(track)}")
