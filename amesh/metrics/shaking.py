"""How much landmarks tremble from frame to frame. NumPy, double precision, no I/O.

The second difference over time, `a[t] = q[t-1] - 2 p[t] + q[t+1]`, is zero for landmarks at rest
or in even motion: what is left is the high-frequency part. `q` are the neighbouring frames, brought
onto frame t by the similarity (shift, turn, scale) of least squares over all landmarks, so that a
head in motion does not count. Errors of single frames that are independent and have a root mean
square r give `a` one of sqrt(6) r, hence

    jitter[t] = |a[t]| / sqrt(6) / length[t]

is how far a landmark lies from its place by chance, in the unit of the length.
"""

import numpy as np
from jaxtyping import Float


def landmark_jitter(
    track: Float[np.ndarray, "t n 2"], length: Float[np.ndarray, " t"]
) -> Float[np.ndarray, "u n"]:
    """Jitter of each landmark in each frame but the first and the last [%], u = t - 2.

    Args:
        track: Landmarks of one face over time [px].
        length: What they are measured by, such as the distance between the eyes [px].
    """
    _check(track)
    now = track[1:-1]
    second = onto(track[:-2], now) - 2 * now + onto(track[2:], now)
    return np.asarray(100 * np.linalg.norm(second, axis=-1) / np.sqrt(6) / length[1:-1, None])


def face_jitter(
    track: Float[np.ndarray, "t n 2"], length: Float[np.ndarray, " t"]
) -> Float[np.ndarray, " u"]:
    """Jitter of the middle of all landmarks, which the similarity takes out of the others [%]."""
    _check(track)
    middle = track.mean(1)
    second = middle[:-2] - 2 * middle[1:-1] + middle[2:]
    return np.asarray(100 * np.linalg.norm(second, axis=-1) / np.sqrt(6) / length[1:-1])


def onto(
    points: Float[np.ndarray, "t n 2"], target: Float[np.ndarray, "t n 2"]
) -> Float[np.ndarray, "t n 2"]:
    """Points moved, turned and scaled so that they lie closest to others, frame by frame."""
    source, wanted = points @ (1, 1j), target @ (1, 1j)  # complex numbers x + iy
    middle = wanted.mean(-1, keepdims=True)
    source, wanted = source - source.mean(-1, keepdims=True), wanted - middle
    motion = (source.conj() * wanted).sum(-1) / (np.abs(source) ** 2).sum(-1)
    moved = motion[..., None] * source + middle
    return np.stack([moved.real, moved.imag], axis=-1)


def _check(track: Float[np.ndarray, "t n 2"]) -> None:
    if len(track) < 3:
        raise ValueError(f"expected 3 frames or more, found {len(track)}")
