"""Bones are found without knowing the skeleton, and bodies are told apart by their proportions."""

import numpy as np
import pytest

from poselift.skeleton import H36M_17
from poselift.track.body import bones_of, lengths_of, unlike


@pytest.fixture
def seen(walk):
    """(T, 17, 3) a walk that turns, seen from one side."""
    clip = walk(300)
    xyz = clip.xyz - clip.xyz[:, :1] * (1, 1, 0)
    return np.stack([xyz[..., 0], -xyz[..., 2], np.ones(xyz.shape[:2])], -1).astype(np.float32) * (200, 200, 1)


def test_the_bones_are_a_tree_and_mostly_the_skeleton_s(seen):
    """Not all: arms that swing beside the body are tied to it too."""
    bones = bones_of(seen)
    assert len(bones) == 16
    assert set(bones.ravel()) == set(range(17))
    ours = {frozenset(bone) for bone in bones.tolist()}
    true = {frozenset((joint, parent)) for joint, parent in enumerate(H36M_17.parents) if parent >= 0}
    assert len(ours & true) >= 10


def test_joints_that_are_never_seen_have_no_bones(seen):
    hidden = list(H36M_17.indices(("left_ankle", "right_wrist")))
    seen[:, hidden] = (np.nan, np.nan, 0)
    bones = bones_of(seen)
    assert len(bones) == 14
    assert not set(hidden) & set(bones.ravel())


def test_size_and_proportions_are_measured_apart(seen):
    bones = bones_of(seen)
    lengths = lengths_of(seen, bones)
    weights = np.nan_to_num(lengths)
    assert unlike(lengths, 1.3 * lengths, weights) == pytest.approx((np.log(1.3), 0), abs=1e-6)
    legs = np.isin(bones, H36M_17.indices(("left_knee", "right_knee", "left_ankle", "right_ankle"))).any(1)
    larger, proportions = unlike(lengths, np.where(legs, 1.4 * lengths, lengths), weights)
    assert proportions > 0.15
    half = np.where(np.arange(len(lengths)) < 3, lengths, np.nan)
    assert unlike(lengths, half, weights) is None


def test_bones_that_are_hardly_seen_have_no_length(seen):
    bones = bones_of(seen)
    seen[2:, bones[0, 0]] = np.nan
    lengths = lengths_of(seen, bones)
    assert np.isnan(lengths[(bones == bones[0, 0]).any(1)]).all()
    assert np.isfinite(lengths[~(bones == bones[0, 0]).any(1)]).all()
