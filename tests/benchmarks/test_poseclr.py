"""The comparison: which runs there are, in which order, that they are alike, and what its table says."""

import json
import sys

import pytest

pytest.importorskip("torch")

import poseclr
from poseclr import Arm, arms, table

from poselift.lab.run.recipe import recipe_json

COST = {f"{lifter}-{kind}": 0.1 for lifter in poseclr.LIFTERS for kind in ("train", "pretrain")} | {
    "nanohtnet-pretrain": 0.4
}


@pytest.fixture
def args(monkeypatch):
    """Reads options as the script does."""

    def read(*options):
        parser = poseclr.argparse.ArgumentParser()
        poseclr.add_options(parser)
        return parser.parse_args(["--out", "out", "--minutes-per-run", "2", "--pretrain-minutes", "3", *options])

    return read


def test_every_run_that_was_asked_for():
    found = arms()
    assert len(found) == len(set(found)) == len({arm.name for arm in found})
    counts = {start: sum(arm.start == start for arm in found) for start in ("pretrain", *poseclr.STARTS)}
    assert counts == {"pretrain": 7, "scratch": 13, "poseclr": 13, "longer": 6}
    nano = {(arm.start, arm.fraction, arm.seed) for arm in found if arm.lifter == "nanohtnet"}
    assert {("poseclr", share, seed) for share in (1.0, 0.1, 0.01) for seed in range(3)} <= nano
    assert {("longer", share, seed) for share in (0.1, 0.01) for seed in range(3)} <= nano
    assert {arm.fraction for arm in found if arm.lifter != "nanohtnet" and arm.start != "pretrain"} == {0.1}


def test_what_is_worth_most_comes_first():
    found = arms()
    assert all(arm.lifter == "nanohtnet" for arm in found[:27])
    first = [arm for arm in found[:15] if arm.start != "pretrain"]
    assert {arm.fraction for arm in first} == {0.1, 0.01}
    assert {arm.seed for arm in found[:5]} == {0}
    assert {arm.start for arm in found[15:21]} == {"longer"}
    for arm in found:
        assert arm.start != "poseclr" or found.index(arm.pretraining) < found.index(arm)
    assert [arm.seed for arm in arms(["htnet"], seeds=1)] == [0, 0, 0]


def test_the_starts_are_alike_but_for_the_start(args):
    options = args("--train", '{"optim": {"lr": 1e-4}}', "--model", '{"width": 48}')
    recipes = {
        start: recipe_json(poseclr.recipe_of(Arm("nanohtnet", 2, start, 0.01), COST, options))
        for start in poseclr.STARTS
    }
    assert recipes["scratch"]["steps"] == 1200
    assert recipes["longer"]["steps"] == 3000  # three minutes of pre-training more
    for recipe in recipes.values():
        recipe.pop("name")
        assert (recipe["data"]["fraction"], recipe["data"]["fraction_seed"], recipe["seed"]) == (0.01, 2, 2)
        assert (recipe["optim"]["lr"], recipe["model"]["width"]) == (1e-4, 48)
    assert recipes["scratch"] == recipes["poseclr"]
    recipes["longer"]["optim"]["warmup_steps"] = 120  # a tenth of its steps, 300
    assert recipes["longer"] | {"steps": 1200} == recipes["scratch"]


def test_pretraining_sees_all_clips_of_the_same_lifter(args):
    options = args("--pretrain", '{"views": 3, "contrast": {"temperature": 0.5}}', "--model", '{"width": 48}')
    recipe = poseclr.recipe_of(Arm("nanohtnet", 1, "pretrain"), COST, options)
    fine = poseclr.recipe_of(Arm("nanohtnet", 1, "poseclr"), COST, options)
    assert (recipe.steps, recipe.seed, recipe.views, recipe.contrast.temperature) == (450, 1, 3, 0.5)
    assert (recipe.model, recipe.data.fraction, recipe.name) == (fine.model, 1.0, "nanohtnet.poseclr")
    assert poseclr.recipe_of(Arm("htnet", 1, "pretrain"), COST, options).model.get("width") is None


def test_jobs_need_their_own_seeds_pretraining(args):
    found = {job.name: job.needs for job in poseclr.jobs(arms(), COST, args())}
    assert found["nanohtnet-poseclr-1-2"] == "nanohtnet-pretrain-2"
    assert found["htnet-poseclr-10-1"] == "htnet-pretrain-1"
    assert {needs for name, needs in found.items() if "poseclr" not in name} == {""}


