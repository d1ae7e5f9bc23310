"""Recordings of one's own as training data: the windows are those that evaluation and use make of the same clips."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.errors import DatasetError, RecipeError
from poselift.geometry.rotation import shortest_arc
from poselift.lab.export.weights import save_weights
from poselift.lab.models import build
from poselift.lab.poseclr.views import make_view_task
from poselift.lab.run.recipe import TrainRecipe, is_recipe, recipe_json
from poselift.lab.tasks import OwnTask, make_task
from poselift.lab.train import Run
from poselift.lab.windows.own import OwnConfig, OwnWindows, at_rate, load_split, straight_at
from poselift.lifting import lift
from poselift.measure.benchmark import evaluate_benchmark
from poselift.measure.protocols import BenchmarkProtocol
from poselift.prepare.flip import flip
from poselift.prepare.normalize import PERSON_SCALE
from poselift.sequence import Keypoints2D
from poselift.skeleton import H36M_17, HUMANEVA_15

LIKE = SimpleNamespace(skeleton=H36M_17, in_frames=5, out_frames=(1, 2, 3), in_channels=3, fps=50.0)


@pytest.fixture
def recorded(walk):
    """Makes a clip of someone who walks three metres before a camera, seen by a detector that misses some joints."""

    def make(frames=20, *, subject="anna", sequence="walk", fps=50.0, seed=0, valid=None):
        world = walk(frames, seed=seed, fps=fps).xyz
        xyz = np.stack([world[..., 0], 1 - world[..., 2], world[..., 1] + 6], -1)
        rng = np.random.default_rng(seed)
        xy = 1000 * xyz[..., :2] / xyz[..., 2:] + 500
        confidence = rng.uniform(0.2, 0.6, xy.shape[:2]).astype(np.float32) * (rng.uniform(size=xy.shape[:2]) > 0.1)
        flags = np.ones(frames, bool) if valid is None else valid
        keypoints = Keypoints2D(xy.astype(np.float32), confidence, H36M_17, fps, (1000, 1000))
        return BenchmarkClip(subject, "walk", sequence, "0", keypoints, xyz.astype(np.float32), H36M_17, flags)

    return make


class Recorder:
    """A lifter that remembers what it was given, and answers with nothing."""

    normalization, fps = PERSON_SCALE, 50.0

    def __init__(self, like):
        self.skeleton, self.in_frames, self.out_frames = like.skeleton, like.in_frames, like.out_frames
        self.in_channels, self.seen = like.in_channels, []

    def __call__(self, windows):
        self.seen.append(windows)
        return np.zeros((len(windows), len(self.out_frames), len(self.skeleton), 3), np.float32)


def windows_of(clips, mirror=False, like=LIKE):
    return OwnWindows(clips, like, mirror=mirror, seed=0, device="cpu")


def everything(source):
    return source.gather(torch.arange(source.windows))


def test_inputs_are_those_of_the_evaluation(recorded):
    clips = [recorded(20), recorded(7, seed=1, sequence="other")]
    lifter = Recorder(LIKE)
    evaluate_benchmark(lifter, BenchmarkSet("own", clips, {}), BenchmarkProtocol(flip_average=False))
    inputs = everything(windows_of(clips)).inputs
    np.testing.assert_allclose(inputs.numpy(), np.concatenate(lifter.seen), rtol=0, atol=1e-4)
    assert (inputs[0, :2, :, 2] == 0).all()  # before the clip begins nobody is seen
    assert (inputs[..., 2] == 0).any() and (inputs[..., 2] == 1).any()  # confidence is calibrated


def test_inputs_are_those_of_use(recorded):
    """Also at another frame rate: windows of three frames out step through the clip as `lift` cuts it."""
    clip = recorded(20, fps=25.0)
    lifter = Recorder(LIKE)
    lift(clip.keypoints, lifter, repair=False)
    source = windows_of([clip])
    steps = everything(source).inputs.numpy()[1::3]  # the middle frames of 0-2, 3-5, ...
    np.testing.assert_allclose(steps, np.concatenate(lifter.seen), rtol=0, atol=1e-4)


def test_targets_that_are_answered_score_nothing(recorded):
    """A lifter whose answers are the targets is right in the camera's axes."""
    clips = [recorded(20, fps=50.0)]
    targets = everything(windows_of(clips)).targets.numpy()

    class Knows(Recorder):
        def __call__(self, windows):
            return targets[: len(windows)]

    scores = evaluate_benchmark(Knows(LIKE), BenchmarkSet("own", clips, {}), BenchmarkProtocol(flip_average=False))
    assert scores.mean["mpjpe"] < 1e-3
    assert np.abs(targets - (clips[0].xyz - clips[0].xyz[:, :1])[None, 0]).max() > 0.05


def test_straight_is_the_shortest_turn():
    places = torch.randn(50, 3, dtype=torch.float64) + torch.tensor([0.0, 0.0, 3.0])
    np.testing.assert_allclose(straight_at(places).numpy(), shortest_arc(np.array([0.0, 0.0, 1.0]), places.numpy()))


