"""Train the first row of each of the papers' tables for a few steps on made-up data, and compare with what it gave.

Usage: python scripts/nightly.py [TABLE ...] [--noise scripts/nightly.json]
       python scripts/nightly.py --measure 4 [TABLE ...]

The archives are written in the benchmarks' public layouts, of moving figures that are drawn from a seed: the scores say
nothing about a network, only whether training, conversion and measuring still do what they did. `--measure N` trains
each row with N seeds and stores their scores. A run trains one seed; it fails (status 1) when MPJPE or P-MPJPE lies
farther from the mean of these seeds than three of their standard deviations. The seed is fixed, so a score moves only
when the code, a library or the machine does. The range is for changes that draw other random numbers or add in another
order; if one of them is meant to move a score, measure anew and say so.

In 40 steps PoseSSM, NanoHTNet and the rows of HumanEva-I and MPI-INF-3DHP learn something; HTNet and ConvFormer on
Human3.6M come to the mean pose. These rows watch over archives, conversion, losses and measuring, not over learning.
"""

import argparse
import importlib.util
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import torch

from poselift.files import written_whole
from poselift.lab.recipes import get_recipe
from poselift.lab.recipes.tables import TABLES
from poselift.lab.reproduce import Changes, choose
from poselift.lab.tasks import BenchmarkTask
from poselift.lab.train import Run

ROOT = Path(__file__).resolve().parents[1]
NOISE = Path(__file__).with_suffix(".json")
METRICS = ("mpjpe", "p_mpjpe")
CHANGES = Changes(steps=40, batch_size=16, lr=1e-3, device="cpu", truth="annot3")
"""How all rows are shortened."""
RATES = {"convformer": 3e-4}
"""Learning rates of lifters that do not learn in so few steps at the other."""
LEFT_OUT = {"h36m_convformer": "its first row is T = 143, whose seeds took minutes each; T = 9 stands in"}
"""Tables that run only when they are named, and why; their noise was not measured."""
PEOPLE = {name: {"Walking": 24, "Photo 1": 24} for name in ("S1", "S5", "S6", "S7", "S8")}
PEOPLE |= {name: {"Walking": 10, "Photo 1": 8} for name in ("S9", "S11")}
"""Frames of the recordings of Human3.6M's people."""


def write_archives(folder: Path) -> None:
    """Write the archives of all benchmarks, by the writers that the tests use."""
    writers = _writers()
    writers.write_h36m(folder, people=PEOPLE)
    writers.write_humaneva(folder)
    writers.write_3dhp_posessm(folder)


def _writers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("archives", ROOT / "tests" / "datasets" / "archives.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def first_row(table: str) -> str:
    """Return the name of the recipe of a table's first row."""
    return choose(table)[1][0]


def score(name: str, data: Path, seed: int) -> dict[str, float]:
    """Train by a recipe, shortened, and return the metrics on the test subjects, in mm."""
    full = get_recipe(name)
    changes = replace(CHANGES, lr=RATES.get(full.lifter, CHANGES.lr))
    recipe = replace(changes.apply(full), seed=seed, precision="fp32", evaluate_every=0)
    with tempfile.TemporaryDirectory() as folder:
        task = BenchmarkTask(recipe, recipe.data, data, Path(folder))
        run = Run(recipe, task, Path(folder))
        run.train()
        mean = task.measure(run.lifter).mean
    return {metric: round(mean[metric], 3) for metric in METRICS}


def margin(scores: Sequence[float]) -> float:
    """Return how far from the mean of these seeds' scores a score may lie, in mm."""
    return 3 * statistics.stdev(scores)


def moved(found: dict[str, float], known: dict[str, list[float]]) -> list[str]:
    """Return what moved by more than its noise, in words.

    Args:
        found: A score by metric, mm.
        known: By metric, the scores of several seeds.
    """
    said = []
    for metric, value in found.items():
        mean, most = statistics.mean(known[metric]), margin(known[metric])
        if not abs(value - mean) <= most:  # also for what is no number
            said.append(f"{metric} {value:.1f} mm, wanted {mean:.1f} ± {most:.1f} (of {len(known[metric])} seeds)")
    return said


def check(tables: Sequence[str], data: Path, known: dict[str, dict[str, list[float]]]) -> list[str]:
    """Train the tables' first rows with seed 0, print their scores, and return what moved."""
    faults = []
    for table in tables:
        name, began = first_row(table), time.process_time()
        if name not in known:
            raise SystemExit(f"{name}: its noise was not measured; give --measure 4 {table}")
        found = score(name, data, seed=0)
        faults += [f"{table}, {name}: {words}" for words in moved(found, known[name])]
        print(f"{table}: {name} {found}, {time.process_time() - began:.0f} s", flush=True)
    return faults


def measure(tables: Sequence[str], data: Path, seeds: int, path: Path) -> None:
    """Train the tables' first rows with several seeds, and store their scores after each row."""
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for table in tables:
        name = first_row(table)
        found = [score(name, data, seed) for seed in range(seeds)]
        known[name] = {metric: [one[metric] for one in found] for metric in METRICS}
        said = {metric: f"{statistics.mean(v):.1f} ± {margin(v):.1f}" for metric, v in known[name].items()}
        print(f"{table}: {name} {said}", flush=True)
        with written_whole(path, overwrite=True) as temporary:
            temporary.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "tables", nargs="*", metavar="TABLE", help="names of tables; all but LEFT_OUT when none is given"
    )
    parser.add_argument("--noise", type=Path, default=NOISE, help="file of the seeds' scores")
    parser.add_argument("--measure", type=int, metavar="N", help="store the scores of N seeds instead of comparing")
    args = parser.parse_args()
    usual = {first_row(table): table for table in TABLES if table not in LEFT_OUT}
    tables = args.tables or list(usual.values())
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_archives(Path(folder))
        if args.measure:
            measure(tables, Path(folder), args.measure, args.noise)
            return 0
        faults = check(tables, Path(folder), json.loads(args.noise.read_text(encoding="utf-8")))
    print("\n".join(faults) or "nothing moved by more than its noise")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
