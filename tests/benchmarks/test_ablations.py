"""The ablations: each row changes one thing, and it is a network that can be built."""

import argparse
import json

import pytest

torch = pytest.importorskip("torch")

import short_runs
from ablations import BASE, ROWS, Trial, base_recipe, jobs, table, trials

from poselift.lab.models import build
from poselift.lab.run.recipe import recipe_json

CHANGED = {
    "exact 2D alone": {"data.exact": 1.0, "data.own_joints": 0.0},
    "errors on our own joints, no detector's joints": {"data.own_joints": 0.55},
    "no confidence": {"model.in_channels": 2},
    "bones as recorded": {"data.bone_scale": 0.0},
    "no mixed parts": {"data.mix": 0.0},
    "no turned limbs": {"data.turn": 0.0},
    "poses as often as recorded": {"data.rare": 0.0},
    "no bent trunks": {"data.bend": 0.0},
    "level": {"data.camera.elevation_rad": [0.05, 0.05]},
    "upright": {"data.camera.roll_rad": 0.02},
    "4 to 5.5 m away": {"data.camera.distance": [4.0, 5.5]},
    "none": {"data.short": 0.0},
    "raw DCT": {"model.dct": "raw"},
    "no inverse DCT": {"model.inverse_dct": False},
    "raw DCT, no inverse (as published)": {"model.dct": "raw", "model.inverse_dct": False},
    "without keypoints": {"model.skip": False},
    "centre of 9 alone, lifted frame by frame": {"loss.frames": "centre"},
    "K = 1": {"model.keep_frames": 1},
    "K = 3": {"model.keep_frames": 3},
    "K = 27": {"model.keep_frames": 27},
    "T = 9": {"model.in_frames": 9},
    "T = 27": {"model.in_frames": 27},
    "T = 243": {"model.in_frames": 243},
}
"""What each row says, said again."""


@pytest.fixture
def args():
    parser = argparse.ArgumentParser()
    short_runs.add_options(parser)
    return parser.parse_args(["--out", "out"])


def flat(content, start=""):
    """{"a": {"b": 1}} to {"a.b": 1}."""
    found = {}
    for name, value in content.items():
        found |= flat(value, f"{start}{name}.") if isinstance(value, dict) else {f"{start}{name}": value}
    return found


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_changes_what_it_says_and_nothing_else(row, args):
    base = base_recipe(100, args)
    (job,) = jobs([Trial(row, 0)], 100, args)
    before, after = (flat(recipe_json(recipe)) for recipe in (base, job.recipe))
    assert before.keys() == after.keys()
    changes = {name: value for name, value in after.items() if value != before[name]}
    assert changes == CHANGED.get(row.name, {})
    assert job.centre == (row.name.startswith("centre"))
    assert job.flip == (row is BASE)


@pytest.mark.parametrize("row", [row for row in ROWS if row.change.get("model")], ids=lambda row: row.name)
def test_a_row_can_be_built(row, args):
    args.model = {"width": 48, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1}
    recipe = jobs([Trial(row, 0)], 100, args)[0].recipe
    model = build(recipe.lifter, **recipe.model)
    x = torch.zeros(1, model.in_frames, 17, model.in_channels)
    assert model.eval()(x).shape == (1, recipe.model["keep_frames"], 17, 3)


def test_all_rows_take_the_same_steps_and_the_recipe_has_more_seeds(args):
    found = trials(2, 3)
    assert [trial.row for trial in found[:3]] == [BASE] * 3
    assert len(found) == 3 + 2 * (len(ROWS) - 1) == len({trial.name for trial in found})
    made = jobs(found, 100, args)
    assert {job.recipe.steps for job in made} == {100}
    assert [job.recipe.seed for job in made] == [trial.seed for trial in found]


def test_the_table(tmp_path):
    everything = trials(1, 2)
    for trial in everything[:3]:
        error = 45.0 + 0.2 * trial.seed + 5 * (trial.row is not BASE)
        scores = {"mpjpe": error + 20, "p_mpjpe": error, "mpjve": 9.876}
        found = {"step_s": 0.1, "exact": scores, "noisy": scores, "real": [60 + trial.seed, 70]}
        if trial.row is BASE:
            found |= {"flip_exact": scores | {"p_mpjpe": error - 1}, "flip_noisy": scores, "flip_real": [59, 69]}
        (tmp_path / trial.name).mkdir()
        (tmp_path / trial.name / "result.json").write_text(json.dumps(found))
    lines = table(everything, tmp_path).splitlines()
    assert lines[2].startswith(
        "|  | the recipe | 2 | 100 | 65.1 ± 0.1 | 45.1 ± 0.1 |  |  | 45.1 ± 0.1 |  |  | 9.88 ± 0.00 |"
    )
    assert lines[2].endswith("| 60.5 and 70.0 |")
    assert "| detector | exact 2D alone | 1 | 100 | 70.0 | 50.0 | +4.9 ± 2.2 | hurts | 50.0 |" in lines[3]
    assert "| test | flip averaging | 2 |" in lines[4]
    assert "| 44.1 ± 0.1 | -1.0 ± 0.0 | helps |" in lines[4]  # each network with itself
    assert lines[4].endswith("| 59.0 and 69.0 |")
    assert len(lines) == 2 + 3 + 2
