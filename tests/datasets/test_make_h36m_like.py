"""The script that writes motion capture in Human3.6M's layout."""

import sys
from pathlib import Path

import numpy as np
import pytest

from poselift.datasets.h36m import ACTIONS, TEST, TRAIN, load_h36m
from poselift.skeleton import H36M_17

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_h36m_like.py"
JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)
pytestmark = pytest.mark.skipif(not SCRIPT.is_file(), reason="not a checkout")


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("make_h36m_like")


@pytest.fixture(scope="module")
def mocap(tmp_path_factory, archives):
    """An archive like mocap17.npz, y up: seven people, one of them walking 4 m away."""
    clips = [archives.motion(120, seed) for seed in range(9)]
    clips[0][..., 0] += np.linspace(0, 4, 120)[:, None]
    y_up = np.concatenate(clips)[..., [0, 2, 1]] * (1, 1, -1)
    path = tmp_path_factory.mktemp("mocap") / "mocap.npz"
    np.savez(
        path, pose=(y_up - y_up[:, :1]).astype(np.float16), root=y_up[:, 0].astype(np.float32),
        offsets=np.arange(0, 1200, 120)[:10], names=np.array([f"clip{k}" for k in range(9)]),
        subjects=np.array(["a", "b", "c", "d", "e", "e", "e", "f", "g"]), split=np.array(["train"] * 7 + ["dev"] * 2),
        parents=np.int8(H36M_17.parents), joints=np.array(JOINTS.split()), fps=np.float32(50),
        up=np.array("y"), units=np.array("m"),
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def folder(script, mocap, tmp_path_factory):
    out = tmp_path_factory.mktemp("out")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["make_h36m_like.py", str(mocap), "--out", str(out), "--noise", "3"])
        script.main()
    return out


def test_what_it_writes_is_human36m_to_the_loader(folder):
    exact, found = (load_h36m(folder, keypoints=name) for name in ("gt", "cpn_ft_h36m_dbb"))
    assert {clip.subject for clip in exact.clips} == {*TRAIN, *TEST}
    assert len(exact) == len(found)
    errors = np.concatenate([b.keypoints.xy - a.keypoints.xy for a, b in zip(exact.clips, found.clips, strict=True)])
    assert np.std(errors) == pytest.approx(3, rel=0.05)
    for clip in exact.clips:
        assert (clip.keypoints.xy >= 0).all() and (clip.keypoints.xy < clip.keypoints.image_size).all()
        assert (clip.xyz[..., 2] > 1).all()


def test_people_stay_who_they_are_and_actions_go_round(script, mocap):
    world = script.cast(mocap, None, 0)
    assert [list(world[role]) for role in ("S9", "S11")] == [[ACTIONS[0]], [ACTIONS[0]]]
    longest = max(world.values(), key=len)
    assert list(longest) == list(ACTIONS[:3])  # the one with three clips
    assert sum(len(xyz) for recordings in world.values() for xyz in recordings.values()) > 0.9 * 9 * 120


def test_a_walk_is_cut_into_pieces_that_stay_in_the_middle(script, archives):
    xyz = archives.motion(400, 0)
    xyz[..., 1] += np.linspace(0, 6, 400)[:, None]
    cameras = script.studio_cameras("h36m")["S1"]
    pieces = list(script.pieces(xyz, cameras, np.random.default_rng(0)))
    assert len(pieces) >= 3
    for piece in pieces:
        assert len(piece) >= script.SHORTEST and np.abs(piece[:, 0, :2]).max() < script.REACH_M
        bones = [np.linalg.norm(piece[:, child] - piece[:, parent], axis=-1) for parent, child in H36M_17.bones]
        wanted = [np.linalg.norm(xyz[0, child] - xyz[0, parent]) for parent, child in H36M_17.bones]
        np.testing.assert_allclose(np.mean(bones, 1), wanted, atol=1e-4)
        assert (piece[:, 0, 2] > 0.7).all()
    assert list(script.pieces(xyz[:40], cameras, np.random.default_rng(0))) == []


def test_the_number_of_frames_can_be_bounded(script, mocap):
    world = script.cast(mocap, 130, 0)
    assert max(sum(map(len, recordings.values())) for recordings in world.values()) <= 130
