"""What runs are trained on: a benchmark, through the same engine as motion capture."""

import dataclasses
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.datasets.h36m import load_h36m
from poselift.errors import CheckpointError, MissingData
from poselift.lab.models import build
from poselift.lab.recipes.rows import by_epochs
from poselift.lab.run.optim import OptimConfig
from poselift.lab.run.recipe import TrainRecipe
from poselift.lab.tasks import BenchmarkTask, MocapTask, make_task
from poselift.lab.train import Run, TorchLifter
from poselift.lab.windows.benchmark import BenchmarkConfig
from poselift.lab.windows.mocap import DataConfig
from poselift.measure.claims import MEASURES
from poselift.prepare.normalize import SCREEN

RECIPE = TrainRecipe(
    name="convformer.tiny",
    lifter="convformer",
    model={"in_frames": 3, "width": 8, "num_spatial_blocks": 1, "num_temporal_blocks": 1},
    data=BenchmarkConfig(protocol="convformer"),
    optim=by_epochs(lr=1e-3, factor=0.5),
    epochs=3,
    batch_size=500,
    log_every=2,
    evaluate_every=0,
    checkpoint_every=4,
    device="cpu",
    precision="fp32",
)
PUBLISHED = dataclasses.replace(
    RECIPE, data=BenchmarkConfig(protocol="convformer", as_published=True), evaluate_every=1
)


@pytest.fixture(scope="module")
def h36m(archives, tmp_path_factory):
    """680 frames, 1,360 windows: three steps an epoch, the last one short."""
    folder = tmp_path_factory.mktemp("h36m")
    archives.write_h36m(folder)
    return folder


@pytest.fixture
def run(h36m, tmp_path):
    def make(recipe=RECIPE, folder="run"):
        out = tmp_path / folder
        return Run(recipe, make_task(recipe, h36m, out), out)

    return make


CLOCK = ("seconds", "windows_per_s", "data_share", "memory_mib")


def log_of(run):
    lines = [json.loads(line) for line in (run.out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in lines]


def state_of(run):
    return torch.load(run.out / "checkpoint.pt", weights_only=True)


def test_a_benchmark_trains_by_epochs(run):
    training = run()
    assert (training.source.windows, training.epoch_steps, training.steps) == (1360, 3, 9)
    training.train()
    log = log_of(training)
    assert [line["step"] for line in log] == [2, 4, 6, 8, 9]
    assert [line["lr"] for line in log] == [1e-3, 5e-4, 5e-4, 2.5e-4, 2.5e-4]
    assert not any(key.startswith("test") for line in log for key in line)
    for average, model in zip(training.average.parameters(), training.model.parameters(), strict=True):
        assert torch.equal(average, model)
    assert training.lifter.normalization == SCREEN


def test_each_step_asks_for_its_own_windows(run, monkeypatch):
    training, asked = run(), []
    batch = training.source.batch

    def spy(size, generator, step, share):
        asked.append((size, step))
        return batch(size, generator, step, share)

    monkeypatch.setattr(training.source, "batch", spy)
    training.train()
    assert asked == [(500, step) for step in range(9)]


def test_a_stopped_run_on_a_benchmark_goes_on_to_the_bit(run):
    whole = run(folder="whole")
    whole.train()

    class Stopped(Exception):
        pass

    def stop(step, steps, line):
        if step == 6:
            raise Stopped

    stopped = run(folder="stopped")
    with pytest.raises(Stopped):
        stopped.train(stop)
    resumed = run(folder="stopped")
    assert resumed.step == 4  # in the middle of the second epoch
    resumed.train()
    assert log_of(resumed) == log_of(whole)
    one, other = state_of(whole), state_of(resumed)
    for part in ("model", "average"):
        assert all(torch.equal(one[part][key], other[part][key]) for key in one[part])
    for number, moments in one["optimizer"]["state"].items():
        assert all(torch.equal(moments[key], other["optimizer"]["state"][number][key]) for key in moments)


def test_by_default_the_last_weights_are_measured(run):
    training = run(dataclasses.replace(RECIPE, epochs=1))
    training.train()
    last = {key: value.clone() for key, value in training.average.state_dict().items()}
    scores = training.task.finish(training)["test"]
    assert all(torch.equal(last[key], value) for key, value in training.average.state_dict().items())
    assert scores.protocol["checkpoint"] == "not on test"
    assert scores.protocol["data: subjects"] == "S9, S11"
    assert scores.frames == sum(len(clip) for clip in training.task.test.clips)
    assert not (training.out / "best.pt").exists()


def test_as_published_the_best_epoch_on_the_test_is_kept(run, monkeypatch):
    training = run(PUBLISHED)
    values = iter([3.0, 1.0, 2.0])
    measure = BenchmarkTask.measure

    def scored(task, lifter, progress=None):
        scores = measure(task, lifter, progress)
        return dataclasses.replace(scores, mean=scores.mean | {"mpjpe": next(values)})

    monkeypatch.setattr(BenchmarkTask, "measure", scored)
    kept = []
    training.train(lambda step, steps, line: kept.append(training.average.state_dict()["head.linear.bias"].clone()))
    lines = log_of(training)
    assert [(line["step"], line["test_mpjpe"]) for line in lines if "test_mpjpe" in line] == [(3, 3), (6, 1), (9, 2)]
    training.task.keep(training)
    best = [line["step"] for line in lines].index(6)
    assert torch.equal(training.average.state_dict()["head.linear.bias"], kept[best])
    assert not torch.equal(kept[best], kept[-1])
    assert training.task.config.choices().checkpoint == "best on test"


def test_the_best_weights_of_another_recipe_do_not_count(run):
    training = run(PUBLISHED)
    torch.save({"recipe": {}, "mpjpe": 0.0, "model": {}}, training.out / "best.pt")
    training.task.keep(training)
    assert training.task.evaluate(training.lifter)["test_mpjpe"] > 0
    assert torch.load(training.out / "best.pt", weights_only=True)["mpjpe"] > 0
    (training.out / "best.pt").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match="new --out folder"):
        training.task.evaluate(training.lifter)


