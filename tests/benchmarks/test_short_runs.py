"""One job of each kind on a tiny archive: it resumes, its result says what the tables need."""

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import short_runs
from short_runs import Job, changed, do

from poselift.lab.poseclr.pretrain import PretrainRecipe
from poselift.lab.recipes import get_recipe
from poselift.lab.run.recipe import TrainRecipe, recipe_json
from poselift.lab.train import TorchLifter
from poselift.lab.windows.mocap import MocapWindows

MODEL = {"in_frames": 9, "keep_frames": 3, "width": 48, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}
OPTIONS = {"model": MODEL, "batch_size": 4, "precision": "fp32", "log_every": 1, "checkpoint_every": 1}
TRAIN = short_runs.short(get_recipe("nanohtnet_mocap"), 3, OPTIONS)
PRETRAIN = short_runs.short(
    PretrainRecipe(name="nanohtnet.poseclr", lifter="nanohtnet", data=TRAIN.data),
    3, OPTIONS | {"model": TRAIN.model, "contrast": {"queue_size": 8}},
)  # fmt: skip


@pytest.fixture(autouse=True)
def few_candidates(monkeypatch):
    """Retrieval among a few moments, for speed."""
    real = short_runs.retrieve
    monkeypatch.setattr(short_runs, "retrieve", lambda *given, **named: real(*given, **named, candidates=20))


def test_options_are_changed_deep_inside_and_nothing_else():
    recipe = get_recipe("nanohtnet_mocap")
    other = changed(recipe, {"data": {"camera": {"distance": [4, 5]}}, "model": {"width": 48}, "seed": 3})
    before, after = recipe_json(recipe), recipe_json(other)
    assert other.data.camera.distance == (4, 5)
    before["data"]["camera"]["distance"], before["model"]["width"], before["seed"] = [4, 5], 48, 3
    assert after == before


@pytest.mark.parametrize("options", [{"sead": 1}, {"data": {"camera": {"rolls": 1}}}])
def test_an_unknown_option_is_refused(options):
    with pytest.raises(TypeError):
        changed(get_recipe("nanohtnet_mocap"), options)


def test_a_short_run_warms_up_for_a_tenth_of_it():
    recipe = short_runs.short(get_recipe("nanohtnet_mocap"), 300, {"optim": {"lr": 1e-3}})
    assert (recipe.steps, recipe.optim.warmup_steps, recipe.optim.lr, recipe.evaluate_every) == (300, 30, 1e-3, 0)
    assert short_runs.short(get_recipe("nanohtnet_mocap"), 9000, {}).optim.warmup_steps == 400


def test_a_pretraining_and_what_needs_it(archive, tmp_path, shared):
    found = do(Job("pre", PRETRAIN), tmp_path, archive, cameras=1)
    assert {"keypoints", "before", "after", "projector", "spread", "bank_fill", "steps", "step_s"} <= set(found)
    assert found["bank_fill"] == 1
    job = Job("fine", TRAIN, needs="pre", flip=True)
    said = do(job, tmp_path, archive, 1, shared / "data" / "pose2sim_cams_1_3.npz")
    assert (said["steps"], len(said["real"]), len(said["flip_real"])) == (3, 2, 2)
    assert 0 <= said["retrieval"] <= 1
    for seen in ("exact", "noisy", "flip_exact", "flip_noisy"):
        assert 0 < said[seen]["p_mpjpe"] < said[seen]["mpjpe"]
    assert said["exact"] != said["noisy"] != said["flip_exact"]
    recipe = json.loads((tmp_path / "fine" / "recipe.json").read_text())
    assert Path(recipe["init"]) == tmp_path / "pre" / "nanohtnet.poseclr.safetensors"
    do(Job("scratch", TRAIN), tmp_path, archive, cameras=1)
    first = [json.loads((tmp_path / name / "log.jsonl").read_text().split("\n")[0]) for name in ("fine", "scratch")]
    assert first[0]["loss_mm"] != first[1]["loss_mm"]


def test_before_is_what_the_run_began_with(archive, tmp_path, monkeypatch):
    """With a learning rate of nothing, before and after are the same."""
    x = torch.linspace(-1, 1, 9 * 17 * 3).reshape(1, 9, 17, 3)
    monkeypatch.setattr(short_runs, "_found", lambda embed, *_: embed(x).sum().item())
    still = changed(PRETRAIN, {"optim": {"lr": 1e-30}, "seed": 5, "steps": 1})
    found = do(Job("pre", still), tmp_path, archive, cameras=1)
    assert found["before"] == found["after"] != found["keypoints"]
    assert do(Job("other", changed(still, {"seed": 6})), tmp_path, archive, cameras=1)["before"] != found["before"]


