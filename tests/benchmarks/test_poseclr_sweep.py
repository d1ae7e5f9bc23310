"""The sweep: each row changes what it says, once; same labels and processor time for all."""

import json

import pytest

pytest.importorskip("torch")

import poseclr
import poseclr_sweep
from poseclr_sweep import BASE, ROWS, SCRATCH, Trial, table, trials

from poselift.lab.run.recipe import recipe_json

COST = {"train": 0.1, "pretrain, 2 views": 0.1, "pretrain, 4 views": 0.2}


@pytest.fixture
def jobs():
    """Every job by name."""
    parser = poseclr.argparse.ArgumentParser()
    poseclr.add_options(parser)
    args = parser.parse_args(["--out", "out", "--minutes-per-run", "2", "--pretrain-minutes", "1"])
    return {job.name: job for job in poseclr_sweep.jobs(trials(1, 2), COST, args)}


def test_the_defaults_and_scratch_have_more_seeds_and_come_first():
    found = trials(1, 3)
    assert found[:2] == [Trial(BASE, 0), Trial(SCRATCH, 0)]
    assert found[-4:] == [Trial(BASE, 1), Trial(SCRATCH, 1), Trial(BASE, 2), Trial(SCRATCH, 2)]
    assert len(found) == len(ROWS) + 4 == len({trial.name for trial in found})


def test_fine_tunings_are_alike_but_for_what_the_row_says(jobs):
    base = recipe_json(jobs["defaults-0"].recipe)
    assert (base["steps"], base["data"]["fraction"], base["data"]["fraction_seed"]) == (1200, 0.1, 0)
    assert recipe_json(jobs["defaults-1"].recipe) == base | {"seed": 1}
    for row in ROWS:
        expected = json.loads(json.dumps(base))
        for name, value in row.train.get("optim", {}).items():
            expected["optim"][name] = value
        job = jobs[Trial(row, 0).name]
        assert recipe_json(job.recipe) == expected
        assert bool(job.needs) == (row.pretrain is not None)


def test_pretrainings_differ_in_what_the_row_says(jobs):
    base = jobs["pretrain-defaults-0"].recipe
    names = list(jobs)
    for row in ROWS:
        if row.pretrain is None:
            continue
        needs = jobs[Trial(row, 0).name].needs
        assert names.index(needs) < names.index(Trial(row, 0).name)
        recipe = jobs[needs].recipe
        for name, value in row.pretrain.items():
            if name == "contrast":
                assert {key: getattr(recipe.contrast, key) for key in value} == value
                assert all(getattr(base.contrast, key) != value[key] for key in value)
            else:
                assert getattr(recipe, name) == value != getattr(base, name)
        assert recipe.steps * COST[f"pretrain, {recipe.views} views"] == pytest.approx(60)
    pretrained = [row.pretrain for row in ROWS if row.pretrain]
    assert len(pretrained) == len({json.dumps(change) for change in pretrained})


def test_another_rate_takes_the_same_encoder(jobs):
    assert jobs["defaults-fine-tuned-at-a-quarter-of-the-rate-0"].needs == "pretrain-defaults-0"
    assert jobs["defaults-1"].needs == "pretrain-defaults-1"


def test_the_table(tmp_path):
    everything = trials(1, 2)
    scores = {"defaults-0": 60.0, "defaults-1": 60.2, "from-scratch-0": 70.0, "four-views-0": 60.3}
    for name, error in scores.items():
        (tmp_path / name).mkdir()
        found = {"retrieval": 0.1} | {seen: {"p_mpjpe": error} for seen in ("exact", "noisy")}
        (tmp_path / name / "result.json").write_text(json.dumps(found))
    for name in ("pretrain-defaults-0", "pretrain-defaults-1", "pretrain-four-views-0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "result.json").write_text(json.dumps({"steps": 50, "after": 0.2, "projector": 0.3}))
    lines = table(everything, tmp_path).splitlines()
    assert "| defaults | 2 | 50 | 20.0 ± 0.0 % | 30.0 ± 0.0 % | 10.0 ± 0.0 % | 60.1 ± 0.1 | 60.1 ± 0.1 |  |  |" in lines
    assert "| from scratch | 1 | 0 |  |  | 10.0 % | 70.0 | 70.0 | +9.9 ± 2.2 | hurts |" in lines
    assert "| four views | 1 | 50 | 20.0 % | 30.0 % | 10.0 % | 60.3 | 60.3 | +0.2 ± 2.2 | within noise |" in lines
    assert len(lines) == 2 + 3 + 2
