from collections.abc import Callable

import numpy as np
import pytest
from followed_faces import RATE, Followed, closing, shaking, tracks

from amesh.evaluation.over_time import ALL, measure
from amesh.evaluation.tracks import TrackBuilder
from amesh.topology.scheme import Topology

Pose = Callable[..., np.ndarray]
NOISE = 100 * 0.3 * np.sqrt(2) / 60  # of errors of 0.3 px in x and y, in % of 60 px


def _nodding(times: np.ndarray) -> np.ndarray:
    """Still for two seconds, then to and fro: still in a third of the frames."""
    return np.where(times < 2, 0, 10 * np.sin(2 * np.pi * (times - 2)))


def test_a_still_face_with_sensor_noise_jitters_by_the_noise(
    topology: Topology, pose: Pose
) -> None:
    raw = shaking(pose(), 120, 0.3)
    found = measure(tracks(raw, raw), topology)
    assert found.jitter[ALL] == pytest.approx(NOISE, rel=0.02)
    assert found.jitter["lips"] == pytest.approx(NOISE, rel=0.03)
    assert found.jitter["left_iris"] == pytest.approx(NOISE, rel=0.15)  # five landmarks
    assert found.step == pytest.approx(np.sqrt(2) * NOISE, rel=0.02)
    assert found.measured == 120 - 8
    assert found.interval == pytest.approx(1 / RATE)
    assert np.isnan(found.lag)  # nothing moves
    assert found.blinks == 0


def test_jitter_is_measured_where_the_face_is_still(topology: Topology, pose: Pose) -> None:
    raw = shaking(pose(), 210, 0.3, _nodding)
    moving = np.arange(210) >= 70
    raw[moving] += np.random.default_rng(5).normal(0, 3, (140, 478, 3)).astype(np.float32)
    assert measure(tracks(raw), topology).jitter[ALL] == pytest.approx(NOISE, rel=0.03)


@pytest.mark.parametrize("delay", [0.0, 0.4, 1.3, 3.0])
def test_lag_is_the_delay_of_smoothed_landmarks(
    topology: Topology, pose: Pose, delay: float
) -> None:
    raw = shaking(pose(), 210, 0.3, _nodding)
    smoothed = shaking(pose(), 210, 0.1, lambda times: _nodding(times - delay / RATE), seed=1)
    found = measure(tracks(smoothed, raw), topology)
    assert found.lag / found.interval == pytest.approx(delay, abs=0.05)
    assert found.jitter[ALL] == pytest.approx(NOISE / 3, rel=0.03)
    assert np.isnan(measure(tracks(smoothed), topology).lag)  # raw landmarks are unknown


def test_figures_do_not_depend_on_the_size_of_the_face(topology: Topology, pose: Pose) -> None:
    raw = shaking(pose(), 150, 0.3, _nodding)
    near = measure(tracks(3 * raw, 3 * raw), topology)
    far = measure(tracks(raw, raw), topology)
    assert near.jitter[ALL] == pytest.approx(far.jitter[ALL], rel=1e-3)
    assert near.step == pytest.approx(far.step, rel=1e-3)


def test_smoothing_leaves_a_share_of_a_blink(topology: Topology, pose: Pose) -> None:
    still = shaking(pose(), 60)
    raw, smoothed = np.ones(60), np.ones(60)
    raw[20:23], smoothed[21:25] = 0.1, 0.4
    unsmoothed = closing(topology, still, raw)
    found = measure(tracks(closing(topology, still, smoothed), unsmoothed), topology)
    assert found.blinks == 2  # each eye
    assert found.blinks_kept == pytest.approx(100 * 0.6 / 0.9, rel=1e-3)
    assert measure(tracks(unsmoothed, unsmoothed), topology).blinks_kept == pytest.approx(100)


def test_no_fit_crosses_a_gap(topology: Topology, pose: Pose) -> None:
    raw = shaking(pose(), 100, 0.3)
    raw[41:] += 30  # the face is elsewhere when it is seen again
    found = measure(tracks(raw, raw, without=[40]), topology)
    assert found.jitter[ALL] == pytest.approx(NOISE, rel=0.03)
    assert found.measured == 100 - 1 - 2 * 8
    assert (found.continuity.losses, found.continuity.returns) == (1, 1)
    assert found.continuity.share == 99


def test_two_faces_count_each_in_its_own_unit(topology: Topology, pose: Pose) -> None:
    small, large = shaking(pose(size=30.0), 100, 0.3), shaking(pose(size=60.0), 100, 0.6, seed=1)
    builder = TrackBuilder("", 478)
    for i in range(100):
        builder.add(i, i / RATE, [Followed(0, small[i]), Followed(1, large[i])])
    found = measure(builder.finish(), topology)
    assert found.jitter[ALL] == pytest.approx(2 * NOISE, rel=0.03)
    assert found.measured == 2 * (100 - 8)


@pytest.mark.parametrize("frames", [0, 8])
def test_too_few_frames_have_no_figures(topology: Topology, pose: Pose, frames: int) -> None:
    raw = shaking(pose(), frames)
    found = measure(tracks(raw, raw), topology)
    assert found.jitter == {}
    assert found.measured == 0
    assert np.isnan([found.step, found.lag, found.interval, found.blinks_kept]).all()
    assert found.continuity.losses == 0


def test_a_face_that_is_never_still_has_no_jitter(topology: Topology, pose: Pose) -> None:
    raw = shaking(pose(), 120, 0.3, lambda times: 60.0 * times)  # an eye distance a second
    found = measure(tracks(raw, raw), topology)
    assert found.jitter == {}
    assert np.isnan(found.step)
    assert found.lag == pytest.approx(0, abs=0.05 / RATE)
