"""What is expected of a person goes on as it was, and is less sure the longer they are out of sight."""

import numpy as np
import pytest

from poselift.track.memory import Motion, Person, box, displacement

POSE = np.array([(0, 0, 1), (40, 0, 1), (20, 60, 1), (0, 120, 1), (40, 120, 1)], float)


def moving(frames: int, step: float = 4.0, fps: float = 30) -> Person:
    person = Person.first_seen(0, POSE, 0.0)
    for frame in range(1, frames):
        person.see(POSE + (step * frame, 0, 0), frame / fps)
    return person


def test_somebody_who_walks_is_expected_further_on():
    joints, motion = moving(30).expected(29 / 30 + 0.5)
    np.testing.assert_allclose(joints, POSE[:, :2] + (4 * 44, 0), atol=3)
    assert motion.variance[0] > moving(30).expected(1.0)[1].variance[0]


def test_a_wild_joint_moves_nobody():
    person = moving(30)
    shown = POSE + (4 * 30, 0, 0)
    shown[2, 0] += 2000
    person.see(shown, 1.0)
    np.testing.assert_allclose(person.expected(1.0)[1].place, moving(31).expected(1.0)[1].place, atol=1)
    assert person.size < 1.15 * moving(31).size


def test_joints_out_of_sight_move_with_the_body():
    person = moving(30)
    shown = POSE + (4 * 30, 0, 0)
    shown[4] = (np.nan, np.nan, 0)
    person.see(shown, 1.0)
    np.testing.assert_allclose(person.pose[4], POSE[4, :2] + (120, 0), atol=1)
    assert person.seen_s.tolist() == pytest.approx([1.0] * 4 + [29 / 30])


def test_displacement_and_size():
    joints = POSE[:, :2]
    np.testing.assert_array_equal(displacement(joints, joints + (3, -2)), (3, -2))
    few = joints + 50.0
    few[2:] = np.nan
    np.testing.assert_array_equal(displacement(joints, few), (0, 0))
    assert box(POSE) == 120


def test_variances_of_two_steps_are_those_of_one_long_step():
    motion = Motion(np.zeros(2), np.array([3.0, 0.0]))
    once, twice = motion.after(0.6), motion.after(0.2).after(0.4)
    assert once.variance == pytest.approx(twice.variance)
    np.testing.assert_allclose(once.place, twice.place)
