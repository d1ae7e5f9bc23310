"""The table of networks: its rows, runs that are measured afterwards, costs, the frontier and the page."""

import argparse
import json
import math
from contextlib import nullcontext

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("matplotlib")

import networks
import peers
import short_runs
from short_runs import Job, do

from poselift.lab.export.forms import example
from poselift.lab.models import LIFTERS, build
from poselift.lab.recipes import get_recipe
from poselift.lab.recipes.mocap import SHARES

TINY = {"in_frames": 9, "num_levels": 2, "width": 24, "in_channels": 3}
OPTIONS = {"batch_size": 4, "precision": "fp32", "log_every": 1, "checkpoint_every": 1}


def test_every_family_has_a_row_and_every_row_a_network():
    args = argparse.Namespace(train={})
    assert {row.lifter for row in networks.NETWORKS} == {*LIFTERS, "extremities:BodyAndExtremities"}
    assert len({row.name for row in networks.NETWORKS}) == len(networks.NETWORKS)
    for row in networks.NETWORKS:
        made = networks.recipe(row, 100, args, seed=3)
        assert (made.lifter, made.steps, made.seed, made.optim.lr) == (row.lifter, 100, 3, row.lr)
        with nullcontext() if ":" in made.lifter else torch.device("meta"):  # a lifter from elsewhere is tried out
            model = build(made.lifter, **made.model)
        assert (len(model.skeleton), model.in_channels, set(model.extras.sizes)) == (
            27, 3, {"spread", "up", "contact"},
        )  # fmt: skip
        dropped = {name for name, value in made.model.items() if "dropout" in name and value}
        assert not dropped, row.name


def test_rows_of_sources_train_on_what_they_say():
    args = argparse.Namespace(train={})
    shares = {row.name: networks.recipe(row, 100, args).data.sources for row in networks.SOURCES}
    assert shares["all sources"] == SHARES and shares["CMU alone"] == {"main": 1.0}
    left_out = {name.removeprefix("without ") for name in shares if name.startswith("without ")}
    assert left_out == set(SHARES) - {"main"}
    for name in left_out:
        assert shares[f"without {name}"] == {other: share for other, share in SHARES.items() if other != name}


def run(exact, noisy, **more):
    means = {"mpjpe": 60.0, "bone_direction_aligned": 9.0, "mpjve": 5.0}
    return {
        "steps": 100,
        "step_s": 0.5,
        "exact": means | {"p_mpjpe": exact},
        "noisy": means | {"p_mpjpe": noisy},
    } | more


COST = {
    name: {"parameters": 2_500_000, "macs": 3e6, "out_frames": 9, "memory_mib": 20.0, "single_ms": 2.0, "bulk_ms": ms}
    for name, ms in (("HTNet", 1.0), ("cheap", 0.1), ("worse", 2.0), ("best", 4.0))
}
RUNS = {
    "worse": [run(45, 60)],
    "best": [run(30, 40, real=[50.0, 60.0], seated=[60.0, 63.0, 66.0])],
    "HTNet": [run(40, 50), run(42, 54)],
    "cheap": [run(60, 70)],
    "no cost": [run(20, 30)],
}


def test_the_frontier_is_what_nothing_beats():
    assert peers.frontier({"a": (1, 5), "b": (2, 6), "c": (3, 4), "d": (0.5, 9), "e": (3, 4.5)}) == ["d", "a", "c"]
    assert peers.frontier({"a": (1, 5), "b": (1, 4)}) == ["b"]
    assert peers.frontier({}) == []


def test_tables_say_who_is_best_and_what_it_costs():
    made = peers.tables(RUNS, COST)
    lines = [line.strip("| ").split(" | ") for line in made.splitlines()]
    assert [line[0] for line in lines[2:7]] == ["no cost", "**best**", "**HTNet**", "worse", "**cheap**"]
    assert lines[4][1:4] == ["2", "41.0 ± 1.4", "52.0 ± 2.8"]
    assert lines[3][-2:] == ["55.0", "63.0"]
    costs = {line[0]: line[1:] for line in lines[10:]}
    assert costs["HTNet"] == ["100", "0.50", "2.50", "3.0", "1.000", "2.00", "9", "20"]
    assert all(line.count("|") == made.splitlines()[8].count("|") for line in made.splitlines()[9:])


