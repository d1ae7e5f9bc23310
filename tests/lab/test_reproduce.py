"""The papers' tables again, end to end on tiny archives: every family, resuming, and rows that fail."""

import dataclasses
import json

import pytest

torch = pytest.importorskip("torch")

from poselift import cli
from poselift.errors import RecipeError
from poselift.lab import reproduce, tasks
from poselift.lab.recipes import RECIPES, get_recipe
from poselift.lab.recipes.tables import TABLES
from poselift.lab.reproduce import Changes, Outcome, choose, reproduce_row, sheets
from poselift.lab.tasks import BenchmarkTask
from poselift.lab.train import Run
from poselift.measure.benchmark import evaluate_benchmark

SMALL = {
    "posessm": {"width": 16, "num_blocks": 1},
    "htnet": {"width": 24, "mlp_width": 8, "gcn_width": 8, "num_blocks": 1},
    "nanohtnet": {"width": 48, "mlp_width": 8, "gcn_width": 8, "num_blocks": 1, "in_frames": 27},
    "convformer": {"width": 8, "num_spatial_blocks": 1, "num_temporal_blocks": 1},
}
STAMP = {"commit": "abc", "date": "2026-01-01"}


@pytest.fixture(scope="module")
def data(archives, tmp_path_factory):
    folder = tmp_path_factory.mktemp("archives")
    people = {name: {"Walking": 5, "Photo 1": 4} for name in ("S1", "S5", "S6", "S7", "S8", "S9", "S11")}
    archives.write_h36m(folder, people=people)
    archives.write_humaneva(folder)
    archives.write_3dhp_posessm(folder)
    return folder


@pytest.fixture
def small(monkeypatch):
    """All recipes with small networks, for speed."""
    for name in list(RECIPES):
        recipe = get_recipe(name)
        if recipe.lifter in SMALL:
            little = dataclasses.replace(recipe, model=recipe.model | SMALL[recipe.lifter])
            monkeypatch.setitem(RECIPES, name, lambda little=little: little)


def run_cli(*arguments):
    return cli.main([str(argument) for argument in arguments])


def tick(*_):
    """Nobody looks."""


FAMILIES = {
    "h36m_posessm": ("posessm_h36m_cpn", ["Walking", "Photo"]),
    "h36m_htnet": ("htnet_h36m_gt", ["Walking", "Photo"]),
    "h36m_nanohtnet": ("nanohtnet_h36m_cpn_81_9", ["Walking", "Photo"]),
    "h36m_convformer": ("convformer_h36m_gt_143", ["Walking", "Photo"]),
    "convformer_kernels": ("convformer_kernels_3_5_7", ["Walking", "Photo"]),
    "humaneva_convformer": ("convformer_humaneva_9", ["Walking", "Jog", "Box"]),
    "3dhp_posessm": ("posessm_3dhp", ["Seq1"]),
    "3dhp_convformer": ("convformer_3dhp_9", ["Seq1"]),
}


@pytest.mark.parametrize(("table", "row"), [(table, row) for table, (row, _) in FAMILIES.items()])
def test_each_family_trains_by_its_recipe_and_is_measured(table, row, data, small, tmp_path, capsys):
    options = "--steps 2 --batch-size 8 --device cpu --truth annot3".split()
    assert run_cli("reproduce", table, "--data", data, "--out", tmp_path, "--rows", row, *options) == 0
    shown = capsys.readouterr().out
    content = json.loads((tmp_path / f"{table}.json").read_text())
    result = content["results"][row]
    assert list(content["results"]) == [row]
    assert set(result["scores"]["per_action"]["mpjpe"]) == set(FAMILIES[table][1])
    assert result["scores"]["choices"]["flip_average"] is True
    assert "2 steps, not " in result["changed"] and "batch size 8" in result["changed"]
    assert result["changed"] in shown
    blocks = [block for block in TABLES[table].blocks if row in [line.recipe for line in block.rows]]
    assert [sheet["heads"][2:] for sheet in content["sheets"]] == [[c.head for c in b.columns] for b in blocks]
    page = (tmp_path / f"{table}.md").read_text()
    for sheet in content["sheets"]:
        for line in sheet["lines"]:
            assert len(line) == len(sheet["heads"])
            assert "| " + " | ".join(line) + " |" in page
    ours = [line for sheet in content["sheets"] for line in sheet["lines"] if line[1] == "ours, changed"]
    assert ours and f"{result['scores']['mean']['mpjpe']:.1f}" in " ".join(map(" ".join, ours)) or "P-MPJPE" in page