def test_a_stopped_run_goes_on_and_a_half_done_one_has_no_result(archive, tmp_path, monkeypatch):
    class Stopped(Exception):
        pass

    def stop(step, *_):
        if step == 2:
            raise Stopped

    train = short_runs._train
    monkeypatch.setattr(short_runs, "_train", lambda run: train(run, stop))
    with pytest.raises(Stopped):
        do(Job("run", TRAIN), tmp_path, archive, cameras=1)
    monkeypatch.setattr(short_runs, "_train", lambda run: None)
    with pytest.raises(RuntimeError, match="stopped at step 1 of 3"):
        do(Job("run", TRAIN), tmp_path, archive, cameras=1)
    monkeypatch.setattr(short_runs, "_train", train)
    assert do(Job("run", TRAIN), tmp_path, archive, cameras=1)["steps"] == 3
    assert len((tmp_path / "run" / "log.jsonl").read_text().splitlines()) == 3


def test_only_the_centre_frame_is_given_out(archive):
    from poselift.lab.models import build

    lifter = TorchLifter(build("nanohtnet", **TRAIN.model))
    centre = short_runs.CentreFrame(lifter)
    windows = np.random.default_rng(0).normal(size=(2, 9, 17, 3)).astype(np.float32)
    assert lifter.out_frames == (3, 4, 5)
    assert centre.out_frames == (4,)
    np.testing.assert_array_equal(centre(windows), lifter(windows)[:, 1:2])


def test_a_plan_is_measured_once_and_holds(archive, tmp_path, monkeypatch):
    plan = tmp_path / "plan.json"
    cost = short_runs.make_plan(plan, {"cameras": (1, 2)}, {"train": TRAIN}, archive)
    assert 0 < cost["train"] < 10
    calls = []
    monkeypatch.setattr(short_runs, "step_seconds", lambda recipe, archive: calls.append(recipe) or 0.5)
    again = short_runs.make_plan(plan, {"cameras": (1, 2)}, {"train": TRAIN, "pretrain": PRETRAIN}, archive)
    assert again == cost | {"pretrain": 0.5}
    assert calls == [PRETRAIN]
    with pytest.raises(SystemExit, match="other settings"):
        short_runs.make_plan(plan, {"cameras": 1}, {"train": TRAIN}, archive)
    assert short_runs.make_plan(tmp_path / "equal.json", {"steps": 9}, {}, archive) == {}  # kept, to refuse other steps
    with pytest.raises(SystemExit, match="other settings"):
        short_runs.make_plan(tmp_path / "equal.json", {"steps": 8}, {}, archive)


def test_steps_fill_the_minutes():
    assert short_runs.steps_in(2, 0.25) == 480
    assert short_runs.steps_in(1e-9, 0.25) == 2


def test_rare_poses_are_found_once(walk, tmp_path, monkeypatch):
    calls = []
    real = short_runs.lab_data.commonness
    monkeypatch.setattr(short_runs.lab_data, "commonness", lambda *given: calls.append(1) or real(*given))
    options = {"in_frames": 9, "out_frames": (4,), "in_channels": 3, "fps": 50.0, "config": TRAIN.data}
    plain = MocapWindows([walk(40)], **options)
    short_runs.remember_commonness(tmp_path)
    one, two, other = (MocapWindows([clip], **options) for clip in (walk(40), walk(40), walk(41)))
    assert len(calls) == 3  # without memory, the first walk, the other walk
    assert torch.equal(one._chance, plain._chance)
    assert torch.equal(two._chance, plain._chance)
    assert len(other._chance) == 41


def test_names_are_names_of_folders():
    assert short_runs.folder_name("T = 9 (as published), K") == "T-9-as-published-K"


def test_the_options_are_read():
    parser = argparse.ArgumentParser()
    short_runs.add_options(parser)
    args = parser.parse_args(["--out", "x", "--model", '{"width": 48}'])
    assert (args.model, args.train, args.worker) == ({"width": 48}, {}, False)
    assert isinstance(changed(TRAIN, {"model": args.model}), TrainRecipe)
