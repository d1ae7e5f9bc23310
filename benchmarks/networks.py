"""Train several networks for equal processor time on the same data, and compare them: what ships is chosen here.

Usage: python benchmarks/networks.py --data mocap27.npz --out DIR [--minutes-per-run 20] [--seeds 2] [--only NAME ...]
       python benchmarks/networks.py --data mocap27.npz --out DIR --steps 400
       python benchmarks/networks.py --data mocap27.npz --out DIR --score --recording pose2sim_cams_1_3.npz \\
           --seated keraal_ctk.npz --page docs/peers.md
       python benchmarks/networks.py --data mocap27.npz --out DIR --score --steps 400 --page docs/peers.md ...
       python benchmarks/networks.py --data mocap27.npz --out DIR --sources [--minutes-per-run 10]

Every row is the recipe `nanohtnet_mocap27_81` (27 joints with spread, up and contact, all sources of motion) with
another network in place of NanoHTNet, at a learning rate of its own. A row takes as many steps of its batch as its
network does in the given minutes of one core; with `--steps`, all rows take that many. `--sources` trains one network
with and without each source of motion, for equal steps.

The same command resumes runs that were stopped; DIR/table.md shows the results so far. `--score` trains nothing: it
measures finished runs on real recordings where they were not, and what each network costs (kept in DIR/cost.json;
remove it to measure anew). `--page` also puts the tables into a page, and a plot beside it into images/peers.png;
with `--steps`, the table of errors alone, in a place of its own.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import peers
import short_runs
import torch
import workers

from poselift.lab.models import build
from poselift.lab.recipes import get_recipe
from poselift.lab.recipes.mocap import SHARES
from poselift.lab.run.recipe import TrainRecipe


@dataclass(frozen=True, eq=False)
class Row:
    """A network, and how it is trained."""

    name: str
    lifter: str = "nanohtnet"
    model: Mapping[str, Any] = field(default_factory=dict)
    """Its options, or for NanoHTNet those that differ from the recipe's."""
    lr: float = 2e-3
    batch: int = 64
    """Windows of a step; fewer for networks that give many frames of a window, so that a step sees as many frames."""
    sources: Mapping[str, float] | None = None
    """Shares of the sources of motion; None for the recipe's."""


