"""Train several networks for equal processor time on the same data, and compare them: what ships is chosen here.

Usage: python benchmarks/networks.py --data mocap27.npz --out DIR [--minutes-per-run 20] [--seeds 2] [--only NAME ...]
       python benchmarks/networks.py --data mocap27.npz --out DIR --sources [--minutes-per-run 10]

Every row is the recipe `nanohtnet_mocap27_81` (27 joints with spread, up and contact, all sources of motion) with
another network in place of NanoHTNet, at a learning rate of its own. A row takes as many steps of 64 windows as its
network does in the given minutes of one core. `--sources` trains one network with and without each source of motion,
for equal steps. The table gives errors on the split dev with exact 2D and with detector errors, the angle of bones
after the best rotation, MPJVE, and the processor time of a frame through ONNX Runtime on one core, in turns.

The same command resumes runs that were stopped; DIR/table.md shows the results so far.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import differences
import numpy as np
import onnxruntime
import short_runs
import torch
import workers

from poselift.lab.export.onnx import export_onnx
from poselift.lab.models import build
from poselift.lab.recipes import get_recipe
from poselift.lab.recipes.mocap import SHARES
from poselift.lab.run.recipe import TrainRecipe

BATCH = 16
TURNS = 15
"""Times that each network is measured, in turns; the median counts."""


@dataclass(frozen=True, eq=False)
class Row:
    """A network, and how it is trained."""

    name: str
    lifter: str = "nanohtnet"
    model: Mapping[str, Any] = field(default_factory=dict)
    """Its options, or for NanoHTNet those that differ from the recipe's."""
    lr: float = 2e-3
    sources: Mapping[str, float] | None = None
    """Shares of the sources of motion; None for the recipe's."""


_OURS = {"in_channels": 3, "skeleton": "BODY_27", "spread": True, "up": True, "contact": True}
_LONG = _OURS | {"in_frames": 81, "drop_path": (0.0, 0.0)}
_DUAL = _OURS | {"motion_width": 128}  # of 27 frames: a step on 81 takes too long
NETWORKS = (
    Row("NanoHTNet, as shipped"),
    Row("NanoHTNet, narrower, 144 wide", model={"width": 144, "mlp_width": 144, "gcn_width": 192}),
    Row("NanoHTNet, wider, 336 wide", model={"width": 336, "mlp_width": 384, "gcn_width": 576}, lr=1.5e-3),
    Row("NanoHTNet, two blocks more", model={"num_blocks": 5}, lr=1.5e-3),
    Row("dilated convolutions, T = 81, C = 256", "videopose3d",
        _OURS | {"in_frames": 81, "num_levels": 4, "width": 256, "dropout": 0.0, "same_frames": True}, lr=1e-3),
    Row("dilated convolutions, T = 81, C = 512", "videopose3d",
        _OURS | {"in_frames": 81, "num_levels": 4, "width": 512, "dropout": 0.0, "same_frames": True}, lr=1e-3),
    Row("space-time transformer, 64 wide, 3 rounds", "mixste", _LONG | {"width": 64, "num_blocks": 3}, lr=1e-3),
    Row("space-time transformer, 96 wide, 4 rounds", "mixste", _LONG | {"width": 96, "num_blocks": 4}, lr=1e-3),
    Row("SimpleBaseline, one frame, as published", "simplebaseline", _OURS | {"dropout": 0.0}, lr=1e-3),
    Row("PoseFormerV2, T = 81, 1f3c, 8 wide", "poseformerv2", _LONG | {"width": 8, "heads": 4}, lr=1e-3),
    Row("PoseFormerV2, T = 81, 1f3c, 16 wide", "poseformerv2", _LONG | {"width": 16}, lr=1e-3),
    Row("MotionAGFormer, T = 27, 24 wide, 3 rounds", "motionagformer", _DUAL | {"width": 24, "num_blocks": 3}, lr=1e-3),
    Row("MotionAGFormer, T = 27, 32 wide, 4 rounds", "motionagformer", _DUAL | {"width": 32, "num_blocks": 4}, lr=1e-3),
)  # fmt: skip
"""What is compared by default."""
SHORT = {"in_frames": 27}
SOURCES = (
    Row("all sources", model=SHORT),
    *(
        Row(f"without {name}", model=SHORT, sources={other: share for other, share in SHARES.items() if other != name})
        for name in SHARES
        if name != "main"
    ),
    Row("CMU alone", model=SHORT, sources={"main": 1.0}),
)
"""The rows of `--sources`: a window of 27 frames, so that a step is short."""


@dataclass(frozen=True)
class Trial:
    """A run of a row with one seed."""

    row: Row
    seed: int

    @property
    def name(self) -> str:
        return f"{short_runs.folder_name(self.row.name)}-{self.seed}"


