import dataclasses
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError, RecipeError
from poselift.lab import train
from poselift.lab.export.weights import save_weights
from poselift.lab.run.losses import LossConfig
from poselift.lab.run.optim import OptimConfig, learning_rate
from poselift.lab.run.recipe import TrainRecipe, recipe_json
from poselift.lab.tasks import MocapTask
from poselift.lab.train import Run, TorchLifter
from poselift.lab.windows.mocap import DataConfig
from poselift.lifters.contract import check_lifter

RECIPE = TrainRecipe(
    name="nanohtnet.tiny",
    lifter="nanohtnet",
    model={
        "in_frames": 9,
        "keep_frames": 3,
        "in_channels": 3,
        "width": 48,
        "mlp_width": 16,
        "gcn_width": 16,
        "num_blocks": 1,
        "dct": "ortho",
        "spatial_dropout": 0.1,  # so that a resumed run needs the random state of dropout too
        "drop_path": (0.1, 0.1),
    },
    loss=LossConfig(velocity=0.5),
    optim=OptimConfig(lr=3e-3, warmup_steps=2, ema=0.9),
    steps=6,
    batch_size=8,
    log_every=1,
    evaluate_every=6,
    checkpoint_every=3,
    device="cpu",
)


class Stopped(Exception):
    """What ends a run before its time."""


class Task(MocapTask):
    """Motion capture that needs no archive."""

    def __init__(self, config, clips, dev):
        self.config, self.clips, self.dev = config, clips, dev


@pytest.fixture
def run(walk, tmp_path):
    def make(recipe=RECIPE, folder="run"):
        task = Task(recipe.data, [walk(60), walk(40, seed=1, subject="two")], [walk(12, name="dev")])
        return Run(recipe, task, tmp_path / folder)

    return make


CLOCK = ("seconds", "windows_per_s", "data_share", "memory_mib")


def log_of(run):
    """Log lines, without what the clock says."""
    lines = [json.loads(line) for line in (run.out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in CLOCK} for line in lines]


def stop_at(step):
    def progress(now, steps, line):
        if now == step:
            raise Stopped

    return progress