_OURS = {"in_channels": 3, "skeleton": "BODY_27", "spread": True, "up": True, "contact": True}
_LONG = _OURS | {"in_frames": 81, "drop_path": (0.0, 0.0)}
_DUAL = _OURS | {"motion_width": 128}  # of 27 frames: a step on 81 takes too long
_STILL = {"dropout": 0.0, "projection_dropout": 0.0, "drop_path": (0.0, 0.0)}
_STILL_SSM = {"graph_dropout": 0.0, "projection_dropout": 0.0, "drop_path": (0.0, 0.0)}
NETWORKS = (
    Row("NanoHTNet, as shipped"),
    Row("NanoHTNet, narrower, 144 wide", model={"width": 144, "mlp_width": 144, "gcn_width": 192}),
    Row("NanoHTNet, wider, 336 wide", model={"width": 336, "mlp_width": 384, "gcn_width": 576}, lr=1.5e-3),
    Row("NanoHTNet, two blocks more", model={"num_blocks": 5}, lr=1.5e-3),
    Row("dilated convolutions, T = 81, C = 256", "videopose3d",
        _OURS | {"in_frames": 81, "num_levels": 4, "width": 256, "dropout": 0.0, "same_frames": True}, lr=1e-3),
    Row("dilated convolutions, T = 81, C = 512", "videopose3d",
        _OURS | {"in_frames": 81, "num_levels": 4, "width": 512, "dropout": 0.0, "same_frames": True}, lr=1e-3),
    Row("space-time transformer, 64 wide, 3 rounds", "mixste",
        _LONG | {"width": 64, "num_blocks": 3}, lr=1e-3, batch=8),
    Row("space-time transformer, 96 wide, 4 rounds", "mixste",
        _LONG | {"width": 96, "num_blocks": 4}, lr=1e-3, batch=8),
    Row("VideoPose3D, T = 27, as published", "videopose3d",
        _OURS | {"in_frames": 27, "num_levels": 3, "dropout": 0.0}, lr=1e-3),
    Row("VideoPose3D, T = 243, as published", "videopose3d", _OURS | {"dropout": 0.0}, lr=1e-3),
    Row("SimpleBaseline, one frame, as published", "simplebaseline", _OURS | {"dropout": 0.0}, lr=1e-3),
    Row("PoseFormerV2, T = 81, 1f3c, 8 wide", "poseformerv2", _LONG | {"width": 8, "heads": 4}, lr=1e-3),
    Row("PoseFormerV2, T = 81, 1f3c, 16 wide", "poseformerv2", _LONG | {"width": 16}, lr=1e-3),
    Row("MotionAGFormer, T = 27, 24 wide, 3 rounds", "motionagformer",
        _DUAL | {"width": 24, "num_blocks": 3}, lr=1e-3, batch=21),
    Row("17 joints and a head for the other ten", "extremities:BodyAndExtremities", {"in_frames": 81}),
    Row("HTNet, one frame", "htnet", _OURS | _STILL, lr=2e-3),
    Row("PoseSSM, one frame", "posessm", _OURS | _STILL_SSM, lr=2e-3),
    Row("ConvFormer, T = 27", "convformer",
        _OURS | {"in_frames": 27, "dropout": 0.0, "drop_path": (0.0, 0.0)}, lr=1e-3),
    Row("MotionAGFormer, T = 27, 32 wide, 4 rounds", "motionagformer",
        _DUAL | {"width": 32, "num_blocks": 4}, lr=1e-3, batch=21),
    Row("MotionAGFormer XS, T = 27, as published", "motionagformer",
        _OURS | {"drop_path": (0.0, 0.0)}, lr=5e-4, batch=21),
    Row("PoseFormerV2, T = 81, 1f3c, as published", "poseformerv2", _LONG, lr=5e-4),
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
    changes: dict[str, Any] = {"seed": seed, "optim": {"lr": row.lr}, "batch_size": row.batch}
    made = short_runs.changed(base, changes)
    model = made.model | dict(row.model) if row.lifter == made.lifter else dict(row.model)
    made = short_runs.changed(made, {"lifter": row.lifter})
    object.__setattr__(made, "model", model)
    if row.sources is not None:  # in place of the recipe's, of which `changed` would keep what the row leaves out
        made = replace(made, data=replace(made.data, sources=dict(row.sources)))
    return short_runs.short(made, steps, args.train)


def table(rows: Sequence[Row], everything: Sequence[Trial], args: argparse.Namespace) -> str:
    """Return the results so far as tables in Markdown; with `--page`, put them into the page too, and draw the plot."""
    found = workers.results(everything, args.out)
    done = {row.name: [trial for trial in found if trial.row is row] for row in rows}
    runs = {name: [found[trial] for trial in trials] for name, trials in done.items() if trials}
    folders = {name: [args.out / trial.name for trial in done[name]] for name in runs}
    if args.steps:
        made = peers.errors_table(runs)
        if args.page:
            workers.write(args.page, peers.with_tables(args.page.read_text(encoding="utf-8"), made, "steps"))
        return made
    path = args.out / "cost.json"
    cost = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    made = f"{peers.tables(runs, cost)}\n{MEANING}\n"
    if args.page:
        curves = {name: peers.curve_of(paths) for name, paths in folders.items()}
        peers.plot(runs, cost, curves, args.page.parent / "images" / "peers.png")
        workers.write(args.page, peers.with_tables(args.page.read_text(encoding="utf-8"), made))
    return made


MEANING = """Bold names are on the frontier of P-MPJPE with errors over processor time in bulk. P-MPJPE, MPJPE and
MPJVE in mm over 17 joints on the split dev, the angle of bones in degrees after the best rotation; mean and standard
deviation over seeds. "with errors": of a simulated detector. The walking man is the mean of two cameras (Pose2Sim), the
seated man that of three detectors (Keraal), P-MPJPE over the joints of arms and legs. Processor time through ONNX
Runtime on one thread, all networks in turns: of a frame when 256 or a few more are lifted together, and of a call with
one window. Memory is what opening the network and lifting these 256 adds to the peak of a process."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    short_runs.add_options(parser)
    parser.add_argument("--minutes-per-run", type=float, default=20.0, help="processor time of each run")
    parser.add_argument("--steps", type=int, help="steps of each run, instead of equal time")
    parser.add_argument("--seeds", type=int, default=2, help="of each row")
    parser.add_argument("--sources", action="store_true", help="compare sources of motion instead of networks")
    parser.add_argument("--only", nargs="*", default=[], help="words; rows whose names hold one of them")
    parser.add_argument("--score", action="store_true", help="train nothing; measure what finished runs lack")
    parser.add_argument("--seated", type=Path, help="recording of a seated person to measure on as well, with --score")
    parser.add_argument("--page", type=Path, help="page that gets the tables, between <!-- networks --> comments")
    args = parser.parse_args()
    rows = [
        row for row in (SOURCES if args.sources else NETWORKS) if not args.only or any(w in row.name for w in args.only)
    ]
    settings = {name: getattr(args, name) for name in ("minutes_per_run", "train", "cameras", "sources")}
    settings |= {"steps": args.steps} if args.steps else {}
    if args.score:
        return score(rows, args)
    measured = [] if args.steps else rows[:1] if args.sources else rows
    seconds = short_runs.make_plan(
        args.out / "plan.json", settings, {row.name: recipe(row, 100, args) for row in measured}, args.data
    )
    steps = {row.name: args.steps or _steps(row, rows[0], seconds, args.minutes_per_run) for row in rows}
    everything = trials(rows, args)
    jobs = [
        short_runs.Job(trial.name, recipe(trial.row, steps[trial.row.name], args, trial.seed), retrieval=False)
        for trial in everything
    ]
    torch.set_num_threads(1)
    return short_runs.run(jobs, args, lambda: table(rows, everything, args))


def _steps(row: Row, first: Row, seconds: Mapping[str, float], minutes: float) -> int:
    """Return how many steps a row takes in some minutes; all rows of sources take those of the first one."""
    return short_runs.steps_in(minutes, seconds.get(row.name, seconds[first.name]))


def trials(rows: Sequence[Row], args: argparse.Namespace) -> list[Trial]:
    """Return the runs of all rows, a seed of each row before the next seed."""
    return [Trial(row, seed) for seed in range(args.seeds) for row in rows]


def score(rows: Sequence[Row], args: argparse.Namespace) -> int:
    """Measure what the finished runs of a folder lack, and write the table."""
    torch.set_num_threads(1)
    everything = trials(rows, args)
    given = {"real": args.recording, "seated": args.seated}
    found = workers.results(everything, args.out)
    peers.complete([trial.name for trial in found], args.out, {name: path for name, path in given.items() if path})
    done = {trial.row.name: recipe(trial.row, 100, args) for trial in found}
    path = args.out / "cost.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not args.steps and set(done) - set(known):  # all are measured anew, since costs compare within one run
        peers.measure_cost({name: build(made.lifter, **made.model) for name, made in done.items()}, path)
    workers.write(args.out / "table.md", table(rows, everything, args))
    print((args.out / "table.md").read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
