"""Short trainings that are compared with each other: their recipes, the cost of a step, and their scores.

Used by poseclr.py, poseclr_sweep.py and ablations.py. A run that was stopped resumes from its last checkpoint.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
import workers

from poselift.lab.models import build
from poselift.lab.poseclr.pretrain import Pretraining, PretrainRecipe
from poselift.lab.poseclr.retrieval import Embed, features_of, raw_keypoints, retrieve
from poselift.lab.poseclr.views import MocapViews, MocapViewTask, as_recorded
from poselift.lab.run.recipe import TrainRecipe
from poselift.lab.tasks import MocapTask
from poselift.lab.train import Run, TorchLifter
from poselift.lab.windows import mocap as lab_data
from poselift.measure.recording import Recording

Recipe = TypeVar("Recipe")


@dataclass(frozen=True, eq=False)
class Job:
    """One run."""

    name: str
    """Name of the run's folder."""
    recipe: TrainRecipe | PretrainRecipe
    """Recipe of the run."""
    needs: str = ""
    """Name of the pre-training whose encoder the run starts from; empty for none."""
    centre: bool = False
    """Score only the middle one of the frames that the lifter returns, because no other was trained."""
    flip: bool = False
    """Score the lifter with flip averaging as well."""
    retrieval: bool = True
    """Find the share of moments that the features of the lifter find from another camera."""