def assert_same(one, other, path="state"):
    """Two nests of containers and tensors are equal to the bit."""
    assert type(one) is type(other), path
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), path
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), path
        for key in one:
            if key != "seconds":
                assert_same(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(other), path
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_same(*pair, f"{path}[{number}]")
    else:
        assert one == other, path


def test_assert_same_notices_a_bit():
    with pytest.raises(AssertionError, match=r"state.a\[1\]"):
        assert_same({"a": [1, torch.tensor([1.0])]}, {"a": [1, torch.tensor([1.0000001])]})


def test_the_optimizer_takes_the_rates(run):
    training = run()
    training.train()
    wanted = [round(learning_rate(step, 6, 13, RECIPE.optim), 7) for step in range(6)]
    assert [line["lr"] for line in log_of(training)] == wanted


def test_the_loss_falls(run):
    optim = OptimConfig(lr=5e-3, warmup_steps=5, ema=0.9)
    data = DataConfig(exact=1, own_joints=0, short=0)
    recipe = dataclasses.replace(
        RECIPE, steps=60, batch_size=32, evaluate_every=60, checkpoint_every=60, optim=optim, data=data
    )
    training = run(recipe)
    before = training.task.measure(training.lifter, cameras=2).mean
    training.train()
    log = log_of(training)
    first, last = (np.mean([line["loss_mm"] for line in part]) for part in (log[:5], log[-5:]))
    assert last < 0.75 * first
    assert training.task.measure(training.lifter, cameras=2).mean["mpjpe"] < 0.75 * before["mpjpe"]
    assert log[-1]["dev_mpjpe"] == training.task.measure(training.lifter, cameras=1).mean["mpjpe"]
    assert "dev_mpjpe" not in log[-2]


def test_a_stopped_run_goes_on_exactly_where_it_was(run):
    whole = run(folder="whole")
    whole.train()
    stopped = run(folder="stopped")
    with pytest.raises(Stopped):
        stopped.train(stop_at(4))  # one step after the checkpoint: that step is forgotten
    assert [line["step"] for line in log_of(stopped)] == [1, 2, 3, 4]
    with (stopped.out / "log.jsonl").open("a") as log:
        log.write('{"step": 5, "loss_mm": 12')  # and the last line is only half there
    resumed = run(folder="stopped")
    assert resumed.step == 3
    assert [line["step"] for line in log_of(resumed)] == [1, 2, 3]
    resumed.train()
    assert log_of(resumed) == log_of(whole)
    states = [torch.load(r.out / "checkpoint.pt", weights_only=True) for r in (whole, resumed)]
    assert_same(*states)
    assert states[0]["step"] == 6
    assert (resumed.out / "recipe.json").read_text() == (whole.out / "recipe.json").read_text()


def test_a_finished_run_is_left_as_it_is(run):
    run().train()
    again = run()
    assert again.step == 6
    before = {file: file.read_bytes() for file in again.out.iterdir()}
    again.train()
    assert {file: file.read_bytes() for file in again.out.iterdir()} == before


def test_what_is_kept_of_the_initial_weights(run, tmp_path):
    start = run(folder="start")
    start.train()
    init = tmp_path / "nanohtnet.start.safetensors"
    save_weights(start.average, init, lifter=RECIPE.lifter, config=RECIPE.model, overwrite=False)
    recipe = dataclasses.replace(RECIPE, init=str(init), seed=5)
    plain, mixed = run(recipe, "plain"), run(dataclasses.replace(recipe, keep_init=0.75), "mixed")
    assert plain.train() and mixed.train() and mixed.train()  # twice changes nothing
    again = run(dataclasses.replace(recipe, keep_init=0.75), "mixed")
    again.train()
    for first, trained, kept, resumed in zip(
        *(r.average.parameters() for r in (start, plain, mixed, again)), strict=True
    ):
        torch.testing.assert_close(kept, 0.75 * first + 0.25 * trained, atol=1e-6, rtol=0)
        assert torch.equal(kept, resumed)
    assert not torch.equal(start.average.head.weight, plain.average.head.weight)


def test_a_run_that_was_stopped_keeps_nothing_of_the_initial_weights_yet(run, tmp_path):
    start = run(folder="start")
    init = tmp_path / "nanohtnet.start.safetensors"
    save_weights(start.average, init, lifter=RECIPE.lifter, config=RECIPE.model, overwrite=False)
    recipe = dataclasses.replace(RECIPE, init=str(init), keep_init=0.9)
    whole, stopped = run(recipe, "whole"), run(recipe, "stopped")
    whole.train()
    assert not stopped.train(max_minutes=0.0)
    resumed = run(recipe, "stopped")
    assert resumed.train()
    for one, other in zip(whole.average.parameters(), resumed.average.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_folder_holds_recipe_log_and_checkpoint(run):
    training = run()
    training.train()
    assert sorted(file.name for file in training.out.iterdir()) == ["checkpoint.pt", "log.jsonl", "recipe.json"]
    written = json.loads((training.out / "recipe.json").read_text())
    assert written == recipe_json(RECIPE)
    assert written["model"]["drop_path"] == [0.1, 0.1]
    assert written["data"]["noise"]["level"] == RECIPE.data.noise.level
    (*_, line) = (training.out / "log.jsonl").read_text().splitlines()
    assert list(json.loads(line))[:5] == ["step", "loss_mm", "lr", "seconds", "windows_per_s"]


def test_a_run_without_a_checkpoint_starts_afresh(run):
    training = run()
    (training.out / "log.jsonl").write_text('{"step": 1}\n')
    run().train()
    assert [line["step"] for line in log_of(training)] == [1, 2, 3, 4, 5, 6]


def test_another_recipe_s_run_is_refused(run):
    run().train()
    with pytest.raises(CheckpointError, match="another recipe .* new --out folder"):
        run(dataclasses.replace(RECIPE, seed=1))


def _touch(path):
    Path(path).touch()


class _Payload:
    """Does something when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return _touch, (self.path,)


@pytest.mark.parametrize("kind", ["pickle", "torch", "cut", "empty", "text", "list"])
def test_broken_or_strange_checkpoints_are_refused_and_never_run(run, tmp_path, kind):
    training = run()
    path, marker = training.out / "checkpoint.pt", tmp_path / "was_run"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(_Payload(str(marker)), protocol=2))
    elif kind == "torch":
        torch.save({"recipe": _Payload(str(marker))}, path)
    elif kind == "cut":
        training._save()
        path.write_bytes(path.read_bytes()[:-2000])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("my notes\n")
    else:
        torch.save([1], path)
    with pytest.raises(CheckpointError, match="new --out folder"):
        run()
    assert not marker.exists()


@pytest.mark.parametrize("every", [1, 6])
def test_a_loss_that_is_not_finite_ends_the_run_with_a_word(run, monkeypatch, every):
    training = run(dataclasses.replace(RECIPE, log_every=every, checkpoint_every=6))
    losses = iter([1.0, math.nan, 1.0, 1.0, 1.0, 1.0])

    def poisoned(pred, *_):
        return dict.fromkeys(("loss", "joints"), pred.sum() * 0 + next(losses))

    monkeypatch.setattr(train, "batch_losses", poisoned)
    with pytest.raises(RecipeError, match=r"no longer finite at step [26]; lower optim.lr"):
        training.train()
    assert not (training.out / "checkpoint.pt").exists()


def test_the_average_follows_the_weights(run):
    training = run()
    before = [p.clone() for p in training.average.parameters()]
    for model, average in zip(training.model.parameters(), before, strict=True):
        assert torch.equal(model, average)
    training._one_step()
    # The first steps are averaged over fewer: the decay is (1 + step) / (10 + step) until it reaches 0.9.
    for average, start, model in zip(training.average.parameters(), before, training.model.parameters(), strict=True):
        torch.testing.assert_close(average, 0.1 * start + 0.9 * model, rtol=0, atol=1e-6)
    training.step = 10**6
    start = [p.clone() for p in training.average.parameters()]
    training._one_step()
    for average, old, model in zip(training.average.parameters(), start, training.model.parameters(), strict=True):
        torch.testing.assert_close(average, 0.9 * old + 0.1 * model, rtol=0, atol=1e-6)


def test_the_average_is_what_is_evaluated(run):
    training = run()
    before = training.task.evaluate(training.lifter)
    with torch.no_grad():
        training.model.head.weight.mul_(2)
        assert training.task.evaluate(training.lifter) == before
        training.average.head.weight.mul_(2)
    assert training.task.evaluate(training.lifter) != before
    assert training.model.training  # evaluation does not switch its dropout off


def test_without_averaging_the_weights_themselves_are_evaluated(run):
    training = run(dataclasses.replace(RECIPE, optim=dataclasses.replace(RECIPE.optim, ema=0)))
    training.train()
    for average, model in zip(training.average.parameters(), training.model.parameters(), strict=True):
        assert torch.equal(average, model)


def test_only_a_part_is_trained_and_the_rest_is_as_in_use(run):
    model = RECIPE.model | {"spread": True, "up": True}
    optim = dataclasses.replace(RECIPE.optim, only=("extras",), weight_decay=0.5)
    training = run(dataclasses.replace(RECIPE, model=model, optim=optim, loss=LossConfig(spread=1.0, up=1.0)))
    before = {name: value.clone() for name, value in training.model.state_dict().items()}
    assert training.train()
    changed = {name for name, value in training.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and {name.split(".")[0] for name in changed} == {"extras"}
    still = [name for name in before if not name.startswith("extras.")]
    assert_same({name: training.average.state_dict()[name] for name in still}, {name: before[name] for name in still})
    assert training.model.extras.training and not training.model.head.training
    with pytest.raises(RecipeError, match=r"optim.only: this network has no part 'extra' with weights"):
        run(dataclasses.replace(RECIPE, optim=dataclasses.replace(optim, only=("extra",))), "other")


def test_gradients_are_clipped(run, monkeypatch):
    seen = []
    clip = torch.nn.utils.clip_grad_norm_

    def spy(parameters, norm):
        parameters = list(parameters)
        seen.append(norm)
        total = clip(parameters, norm)
        assert math.sqrt(sum(float((p.grad**2).sum()) for p in parameters)) <= norm * 1.001
        return total

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", spy)
    optim = dataclasses.replace(RECIPE.optim, clip_norm=1e-3)
    run(dataclasses.replace(RECIPE, optim=optim))._one_step()
    assert seen == [1e-3]


def test_the_seed_decides(run):
    one, same, other = (
        run(dataclasses.replace(RECIPE, seed=seed), folder) for seed, folder in ((0, "a"), (0, "b"), (1, "c"))
    )
    assert_same(one.model.state_dict(), same.model.state_dict())
    assert not torch.equal(one.model.head.weight, other.model.head.weight)
    losses = []
    for training in (one, same, other):
        losses.append(training._one_step()["loss"])
    assert losses[0] == losses[1] != losses[2]


def test_mixed_precision_trains_too(run):
    training = run(dataclasses.replace(RECIPE, precision="bf16"))
    assert training._one_step()["loss"].dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in training.model.parameters())


def test_torch_lifters_keep_the_front_s_contract(run):
    model = run().model.train()
    lifter = TorchLifter(model)
    check_lifter(lifter)
    assert not model.training
    windows = np.random.default_rng(0).normal(size=(2, 9, 17, 3))
    joints = lifter(windows)
    assert (joints.shape, joints.dtype) == ((2, 3, 17, 3), np.float32)
    np.testing.assert_array_equal(joints, lifter(windows))


def test_unknown_lifters_options_and_devices(run):
    with pytest.raises(RecipeError, match="did you mean 'nanohtnet'"):
        run(dataclasses.replace(RECIPE, lifter="nanohtnt"))
    with pytest.raises(RecipeError, match="no option 'widht'; did you mean 'width'"):
        run(dataclasses.replace(RECIPE, model={"widht": 48}))
    with pytest.raises(RecipeError, match="device: wanted cpu, cuda or auto, got 'gpu'"):
        run(dataclasses.replace(RECIPE, device="gpu"))
