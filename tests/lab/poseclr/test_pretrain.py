import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.errors import CheckpointError, RecipeError
from poselift.lab.export.weights import load_initial, load_weights
from poselift.lab.models import LIFTERS, build
from poselift.lab.poseclr.network import PoseCLRConfig
from poselift.lab.poseclr.pretrain import Pretraining, PretrainRecipe
from poselift.lab.poseclr.views import BenchmarkViewTask, MocapViews, as_recorded
from poselift.lab.run.optim import OptimConfig
from poselift.lab.run.recipe import TrainRecipe, is_recipe, recipe_json
from poselift.lab.train import Run
from poselift.lab.windows.benchmark import BenchmarkConfig
from poselift.lab.windows.mocap import DataConfig

MIXER = {"mlp_width": 16, "gcn_width": 16, "num_blocks": 1}
SMALL = {
    "nanohtnet": MIXER | {"in_frames": 9, "keep_frames": 3, "in_channels": 3, "width": 48, "dct": "ortho"},
    "htnet": MIXER | {"width": 48},
    "convformer": {"in_frames": 9, "width": 8, "heads": 4, "kernels": (3, 5)},
    "posessm": {"width": 24, "num_blocks": 1},
    "simplebaseline": {"width": 34},
    "videopose3d": {"in_frames": 9, "num_levels": 2, "width": 34},
    "mixste": {"in_frames": 9, "width": 24, "num_blocks": 1, "heads": 4},
    "poseformerv2": {"in_frames": 9, "width": 8, "num_blocks": 1, "heads": 4, "drop_path": (0.0, 0.0)},
    "motionagformer": {"in_frames": 9, "width": 16, "num_blocks": 1, "heads": 4, "motion_width": 24},
    "graph_lifter:GraphLifter": {"in_frames": 9, "width": 16},
}
OPTIM = OptimConfig(method="adam", lr=3e-3, warmup_steps=2, betas=(0.9, 0.999), weight_decay=0.0, ema=0.0)
RECIPE = PretrainRecipe(
    name="nanohtnet.poseclr",
    lifter="nanohtnet",
    model=SMALL["nanohtnet"],
    data=DataConfig(rare=0),
    contrast=PoseCLRConfig(queue_size=20),
    views=3,
    optim=OPTIM,
    steps=6,
    batch_size=8,
    log_every=1,
    evaluate_every=3,
    checkpoint_every=3,
    candidates=20,
    device="cpu",
)
EXAMPLES = Path(__file__).parents[3] / "examples"


class Stopped(Exception):
    """What ends a run before its time."""


class Task:
    """Two walks to learn from, two others to find."""

    data = "walks"
    seeds = range(2)

    def __init__(self, walk, config):
        self.walk, self.config = walk, config

    def views(self, model, count, device):
        return MocapViews([self.walk(60, seed=seed) for seed in self.seeds], model, count, self.config, device)

    def unseen(self, model, device):
        clips = [self.walk(60, seed=7), self.walk(60, seed=8)]
        return MocapViews(clips, model, 2, as_recorded(self.config), device)


@pytest.fixture
def run(walk, tmp_path):
    def make(recipe=RECIPE, folder="run"):
        return Pretraining(recipe, Task(walk, recipe.data), tmp_path / folder)

    return make


CLOCK = ("seconds", "moments_per_s", "data_share", "memory_mib")


def log_of(run):
    return [{k: v for k, v in l.items() if k not in CLOCK} for l in run.folder.lines()]  # noqa: E741


def stop_at(step):
    def progress(now, steps, line):
        if now == step:
            raise Stopped

    return progress


def assert_same_state(one, other):
    """Two checkpoints are equal to the bit, but for the time they took."""
    one, other = (torch.load(run.folder.path / "checkpoint.pt", weights_only=True) for run in (one, other))
    assert one.keys() == other.keys()
    for name, value in one["model"].items():
        assert torch.equal(value, other["model"][name]), name
    for number, state in one["optimizer"]["state"].items():
        for name, value in state.items():
            assert torch.equal(value, other["optimizer"]["state"][number][name]), (number, name)
    assert one["step"] == other["step"]


