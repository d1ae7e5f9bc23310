import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.lab.observe.detector import SimulatedDetector
from poselift.lab.observe.noise import DETECTOR_SKELETON, NoiseConfig
from poselift.prepare.convert import convert
from poselift.skeleton import H36M_17

OFF = NoiseConfig(level=0, shift=0, swaps=0, misses=0, spans=0, cuts=0, blackouts=0, spikes=0)


@pytest.fixture
def joints(walk):
    """(T, 17, 3) camera axes: a person 4 m ahead."""

    def make(frames):
        x, y, z = np.moveaxis(walk(frames).xyz, -1, 0)
        return np.stack([x, 1 - z, 4 + y], -1)

    return make


@pytest.mark.parametrize("frames", [1, 99, 100, 101, 250])
def test_any_length(joints, frames):
    seen = SimulatedDetector()(joints(frames), 50.0, 0)
    assert seen.xy.shape == (frames, 25, 2)
    assert (seen.skeleton, seen.fps, seen.image_size) == (DETECTOR_SKELETON, 50.0, (1000, 1000))
    assert np.array_equal(np.isnan(seen.xy[..., 0]), seen.confidence == 0)
    assert seen.seen.mean() > 0.3


def test_seeds(joints):
    one, same, other = (SimulatedDetector()(joints(120), 50.0, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.xy, same.xy)
    np.testing.assert_array_equal(one.confidence, same.confidence)
    assert not np.array_equal(one.confidence, other.confidence)


def test_feet_are_never_seen(joints):
    seen = SimulatedDetector(OFF)(joints(120), 50.0, 0).seen
    feet = [any(part in name for part in ("toe", "heel")) for name in DETECTOR_SKELETON.joints]
    assert sum(feet) == 6
    assert not seen[:, feet].any()
    assert seen[:, np.logical_not(feet)].all()


def test_a_perfect_detector_sees_limbs_where_they_are(joints):
    points = joints(120)
    seen = convert(SimulatedDetector(OFF)(points, 50.0, 0), H36M_17)
    pixels = 1000 * points[..., :2] / points[..., 2:] + 500
    limbs = [joint for limb in H36M_17.limbs for joint in limb]
    np.testing.assert_allclose(seen.xy[:, limbs], pixels[:, limbs], rtol=0, atol=1e-3)


def test_the_picture_of_a_metre_shrinks_with_distance(joints):
    config = dataclasses.replace(OFF, level=0.02)
    errors = []
    for away in (0.0, 4.0):
        points = joints(100) + np.array([0, 0, away], np.float32)
        wrong, right = (SimulatedDetector(c)(points, 50.0, 3) for c in (config, OFF))
        errors.append(np.nanmean(np.abs(wrong.xy - right.xy)))
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)
    assert 2 < errors[0] < 15


def test_the_description_names_detector_and_errors():
    detector = SimulatedDetector(NoiseConfig(level=0.5))
    assert "BODY_25B" in detector.description
    assert detector.errors["level"] == 0.5 and "swaps" in detector.errors