def test_the_page_and_its_plot(tmp_path):
    page = "# Peers\n\n<!-- networks -->\nold\n<!-- /networks -->\nafter\n"
    made = peers.with_tables(page, peers.tables(RUNS, COST))
    assert "old" not in made and made.startswith("# Peers") and made.endswith("<!-- /networks -->\nafter\n")
    assert peers.with_tables(made, "x") == peers.with_tables(page, "x")
    with pytest.raises(SystemExit, match="networks"):
        peers.with_tables("# Peers\n", "x")
    both = f"{page}<!-- steps -->\n<!-- /steps -->\n"
    assert peers.with_tables(both, "y", "steps") == f"{page}<!-- steps -->\n\ny\n<!-- /steps -->\n"
    peers.plot(RUNS, COST, {"best": np.array([[50, 200.0], [100, 120.0]])}, tmp_path / "images" / "peers.png")
    assert (tmp_path / "images" / "peers.png").read_bytes().startswith(b"\x89PNG")


def test_equal_steps_have_errors_alone_and_a_place_of_their_own(tmp_path):
    args = argparse.Namespace(out=tmp_path, page=tmp_path / "page.md", steps=200)
    rows = networks.NETWORKS[:2]
    everything = [networks.Trial(row, 0) for row in rows]
    for trial, error in zip(everything, (60, 50), strict=True):
        (tmp_path / trial.name).mkdir()
        (tmp_path / trial.name / "result.json").write_text(json.dumps(run(40, error)))
    kept = "<!-- networks -->\nkept\n<!-- /networks -->\n"
    args.page.write_text(f"{kept}<!-- steps -->\n<!-- /steps -->\n")
    made = networks.table(rows, everything, args)
    names = [line.strip("| ").split(" | ")[0] for line in made.splitlines()[2:]]
    assert names == [rows[1].name, rows[0].name]
    assert args.page.read_text() == f"{kept}<!-- steps -->\n\n{made}\n<!-- /steps -->\n"
    assert not (tmp_path / "images").exists()


def test_curves_are_means_at_steps_that_all_seeds_have(tmp_path):
    for name, steps in (("a", (50, 100, 118)), ("b", (50, 100, 120))):
        (tmp_path / name).mkdir()
        lines = [json.dumps({"step": step, "loss_mm": step + len(steps) * (name == "b")}) for step in steps]
        (tmp_path / name / "log.jsonl").write_text("\n".join(lines) + "\n")
    assert peers.curve_of([tmp_path / "a", tmp_path / "b"]).tolist() == [[50, 51.5], [100, 101.5]]
    assert peers.curve_of([tmp_path / "a", tmp_path / "none"]).shape == (0, 2)


def test_a_finished_run_is_measured_afterwards(archive, tmp_path, shared):
    recipe = short_runs.changed(get_recipe("mocap"), {"lifter": "videopose3d", "data": {"rare": 0.0}})
    object.__setattr__(recipe, "model", TINY)
    said = do(Job("run", short_runs.short(recipe, 2, OPTIONS), retrieval=False), tmp_path, archive, cameras=1)
    (tmp_path / "run" / "result.json").write_text(json.dumps(said))
    recordings = {"seated": shared / "data" / "keraal_ctk.npz"}
    peers.complete(["run", "not there"], tmp_path, recordings)
    found = json.loads((tmp_path / "run" / "result.json").read_text())
    assert {name: found[name] for name in said} == said
    assert len(found["seated"]) == len(found["seated_bones"]) == 3 and all(map(math.isfinite, found["seated"]))
    lifter = peers.lifter_of(tmp_path / "run")
    assert (lifter.in_frames, len(lifter.out_frames)) == (9 + peers.BULK - 1, peers.BULK)  # the form for whole clips
    before = (tmp_path / "run" / "result.json").stat().st_mtime_ns
    peers.complete(["run"], tmp_path, recordings)
    assert (tmp_path / "run" / "result.json").stat().st_mtime_ns == before
    stored = json.loads((tmp_path / "run" / "recipe.json").read_text())
    (tmp_path / "run" / "recipe.json").write_text(json.dumps(stored | {"steps": 3}))
    with pytest.raises(SystemExit, match="stopped at step 2 of 3"):
        peers.lifter_of(tmp_path / "run")


def test_costs_are_measured_in_one_run(tmp_path):
    tiny = build("videopose3d", **TINY).eval()
    other = build("simplebaseline", width=24)
    peers.measure_cost({"convolutions": tiny, "linear": other}, tmp_path / "cost.json", turns=1)
    cost = json.loads((tmp_path / "cost.json").read_text())
    assert set(cost) == {"convolutions", "linear"}
    assert cost["linear"]["macs"] == 34 * 24 + 4 * 24**2 + 51 * 24
    assert all(cost[name][kind] > 0 for name in cost for kind in ("bulk_ms", "single_ms", "memory_mib", "parameters"))
    clip = peers.clip_form(tiny)
    assert clip(example(clip, 1)).shape[1] == peers.BULK
    assert cost["convolutions"]["bulk_ms"] < cost["convolutions"]["single_ms"]