def recipe(row: Row, steps: int, args: argparse.Namespace, seed: int = 0) -> TrainRecipe:
    """Return the recipe of a row."""
    base = get_recipe("nanohtnet_mocap27_81")
    assert isinstance(base, TrainRecipe)
    changes: dict[str, Any] = {"seed": seed, "optim": {"lr": row.lr}}
    if row.sources is not None:
        changes["data"] = {"sources": dict(row.sources)}
    made = short_runs.changed(base, changes)
    model = made.model | dict(row.model) if row.lifter == made.lifter else dict(row.model)
    made = short_runs.changed(made, {"lifter": row.lifter})
    object.__setattr__(made, "model", model)
    return short_runs.short(made, steps, args.train)


def core_ms(rows: Sequence[Row], args: argparse.Namespace) -> dict[str, float]:
    """Return the processor time of a frame of each row's network in milliseconds, fresh weights, measured in turns."""
    rng = np.random.default_rng(0)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    spent: dict[str, list[float]] = {row.name: [] for row in rows}
    with tempfile.TemporaryDirectory() as folder:
        sessions = {}
        for number, row in enumerate(rows):
            made = recipe(row, 100, args)
            path = Path(folder) / f"{number}.onnx"
            network = build(made.lifter, **made.model).eval()
            export_onnx(network, path)
            sessions[row.name] = onnxruntime.InferenceSession(path, options), network
        for _ in range(TURNS):
            for name, (session, network) in sessions.items():
                windows = rng.normal(size=(BATCH, network.in_frames, 27, 3)).astype(np.float32)
                began = time.process_time()
                session.run(None, {session.get_inputs()[0].name: windows})
                spent[name].append(1000 * (time.process_time() - began) / (BATCH * len(network.out_frames)))
    return {name: float(np.median(times)) for name, times in spent.items()}


def table(rows: Sequence[Row], everything: Sequence[Trial], cost: Mapping[str, float], out: Path) -> str:
    """Return the results so far as a table in Markdown."""
    found = workers.results(everything, out)
    lines = [HEADER, "|" + "---|" * (HEADER.count("|") - 1)]
    for row in rows:
        runs = [run for trial, run in found.items() if trial.row is row]
        if runs:
            cells = [
                row.name,
                str(len(runs)),
                str(runs[0]["steps"]),
                f"{1000 * min(run['step_s'] for run in runs):.0f}",
            ]
            for seen, metric, digits in MEASURES:
                values = [run[seen][metric] for run in runs if metric in run[seen]]
                cells.append(differences.mean_and_spread(values, digits) if values else "")
            lines.append(f"| {' | '.join([*cells, f'{cost[row.name]:.3f}'])} |")
    return "\n".join([*lines, "", MEANING, ""])


MEASURES = (
    ("exact", "p_mpjpe", 1), ("noisy", "p_mpjpe", 1), ("exact", "bone_direction_aligned", 1), ("exact", "mpjve", 2),
)  # fmt: skip
HEADER = "| | seeds | steps | ms a step | exact 2D | with errors | bones, degrees | MPJVE | core ms a frame |"
MEANING = (
    "P-MPJPE and MPJVE in mm over 17 joints on the split dev, mean and standard deviation over seeds; processor "
    "time of a frame through ONNX Runtime, one thread, 16 windows at a time."
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    short_runs.add_options(parser)
    parser.add_argument("--minutes-per-run", type=float, default=20.0, help="processor time of each run")
    parser.add_argument("--seeds", type=int, default=2, help="of each row")
    parser.add_argument("--sources", action="store_true", help="compare sources of motion instead of networks")
    parser.add_argument("--only", nargs="*", default=[], help="words; rows whose names hold one of them")
    args = parser.parse_args()
    rows = [
        row for row in (SOURCES if args.sources else NETWORKS) if not args.only or any(w in row.name for w in args.only)
    ]
    settings = {name: getattr(args, name) for name in ("minutes_per_run", "train", "cameras", "sources")}
    measured = rows[:1] if args.sources else rows
    seconds = short_runs.make_plan(
        args.out / "plan.json", settings, {row.name: recipe(row, 100, args) for row in measured}, args.data
    )
    first = seconds[rows[0].name]  # all rows of sources take the same steps
    steps = {row.name: short_runs.steps_in(args.minutes_per_run, seconds.get(row.name, first)) for row in rows}
    everything = [Trial(row, seed) for seed in range(args.seeds) for row in rows]
    jobs = [
        short_runs.Job(trial.name, recipe(trial.row, steps[trial.row.name], args, trial.seed), retrieval=False)
        for trial in everything
    ]
    torch.set_num_threads(1)
    cost = {} if args.worker else core_ms(rows, args)
    return short_runs.run(jobs, args, lambda: table(rows, everything, cost, args.out))


if __name__ == "__main__":
    sys.exit(main())
