"""Measure what each part of the default weights' recipe is worth: short runs with one change each, on the split dev.

Usage: python benchmarks/ablations.py --data mocap17.npz --out DIR [--minutes-per-run 2] [--recording RECORDING.npz]

Every row is the recipe `nanohtnet_mocap`, shorter and with one option changed. All rows take as many steps as the
recipe itself does in the given minutes. A step is 32 windows of any length, so all rows see the same number of windows
and updates, and the result does not depend on the machine. Rows that cost more (long windows, many returned frames)
show it in the column of milliseconds. The recipe itself runs with several seeds, and the rows are compared with their
spread by a 95 % interval. Of forty rows two are expected to look better or worse than they are, and the order may
change in long runs.

The same command resumes runs that were stopped; DIR/table.md shows the results so far.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import differences
import numpy as np
import short_runs
import workers

from poselift.lab.recipes import get_recipe
from poselift.lab.run.recipe import TrainRecipe


@dataclass(frozen=True, eq=False)
class Row:
    """A row of the table: the recipe with one change."""

    group: str
    """The part of the recipe that is changed."""
    name: str
    change: Mapping[str, Any] = field(default_factory=dict)
    """Options that differ from the recipe's."""
    centre: bool = False
    """Whether only the middle frame is trained, and therefore scored."""


BASE = Row("", "the recipe")
FLIP = Row("test", "flip averaging")
"""The recipe's weights, scored with flip averaging."""
ROWS = (
    BASE,
    Row("detector", "exact 2D alone", {"data": {"exact": 1.0, "own_joints": 0.0}}),
    Row("detector", "errors on our own joints, no detector's joints", {"data": {"exact": 0.45, "own_joints": 0.55}}),
    Row("detector", "no confidence", {"model": {"in_channels": 2}}),
    Row("bodies", "bones as recorded", {"data": {"bone_scale": 0.0}}),
    Row("bodies", "no mixed parts", {"data": {"mix": 0.0}}),
    Row("bodies", "no turned limbs", {"data": {"turn": 0.0}}),
    Row("bodies", "poses as often as recorded", {"data": {"rare": 0.0}}),
    Row("bodies", "no bent trunks", {"data": {"bend": 0.0}}),
    Row("cameras", "level", {"data": {"camera": {"elevation_rad": (0.05, 0.05)}}}),
    Row("cameras", "upright", {"data": {"camera": {"roll_rad": 0.02}}}),
    Row("cameras", "4 to 5.5 m away", {"data": {"camera": {"distance": (4.0, 5.5)}}}),
    Row("clip ends", "none", {"data": {"short": 0.0}}),
    Row("transform", "raw DCT", {"model": {"dct": "raw"}}),
    Row("transform", "no inverse DCT", {"model": {"inverse_dct": False}}),
    Row("transform", "raw DCT, no inverse (as published)", {"model": {"dct": "raw", "inverse_dct": False}}),
    Row("head", "without keypoints", {"model": {"skip": False}}),
    Row("frames scored", "centre of 9 alone, lifted frame by frame", {"loss": {"frames": "centre"}}, centre=True),
    Row("frames scored", "K = 1", {"model": {"keep_frames": 1}}),
    Row("frames scored", "K = 3", {"model": {"keep_frames": 3}}),
    Row("frames scored", "K = 27", {"model": {"keep_frames": 27}}),
    Row("frames seen", "T = 9", {"model": {"in_frames": 9}}),
    Row("frames seen", "T = 27", {"model": {"in_frames": 27}}),
    Row("frames seen", "T = 243", {"model": {"in_frames": 243}}),
)
"""The rows, in the order in which they are run for each seed: the most informative first."""


@dataclass(frozen=True)
class Trial:
    """A run of a row with one seed."""

    row: Row
    seed: int

    @property
    def name(self) -> str:
        return f"{short_runs.folder_name(f'{self.row.group} {self.row.name}')}-{self.seed}"


def base_recipe(steps: int, args: argparse.Namespace, seed: int = 0) -> TrainRecipe:
    """Return the recipe of the default weights, with fewer steps and smaller batches."""
    recipe = short_runs.changed(get_recipe("nanohtnet_mocap"), {"seed": seed, "batch_size": 32, "model": args.model})
    return short_runs.short(recipe, steps, args.train)


