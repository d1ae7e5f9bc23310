"""Constant bones: exact lengths, small moves, the height, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from poselift import BODY_27, COCO_17, H36M_17, Poses3D, p_mpjpe
from poselift.errors import ShapeError, SkeletonError
from poselift.refine.bones import bone_lengths, constant_bones, stature, with_lengths
from poselift.skeleton import Skeleton

LENGTHS = np.array([0, 0.12, 0.42, 0.4, 0.12, 0.42, 0.4, 0.23, 0.25, 0.2, 0.12, 0.17, 0.28, 0.25, 0.17, 0.28, 0.25])


def figure(frames: int, seed: int = 0) -> np.ndarray:
    """Poses (T, 17, 3) of bones of `LENGTHS` in random directions."""
    directions = np.random.default_rng(seed).normal(size=(frames, 17, 3))
    xyz = np.zeros((frames, 17, 3))
    for joint in H36M_17.topological:
        if (parent := H36M_17.parents[joint]) >= 0:
            bone = directions[:, joint] / np.linalg.norm(directions[:, joint], axis=-1, keepdims=True)
            xyz[:, joint] = xyz[:, parent] + LENGTHS[joint] * bone
    return xyz


def noisy(frames: int = 300, error_m: float = 0.02) -> tuple[np.ndarray, Poses3D]:
    """True joints, and poses with errors that grow from joint to joint; the poses say how large they are."""
    xyz = figure(frames)
    spread = np.tile(error_m * (np.arange(17) % 5), (frames, 1))
    errors = np.random.default_rng(1).normal(size=xyz.shape) * spread[..., None] / np.sqrt(8 / np.pi)
    return xyz, Poses3D(xyz + errors, H36M_17, 50, spread=spread)


def measured(xyz: np.ndarray) -> np.ndarray:
    parents = [max(parent, 0) for parent in H36M_17.parents]
    return np.asarray(np.linalg.norm(xyz - xyz[:, parents], axis=-1))


def test_bones_have_one_length_left_and_right():
    _, poses = noisy()
    found, report = constant_bones(poses)
    lengths = measured(found.xyz.astype(np.float64))
    assert lengths.std(0).max() < 1e-6
    assert np.allclose(lengths, lengths[:, H36M_17.flipped], atol=1e-6)
    assert (found.xyz[:, H36M_17.root] == 0).all()
    assert report.values["variation_before"] > 0.05
    assert "bones varied by" in str(report)


def test_poses_with_constant_bones_come_back():
    xyz = figure(20)
    assert np.abs(with_lengths(xyz, H36M_17, LENGTHS) - xyz).max() < 1e-9


def test_the_fit_is_no_farther_from_the_truth_than_the_poses_and_better_than_bone_by_bone():
    xyz, poses = noisy()
    found, _ = constant_bones(poses, lengths=LENGTHS)
    directions = poses.xyz - poses.xyz[:, [max(parent, 0) for parent in H36M_17.parents]]
    chained = np.zeros_like(xyz)
    for joint in H36M_17.topological:
        if (parent := H36M_17.parents[joint]) >= 0:
            bone = directions[:, joint] / np.linalg.norm(directions[:, joint], axis=-1, keepdims=True)
            chained[:, joint] = chained[:, parent] + LENGTHS[joint] * bone
    fitted, raw, simple = (p_mpjpe(joints, xyz).mean() for joints in (found.xyz, poses.xyz, chained))
    assert fitted < raw
    assert fitted < simple


def test_the_fit_is_the_nearest_pose_of_these_lengths():
    """The weighted moves of each joint, summed over the rest of its chain, point along its bone."""
    _, poses = noisy(40, error_m=0.005)
    assert poses.spread is not None
    found = with_lengths(poses.xyz, H36M_17, LENGTHS, poses.spread)
    weights = np.maximum(poses.spread, 0.005)[..., None] ** -2.0
    pull = weights * (poses.xyz - found)
    for joint in reversed(H36M_17.topological):
        if (parent := H36M_17.parents[joint]) >= 0:
            bone = (found[:, joint] - found[:, parent]) / LENGTHS[joint]
            across = pull[:, joint] - (pull[:, joint] * bone).sum(-1, keepdims=True) * bone
            off = np.linalg.norm(across, axis=-1) / weights[:, joint, 0]
            assert np.quantile(off, 0.9) < 1e-4
            pull[:, parent] += pull[:, joint]


def test_uncertain_frames_and_gaps_do_not_count_for_lengths():
    xyz = figure(100)
    xyz[60:] *= 1.5
    spread = np.full((100, 17), 0.02)
    spread[60:] = 0.2
    doubtful = np.arange(100) >= 60
    for known in ({"spread": spread}, {"gap": doubtful}, {"observed": np.where(spread > 0.1, 0, 1)}):
        long = np.concatenate([xyz, xyz[60:], xyz[60:]])
        known = {name: np.concatenate([value, value[60:], value[60:]]) for name, value in known.items()}
        assert np.allclose(bone_lengths(Poses3D(long, H36M_17, 50, **known)), LENGTHS, atol=1e-4), known.keys()


def test_height_scales_body_spread_and_path():
    _, poses = noisy()
    poses = replace(poses, path=np.ones((len(poses), 3)))
    found, report = constant_bones(poses, height_m=1.9)
    assert stature(bone_lengths(found), H36M_17) == pytest.approx(1.9, rel=0.005)
    scale = report.values["scale"]
    assert found.path is not None and found.spread is not None and poses.spread is not None
    assert np.allclose(found.path, scale)
    assert np.allclose(found.spread, scale * poses.spread)
    assert not report.warnings
    _, report = constant_bones(poses, height_m=0.9)
    assert "--height" in report.warnings[0]


def test_other_skeletons():
    xyz = np.random.default_rng(0).normal(size=(30, len(COCO_17), 3))
    found, report = constant_bones(Poses3D(xyz, COCO_17, 30))
    assert np.ptp(bone_lengths(found)) > 0
    assert "stature_m" not in report.values
    assert np.allclose(found.xyz[:, 0], xyz[:, 0])
    alone = Poses3D(np.zeros((3, 1, 3)), Skeleton("POINT", ("pelvis",), (-1,)), 30)
    with pytest.raises(SkeletonError, match="no bones"):
        constant_bones(alone)
    with pytest.raises(SkeletonError, match="legs and trunk"):
        constant_bones(Poses3D(xyz, COCO_17, 30), height_m=1.7)


def test_a_joint_upon_its_parent_is_put_somewhere():
    xyz = figure(5)
    xyz[2, H36M_17.index("left_wrist")] = xyz[2, H36M_17.index("left_elbow")]
    found = with_lengths(xyz, H36M_17, LENGTHS)
    assert np.isfinite(found).all()
    assert np.allclose(measured(found), LENGTHS, atol=1e-9)


@pytest.mark.parametrize("height", [0, 0.2, 175, -1.8, float("nan")])
def test_impossible_heights_are_refused(height: float):
    with pytest.raises(ShapeError, match="--height"):
        constant_bones(noisy(5)[1], height_m=height)


@pytest.mark.parametrize("lengths", [LENGTHS[:5], -LENGTHS, np.zeros(17), np.full(17, np.nan)])
def test_impossible_lengths_are_refused(lengths: np.ndarray):
    with pytest.raises(ShapeError, match="wanted lengths"):
        constant_bones(noisy(5)[1], lengths=lengths)


def test_height_and_lengths_are_too_much():
    with pytest.raises(ShapeError, match="got both"):
        constant_bones(noisy(5)[1], lengths=LENGTHS, height_m=1.8)


@pytest.mark.shared
def test_stature_of_motion_capture(shared):
    """The relation is right within 1.8 % for each body, and within 1 % for most."""
    archive = np.load(shared / "data" / "mocap27.npz")
    pose, starts, heights = archive["pose"], archive["offsets"][:-1], archive["stature"]
    parents = [max(parent, 0) for parent in BODY_27.parents]
    errors = {}
    for start, height in zip(starts, heights, strict=True):
        xyz = pose[start : start + 50].astype(np.float64)
        lengths = np.median(np.linalg.norm(xyz - xyz[:, parents], axis=-1), axis=0)
        errors[float(height)] = stature(np.nan_to_num(lengths), BODY_27) / float(height) - 1
    found = np.array(list(errors.values()))
    assert len(found) > 25
    assert np.abs(found).max() < 0.022
    assert np.sqrt((found**2).mean()) < 0.01
