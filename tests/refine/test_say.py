import numpy as np
import pytest

from poselift.refine.gravity import Ground, feet_of
from poselift.refine.say import say_ground
from tests.refine.stage import camera_at, seen, walking

POSES = seen(*walking(seconds=1), camera_at()).poses
FEET = feet_of(POSES, POSES.xyz.astype(np.float64))


@pytest.mark.parametrize(("seconds", "found", "said"), [(0.25, 4.0, 16.0), (100.0, 2.5, 2.5), (0.25, 0.0, 0.0)])
def test_up_is_less_certain_after_a_short_time_unless_it_was_given(seconds, found, said):
    ground = Ground(np.array([0, -1.0, 0]), -1.6, found, "the network's directions")
    report = say_ground(ground, [FEET], [np.zeros((len(POSES), 3))], contacts=True, seconds=seconds)
    assert report.values["up_error_deg"] == pytest.approx(said)
    assert f"up to about {said:.0f} degrees" in report.says