def test_a_stopped_run_goes_on_exactly_where_it_was_with_its_bank(run):
    whole = run(folder="whole")
    assert whole.pretrain()
    stopped = run(folder="stopped")
    with pytest.raises(Stopped):
        stopped.pretrain(stop_at(4))
    resumed = run(folder="stopped")
    assert resumed.step == 3
    assert resumed.model.bank.filled.all()
    assert int(resumed.model.bank.next) == 3 * 8 % 20
    assert resumed.pretrain()
    assert log_of(resumed) == log_of(whole)
    assert_same_state(whole, resumed)
    weights = [load_weights(run.weights).state_dict() for run in (whole, resumed)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_assert_same_state_notices_a_place_in_the_bank(run):
    one, other = run(folder="one"), run(folder="other")
    for training in (one, other):
        training._one_step()
    other.model.bank.embeddings[3, 0] += 1e-6
    for training in (one, other):
        training._save()
    with pytest.raises(AssertionError, match="bank.embeddings"):
        assert_same_state(one, other)


def test_the_folder_and_its_log(run):
    training = run()
    training.pretrain()
    files = sorted(file.name for file in training.folder.path.iterdir())
    assert files == ["checkpoint.pt", "curves.svg", "log.jsonl", "nanohtnet.poseclr.safetensors", "recipe.json"]
    log = training.folder.lines()
    assert [line["step"] for line in log] == [0, 1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in log if "retrieval_top1" in line] == [0, 3, 6]
    for name in ("loss", "positive", "negative", "accuracy", "spread", "bank_fill", "bank_age", "lr", "seconds"):
        assert all(math.isfinite(line[name]) for line in log[1:]), name
    assert [line["bank_fill"] for line in log[1:]] == [0, 0.4, 0.8, 1, 1, 1]
    assert log[1]["loss"] == 0  # an empty bank
    assert log[2]["loss"] > 0
    assert log[1]["positive"] > log[1]["negative"] == 0
    assert json.loads((training.folder.path / "recipe.json").read_text())["contrast"]["queue_size"] == 20
    assert "retrieval_top1" in (training.folder.path / "curves.svg").read_text()


def test_the_loss_falls_and_views_are_found_again(run, monkeypatch):
    monkeypatch.setattr(Task, "seeds", range(8))
    contrast = PoseCLRConfig(queue_size=128, temperature=0.1, momentum=0.99, relu=False, margin_s=0.0)
    recipe = dataclasses.replace(
        RECIPE, data=as_recorded(DataConfig()), contrast=contrast, views=2, steps=60, batch_size=32, log_every=10,
        evaluate_every=60, checkpoint_every=60, candidates=200, precision="fp32",
    )  # fmt: skip
    training = run(recipe)
    training.pretrain()
    log = training.folder.lines()
    assert log[-1]["loss"] < log[2]["loss"] - 0.1  # the first steps compare with a bank that is hardly filled
    assert log[-1]["loss"] < math.log(129)
    assert log[-1]["spread"] > 0.25
    assert log[-1]["positive"] > log[-1]["negative"] + 0.05
    assert log[-1]["retrieval_rank"] < 0.8 * log[0]["retrieval_rank"]


def test_a_time_limit_leaves_a_checkpoint_to_go_on_from(run):
    whole = run(folder="whole")
    whole.pretrain()
    limited, calls = run(folder="limited"), 0
    while not limited.pretrain(max_minutes=0):
        calls += 1
        assert not limited.weights.exists()
        limited = run(folder="limited")
        assert limited.step == calls
    assert calls == 5
    assert log_of(limited) == log_of(whole)
    assert_same_state(whole, limited)


def test_a_finished_run_stays_finished(run):
    run().pretrain()
    before = {file: file.read_bytes() for file in run().folder.path.iterdir()}
    again = run()
    assert again.step == 6
    assert again.pretrain()
    assert {file: file.read_bytes() for file in again.folder.path.iterdir()} == before
    again.weights.unlink()  # as if it had been stopped just before
    assert again.pretrain()
    assert again.weights.exists()


@pytest.mark.parametrize("name", SMALL)
def test_every_lifter_is_pretrained_and_its_encoder_taken_up(run, name, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
    assert set(LIFTERS) < set(SMALL)
    recipe = dataclasses.replace(RECIPE, name="x.poseclr", lifter=name, model=SMALL[name], evaluate_every=0, steps=3)
    training = run(recipe)
    start = {key: value.clone() for key, value in training.model.lifter.state_dict().items()}
    training.pretrain()
    got = load_weights(training.weights, lifter=name).state_dict()
    for key, value in training.model.lifter.state_dict().items():
        assert torch.equal(value, got[key]), key
        assert not key.startswith("head.") or torch.equal(value, start[key]), key
    fresh = build(name, **SMALL[name])
    head = {key: value.clone() for key, value in fresh.head.state_dict().items()}
    load_initial(fresh, training.weights)
    for key, value in fresh.head.state_dict().items():
        assert torch.equal(value, head[key])
    changed = [key for key, value in fresh.state_dict().items() if not torch.equal(value, start[key])]
    assert len([key for key in changed if not key.startswith("head.")]) > 3


def test_training_starts_from_the_encoder_and_goes_on_without_it(run, walk, tmp_path, monkeypatch):
    run().pretrain()
    weights = run().weights
    recipe = TrainRecipe(
        name="nanohtnet.tiny", lifter="nanohtnet", model=SMALL["nanohtnet"], init=str(weights), steps=2, batch_size=4,
        log_every=1, evaluate_every=0, checkpoint_every=1, device="cpu", data=DataConfig(rare=0),
    )  # fmt: skip

    class Labels:
        def source(self, model, device):
            from poselift.lab.windows.mocap import MocapWindows

            return MocapWindows(
                [walk(30)], in_frames=9, out_frames=model.out_frames, in_channels=3, fps=50.0, config=recipe.data
            )

    training = Run(recipe, Labels(), tmp_path / "train")
    wanted = load_weights(weights).state_dict()
    for model in (training.model, training.average):
        for name, value in model.state_dict().items():
            assert name.startswith("head.") or torch.equal(value, wanted[name]), name
    bare = Run(dataclasses.replace(recipe, init=""), Labels(), tmp_path / "bare")
    assert torch.equal(bare.model.head.weight, training.model.head.weight)  # the seed decides the rest
    assert not torch.equal(bare.model.spatial_embed.weight, training.model.spatial_embed.weight)
    training.train()
    weights.unlink()
    assert Run(recipe, Labels(), tmp_path / "train").step == 2
    with pytest.raises(CheckpointError, match="no weights at"):
        Run(recipe, Labels(), tmp_path / "again")


def test_real_cameras_are_learned_from_too(archives, tmp_path):
    (tmp_path / "h36m").mkdir()
    archives.write_h36m(tmp_path / "h36m")
    recipe = dataclasses.replace(
        RECIPE, name="htnet.poseclr", lifter="htnet", model=SMALL["htnet"], data=BenchmarkConfig(), views=4, steps=3
    )
    training = Pretraining(recipe, BenchmarkViewTask(recipe.data, tmp_path / "h36m"), tmp_path / "run")
    assert training.pretrain()
    assert training.folder.lines()[-1]["loss"] > 0
    assert Pretraining(recipe, BenchmarkViewTask(recipe.data, tmp_path / "h36m"), tmp_path / "run").step == 3


def test_another_recipe_s_run_is_refused_and_older_ones_are_known(run):
    training = run()
    training._save()
    with pytest.raises(CheckpointError, match="another recipe"):
        run(dataclasses.replace(RECIPE, contrast=PoseCLRConfig(queue_size=20, temperature=0.3)))
    stored = recipe_json(RECIPE)
    assert is_recipe(stored, RECIPE)
    older = stored | {"contrast": {k: v for k, v in stored["contrast"].items() if k != "margin_s"}}
    assert is_recipe(older, RECIPE)
    assert not is_recipe(stored | {"views": 2}, RECIPE)
    assert not is_recipe(0, RECIPE)


def test_a_loss_that_is_not_finite_ends_the_run_with_a_word(run, monkeypatch):
    training = run()
    monkeypatch.setattr(training.model, "embed", lambda x: torch.full((len(x), 136), math.nan, requires_grad=True))
    with pytest.raises(RecipeError, match="no longer finite at step 1; lower optim.lr"):
        training.pretrain()


def test_mixed_precision_leaves_the_weights_and_the_bank_exact(run):
    training = run(dataclasses.replace(RECIPE, precision="bf16"))
    training._one_step()
    loss = training._one_step()["loss"]
    assert loss.dtype == torch.float32
    assert all(value.dtype != torch.bfloat16 for value in training.model.state_dict().values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"views": 1}, "views: wanted 2 or more, got 1"),
        ({"batch_size": 0}, "batch_size"),
        ({"accumulate": 0}, "accumulate: wanted 1 or more"),
        ({"optim": dataclasses.replace(OPTIM, ema=0.9)}, "contrast.momentum"),
        ({"optim": dataclasses.replace(OPTIM, schedule="epochs")}, "schedule cosine"),
    ],
)
def test_recipes_are_checked(options, message):
    with pytest.raises(RecipeError, match=message):
        dataclasses.replace(RECIPE, **options)


def test_the_released_rate_and_optimizer():
    optim = PretrainRecipe(name="", lifter="").optim
    assert (optim.method, optim.lr, optim.weight_decay) == ("adam", 1e-3, 0)


def test_the_seed_decides(run):
    losses = []
    for seed, folder in ((0, "a"), (0, "b"), (1, "c")):
        training = run(dataclasses.replace(RECIPE, seed=seed, evaluate_every=0, steps=2), folder)
        training.pretrain()
        losses.append(training.folder.lines()[-1]["loss"])
    assert losses[0] == losses[1] != losses[2]
    assert np.isfinite(losses).all()
