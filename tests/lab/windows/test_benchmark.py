from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.datasets.h36m import load_h36m
from poselift.errors import DatasetError
from poselift.lab.windows.benchmark import BenchmarkConfig, BenchmarkWindows
from poselift.lifting import lift
from poselift.measure.benchmark import evaluate_benchmark
from poselift.measure.protocols import BenchmarkProtocol
from poselift.prepare.feed import Feed
from poselift.prepare.flip import flip
from poselift.prepare.normalize import PERSON_SCALE, SCREEN
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17, HUMANEVA_15


def shape(in_frames=5, keep=1, channels=2, skeleton=H36M_17):
    """What windows look at of a model."""
    first = (in_frames - keep) // 2
    out = tuple(range(first, first + keep))
    return SimpleNamespace(skeleton=skeleton, in_frames=in_frames, out_frames=out, in_channels=channels)


def clip(frames, seed=0, *, valid=None, confidence=None, subject="S1", unseen=()):
    """Random numbers, but all of them different."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(0, 1000, (frames, 17, 2))
    for frame, joint in unseen:
        xy[frame, joint] = np.nan
    keypoints = Keypoints2D(xy, confidence, H36M_17, 50.0, (1000, 1002))
    xyz = rng.normal(0, 1, (frames, 17, 3)).astype(np.float32) + (0, 0, 5)
    flags = np.ones(frames, bool) if valid is None else np.array(valid)
    return BenchmarkClip(subject, "Walking", f"Walking {seed}", "54138969", keypoints, xyz, H36M_17, flags)


def everything(source):
    return source.gather(torch.arange(source.windows))


def epoch_of(source, size, epoch=0):
    steps = -(-source.windows // size)
    batches = [source.batch(size, torch.Generator(), epoch * steps + step) for step in range(steps)]
    return [len(batch.inputs) for batch in batches], torch.cat([batch.inputs for batch in batches])


def fed(one):
    """(T, J, 2) coordinates of a clip as a lifter of the benchmarks' normalisation gets them."""
    return Feed(H36M_17, 2, SCREEN).clip(one.keypoints)[..., :2]


def rows(x):
    """Windows as a set."""
    return {window.numpy().tobytes() for window in x}


class Recorder:
    """A lifter that remembers what it was given, and answers with nothing."""

    normalization, fps = SCREEN, 50.0

    def __init__(self, like):
        vars(self).update(vars(like))
        self.windows = []

    def __call__(self, windows):
        self.windows.append(windows)
        return np.zeros((len(windows), len(self.out_frames), len(self.skeleton), 3), np.float32)


@pytest.fixture
def gappy():
    """Two clips with scores, with joints that are unseen for a while, and one with nobody in its first frame."""
    scores = np.random.default_rng(5).uniform(0, 0.6, (7, 17))
    scores[3, 4] = scores[:, 9] = 0
    return [clip(7, 0, confidence=scores), clip(4, 1, unseen=[(0, joint) for joint in range(17)] + [(2, 5)])]


@pytest.mark.parametrize("keep", [1, 3])
@pytest.mark.parametrize("channels", [2, 3])
def test_training_sees_what_the_evaluation_sees(gappy, keep, channels):
    like = shape(keep=keep, channels=channels)
    lifter = Recorder(like)
    evaluate_benchmark(lifter, BenchmarkSet("own", gappy), BenchmarkProtocol())
    source = BenchmarkWindows(gappy, like, mirror=False)
    found, wanted = everything(source).inputs.numpy(), np.concatenate(lifter.windows)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("normalization", [SCREEN, PERSON_SCALE])
def test_the_evaluation_sees_what_use_sees(gappy, normalization):
    """Gaps, scores and clips' ends: the windows of an evaluation are those of `lift`, to the last number."""
    for one in gappy:
        measured, used = Recorder(shape(keep=3, channels=3)), Recorder(shape(keep=3, channels=3))
        measured.normalization = used.normalization = normalization
        evaluate_benchmark(measured, BenchmarkSet("own", [one]), BenchmarkProtocol(frames="dense"))
        lift(one.keypoints, used, repair=False)
        np.testing.assert_array_equal(np.concatenate(measured.windows), np.concatenate(used.windows))


def test_windows_are_held_at_the_ends_and_targets_lie_in_their_middle():
    one, two = clip(6, 0), clip(3, 1)
    source = BenchmarkWindows([one, two], shape(5, keep=3), mirror=False)
    batch = everything(source)
    assert source.windows == 9
    screen = fed(one)
    np.testing.assert_array_equal(batch.inputs[0].numpy(), screen[[0, 0, 0, 1, 2]])
    np.testing.assert_array_equal(batch.inputs[3].numpy(), screen[[1, 2, 3, 4, 5]])
    np.testing.assert_array_equal(batch.inputs[8].numpy(), fed(two)[[0, 1, 2, 2, 2]])
    root_relative = one.xyz - one.xyz[:, :1]
    np.testing.assert_allclose(batch.targets[0].numpy(), root_relative[[0, 0, 1]], rtol=0, atol=1e-6)
    np.testing.assert_allclose(batch.targets[5].numpy(), root_relative[[4, 5, 5]], rtol=0, atol=1e-6)
    assert (batch.targets[:, :, 0] == 0).all()
    assert batch.inputs.dtype == batch.targets.dtype == torch.float32