def test_finished_rows_are_read_and_stopped_ones_go_on(data, small, tmp_path, monkeypatch):
    name, changes = "posessm_h36m_gt", Changes(steps=3, batch_size=8, device="cpu")
    first = reproduce_row(name, data, tmp_path, changes, **STAMP, tick=tick)
    assert first.error == ""
    monkeypatch.setattr(Run, "train", None)
    monkeypatch.setattr(reproduce, "Run", None)  # nothing is built again
    again = reproduce_row(name, data, tmp_path, changes, **STAMP, tick=tick)
    assert again.scores.as_json() == first.scores.as_json()
    assert again == dataclasses.replace(first, scores=again.scores)
    other = reproduce_row(name, data, tmp_path, dataclasses.replace(changes, steps=4), **STAMP, tick=tick)
    assert "measured with other options; use a new --out folder" in other.error


def test_a_run_that_was_stopped_ends_as_one_that_was_not(data, small, tmp_path, monkeypatch):
    name, changes = "posessm_h36m_gt", Changes(epochs=1, batch_size=32, device="cpu")
    recipe = dataclasses.replace(get_recipe(name), log_every=2, checkpoint_every=2)
    monkeypatch.setitem(RECIPES, name, lambda: recipe)

    class Stopped(BaseException):
        pass

    def stop(done, total=None, note=None):
        if done == 4:
            raise Stopped

    with pytest.raises(Stopped):
        reproduce_row(name, data, tmp_path / "stopped", changes, **STAMP, tick=stop)
    assert not (tmp_path / "stopped" / "scores.json").exists()
    resumed = reproduce_row(name, data, tmp_path / "stopped", changes, **STAMP, tick=tick)
    whole = reproduce_row(name, data, tmp_path / "whole", changes, **STAMP, tick=tick)
    assert resumed.scores.as_json() == whole.scores.as_json()
    assert "epochs" in whole.changed


def test_a_row_that_fails_leaves_the_others_alone(data, small, tmp_path, monkeypatch, capsys):
    def measured(lifter, *arguments, **options):
        if lifter.in_frames == 27:
            raise RuntimeError("CUDA out of memory")
        return evaluate_benchmark(lifter, *arguments, **options)

    monkeypatch.setattr(tasks, "evaluate_benchmark", measured)
    arguments = ("reproduce", "humaneva_convformer", "--data", data, "--out", tmp_path)
    options = "--steps 1 --batch-size 4 --device cpu".split()
    assert run_cli(*arguments, *options) == 1
    assert "T = 27 failed: CUDA out of memory" in capsys.readouterr().out
    results = json.loads((tmp_path / "humaneva_convformer.json").read_text())["results"]
    assert [bool(result["error"]) for result in results.values()] == [False, True, False]
    monkeypatch.setattr(tasks, "evaluate_benchmark", evaluate_benchmark)
    assert run_cli(*arguments, *options) == 0
    results = json.loads((tmp_path / "humaneva_convformer.json").read_text())["results"]
    assert not any(result["error"] for result in results.values())


def test_missing_data_is_said_in_each_row(small, tmp_path, capsys):
    options = "--steps 1 --device cpu --rows HTNet".split()
    assert run_cli("reproduce", "h36m_htnet", "--data", tmp_path, "--out", tmp_path / "out", *options) == 1
    assert capsys.readouterr().out.count("data_3d_h36m.npz") == 3  # under each part


def test_as_published_is_a_choice_that_shows(data, small, tmp_path, monkeypatch):
    kept, keep = [], BenchmarkTask.keep
    monkeypatch.setattr(BenchmarkTask, "keep", lambda task, run: (kept.append(run.step), keep(task, run)))
    changes = Changes(epochs=1, batch_size=32, device="cpu", as_published=True)
    outcome = reproduce_row("posessm_h36m_gt", data, tmp_path, changes, **STAMP, tick=tick)
    assert outcome.scores.choices["checkpoint"] == "best on test"
    assert outcome.scores.choices["p_mpjpe"] == "mean of batch"
    assert "as published True, not False" in outcome.changed
    assert kept == [12]  # after the last step, and before it is measured


def outcome_of(data, tmp_path, name, **changes):
    return reproduce_row(name, data, tmp_path / name, Changes(steps=1, batch_size=4, **changes), **STAMP, tick=tick)


def test_rows_measured_differently_say_so(data, small, tmp_path):
    names = ("convformer_humaneva_9", "convformer_humaneva_27")
    alike = {name: outcome_of(data, tmp_path / "a", name) for name in names}
    (sheet,) = sheets(TABLES["humaneva_convformer"], alike)
    assert "NOT COMPARABLE" not in sheet.title
    assert not any(note.startswith("differs") for note in sheet.notes)
    mixed = alike | {names[1]: outcome_of(data, tmp_path / "b", names[1], as_published=True)}
    (sheet,) = sheets(TABLES["humaneva_convformer"], mixed)
    assert sheet.title.endswith("NOT COMPARABLE, measured differently")
    assert "differs: checkpoint: not on test; best on test" in sheet.notes


