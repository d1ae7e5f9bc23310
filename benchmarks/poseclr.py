"""Measure whether PoseCLR helps: fine-tuning from a pre-trained encoder against training from scratch, all else equal.

Usage: python benchmarks/poseclr.py --data mocap17.npz --out DIR [--minutes-per-run 4] [--pretrain-minutes 4]

NanoHTNet is trained with 10, 1 and 100 % of the labels and three seeds, PoseSSM and HTNet with 10 % and two seeds. Each
seed has its own part of the labels, its own fresh weights (pre-training begins with those of "scratch"), its own
batches and its own pre-training, so the starts are compared seed by seed. "longer" is from scratch too, but with the
processor time of pre-training added to its own: pre-training is worth its time only if it beats that. Pre-training sees
all clips of the split train, and never a 3D joint as a target.

The first call measures what a step costs and keeps it in DIR/plan.json, so that all runs of a lifter and kind take the
same steps, whatever else the machine does. The same command resumes runs that were stopped. The most informative runs
come first, and DIR/table.md always shows the results so far: after the first 15 runs NanoHTNet's verdicts for 10 and
1 % of the labels, after 21 those against "longer".

The verdict is on P-MPJPE with exact 2D, by a 95 % interval of the differences between runs of the same seed (Student's
t: with three seeds 2.5 times their standard deviation, with two 9 times, so two seeds hardly ever give a verdict).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import differences
import short_runs
import workers

from poselift.lab.poseclr.pretrain import PretrainRecipe
from poselift.lab.recipes import get_recipe
from poselift.lab.run.recipe import TrainRecipe

LIFTERS = ("nanohtnet", "posessm", "htnet")
STARTS = ("scratch", "longer", "poseclr")
TIERS = (
    (("nanohtnet",), 3, ("poseclr", "scratch"), (0.1, 0.01)),
    (("nanohtnet",), 3, ("longer",), (0.1, 0.01)),
    (("nanohtnet",), 3, ("poseclr", "scratch"), (1.0,)),
    (("posessm", "htnet"), 2, ("poseclr", "scratch"), (0.1,)),
)
"""Groups of runs, the most informative first: lifters, number of seeds at most, starts, shares of the labels."""
PAIRS = (("poseclr", "scratch"), ("poseclr", "longer"), ("longer", "scratch"))
SCORES = (("exact", "mpjpe"), ("exact", "p_mpjpe"), ("noisy", "mpjpe"), ("noisy", "p_mpjpe"))
MEANING = (
    "Millimetres on the split dev; mean and standard deviation over the seeds. Views found: share of 500 dev moments "
    "that the fine-tuned features find at first place from another camera."
)
Result = dict[str, Any]


@dataclass(frozen=True)
class Arm:
    """One run of the comparison."""

    lifter: str
    seed: int
    start: str
    """One of `STARTS`, or "pretrain"."""
    fraction: float = 1.0
    """Share of the labels."""

    @property
    def name(self) -> str:
        share = "" if self.start == "pretrain" else f"-{100 * self.fraction:g}"
        return f"{self.lifter}-{self.start}{share}-{self.seed}"

    @property
    def pretraining(self) -> "Arm":
        return Arm(self.lifter, self.seed, "pretrain")


def arms(lifters: Sequence[str] = LIFTERS, seeds: int = 3) -> list[Arm]:
    """Return every run, the most informative first, and each after the pre-training that it needs."""
    found: dict[Arm, None] = {}
    for named, most, starts, fractions in TIERS:
        for seed in range(min(seeds, most)):
            for lifter, fraction, start in product(named, fractions, starts):
                arm = Arm(lifter, seed, start, fraction)
                if lifter in lifters:
                    found |= {arm.pretraining: None, arm: None} if start == "poseclr" else {arm: None}
    return list(found)


def train_recipe(arm: Arm, steps: int, args: argparse.Namespace) -> TrainRecipe:
    """Return the shipped recipe, shorter; starts differ in their weights alone, and "longer" in its steps."""
    options = {
        "name": f"{arm.lifter}.{arm.start}", "seed": arm.seed, "precision": "bf16", "batch_size": 32,
        "data": {"fraction": arm.fraction, "fraction_seed": arm.seed},
        "model": args.model if arm.lifter == "nanohtnet" else {},
    }  # fmt: skip
    return short_runs.short(short_runs.changed(get_recipe(f"{arm.lifter}_mocap"), options), steps, args.train)


def pretrain_recipe(lifter: str, seed: int, steps: int, args: argparse.Namespace) -> PretrainRecipe:
    """Return the pre-training of the same lifter with the same observation model, on all clips."""
    like = train_recipe(Arm(lifter, seed, "pretrain"), 100, args)
    recipe = PretrainRecipe(
        name=f"{lifter}.poseclr", lifter=lifter, model=like.model, data=like.data, batch_size=64, seed=seed,
        precision=like.precision,
    )  # fmt: skip
    return short_runs.short(recipe, steps, args.pretrain)


def recipe_of(arm: Arm, cost: dict[str, float], args: argparse.Namespace) -> TrainRecipe | PretrainRecipe:
    """Return the recipe of a run, with as many steps as fit into its minutes; `cost` is seconds of a step by kind."""
    minutes = {"pretrain": args.pretrain_minutes, "longer": args.pretrain_minutes + args.minutes_per_run}
    kind = "pretrain" if arm.start == "pretrain" else "train"
    steps = short_runs.steps_in(minutes.get(arm.start, args.minutes_per_run), cost[f"{arm.lifter}-{kind}"])
    if arm.start == "pretrain":
        return pretrain_recipe(arm.lifter, arm.seed, steps, args)
    return train_recipe(arm, steps, args)


def jobs(everything: list[Arm], cost: dict[str, float], args: argparse.Namespace) -> list[short_runs.Job]:
    """Return the runs as jobs."""
    return [
        short_runs.Job(arm.name, recipe_of(arm, cost, args), arm.pretraining.name if arm.start == "poseclr" else "")
        for arm in everything
    ]


def table(everything: list[Arm], out: Path) -> str:
    """Return the results so far as tables in Markdown."""
    found = workers.results(everything, out)
    return "\n\n".join([_scores(found), _verdicts(found), _retrieval(found)]) + "\n"


def _cells(found: dict[Arm, Result]) -> dict[tuple[str, float], dict[str, dict[int, Result]]]:
    """Return the results by (lifter, share of the labels), start and seed, in the order of the tables."""
    cells: dict[tuple[str, float], dict[str, dict[int, Result]]] = {}
    for arm in sorted(found, key=lambda arm: (LIFTERS.index(arm.lifter), -arm.fraction, arm.seed)):
        if arm.start != "pretrain":
            cells.setdefault((arm.lifter, arm.fraction), {}).setdefault(arm.start, {})[arm.seed] = found[arm]
    return cells


def _scores(found: dict[Arm, Result]) -> str:
    lines = [
        "| lifter | labels | start | steps | seeds | MPJPE | P-MPJPE | with errors: MPJPE | P-MPJPE | views found |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (lifter, fraction), starts in _cells(found).items():
        for start in (start for start in STARTS if start in starts):
            runs = list(starts[start].values())
            values = [differences.mean_and_spread([run[seen][name] for run in runs]) for seen, name in SCORES]
            values.append(differences.mean_and_spread([100 * run["retrieval"] for run in runs]) + " %")
            about = f"{lifter} | {100 * fraction:g} % | {start} | {runs[0]['steps']} | {len(runs)}"
            lines.append(f"| {about} | {' | '.join(values)} |")
    return "\n".join([*lines, "", MEANING])


def _verdicts(found: dict[Arm, Result]) -> str:
    lines = ["| lifter | labels | compared | seeds | MPJPE | P-MPJPE | verdict |", "|---|---|---|---|---|---|---|"]
    by_seed: dict[int, dict[float, float]] = {}
    for (lifter, fraction), starts in _cells(found).items():
        for one, other in PAIRS:
            place = _by_seed(starts.get(one, {}), starts.get(other, {}), "mpjpe")
            aligned = _by_seed(starts.get(one, {}), starts.get(other, {}), "p_mpjpe")
            if aligned:
                gaps = [differences.paired([*values.values()]) for values in (place, aligned)]
                about = f"{lifter} | {100 * fraction:g} % | {one} − {other} | {len(aligned)}"
                lines.append(f"| {about} | {gaps[0]} | {gaps[1]} | {gaps[1].verdict} |")
            if lifter == "nanohtnet" and (one, other) == PAIRS[0]:
                for seed, value in aligned.items():
                    by_seed.setdefault(seed, {})[fraction] = value
    return "\n".join([*lines, "", *_pooled(by_seed)])


def _by_seed(one: dict[int, Result], other: dict[int, Result], metric: str) -> dict[int, float]:
    """Return the differences of a metric with exact 2D by seed, for the seeds that both starts have."""
    return {seed: one[seed]["exact"][metric] - other[seed]["exact"][metric] for seed in one if seed in other}


def _pooled(by_seed: dict[int, dict[float, float]]) -> list[str]:
    """Return a verdict on NanoHTNet over all shares of the labels; a seed counts once, as it has one pre-training."""
    shares = set.intersection(*map(set, by_seed.values())) if by_seed else set()
    notes = ["Differences between runs of the same seed, in millimetres, with 95 % intervals; below zero is better."]
    if len(shares) > 1:
        whole = differences.paired([sum(d[share] for share in shares) / len(shares) for d in by_seed.values()])
        which = ", ".join(f"{100 * share:g}" for share in sorted(shares, reverse=True))
        notes.append(
            f"NanoHTNet, mean over {which} % of the labels, {whole.seeds} seeds: poseclr − scratch {whole} mm P-MPJPE:"
            f" {whole.verdict}."
        )
    return notes


def _retrieval(found: dict[Arm, Result]) -> str:
    lines = [
        "| pre-training | steps | keypoints alone | features before | after | projector | spread | bank filled |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for arm, run in found.items():
        if arm.start == "pretrain":
            shares = [f"{100 * run[name]:.1f} %" for name in ("keypoints", "before", "after", "projector")]
            shares += [f"{run['spread']:.2f}", f"{100 * run['bank_fill']:.0f} %"]
            lines.append(f"| {arm.name} | {run['steps']} | {' | '.join(shares)} |")
    return "\n".join(
        [*lines, "", "Share of 500 dev moments found at first place from another camera; chance is 0.2 %."]
    )


def add_options(parser: argparse.ArgumentParser, minutes: float = 4.0) -> None:
    """Add the options that `poseclr_sweep.py` has as well."""
    short_runs.add_options(parser)
    parser.add_argument(
        "--minutes-per-run", type=float, default=minutes, help="processor time of each training's steps"
    )
    parser.add_argument("--pretrain-minutes", type=float, default=minutes, help="and of each pre-training's")
    parser.add_argument("--pretrain", type=json.loads, default={}, metavar="JSON",
        help='other options of PretrainRecipe, such as {"views": 4, "contrast": {"temperature": 0.5}}')  # fmt: skip


def settings(args: argparse.Namespace) -> dict[str, Any]:
    """Return the options that must not change within a folder."""
    names = ("minutes_per_run", "pretrain_minutes", "model", "train", "pretrain", "cameras")
    return {name: getattr(args, name) for name in names}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    parser.add_argument("--lifters", nargs="+", choices=LIFTERS, default=LIFTERS)
    parser.add_argument("--seeds", type=int, default=3, help="of NanoHTNet; the others have two at most")
    args = parser.parse_args()
    everything = arms(tuple(args.lifters), args.seeds)
    recipes = {f"{lifter}-train": train_recipe(Arm(lifter, 0, "scratch"), 100, args) for lifter in args.lifters}
    recipes |= {f"{lifter}-pretrain": pretrain_recipe(lifter, 0, 100, args) for lifter in args.lifters}
    cost = short_runs.make_plan(args.out / "plan.json", settings(args), recipes, args.data)
    return short_runs.run(jobs(everything, cost, args), args, lambda: table(everything, args.out))


if __name__ == "__main__":
    sys.exit(main())
