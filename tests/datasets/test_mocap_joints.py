import numpy as np
import pytest

from poselift.datasets.clip import MocapClip
from poselift.skeleton import H36M_17


def joint(clip: MocapClip, name: str) -> np.ndarray:
    """(T, 3) one joint of a clip."""
    return clip.xyz[:, H36M_17.index(name)]


def test_joints_pinned(load):
    clip = load()
    assert (clip.name, clip.subject, clip.fps, len(clip)) == ("s1_walk", "s1", 50.0, 1)
    np.testing.assert_allclose(joint(clip, "pelvis")[0], [0, 0, 0.85], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "left_hip")[0], [0.10, 0, 0.85], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "right_ankle")[0], [-0.10, 0, 0], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "left_wrist")[0], [0.72, 0, 1.30], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "spine")[0], [0, 0, 1.05], atol=1e-6)
    np.testing.assert_allclose(joint(clip, "thorax")[0], [0, 0, (1.30 + 1.35) / 2], atol=1e-6)
    nose, top = joint(clip, "nose")[0], joint(clip, "head_top")[0]
    assert -0.04 < nose[1] < -0.01  # this figure faces -y
    assert 1.45 < nose[2] < 1.55 < top[2] < 1.65


def test_the_head_turns_with_the_body(load):
    clip = load(None, "0 85 0 0 0 90")
    np.testing.assert_allclose(joint(clip, "left_hip")[0], [0, 0.10, 0.85], atol=1e-6)
    assert joint(clip, "nose")[0, 0] > 0.01


def test_bones_that_rest_along_x(load, figures):
    """As in LAFAN1: only the motion stands, and the head looks where the trunk faces."""
    rest = figures.resting_along_x(figures.figure())
    usual, along_x = load(), load(rest=rest)
    np.testing.assert_allclose(along_x.xyz, usual.xyz, atol=1e-6)
    assert (along_x.reading.up, along_x.reading.up_from) == ("y", "motion")


@pytest.mark.parametrize(
    "missing", [{"Head": "no joint for head: estimated from the neck"},
                {"Neck": "no joint for neck: estimated from the shoulders"},
                {"Head": "", "Neck": "no joint for head or neck: estimated from the shoulders"}]
)  # fmt: skip
@pytest.mark.parametrize("along_x", [False, True])
def test_a_missing_head_or_neck_is_estimated(load, figures, missing, along_x):
    whole = load(None, "0 85 0 0 0 90")
    joints = {name: value for name, value in figures.figure().items() if name not in missing}
    if "Head" in joints and "Neck" in missing:
        joints["Head"] = ("Spine", (0, 40, 0))
    clip = load(joints, "0 85 0 0 0 90", rest=figures.resting_along_x(joints) if along_x else None)
    np.testing.assert_allclose(clip.xyz[:, :7], whole.xyz[:, :7], atol=1e-6)
    assert np.linalg.norm(clip.xyz - whole.xyz, axis=-1).max() < 0.05
    np.testing.assert_allclose(joint(clip, "nose")[0, 0], joint(whole, "nose")[0, 0], atol=0.005)  # it faces +x
    assert list(missing.values())[-1] in clip.reading.notes[0]


def test_a_trunk_without_a_middle_joint_gets_one(load, figures):
    joints = figures.figure() | {"Spine": ("Hips", (0, 0, 0)), "Neck": ("Spine", (0, 50, 0))}
    clip = load(joints)
    np.testing.assert_allclose(joint(clip, "spine"), (joint(clip, "pelvis") + joint(clip, "thorax")) / 2, atol=1e-6)