def test_numbers_stand_under_their_columns(data, small, tmp_path):
    name = "convformer_humaneva_9"
    outcome = outcome_of(data, tmp_path, name)
    (sheet,) = sheets(TABLES["humaneva_convformer"], {name: outcome})
    paper, ours, *rest = sheet.lines
    assert paper[:3] == ["T = 9", "paper", "12.5"]
    cells = outcome.scores.per_cell["p_mpjpe"]
    assert ours[2:5] == [f"{cells[f'Validate/S{n} Walking']:.1f}" for n in (1, 2, 3)]
    assert ours[-1] == f"{outcome.scores.mean['p_mpjpe']:.2f}"
    assert [line[1] for line in rest] == ["paper", "paper"]
    (unchanged,) = sheets(TABLES["humaneva_convformer"], {name: dataclasses.replace(outcome, changed="")})
    assert unchanged.lines[1][1] == "ours"
    (failed,) = sheets(TABLES["humaneva_convformer"], {name: Outcome(error="no disk")})
    assert failed.lines[1] == ["T = 9", "failed", *["-"] * 10]
    assert "T = 9 failed: no disk" in failed.notes


def test_rows_by_label_or_recipe():
    assert choose("h36m_convformer", ["T = 143"])[1] == ["convformer_h36m_cpn_143", "convformer_h36m_gt_143"]
    assert choose("h36m_convformer", ["convformer_h36m_gt_243"])[1] == ["convformer_h36m_gt_243"]
    assert len(choose("h36m_convformer")[1]) == 4
    assert len(choose("convformer_kernels")[1]) == 14
    with pytest.raises(RecipeError, match="unknown table 'h36m_posesm'; did you mean 'h36m_posessm'"):
        choose("h36m_posesm")
    with pytest.raises(RecipeError, match="has no row 'T = 10'"):
        choose("h36m_convformer", ["T = 10"])


def test_changes_are_told(data, small, tmp_path):
    changes = Changes(steps=1, batch_size=4, lr=0.25, device="cpu")
    outcome = reproduce_row("posessm_h36m_gt", data, tmp_path, changes, **STAMP, tick=tick)
    assert outcome.changed == "1 steps, not 29 epochs of 90; lr 0.25, not 0.0005; batch size 4, not 512"
    recipe = changes.apply(get_recipe("posessm_h36m_gt"))
    assert (recipe.optim.lr, recipe.optim.halve_every, recipe.seed) == (0.25, 5, 1)
    plain = Changes(device="cpu").apply(get_recipe("posessm_h36m_gt"))
    assert plain == dataclasses.replace(get_recipe("posessm_h36m_gt"), device="cpu")


def test_keypoints_can_be_others(data, small, tmp_path, capsys):
    options = "--rows HTNet --steps 1 --batch-size 4 --device cpu --keypoints gt".split()
    assert run_cli("reproduce", "h36m_htnet", "--data", data, "--out", tmp_path, *options) == 0
    results = json.loads((tmp_path / "h36m_htnet.json").read_text())["results"]
    assert {result["scores"]["choices"]["data: keypoints"] for result in results.values()} == {"gt"}
    assert "keypoints gt, not cpn_ft_h36m_dbb" in results["htnet_h36m_cpn"]["changed"]
    assert "keypoints" not in results["htnet_h36m_gt"]["changed"]
    options[-1] = "cpn"
    assert (
        run_cli("reproduce", "3dhp_posessm", "--data", data, "--out", tmp_path, *options[2:], "--truth", "annot3") == 1
    )
    assert "keypoints: 3dhp has exact ones alone, got 'cpn'" in " ".join(capsys.readouterr().out.split())


def test_changes_are_checked(data, tmp_path):
    with pytest.raises(RecipeError, match="no benchmark"):
        Changes().apply(get_recipe("mocap"))
    outcome = reproduce_row(
        "posessm_h36m_gt", data, tmp_path, Changes(steps=1, epochs=1), **STAMP, tick=tick
    )  # fmt: skip
    assert "steps or epochs, got both" in outcome.error


@pytest.mark.parametrize("text", ["", "[]", "{", '{"recipe": 1}'])
def test_scores_that_are_none(data, tmp_path, text):
    (tmp_path / "scores.json").write_text(text)
    outcome = reproduce_row("posessm_h36m_gt", data, tmp_path, Changes(steps=1), **STAMP, tick=tick)
    assert "use a new --out folder" in outcome.error


def test_the_verb_writes_where_it_says(data, small, tmp_path, capsys):
    options = "--rows 1 --steps 1 --batch-size 4 --device cpu".split()
    assert cli.main(["reproduce", "convformer_depth", "--data", str(data), "--out", str(tmp_path), *options]) == 0
    titles = [line for line in (tmp_path / "convformer_depth.md").read_text().splitlines() if line.startswith("## ")]
    assert [title.split(": ", 1)[1] for title in titles] == [
        "CPN keypoints, T = 9: heads",  # the others have nothing of ours
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "convformer_depth.json", "convformer_depth.md", "convformer_heads_1",
    ]  # fmt: skip