@pytest.fixture
def folder(tmp_path):
    """Writes results: P-MPJPE by arm; MPJPE is 10 more."""

    def write(errors):
        for arm, error in errors.items():
            found = {"steps": 7, "retrieval": 0.25} | {
                seen: {"p_mpjpe": error, "mpjpe": error + 10} for seen in ("exact", "noisy")
            }
            if arm.start == "pretrain":
                found |= dict.fromkeys(("keypoints", "before", "after", "projector", "spread", "bank_fill"), error)
            (tmp_path / arm.name).mkdir()
            (tmp_path / arm.name / "result.json").write_text(json.dumps(found))
        return tmp_path

    return write


def test_the_table_of_nothing(tmp_path):
    assert "| lifter |" in table(arms(), tmp_path)


def test_the_table_pairs_seeds_and_says_how_many(folder):
    """Seeds differ by 10 mm, starts by 1: only by pairing can it be seen. A seed without its partner is left out."""
    errors = {Arm("nanohtnet", seed, "scratch", 0.1): 60.0 + 10 * seed for seed in range(3)}
    errors |= {Arm("nanohtnet", seed, "poseclr", 0.1): 59.0 + 10.1 * seed for seed in range(3)}
    errors |= {Arm("nanohtnet", seed, "scratch", 0.01): 80.0 for seed in range(2)}
    errors |= {Arm("nanohtnet", 1, "poseclr", 0.01): 83.0, Arm("nanohtnet", 0, "pretrain"): 0.5}
    lines = table(arms(), folder(errors)).splitlines()
    assert (
        "| nanohtnet | 10 % | scratch | 7 | 3 | 80.0 ± 10.0 | 70.0 ± 10.0 | 80.0 ± 10.0 | 70.0 ± 10.0 | 25.0 ± 0.0 % |"
        in lines
    )
    assert "| nanohtnet | 10 % | poseclr − scratch | 3 | -0.9 ± 0.2 | -0.9 ± 0.2 | helps |" in lines
    assert "| nanohtnet | 1 % | poseclr − scratch | 1 | +3.0 | +3.0 | one seed, no verdict |" in lines
    assert not any("longer" in line for line in lines)
    assert "| nanohtnet-pretrain-0 | 7 | 50.0 % | 50.0 % | 50.0 % | 50.0 % | 0.50 | 50 % |" in lines


def test_pretraining_is_also_compared_with_longer_training(folder):
    errors = {Arm("nanohtnet", s, start, 0.1): base + s + drift * s for start, base, drift in (
        ("scratch", 60, 0), ("poseclr", 58, 0.1), ("longer", 55, -0.1)) for s in range(3)}  # fmt: skip
    text = table(arms(), folder(errors))
    assert "| poseclr − scratch | 3 | -1.9 ± 0.2 | -1.9 ± 0.2 | helps |" in text
    assert "| poseclr − longer | 3 | +3.2 ± 0.5 | +3.2 ± 0.5 | hurts |" in text
    assert "| longer − scratch | 3 | -5.1 ± 0.2 | -5.1 ± 0.2 | helps |" in text


def test_the_whole_counts_each_seed_once(folder):
    """Means over the shares: -2, -2.1, -2.2; the third seed has but one share, so only that one is left for all."""
    errors = {Arm("nanohtnet", seed, "scratch", share): 60.0 for seed in range(3) for share in (1.0, 0.1)}
    errors |= {Arm("nanohtnet", seed, "poseclr", 1.0): 59.0 - 0.1 * seed for seed in range(3)}
    errors |= {Arm("nanohtnet", seed, "poseclr", 0.1): 57.0 - 0.1 * seed for seed in range(3)}
    out = folder(errors)
    said = "NanoHTNet, mean over 100, 10 % of the labels, 3 seeds: poseclr − scratch -2.1 ± 0.2 mm P-MPJPE: helps."
    assert said in table(arms(), out)
    (out / "nanohtnet-poseclr-100-2" / "result.json").unlink()
    assert "mean over" not in table(arms(), out)


def test_another_budget_is_refused_in_the_same_folder(tmp_path, monkeypatch):
    (tmp_path / "plan.json").write_text(json.dumps({"settings": {}, "step_seconds": COST}))
    monkeypatch.setattr(sys, "argv", ["poseclr.py", "--out", str(tmp_path), "--table"])
    with pytest.raises(SystemExit, match="other settings"):
        poseclr.main()