def test_a_checkpoint_that_no_longer_fits_is_refused(run):
    training = run()
    training._save()
    state = state_of(training)
    del state["model"]["head.linear.bias"]
    torch.save(state, training.out / "checkpoint.pt")
    with pytest.raises(CheckpointError, match="older version of this lifter; use a new --out folder"):
        run()


def test_the_network_learns(run):
    model = {"in_frames": 3, "width": 16, "dropout": 0.0, "drop_path": (0.0, 0.0)}
    recipe = dataclasses.replace(
        RECIPE, model=model, epochs=0, steps=60, batch_size=64, log_every=20, checkpoint_every=60,
        optim=OptimConfig(lr=3e-3, warmup_steps=5, ema=0),
    )  # fmt: skip
    training = run(recipe)
    before = training.task.measure(training.lifter).mean["mpjpe"]
    training.train()
    after = training.task.measure(training.lifter).mean["mpjpe"]
    assert log_of(training)[-1]["loss_mm"] < 0.8 * log_of(training)[0]["loss_mm"]
    assert after < 0.8 * before


def test_tasks_by_recipe(h36m, tmp_path):
    assert isinstance(make_task(RECIPE, h36m, tmp_path), BenchmarkTask)
    with pytest.raises(MissingData):
        make_task(dataclasses.replace(RECIPE, data=DataConfig()), tmp_path / "none.npz", tmp_path)
    with pytest.raises(MissingData):
        Run(RECIPE, make_task(RECIPE, tmp_path, tmp_path), tmp_path / "run")


def test_motion_capture_is_scored_three_ways(walk):
    class Bare(MocapTask):
        def __init__(self, clips, dev):
            self.config, self.clips, self.dev, self.archive = DataConfig(), clips, dev, "a.npz"

    recipe = TrainRecipe(name="x.y", lifter="htnet", model={"width": 24, "mlp_width": 8, "gcn_width": 8}, device="cpu")
    task = Bare([walk(30)], [walk(12, name="dev")])
    lifter = TorchLifter(build(recipe.lifter, **recipe.model))
    exact, noisy = task.measure(lifter, cameras=1), task.measure(lifter, cameras=1, noisy=True)
    assert exact.choices["keypoints"] == "exact 2D"
    assert "BODY_25B" in noisy.choices["keypoints"]
    assert exact.counts["frames"] == noisy.counts["frames"] == 12
    assert exact.mean != noisy.mean
    assert task.measure(lifter, cameras=1, flip_average=True).choices["flip_average"]
    assert task.evaluate(lifter) == {f"dev_{key}": value for key, value in exact.mean.items()}
    told = []
    scores = task.finish(type("Run", (), {"lifter": lifter}), lambda *done: told.append(done))
    assert set(scores) == set(MEASURES)
    assert told[0] == (0, 6, "spread") and told[1][2] == "exact 2D" and told[-1][:2] == (6, 6) and len(told) == 7
    assert all(part.frames == (12 if "quick" in name else 48) for name, part in scores.items())
    assert not any("coverage" in metric for part in scores.values() for metric in part.mean)


def test_spreads_are_calibrated_before_they_are_scored(walk):
    class Bare(MocapTask):
        def __init__(self, clips, dev):
            self.config, self.clips, self.dev, self.archive = DataConfig(), clips, dev, "a.npz"

    torch.manual_seed(0)
    model = {"width": 24, "mlp_width": 8, "gcn_width": 8, "in_channels": 3, "spread": True, "up": True}
    lifter = TorchLifter(build("htnet", **model))
    before = {name: value.clone() for name, value in lifter.model.state_dict().items()}
    task = Bare([walk(30)], [walk(30, name="dev")])
    fresh = task.measure(lifter, noisy=True).mean
    scores = task.finish(type("Run", (), {"lifter": lifter}))
    changed = [name for name, value in lifter.model.state_dict().items() if not torch.equal(value, before[name])]
    assert changed == ["extras.out.bias"]  # fresh heads have no weights to scale
    after = scores["detector errors"].mean
    for level in (50, 90):  # one factor cannot make both right for a network that knows nothing of its errors
        assert abs(after[f"coverage_{level}"] - level) < 15 < abs(fresh[f"coverage_{level}"] - level)
    assert "up_median" in scores["exact 2D"].mean and "contact_f1" not in scores["exact 2D"].mean


def test_the_archives_are_not_changed(h36m, run):
    before = load_h36m(h36m, subjects="train").clips[0].xyz.copy()
    run()
    np.testing.assert_array_equal(load_h36m(h36m, subjects="train").clips[0].xyz, before)
