"""Several collections of motion in one training."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, MissingData, RecipeError
from poselift.lab.windows.mocap import DataConfig, MocapWindows
from poselift.lab.windows.sources import described, licenses, load_sources
from poselift.skeleton import H36M_17

JOINTS = (
    "Hip RHip RKnee RFoot LHip LKnee LFoot Spine Thorax Neck/Nose Head LShoulder LElbow LWrist RShoulder RElbow RWrist"
)


def write(path, names):
    pose = np.random.default_rng(0).normal(size=(3 * len(names), 17, 3)).astype(np.float16)
    np.savez(
        path, pose=pose, root=np.zeros((len(pose), 3), np.float32), offsets=np.arange(0, len(pose) + 1, 3),
        names=np.array(names), subjects=np.array(names), split=np.array(["train"] * len(names)),
        parents=np.int8(H36M_17.parents), joints=np.array(JOINTS.split()), fps=np.float32(50), up=np.array("y"),
        units=np.array("m"),
    )  # fmt: skip


@pytest.fixture
def archive(tmp_path):
    write(tmp_path / "mine.npz", ["walk", "run"])
    write(tmp_path / "mocap27_extra.npz", ["rb_sit", "m2m_roll", "rb_stand"])
    return tmp_path / "mine.npz"


def names(clips):
    return [(clip.name, clip.source) for clip in clips]


def test_sources_are_read_by_name_from_beside_the_archive(archive):
    assert names(load_sources({}, archive, "train")) == [("walk", "mine"), ("run", "mine")]
    shares = {"main": 1, "rocketbox": 0.5, "mesh2motion": 0}
    assert names(load_sources(shares, archive, "train")) == [
        ("walk", "main"), ("run", "main"), ("rb_sit", "rocketbox"), ("rb_stand", "rocketbox"),
    ]  # fmt: skip
    assert names(load_sources({"mesh2motion": 1}, archive, "train")) == [("m2m_roll", "mesh2motion")]
    assert described(shares, archive) == "mine.npz (main: 67 %), mocap27_extra.npz (rocketbox: 33 %)"
    assert described({}, archive) == "mine.npz"
    assert licenses(shares) == "; also Microsoft Rocketbox, MIT" and licenses({"main": 1}) == ""


def test_a_source_that_is_not_there_is_named(archive):
    with pytest.raises(MissingData, match="mocap17_idle.npz"):
        load_sources({"idle": 0.1}, archive, "train")
    write(archive.with_name("mocap17_idle.npz"), ["other"])
    with pytest.raises(DatasetError, match="no clips of idle in split train; leave it out"):
        load_sources({"idle": 0.1}, archive, "train")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ({"rocketbux": 1}, "unknown source 'rocketbux'; did you mean 'rocketbox'"),
        ({"main": -1}, "wanted a share of 0 or more for main, got -1"),
        ({"main": 0}, "all are 0"),
    ],
)
def test_shares_are_checked(sources, message):
    with pytest.raises(RecipeError, match=message):
        DataConfig(sources=sources)


def test_windows_are_drawn_by_the_shares_whatever_was_recorded(body):
    def clip(name, source, frames, place):
        xyz = np.repeat(body[None] + np.float32([place, 0, 0]), frames, 0)
        return MocapClip(name, name, xyz, H36M_17, 50.0, source=source)

    clips = [clip("a", "main", 300, 0), clip("b", "main", 10, 10), clip("c", "idle", 400, 100)]
    config = dataclasses.replace(DataConfig(), sources={"main": 3, "idle": 1}, rare=0.5)
    source = MocapWindows(clips, in_frames=1, out_frames=[0], in_channels=2, fps=50.0, config=config)
    clip_of, _ = source._choose(4000, torch.Generator().manual_seed(0))
    assert (clip_of == 2).float().mean() == pytest.approx(0.25, abs=0.02)
    assert (clip_of == 1).float().mean() > 0.05  # subjects are balanced within the source