def test_mirrored_windows_come_after_the_others(recorded):
    both = everything(windows_of([recorded()], mirror=True))
    plain = everything(windows_of([recorded()]))
    for found, wanted in ((both.inputs, plain.inputs), (both.targets, plain.targets)):
        assert torch.equal(found, torch.cat([wanted, flip(wanted, H36M_17)]))


def test_other_frame_rates_are_resampled(recorded):
    slow = recorded(21, fps=25.0, valid=np.arange(21) != 10)
    fast = at_rate(slow, 50.0)
    assert (len(fast), fast.keypoints.fps) == (41, 50.0)
    np.testing.assert_allclose(fast.xyz[::2], slow.xyz, atol=1e-6)
    np.testing.assert_allclose(fast.xyz[1], (slow.xyz[0] + slow.xyz[1]) / 2, atol=1e-6)
    assert np.flatnonzero(~fast.valid).tolist() == [19, 20, 21]
    assert at_rate(slow, 25.0) is slow
    assert windows_of([slow]).windows == len([t for t in range(41) if fast.valid[max(t - 1, 0) : t + 2].all()])


def test_other_joints_are_an_error(recorded):
    like = SimpleNamespace(**vars(LIKE) | {"skeleton": HUMANEVA_15})
    with pytest.raises(DatasetError, match="anna walk 0: wanted 3D joints of HUMANEVA_15, got H36M_17"):
        windows_of([recorded()], like=like)


def write(folder, clip):
    keypoints = clip.keypoints
    np.savez(
        folder / f"{clip.subject}_{clip.sequence}.npz", xy=keypoints.xy, confidence=keypoints.confidence, xyz=clip.xyz,
        skeleton="H36M_17", fps=keypoints.fps, image_size=[1000, 1000], subject=clip.subject, action=clip.action,
        sequence=clip.sequence,
    )  # fmt: skip


@pytest.fixture
def folder(recorded, tmp_path):
    path = tmp_path / "mine"
    path.mkdir()
    for number, (subject, sequence) in enumerate([("anna", "a"), ("anna", "b"), ("ben", "c"), ("cleo", "d")]):
        write(path, recorded(30, subject=subject, sequence=sequence, seed=number, fps=25.0))
    return path


@pytest.mark.parametrize(
    ("test", "scored"),
    [((), ["d"]), (("anna",), ["a", "b"]), (("b", "cleo"), ["b", "d"])],
)
def test_who_is_scored_is_not_trained_on(folder, test, scored):
    config = OwnConfig(test=test)
    train, held = (load_split(config, folder, split) for split in ("train", "test"))
    assert sorted(clip.sequence for clip in held.clips) == scored
    assert sorted(clip.sequence for clip in train.clips) == sorted({"a", "b", "c", "d"} - {*scored})


def test_of_one_subject_the_last_sequence_is_scored(folder):
    for name in ("ben_c", "cleo_d"):
        (folder / f"{name}.npz").unlink()
    assert [clip.sequence for clip in load_split(OwnConfig(), folder, "test").clips] == ["b"]
    (folder / "anna_b.npz").unlink()
    with pytest.raises(DatasetError, match="all clips belong to a; wanted some to train on and some to score"):
        load_split(OwnConfig(), folder, "train")


def test_what_is_not_there_is_said(folder):
    with pytest.raises(DatasetError, match="has no 'ana'; did you mean 'anna'"):
        load_split(OwnConfig(test=("ana",)), folder, "train")
    with pytest.raises(RecipeError, match="data.protocol"):
        OwnConfig(protocol="mine")
    with pytest.raises(RecipeError, match="not pre-trained on"):
        make_view_task(OwnConfig(), folder)


NANO = {
    "in_frames": 9, "keep_frames": 3, "in_channels": 3, "width": 48, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1,
}  # fmt: skip


def test_weights_that_are_there_are_fine_tuned(folder, tmp_path):
    weights = tmp_path / "there.safetensors"
    save_weights(build("nanohtnet", **NANO), weights, lifter="nanohtnet", config=NANO, overwrite=False)
    recipe = TrainRecipe(
        name="nanohtnet.own", lifter="nanohtnet", model=NANO, data=OwnConfig(), init=str(weights), steps=20,
        batch_size=16, log_every=20, evaluate_every=20, checkpoint_every=20, device="cpu",
    )  # fmt: skip
    assert is_recipe(recipe_json(recipe), recipe)
    assert not is_recipe(recipe_json(recipe), dataclasses.replace(recipe, data=OwnConfig(test=("ben",))))
    task = make_task(recipe, folder, tmp_path / "run")
    assert isinstance(task, OwnTask)
    run = Run(recipe, task, tmp_path / "run")
    before = task.measure(run.lifter)
    assert before.counts["frames"] == 59  # 30 at 25 a second
    run.train()
    (line,) = run.folder.lines()
    assert line["test_mpjpe"] < before.mean["mpjpe"]
    scores = task.finish(run)["test"]
    assert scores.mean["mpjpe"] == line["test_mpjpe"]
    assert scores.protocol["data: test"] == "cleo"
