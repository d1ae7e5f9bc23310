"""Measure the choices that PoseCLR's paper leaves open, one at a time: by retrieval, and by lifting after fine-tuning.

Usage: python benchmarks/poseclr_sweep.py --data mocap17.npz --out DIR [--minutes-per-run 1.5] [--pretrain-minutes 1.5]

Each row pre-trains NanoHTNet with one option changed and fine-tunes it with 10 % of the labels, the same ones in all
rows. All pre-trainings take the same processor time, so rows with four views of a moment take fewer steps than rows
with two. "defaults" and "from scratch" have more seeds, and the other rows are compared with their spread. Of twenty
rows, one is expected to look better or worse than it is. The same command resumes runs that were stopped; DIR/table.md
shows the results so far.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import differences
import poseclr
import short_runs
import workers

FRACTION = 0.1


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the table: the defaults with one change."""

    name: str
    pretrain: Mapping[str, Any] | None = field(default_factory=dict)
    """Changed options of `PretrainRecipe`; None for no pre-training."""
    train: Mapping[str, Any] = field(default_factory=dict)
    """Changed options of `TrainRecipe`."""


BASE, SCRATCH = Row("defaults"), Row("from scratch", None)
ROWS = (
    BASE,
    SCRATCH,
    Row("temperature 0.2", {"contrast": {"temperature": 0.2}}),
    Row("temperature 0.5", {"contrast": {"temperature": 0.5}}),
    Row("ReLU", {"contrast": {"relu": True}}),
    Row("four views", {"views": 4}),
    Row("feature_dim 3", {"contrast": {"feature_dim": 3}}),
    Row("feature_dim 32", {"contrast": {"feature_dim": 32}}),
    Row("bank of 2048", {"contrast": {"queue_size": 2048}}),
    Row("momentum 0.99", {"contrast": {"momentum": 0.99}}),
    Row("as released: 0.5, ReLU, four views", {"contrast": {"temperature": 0.5, "relu": True}, "views": 4}),
    Row("defaults, fine-tuned at a quarter of the rate", {}, {"optim": {"lr": 5e-4}}),
    Row("from scratch, at a quarter of the rate", None, {"optim": {"lr": 5e-4}}),
    Row("frames averaged", {"contrast": {"mix_frames": False}}),
    Row("no margin", {"contrast": {"margin_s": 0.0}}),
    Row("margin 1 s", {"contrast": {"margin_s": 1.0}}),
)
"""The rows, the most informative first."""


@dataclass(frozen=True)
class Trial:
    """A fine-tuning of a row with one seed, and the pre-training that it needs."""

    row: Row
    seed: int

    @property
    def name(self) -> str:
        return f"{short_runs.folder_name(self.row.name)}-{self.seed}"

    @property
    def pretraining(self) -> str:
        """Name of the pre-training, which rows with the same options share; empty without pre-training."""
        if self.row.pretrain is None:
            return ""
        first = next(row for row in ROWS if row.pretrain == self.row.pretrain)
        return f"pretrain-{Trial(first, self.seed).name}"


def trials(seeds: int, base_seeds: int, rows: Sequence[Row] = ROWS) -> list[Trial]:
    """Return every fine-tuning, one seed after another."""
    most = {BASE: max(seeds, base_seeds), SCRATCH: max(seeds, base_seeds)}
    return [Trial(row, seed) for seed in range(max(seeds, base_seeds)) for row in rows if seed < most.get(row, seeds)]


def jobs(everything: Sequence[Trial], cost: Mapping[str, float], args: argparse.Namespace) -> list[short_runs.Job]:
    """Return the runs as jobs, each after the one that it needs."""
    found: dict[str, short_runs.Job] = {}
    for trial in everything:
        arm = poseclr.Arm("nanohtnet", trial.seed, "poseclr", FRACTION)
        if (name := trial.pretraining) and name not in found:
            views = trial.row.pretrain.get("views", 2)
            steps = short_runs.steps_in(args.pretrain_minutes, cost[f"pretrain, {views} views"])
            recipe = poseclr.pretrain_recipe("nanohtnet", trial.seed, steps, args)
            found[name] = short_runs.Job(name, short_runs.changed(recipe, trial.row.pretrain))
        steps = short_runs.steps_in(args.minutes_per_run, cost["train"])
        recipe = short_runs.changed(poseclr.train_recipe(arm, steps, args), {"data": {"fraction_seed": 0}})
        found[trial.name] = short_runs.Job(trial.name, short_runs.changed(recipe, trial.row.train), name)
    return list(found.values())


def table(everything: Sequence[Trial], out: Path) -> str:
    """Return the results so far as a table in Markdown."""
    found = workers.results(everything, out)
    lines = [HEADER, "|" + "---|" * (HEADER.count("|") - 1)]
    base = [run["exact"]["p_mpjpe"] for trial, run in found.items() if trial.row == BASE]
    for row in dict.fromkeys(trial.row for trial in everything):
        runs = {trial: run for trial, run in found.items() if trial.row == row}
        if not runs:
            continue
        before = [workers.result(out, trial.pretraining) for trial in runs if trial.pretraining]
        cells = [row.name, str(len(runs)), str(before[0]["steps"]) if before else "0"]
        for name in ("after", "projector"):
            cells.append(differences.mean_and_spread([100 * b[name] for b in before]) + " %" if before else "")
        cells.append(differences.mean_and_spread([100 * run["retrieval"] for run in runs.values()]) + " %")
        errors = [[run[seen]["p_mpjpe"] for run in runs.values()] for seen in ("exact", "noisy")]
        cells += map(differences.mean_and_spread, errors)
        if base and row != BASE:
            gap = differences.against(errors[0], base)
            cells += [str(gap), gap.verdict]
        lines.append(f"| {' | '.join(cells + [''] * (10 - len(cells)))} |")
    return "\n".join([*lines, "", MEANING, ""])


HEADER = (
    "| change | seeds | pre-training steps | found by features | by the projector | after fine-tuning | P-MPJPE |"
    " with errors | P-MPJPE − defaults | |"
)
MEANING = (
    "Found: share of 500 dev moments at first place from another camera. P-MPJPE in millimetres on the split dev; mean "
    "and standard deviation over seeds. Differences with 95 % intervals by the spread of the defaults' seeds."
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    poseclr.add_options(parser, minutes=1.5)
    parser.add_argument("--seeds", type=int, default=1, help="of each row")
    parser.add_argument("--base-seeds", type=int, default=3, help="of the defaults and from scratch")
    args = parser.parse_args()
    contrast = poseclr.pretrain_recipe("nanohtnet", 0, 100, args)
    recipes = {f"pretrain, {views} views": short_runs.changed(contrast, {"views": views}) for views in (2, 4)}
    recipes["train"] = poseclr.train_recipe(poseclr.Arm("nanohtnet", 0, "scratch", FRACTION), 100, args)
    cost = short_runs.make_plan(args.out / "plan.json", poseclr.settings(args), recipes, args.data)
    everything = trials(args.seeds, args.base_seeds)
    return short_runs.run(jobs(everything, cost, args), args, lambda: table(everything, args.out))


if __name__ == "__main__":
    sys.exit(main())