def changed(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """Return a recipe with other values, such as `{"data": {"camera": {"roll_rad": 0}}, "model": {"width": 144}}`.

    Raises:
        TypeError: There is no such option.
    """
    values = {}
    for name, value in options.items():
        old = getattr(recipe, name, None)
        if dataclasses.is_dataclass(old) and isinstance(value, Mapping):
            value = changed(old, value)
        elif isinstance(old, dict):
            value = old | dict(value)
        values[name] = tuple(value) if isinstance(value, list) else value
    return replace(recipe, **values)


def short(recipe: Recipe, steps: int, options: Mapping[str, Any]) -> Recipe:
    """Return a recipe for a short run on one core: at most a tenth of it is warm-up, and it evaluates nothing."""
    quiet = {"steps": steps, "evaluate_every": 0, "log_every": 50, "checkpoint_every": 250, "device": "cpu"}
    recipe = changed(changed(recipe, quiet), options)
    return changed(recipe, {"optim": {"warmup_steps": min(recipe.optim.warmup_steps, steps // 10)}})


def folder_name(words: str) -> str:
    """Return a name for a folder made of the words' letters, digits and dots, with dashes between the words."""
    return re.sub(r"[^\w.]+", "-", words).strip("-.")


def step_seconds(recipe: TrainRecipe | PretrainRecipe, archive: Path, count: int = 10) -> float:
    """Return the median processor time of a step in seconds, which other programs on the machine change little."""
    times: list[float] = []
    options = {"steps": count, "log_every": 1, "checkpoint_every": count, "evaluate_every": 0}
    recipe = changed(recipe, options | {"data": {"rare": 0.0}})  # rare poses are searched for once, not in each step
    with tempfile.TemporaryDirectory() as folder:
        _train(_start(recipe, archive, Path(folder) / "run"), lambda *_: times.append(time.process_time()))
    return statistics.median(np.diff(times[1:]).tolist())


def make_plan(
    path: Path, settings: dict[str, Any], recipes: Mapping[str, TrainRecipe | PretrainRecipe], archive: Path
) -> dict[str, float]:
    """Return the seconds of a step by name; they are measured once and kept, so that all runs of a folder use the same.

    Args:
        path: File that keeps them.
        settings: Options that must not change within a folder.
        recipes: Recipes to measure, by name.
        archive: Archive of motion capture.

    Raises:
        SystemExit: The folder holds runs with other settings.
    """
    settings = json.loads(json.dumps(settings))
    known = json.loads(path.read_text()) if path.exists() else {"settings": settings, "step_seconds": {}}
    if known["settings"] != settings:
        raise SystemExit(f"{path} was made with other settings, {known['settings']}; use a new --out folder")
    missing = [name for name in recipes if name not in known["step_seconds"]]
    if missing or not path.exists():
        torch.set_num_threads(1)
        known["step_seconds"] |= {name: round(step_seconds(recipes[name], archive), 5) for name in missing}
        workers.write(path, json.dumps(known, indent=2) + "\n")
    return known["step_seconds"]


def steps_in(minutes: float, seconds: float) -> int:
    """Return how many steps take `minutes` when each takes `seconds`."""
    return max(round(60 * minutes / seconds), 2)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all of these benchmarks have."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and of table.md")
    parser.add_argument("--data", type=Path, default=Path("mocap17.npz"), help="archive with the splits train and dev")
    parser.add_argument("--recording", type=Path, help="recording of real_recording.py to measure on as well")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="number of runs at the same time")
    parser.add_argument("--cameras", type=int, default=2, help="number of cameras for each clip of the split dev")
    parser.add_argument("--model", type=json.loads, default={}, metavar="JSON",
        help='changed options of NanoHTNet in all its runs, such as {"width": 144}')  # fmt: skip
    parser.add_argument("--train", type=json.loads, default={}, metavar="JSON",
        help='changed options of TrainRecipe, in all runs, as {"batch_size": 64, "optim": {"lr": 1e-3}}')  # fmt: skip
    parser.add_argument("--table", action="store_true", help="only write the table of the results so far")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)


def run(jobs: Sequence[Job], args: argparse.Namespace, table: Callable[[], str]) -> int:
    """Do the jobs that are not done yet, several at a time, and write the table.

    Args:
        jobs: All jobs, each after the one that it needs.
        args: The parsed options of `add_options`.
        table: Returns the table of the results so far.

    Returns:
        The exit status: 1 when a job failed.
    """

    def write_table() -> None:
        workers.write(args.out / "table.md", table())

    if args.worker:
        torch.set_num_threads(1)
        remember_commonness(args.out)
        workers.work(
            jobs, args.out, lambda job: do(job, args.out, args.data, args.cameras, args.recording), write_table
        )
        return 0
    if not args.table:
        workers.run_all(jobs, args.out, args.processes)
    write_table()
    print((args.out / "table.md").read_text())
    failed = [job.name for job in jobs if workers.error(args.out, job.name)]
    if missing := len(jobs) - len(workers.results(jobs, args.out)):
        print(f"{missing} of {len(jobs)} jobs are missing; failed: {', '.join(failed) or 'none'}", file=sys.stderr)
    return 1 if failed else 0


def do(job: Job, out: Path, archive: Path, cameras: int, recording: Path | None = None) -> dict[str, Any]:
    """Run a job to its end.

    Returns:
        `steps`, `step_s` (processor time of a step), and the values of `scores` or `found_before_and_after`.

    Raises:
        RuntimeError: The job was stopped before its last step.
    """
    recipe = job.recipe
    if job.needs:
        recipe = replace(recipe, init=str(next((out / job.needs).resolve().glob("*.safetensors"))))
    run = _start(recipe, archive, out / job.name)
    first, began = run.step, time.process_time()
    _train(run)
    cost = {"steps": run.step, "step_s": round((time.process_time() - began) / max(run.step - first, 1), 4)}
    if run.step < recipe.steps:
        raise RuntimeError(f"stopped at step {run.step} of {recipe.steps}; give the same command again to resume")
    if isinstance(run, Pretraining):
        return cost | found_before_and_after(run)
    return cost | scores(job, run, cameras, recording)


def scores(job: Job, run: Run, cameras: int, recording: Path | None) -> dict[str, Any]:
    """Return errors in mm on the split dev and on a real recording, and the share of moments that the features find.

    Returns:
        "exact" and "noisy" (metric: mean), "real" (P-MPJPE of each camera) and "retrieval"; for `job.flip` also
        "flip_exact", "flip_noisy" and "flip_real".
    """
    lifter = CentreFrame(run.lifter) if job.centre else run.lifter
    result = {
        "exact": run.task.measure(lifter, cameras=cameras).mean,
        "noisy": run.task.measure(lifter, cameras=cameras, noisy=True).mean,
    }
    if job.retrieval:
        result["retrieval"] = _found(features_of(run.average.eval()), run.task, run.recipe, 0.25)
    if job.flip:
        result["flip_exact"] = run.task.measure(lifter, cameras=cameras, flip_average=True).mean
        result["flip_noisy"] = run.task.measure(lifter, cameras=cameras, flip_average=True, noisy=True).mean
    if recording:
        seen = Recording(recording)
        for name, flip in (("real", False), ("flip_real", True))[: 1 + job.flip]:
            scores = [seen.score(lifter, camera, flip_average=flip) for camera in seen.people]
            result[name] = [score.mean["p_mpjpe"] for score in scores]
    return result


class CentreFrame(TorchLifter):
    """A lifter that returns only the middle one of the frames that its network returns."""

    def __init__(self, lifter: TorchLifter) -> None:
        super().__init__(lifter.model, lifter.normalization)
        self._middle = len(lifter.out_frames) // 2
        self.out_frames = (lifter.out_frames[self._middle],)

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Map keypoints (B, T, J, C) to joints (B, 1, J, 3)."""
        return super().__call__(windows)[:, self._middle : self._middle + 1]


def found_before_and_after(run: Pretraining) -> dict[str, Any]:
    """Return the shares of unseen moments found from another camera, by embedding, and measures of its collapse."""
    margin = run.recipe.contrast.margin_s
    torch.manual_seed(run.recipe.seed)
    fresh = build(run.recipe.lifter, **run.recipe.model)  # the same seed gives the weights that the run began with
    embeds = {
        "keypoints": raw_keypoints,
        "before": features_of(fresh.eval()),
        "after": features_of(run.model.eval().lifter),
        "projector": run.model.embed,
    }
    last = run.folder.lines()[-1]
    return {name: _found(embed, run.task, run.recipe, margin) for name, embed in embeds.items()} | {
        name: last[name] for name in ("spread", "accuracy", "bank_fill")
    }


def _found(embed: Embed, task: MocapTask | MocapViewTask, recipe: TrainRecipe | PretrainRecipe, margin: float) -> float:
    device = torch.device("cpu")
    unseen = MocapViews(task.dev, build(recipe.lifter, **recipe.model), 2, as_recorded(recipe.data), device)
    return round(retrieve(embed, unseen, margin_s=margin).top1, 4)


def _start(recipe: TrainRecipe | PretrainRecipe, archive: Path, folder: Path) -> Run | Pretraining:
    if isinstance(recipe, PretrainRecipe):
        return Pretraining(recipe, MocapViewTask(recipe.data, archive), folder)
    return Run(recipe, MocapTask(recipe.data, archive), folder)


def _train(run: Run | Pretraining, progress: Callable[[int, int, dict], None] | None = None) -> None:
    (run.pretrain if isinstance(run, Pretraining) else run.train)(progress)


def remember_commonness(folder: Path) -> None:
    """Keep how common poses are in files by the clips' digest, so that it is computed once and not in every run."""
    find = lab_data.commonness

    def remembered(frames: np.ndarray, skeleton: Any) -> np.ndarray:
        digest = hashlib.blake2b(np.ascontiguousarray(frames).data, digest_size=12).hexdigest()
        path = folder / "commonness" / f"{digest}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{os.getpid()}.npy")
            np.save(temporary, find(frames, skeleton), allow_pickle=False)
            temporary.rename(path)
        return np.load(path, allow_pickle=False)

    lab_data.commonness = remembered