def trials(seeds: int, base_seeds: int) -> list[Trial]:
    """Return every run: the recipe's own seeds first, since their spread is needed to judge the rows."""
    first = [Trial(BASE, seed) for seed in range(max(seeds, base_seeds))]
    return first + [Trial(row, seed) for seed in range(seeds) for row in ROWS if row is not BASE]


def jobs(everything: Sequence[Trial], steps: int, args: argparse.Namespace) -> list[short_runs.Job]:
    """Return the runs as jobs."""
    return [
        short_runs.Job(
            trial.name,
            short_runs.changed(base_recipe(steps, args, trial.seed), trial.row.change),
            centre=trial.row.centre,
            flip=trial.row is BASE,
        )
        for trial in everything
    ]


def table(everything: Sequence[Trial], out: Path) -> str:
    """Return the results so far as a table in Markdown."""
    found = workers.results(everything, out)
    by_row: dict[Row, list[dict[str, Any]]] = {}
    for trial, run in found.items():
        by_row.setdefault(trial.row, []).append(run)
    base = by_row.get(BASE, [])
    if base:
        by_row[FLIP] = [run | {seen: run[f"flip_{seen}"] for seen in SEEN if f"flip_{seen}" in run} for run in base]
    lines = [HEADER, "|" + "---|" * (HEADER.count("|") - 1)]
    for row in (*ROWS, FLIP):
        if runs := by_row.get(row):
            exact = [_cell(runs, "exact", name) for name in ("mpjpe", "p_mpjpe")]
            real = " and ".join(
                f"{np.mean(camera):.1f}" for camera in np.transpose([run.get("real", []) for run in runs])
            )
            about = [row.group, row.name, str(len(runs)), f"{1000 * min(run['step_s'] for run in runs):.0f}"]
            cells = [*about, *exact, *_gap(row, runs, base, "exact"), _cell(runs, "noisy", "p_mpjpe")]
            cells += [*_gap(row, runs, base, "noisy"), _cell(runs, "exact", "mpjve", 2), real]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", MEANING, ""])


SEEN = ("exact", "noisy", "real")
HEADER = (
    "| | change | seeds | ms a step | MPJPE | P-MPJPE | − recipe | | with errors: P-MPJPE | − recipe | | MPJVE | real |"
)
MEANING = (
    "Millimetres on the split dev (MPJVE: a frame at 50 fps, exact 2D; real: P-MPJPE over valid limb joints); mean and "
    "standard deviation over seeds. Differences from the recipe with 95 % intervals by the spread of its own seeds."
)


def _cell(runs: Sequence[dict], seen: str, metric: str, digits: int = 1) -> str:
    return differences.mean_and_spread([run[seen][metric] for run in runs], digits)


def _gap(row: Row, runs: Sequence[dict], base: Sequence[dict], seen: str) -> tuple[str, str]:
    """Return the difference in P-MPJPE from the recipe, and its verdict."""
    if row is BASE or not base:
        return "", ""
    one, other = ([run[seen]["p_mpjpe"] for run in some] for some in (runs, base))
    if row is FLIP:  # the same networks are scored twice, so the differences are paired
        gap = differences.paired([a - b for a, b in zip(one, other, strict=True)])
    else:
        gap = differences.against(one, other)
    return str(gap), gap.verdict


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    short_runs.add_options(parser)
    parser.add_argument("--minutes-per-run", type=float, default=2.0, help="processor time of the recipe's own steps")
    parser.add_argument("--seeds", type=int, default=1, help="of each row")
    parser.add_argument("--base-seeds", type=int, default=8, help="of the recipe itself")
    args = parser.parse_args()
    settings = {name: getattr(args, name) for name in ("minutes_per_run", "model", "train", "cameras")}
    cost = short_runs.make_plan(args.out / "plan.json", settings, {"train": base_recipe(100, args)}, args.data)
    everything = trials(args.seeds, args.base_seeds)
    steps = short_runs.steps_in(args.minutes_per_run, cost["train"])
    return short_runs.run(jobs(everything, steps, args), args, lambda: table(everything, args.out))


if __name__ == "__main__":
    sys.exit(main())
