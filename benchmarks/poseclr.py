"""Does PoseCLR help? Fine-tuning from scratch against fine-tuning from a pre-trained encoder, all else alike.

Usage: python benchmarks/poseclr.py --data mocap17.npz --out DIR [--minutes-per-run 10] [--processes 2]

Every run has a folder below DIR and one thread; what is stopped goes on when the same command is given again. The first
call measures how many steps fit into the minutes (in processor time, so that a busy machine changes nothing) and keeps
them in DIR/plan.json: both arms and all seeds of a lifter take the same steps. Each seed has its own pre-training, its
own part of the labels, and its own weights. Pre-training sees all clips of the split train, and never a 3D joint as a
target. At the end, and whenever asked with --table, DIR/table.md holds what is there.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from poselift.lab.data import DataConfig
from poselift.lab.models.poseclr import PoseCLR, PoseCLRConfig
from poselift.lab.pretrain import Pretraining, PretrainRecipe
from poselift.lab.recipe import TrainRecipe
from poselift.lab.recipes import get_recipe
from poselift.lab.retrieval import keypoints_themselves, retrieve
from poselift.lab.tasks import MocapTask
from poselift.lab.train import Run
from poselift.lab.views import MocapViewTask

GRID = {"nanohtnet": ((1.0, 0.1, 0.01), 3), "posessm": ((0.1,), 2), "htnet": ((0.1,), 2)}
"""Lifter: (shares of the labels, seeds)."""
SCORES = ("mpjpe", "p_mpjpe", "noisy_mpjpe", "noisy_p_mpjpe")


@dataclass(frozen=True)
class Job:
    """One run: a pre-training, or one arm of the comparison."""

    lifter: str
    seed: int
    arm: str
    """"pretrain", "scratch" or "poseclr"."""
    fraction: float = 1.0

    @property
    def name(self) -> str:
        share = "" if self.arm == "pretrain" else f"-{100 * self.fraction:g}"
        return f"{self.lifter}-{self.arm}{share}-{self.seed}"


def jobs(lifters: list[str], seeds: int | None) -> list[Job]:
    """Every run, pre-trainings first."""
    pretrainings, arms = [], []
    for lifter in lifters:
        fractions, planned = GRID[lifter]
        for seed in range(min(planned, seeds or planned)):
            pretrainings.append(Job(lifter, seed, "pretrain"))
            arms += [Job(lifter, seed, arm, share) for share in fractions for arm in ("scratch", "poseclr")]
    return pretrainings + arms


def train_recipe(job: Job, steps: int, out: Path) -> TrainRecipe:
    """The shipped recipes, shorter; both arms are alike but for where the encoder comes from."""
    recipe = get_recipe(f"{job.lifter}_mocap")
    init = out / Job(job.lifter, job.seed, "pretrain").name / f"{job.lifter}.poseclr.safetensors"
    return replace(
        recipe, name=f"{job.lifter}.{job.arm}", seed=job.seed, steps=steps,
        init=str(init) if job.arm == "poseclr" else "", evaluate_every=0, log_every=50, checkpoint_every=250,
        data=replace(recipe.data, fraction=job.fraction, fraction_seed=job.seed), device="cpu", precision="bf16",
        optim=replace(recipe.optim, warmup_steps=min(recipe.optim.warmup_steps, steps // 10)),
    )  # fmt: skip


def pretrain_recipe(job: Job, steps: int, options: dict) -> PretrainRecipe:
    """The same lifter and observation model; `options` are those of `PretrainRecipe`."""
    like = train_recipe(job, 1, Path())
    contrast = PoseCLRConfig(**options.get("contrast", {}))
    rest = {key: value for key, value in options.items() if key != "contrast"}
    recipe = PretrainRecipe(
        name=f"{job.lifter}.poseclr", lifter=job.lifter, model=like.model, data=replace(like.data, fraction=1.0),
        contrast=contrast, batch_size=64, steps=steps, seed=job.seed, device="cpu", precision="bf16",
        log_every=50, evaluate_every=max(steps // 200 * 50, 50), checkpoint_every=250,
    )  # fmt: skip
    recipe = replace(recipe, **rest)
    return replace(recipe, optim=replace(recipe.optim, warmup_steps=min(recipe.optim.warmup_steps, steps // 10)))


def measure_steps(lifters: list[str], archive: Path, minutes: float, options: dict, out: Path) -> dict:
    """Steps of pre-training and fine-tuning that take so many minutes of one core."""
    steps: dict[str, dict[str, int]] = {}
    bare = replace(DataConfig(), rare=0.0)  # finding rare poses takes a minute, and no step does it
    for lifter in lifters:
        pretraining = replace(pretrain_recipe(Job(lifter, 0, "pretrain"), 100000, options), data=bare, evaluate_every=0)
        training = replace(train_recipe(Job(lifter, 0, "scratch"), 100000, out), data=bare)
        runs = {
            "pretrain": Pretraining(pretraining, MocapViewTask(bare, archive), out / "plan" / f"{lifter}-pretrain"),
            "train": Run(training, MocapTask(bare, archive), out / "plan" / f"{lifter}-train"),
        }
        steps[lifter] = {kind: max(int(60 * minutes / _step_seconds(run)), 2) for kind, run in runs.items()}
    return steps


def _step_seconds(run: Pretraining | Run, count: int = 8) -> float:
    """Processor time of a step, the first two aside."""
    for _ in range(2):
        run._one_step()
    began = time.process_time()
    for _ in range(count):
        run._one_step()
    return (time.process_time() - began) / count


def do(job: Job, archive: Path, out: Path) -> None:
    """Do one run to its end, and write what it gave."""
    plan = json.loads((out / "plan.json").read_text())
    steps = plan["steps"][job.lifter]["pretrain" if job.arm == "pretrain" else "train"]
    folder = out / job.name
    if job.arm == "pretrain":
        recipe = pretrain_recipe(job, steps, plan["options"])
        run = Pretraining(recipe, MocapViewTask(recipe.data, archive), folder)
        run.pretrain()
        keys = ("retrieval_top1", "retrieval_top5", "retrieval_rank", "spread", "accuracy")
        ends = [line for line in run.folder.lines() if "retrieval_top1" in line]
        result = {"before": _pick(ends[0], keys), "after": _pick(ends[-1], keys)}
        result["projector"] = _found(run.model, run)
        result["keypoints"] = _found(None, run)
    else:
        recipe = train_recipe(job, steps, out)
        task = MocapTask(recipe.data, archive)
        run = Run(recipe, task, folder)
        run.train()
        exact, noisy = task.measure(run.lifter, cameras=2).mean, task.measure(run.lifter, cameras=2, noisy=True).mean
        result = {name: exact[name] for name in ("mpjpe", "p_mpjpe")}
        result |= {f"noisy_{name}": noisy[name] for name in ("mpjpe", "p_mpjpe")}
    (folder / "result.json").write_text(json.dumps(result | {"steps": steps}) + "\n")


def _pick(line: dict, keys: tuple[str, ...]) -> dict:
    return {key: line[key] for key in keys if key in line}


def _found(model: PoseCLR | None, run: Pretraining) -> float:
    embed = keypoints_themselves if model is None else model.eval().embed
    return round(retrieve(embed, run.unseen, margin_s=run.recipe.contrast.margin_s).top1, 4)


def table(everything: list[Job], out: Path) -> str:
    """What is there, as Markdown: mean and spread over the seeds."""
    found = {
        job: json.loads(path.read_text()) for job in everything if (path := out / job.name / "result.json").exists()
    }
    lines = [
        "| lifter | labels | start | seeds | MPJPE | P-MPJPE | with detector errors: MPJPE | P-MPJPE |",
        "|---|---|---|---|---|---|---|---|",
    ]
    rows = {(job.lifter, job.fraction, job.arm) for job in found if job.arm != "pretrain"}
    for lifter, fraction, arm in sorted(rows, key=lambda row: (list(GRID).index(row[0]), -row[1], row[2] == "poseclr")):
        results = [r for job, r in found.items() if (job.lifter, job.fraction, job.arm) == (lifter, fraction, arm)]
        cells = [_mean([result[score] for result in results]) for score in SCORES]
        lines.append(f"| {lifter} | {100 * fraction:g} % | {arm} | {len(results)} | {' | '.join(cells)} |")
    lines += ["", "Millimetres on the split dev, two cameras a clip; mean and standard deviation over the seeds.", ""]
    lines += [
        "| pre-training | retrieval before | after | by the projector | by keypoints alone |",
        "|---|---|---|---|---|",
    ]
    for job, result in found.items():
        if job.arm == "pretrain":
            before, after = (f"{result[key]['retrieval_top1']:.3f}" for key in ("before", "after"))
            lines.append(f"| {job.name} | {before} | {after} | {result['projector']:.3f} | {result['keypoints']:.3f} |")
    return "\n".join([*lines, "", "Share of 500 dev moments found at first place from another camera.", ""])


def _mean(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", type=Path, default=Path("mocap17.npz"), help="archive with the splits train and dev")
    parser.add_argument("--minutes-per-run", type=float, default=10.0, help="processor time of each run's steps")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument("--lifters", nargs="+", choices=list(GRID), default=list(GRID))
    parser.add_argument("--seeds", type=int, help="fewer seeds than planned")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON",
        help='of PretrainRecipe, such as {"views": 2, "contrast": {"temperature": 0.07}}')  # fmt: skip
    parser.add_argument("--table", action="store_true", help="only write the table of what is there")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    args = parser.parse_args()
    everything = jobs(args.lifters, args.seeds)
    if args.job:
        do(next(job for job in everything if job.name == args.job), args.data, args.out)
        return 0
    failed = [] if args.table else run_all(everything, args)
    text = table(everything, args.out)
    (args.out / "table.md").write_text(text)
    print(text)
    for name in failed:
        print(f"failed: {name}, see {args.out / name}.err", file=sys.stderr)
    return 1 if failed else 0


def run_all(everything: list[Job], args: argparse.Namespace) -> list[str]:
    """Do what is not done yet, so many at a time; names of what failed."""
    plan = args.out / "plan.json"
    args.out.mkdir(parents=True, exist_ok=True)
    known = json.loads(plan.read_text()) if plan.exists() else {"steps": {}, "options": args.options}
    if known["options"] != args.options or known.get("minutes", args.minutes_per_run) != args.minutes_per_run:
        raise SystemExit(f"{plan} was made with other options or minutes; use a new --out folder")
    if missing := [lifter for lifter in args.lifters if lifter not in known["steps"]]:
        import torch

        torch.set_num_threads(1)
        known["minutes"] = args.minutes_per_run
        known["steps"] |= measure_steps(missing, args.data, args.minutes_per_run, args.options, args.out)
        plan.write_text(json.dumps(known, indent=2) + "\n")
    failed: list[str] = []
    for batch in (("pretrain",), ("scratch", "poseclr")):  # an arm needs its encoder
        waiting = [j for j in everything if j.arm in batch and not (args.out / j.name / "result.json").exists()]
        with ThreadPoolExecutor(args.processes) as pool:
            for job, status in zip(waiting, pool.map(lambda job: _spawn(job, args), waiting), strict=True):
                failed += [job.name] if status else []
    return failed


def _spawn(job: Job, args: argparse.Namespace) -> int:
    command = [sys.executable, __file__, "--out", args.out, "--data", args.data, "--job", job.name]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with (args.out / f"{job.name}.err").open("w") as err:
        status = subprocess.run([str(part) for part in command], stderr=err, env=one_thread).returncode
    print(f"{time.strftime('%H:%M:%S')} {job.name}: {'failed' if status else 'done'}", flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