def test_screen_coordinates_are_the_benchmarks():
    made = clip(1)
    made.keypoints.xy[0, 0] = (1000, 1002)
    made.keypoints.xy[0, 1] = (500, 501)
    np.testing.assert_allclose(fed(made)[0, :2], [(1, 1.002), (0, 0)], atol=1e-6)


def test_every_window_comes_once_plain_and_once_mirrored():
    source = BenchmarkWindows([clip(6), clip(5, 1)], shape(channels=3), mirror=True)
    assert source.windows == 22
    batch = everything(source)
    plain = everything(BenchmarkWindows([clip(6), clip(5, 1)], shape(channels=3), mirror=False))
    assert torch.equal(batch.inputs[:11], plain.inputs) and torch.equal(batch.targets[:11], plain.targets)
    assert torch.equal(batch.inputs[11:], flip(batch.inputs[:11], H36M_17))
    assert torch.equal(batch.targets[11:], flip(batch.targets[:11], H36M_17))
    assert len(rows(batch.inputs)) == 22
    mixed = source.gather(torch.tensor([11, 0]))
    assert torch.equal(mixed.inputs, batch.inputs[[11, 0]])


def test_an_epoch_shows_every_window_once_in_a_new_order():
    source = BenchmarkWindows([clip(6), clip(5, 1)], shape(), seed=3)
    sizes, first = epoch_of(source, 4)
    assert sizes == [4, 4, 4, 4, 4, 2]
    _, second = epoch_of(source, 4, epoch=1)
    assert rows(first) == rows(second) == rows(everything(source).inputs)
    assert not torch.equal(first, second)
    assert not torch.equal(first, everything(source).inputs)
    assert not torch.equal(first, epoch_of(BenchmarkWindows([clip(6), clip(5, 1)], shape(), seed=4), 4)[1])


def test_a_step_alone_decides_its_windows():
    clips = [clip(6), clip(5, 1)]
    source = BenchmarkWindows(clips, shape())
    wanted = [source.batch(4, torch.Generator(), step).inputs for step in range(9)]
    for step in (8, 1, 7, 0):
        fresh = BenchmarkWindows(clips, shape())
        assert torch.equal(fresh.batch(4, torch.Generator().manual_seed(step), step).inputs, wanted[step])


def test_frames_that_do_not_count_lend_their_keypoints_only():
    made = clip(6, valid=[True, True, False, True, True, True])
    assert BenchmarkWindows([made], shape(3), mirror=False).windows == 5
    kept = everything(BenchmarkWindows([made], shape(3), mirror=False)).inputs
    screen = fed(made)
    np.testing.assert_array_equal(kept[2].numpy(), screen[[2, 3, 4]])
    three = BenchmarkWindows([made], shape(5, keep=3), mirror=False)  # 1, 2 and 3 have a target at 2
    assert three.windows == 3
    np.testing.assert_array_equal(everything(three).inputs[1].numpy(), screen[[2, 3, 4, 5, 5]])


def test_what_cannot_be_trained_on():
    with pytest.raises(DatasetError, match="no valid frame"):
        BenchmarkWindows([clip(2, valid=[False, False])], shape())
    with pytest.raises(DatasetError, match="no valid frame"):
        BenchmarkWindows([], shape())
    with pytest.raises(DatasetError, match="wanted 3D joints of HUMANEVA_15, got H36M_17"):
        BenchmarkWindows([clip(2)], shape(skeleton=HUMANEVA_15))
    made = clip(2)
    with pytest.raises(DatasetError, match="image_size"):
        BenchmarkWindows([replace(made, keypoints=replace(made.keypoints, image_size=None))], shape())


def test_the_halves_of_each_benchmark(archives, tmp_path):
    archives.write_h36m(tmp_path)
    archives.write_humaneva(tmp_path)
    archives.write_3dhp_posessm(tmp_path)
    h36m = BenchmarkConfig()
    train, test = (h36m.load(tmp_path, split) for split in ("train", "test"))
    assert {c.subject for c in train.clips} == {"S1", "S5", "S6", "S7", "S8"}
    assert {c.subject for c in test.clips} == {"S9", "S11"}
    assert train.notes["keypoints"] == "cpn_ft_h36m_dbb"
    gt = replace(h36m, keypoints="gt").load(tmp_path, "train")
    np.testing.assert_array_equal(gt.clips[0].keypoints.xy, load_h36m(tmp_path, subjects="train").clips[0].keypoints.xy)
    own = BenchmarkConfig(dataset="humaneva", keypoints="detectron_pt_coco").load(tmp_path, "train")
    assert {c.action for c in own.clips} == {"Walking", "Jog", "Box"}
    assert own.clips[0].keypoints.skeleton == COCO_17
    assert everything(BenchmarkWindows(own.clips, shape(skeleton=HUMANEVA_15))).inputs.shape[2:] == (15, 2)
    dhp = BenchmarkConfig(dataset="3dhp", keypoints="gt", truth="annot3").load(tmp_path, "test")
    assert dhp.notes["ground truth"] == "annot3"
    with pytest.raises(DatasetError, match="name the ground truth"):
        BenchmarkConfig(dataset="3dhp", keypoints="gt").load(tmp_path, "test")
