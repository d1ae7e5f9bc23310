"""Angles and extremities: each measure on poses that are wrong by a known amount."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from poselift.measure.anatomy import FEET_METRICS, HEAD_METRICS, LIMB_METRICS, UNITS, Anatomy, angle, flexion
from poselift.skeleton import BODY_27, H36M_17

UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture
def person(person):
    """(6, 27, 3) metres, z up: the person trembles; relative to the pelvis."""
    frames = person + np.random.default_rng(0).normal(0, 0.005, (6, 27, 3))
    return (frames - frames[:, :1]).astype(np.float32)


def measured(pred, truth, seen=None):
    anatomy = Anatomy()
    anatomy.add_limbs(pred[:, :17], np.nan_to_num(truth[:, :17]), H36M_17)
    anatomy.add_extremities(pred, truth, UP, np.ones(pred.shape[:2], bool) if seen is None else seen)
    return anatomy.means()


def turned(xyz, joints, degrees, axis=UP):
    """Turn some joints about an axis through the nose or the ankles' middle, whichever is the first joint."""
    rotation = Rotation.from_rotvec(np.radians(degrees) * np.asarray(axis, float)).as_matrix()
    out, about = xyz.copy(), xyz[:, joints[0], None]
    out[:, joints] = (xyz[:, joints] - about) @ rotation.T + about
    return out


def test_the_truth_itself_has_no_error(person):
    assert measured(person, person) == pytest.approx(dict.fromkeys(UNITS, 0), abs=1e-3)
    assert list(UNITS) == [*LIMB_METRICS, *HEAD_METRICS, *FEET_METRICS]


def test_a_person_who_is_turned_as_a_whole_is_right_after_the_best_rotation(person):
    found = measured(turned(person, list(range(27)), 20, (1, 0, 0)), person)
    assert 15 < found["bone_direction"] < 20
    assert found["bone_direction_aligned"] == pytest.approx(0, abs=0.01)
    assert found["head_p_mpjpe"] == pytest.approx(0, abs=0.01) and found["head_mpjpe"] > 100
    assert (found["knee"], found["elbow_bias"]) == pytest.approx((0, 0), abs=0.01)


def test_a_head_that_is_turned_is_off_by_that_angle(person):
    head = list(BODY_27.indices(("nose", "left_eye", "right_eye", "left_ear", "right_ear")))
    found = measured(turned(person, head, 30), person)
    assert found["head_yaw"] == pytest.approx(30, abs=0.1)
    assert found["head_yaw_seen_median"] == pytest.approx(30, abs=0.1)
    assert found["toe_direction"] == pytest.approx(0, abs=0.01)
    nod = measured(turned(person, head, 30, (1, 0, 0)), person)
    assert nod["head_yaw"] < 2


def test_a_face_that_is_not_seen_is_not_among_those_that_are(person):
    seen = np.ones((6, 27), bool)
    seen[2:, BODY_27.index("left_eye")] = False
    head = list(BODY_27.indices(("nose", "left_eye", "right_eye", "left_ear", "right_ear")))
    wrong = person.copy()
    wrong[:2] = turned(person, head, 40)[:2]
    found = measured(wrong, person, seen)
    assert (found["head_yaw"], found["head_yaw_seen"]) == pytest.approx((40 / 3, 40), abs=0.1)
    assert "head_yaw_seen" not in measured(person, person, np.zeros((6, 27), bool))


def test_a_foot_that_is_turned_is_off_by_that_angle(person):
    foot = list(BODY_27.indices(("left_heel", "left_big_toe", "left_small_toe")))
    found = measured(turned(person, foot, 24), person)
    assert found["toe_direction"] == pytest.approx(12, abs=0.1)  # one foot of two
    assert found["ankle_p_mpjpe"] == pytest.approx(0, abs=0.01)
    assert found["feet_p_mpjpe"] > 10


def test_what_is_not_known_is_not_measured(person):
    truth = person.copy()
    truth[:, 17:21] = np.nan
    found = measured(person, truth)
    assert not set(HEAD_METRICS) & set(found) and set(FEET_METRICS) <= set(found)
    truth = person.copy()
    truth[:, 21:] = np.nan
    assert set(measured(person, truth)) == {*LIMB_METRICS, *HEAD_METRICS}


def test_knees_that_are_bent_too_much_have_a_bias_and_no_scatter(person):
    wrong = person.copy()
    for side in ("left", "right"):
        hip, knee, ankle = BODY_27.indices((f"{side}_hip", f"{side}_knee", f"{side}_ankle"))
        shin, thigh = person[:, ankle] - person[:, knee], person[:, knee] - person[:, hip]
        axis = np.cross(thigh, shin)
        axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
        wrong[:, ankle] = person[:, knee] + Rotation.from_rotvec(np.radians(10) * axis).apply(shin)
    found = measured(wrong, person)
    assert found["knee_bias"] == pytest.approx(10, abs=0.01) and found["knee"] == pytest.approx(0, abs=0.01)
    assert found["elbow_bias"] == 0


def test_angles_by_hand():
    assert angle(np.array([1.0, 0, 0]), np.array([[0.0, 2, 0], [-1, 0, 0], [3, 0, 0], [0, 0, 0]])).tolist() == [
        90.0, 180.0, 0.0, 0.0,
    ]  # fmt: skip
    straight = np.array([[0.0, 0, 0], [0, 0, -1], [0, 0, -2]])
    assert flexion(straight, (0, 1, 2)) == 0
    assert flexion(np.array([[0.0, 0, 0], [0, 0, -1], [0, 1, -1]]), (0, 1, 2)) == pytest.approx(90)
