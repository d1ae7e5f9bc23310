"""What networks.py says of its runs: errors, cost, the frontier between them, and curves over steps.

Used by networks.py. Results are read from the folder of the runs: NAME/result.json, NAME/log.jsonl, NAME/checkpoint.pt
and cost.json. `complete` and `measure_cost` fill in what a run has not measured itself.
"""

import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import differences
import numpy as np
import onnxruntime
import workers

from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, published
from poselift.lab.export.onnx import export_onnx
from poselift.lab.models.baselines.videopose3d import VideoPose3D, whole_clip
from poselift.lab.models.lifter import Lifter
from poselift.lab.models.registry import build_stored
from poselift.lab.run.torch_file import read_torch_file
from poselift.lab.train import TorchLifter
from poselift.measure.recording import Recording

BULK = 256
"""Frames that come out of a call in bulk, or a little more: windows at a time differ, so that all lift as much."""
TURNS = 5
"""Times that each network is measured, in turns; the median counts."""
Runs = Mapping[str, Sequence[dict[str, Any]]]
"""The results of a row's runs by the row's name."""


def clip_form(model: Lifter) -> Lifter:
    """Return the network's form for whole clips, where it has one of its own; it is the same function of keypoints."""
    alone = isinstance(model, VideoPose3D) and len(model.out_frames) == 1 and not model.config.same_frames
    return whole_clip(model, BULK).eval() if alone else model


def lifter_of(folder: Path) -> TorchLifter:
    """Return the lifter of a run's last checkpoint: its averaged weights, in the form for whole clips."""
    recipe = json.loads((folder / "recipe.json").read_text(encoding="utf-8"))
    model = build_stored(recipe["lifter"], recipe["model"], str(folder))
    state = read_torch_file(folder / "checkpoint.pt")
    if state["step"] < recipe["steps"]:
        raise SystemExit(f"{folder}: stopped at step {state['step']} of {recipe['steps']}; finish it first")
    model.load_state_dict(state["average"])
    return TorchLifter(clip_form(model.eval()))


def complete(names: Sequence[str], out: Path, recordings: Mapping[str, Path]) -> None:
    """Measure finished runs on real recordings where they were not, and put the scores into their result.json.

    Args:
        names: Names of the runs.
        out: Folder of the runs.
        recordings: Recordings by the name that their scores get; `real` and `seated` are in the table.
    """
    opened = {name: Recording(path) for name, path in recordings.items()}
    for run in names:
        result = workers.result(out, run)
        missing = [name for name in opened if result is not None and f"{name}_bones" not in result]
        if result is None or not missing:
            continue
        lifter = lifter_of(out / run)
        for name in missing:
            means = [opened[name].score(lifter, view).mean for view in opened[name].people]
            result[name] = [mean["p_mpjpe"] for mean in means]
            result[f"{name}_bones"] = [mean["bone_direction_aligned"] for mean in means]
        workers.write(out / run / "result.json", json.dumps(result) + "\n")
        print(f"{run}: {', '.join(missing)}", flush=True)


def measure_cost(models: Mapping[str, Lifter], path: Path, turns: int = TURNS) -> None:
    """Measure what networks cost, all in one run and in turns, and write it to a file.

    Args:
        models: Networks by row; their weights do not matter.
        path: File that gets, by row, `parameters`, `macs` of a frame, `bulk_ms` and `single_ms` (processor time of a
            frame in bulk, and of a call with one window), `out_frames` of that window, and `memory_mib`.
        turns: Times that each network is measured.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    found: dict[str, dict[str, float]] = {}
    calls: dict[tuple[str, str], Callable[[], Any]] = {}
    frames: dict[tuple[str, str], int] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, single) in enumerate(models.items()):
            single = single.eval()
            bulk = clip_form(single)
            found[name] = {
                "parameters": count_parameters(single),
                "macs": count_macs(published(bulk), example(bulk, 1)) / len(bulk.out_frames),
                "out_frames": len(single.out_frames),
            }
            for kind, model in (("bulk_ms", bulk), ("single_ms", single)):
                file = Path(folder) / f"{number}-{kind}.onnx"
                export_onnx(model, file)
                windows = 1 if kind == "single_ms" else max(-(-BULK // len(model.out_frames)), 1)
                session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
                feed = {"keypoints": example(model, windows).numpy()}
                calls[name, kind] = lambda session=session, feed=feed: session.run(None, feed)
                frames[name, kind] = windows * len(model.out_frames) if kind == "bulk_ms" else 1
                if kind == "bulk_ms":
                    found[name]["memory_mib"] = memory_mib(file, [*feed["keypoints"].shape])
        spent: dict[tuple[str, str], list[float]] = {key: [] for key in calls}
        for turn in range(turns + 1):
            for key, call in calls.items():
                times = [_seconds(call) for _ in range(3)]
                if turn:  # the first turn only warms up
                    spent[key].append(min(times[1:]))
        for (name, kind), times in spent.items():
            found[name][kind] = 1000 * statistics.median(times) / frames[name, kind]
    workers.write(path, json.dumps(found, indent=2) + "\n")


def _seconds(call: Callable[[], Any]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


_PEAK = """
import sys, numpy, onnxruntime
def peak():
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith("VmHWM")) / 1024
before, options = peak(), onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(None, {"keypoints": numpy.zeros([int(n) for n in sys.argv[2:]], numpy.float32)})
print(peak() - before)
"""


def memory_mib(file: Path, shape: Sequence[int]) -> float:
    """Return by how much opening a network and lifting a batch raises a process's peak memory, in MiB (Linux only)."""
    command = [sys.executable, "-c", _PEAK, str(file), *map(str, shape)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    return round(float(said), 1)


def frontier(points: Mapping[str, tuple[float, float]]) -> list[str]:
    """Return the names of the points that no other beats in both, from the cheapest on.

    Args:
        points: Cost and error by name; less is better in both.
    """
    kept: list[str] = []
    for name, (_, error) in sorted(points.items(), key=lambda item: item[1]):
        if not kept or error < points[kept[-1]][1]:
            kept.append(name)
    return kept


ERRORS: Sequence[tuple[str, Callable[[dict[str, Any]], float | None], int]] = (
    ("P-MPJPE", lambda run: run["exact"]["p_mpjpe"], 1),
    ("with errors", lambda run: run["noisy"]["p_mpjpe"], 1),
    ("MPJPE", lambda run: run["exact"]["mpjpe"], 1),
    ("with errors", lambda run: run["noisy"]["mpjpe"], 1),
    ("bones, °", lambda run: run["exact"]["bone_direction_aligned"], 1),
    ("with errors", lambda run: run["noisy"]["bone_direction_aligned"], 1),
    ("MPJVE", lambda run: run["exact"]["mpjve"], 1),
    ("walking man", lambda run: statistics.mean(run["real"]) if "real" in run else None, 1),
    ("seated man", lambda run: statistics.mean(run["seated"]) if "seated" in run else None, 1),
)
"""Columns of the table of errors: head, value of a run, decimal places."""


def errors_table(runs: Runs, best: Sequence[str] = ()) -> str:
    """Return the table of errors in Markdown, sorted by P-MPJPE with errors; the names in `best` are bold."""
    lines = [_line(["", "seeds", *(head for head, _, _ in ERRORS)])]
    lines.append("|" + "---|" * (2 + len(ERRORS)))
    for name in _by_error(runs):
        cells = [f"**{name}**" if name in best else name, str(len(runs[name]))]
        for _, value, digits in ERRORS:
            values = [found for run in runs[name] if (found := value(run)) is not None]
            cells.append(differences.mean_and_spread(values, digits) if values else "")
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def tables(runs: Runs, cost: Mapping[str, Mapping[str, float]]) -> str:
    """Return the two tables in Markdown, of errors and of cost; names on the frontier between them are bold.

    Args:
        runs: Results of the runs that are done.
        cost: What `measure_cost` found; a row without has empty cells.
    """
    heads = ("", "steps", "s a step", "parameters, M", "MMACs a frame", "bulk, ms a frame", "one window, ms",
             "frames of it", "memory, MiB")  # fmt: skip
    lines = [errors_table(runs, frontier(_points(runs, cost))), _line(heads), "|" + "---|" * len(heads)]
    for name in _by_error(runs):
        first, has = runs[name][0], cost.get(name, {})
        cells = [name, f"{first['steps']:,}", f"{min(run['step_s'] for run in runs[name]):.2f}"]
        if has:
            cells += [f"{has['parameters'] / 1e6:.2f}", f"{has['macs'] / 1e6:.1f}", f"{has['bulk_ms']:.3f}",
                      f"{has['single_ms']:.2f}", str(has["out_frames"]), f"{has['memory_mib']:.0f}"]  # fmt: skip
        lines.append(_line([*cells, *[""] * (len(heads) - len(cells))]))
    return "\n".join(lines) + "\n"


def _by_error(runs: Runs) -> list[str]:
    return sorted(runs, key=lambda name: statistics.mean(run["noisy"]["p_mpjpe"] for run in runs[name]))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _points(runs: Runs, cost: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    """Return processor time of a frame in ms and P-MPJPE with detector errors in mm, by row."""
    return {
        name: (cost[name]["bulk_ms"], statistics.mean(run["noisy"]["p_mpjpe"] for run in runs[name]))
        for name in runs
        if name in cost
    }


def plot(runs: Runs, cost: Mapping[str, Mapping[str, float]], curves: Mapping[str, np.ndarray], path: Path) -> None:
    """Draw error over cost with its frontier, and training losses over steps.

    Args:
        runs: Results of the runs that are done.
        cost: What `measure_cost` found.
        curves: By row (N, 2), step and training loss in mm.
        path: The PNG file; it is replaced.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    points = _points(runs, cost)
    best = frontier(points)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(14, 6), width_ratios=(3, 2), layout="constrained")
    order = sorted(points, key=lambda name: points[name][1])
    for number, name in enumerate(order, 1):
        x, y = points[name]
        ours = name.startswith(OURS)
        left.scatter(x, y, 45, color="#c33" if ours else "#357", marker="o" if ours else "s", zorder=3,
                     label=f"{number}  {name}")  # fmt: skip
        left.annotate(str(number), (x, y), xytext=(6, 4), textcoords="offset points", fontsize=10)
    if best:
        xs, ys = zip(*(points[name] for name in best), strict=True)
        left.step(xs, ys, where="post", color="#999", linewidth=1.2, zorder=1)
        left.set_xscale("log")
        left.xaxis.set_major_formatter("{x:g}")
    left.set_xlabel("processor time of a frame in bulk, ms")
    left.set_ylabel("P-MPJPE with detector errors, mm")
    left.set_title("error over cost; the gray line is the frontier, red are our four families", fontsize=10)
    left.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.12), ncols=2, frameon=False)
    for name, curve in curves.items():
        if len(curve):
            number = order.index(name) + 1 if name in order else "-"
            (line,) = right.loglog(*curve.T, linewidth=1, alpha=0.9, label=str(number))
            right.annotate(str(number), curve[-1], fontsize=9, color=line.get_color(), xytext=(3, -3),
                           textcoords="offset points")  # fmt: skip
    for axis in (right.xaxis, right.yaxis):
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    right.set_xlabel("steps")
    right.set_ylabel("training loss of joints, mm")
    right.set_title("the same runs while they train", fontsize=10)
    for axes in (left, right):
        axes.grid(True, which="both", alpha=0.25)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


OURS = ("NanoHTNet", "HTNet", "PoseSSM", "ConvFormer")
"""Beginnings of the names of rows of our four families."""


def curve_of(folders: Sequence[Path]) -> np.ndarray:
    """Return (N, 2): steps that all logs have, and the mean of their losses in mm."""
    logs = []
    for folder in folders:
        path = folder / "log.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        logs.append({line["step"]: line["loss_mm"] for line in lines})
    steps = sorted(set.intersection(*(set(log) for log in logs))) if logs else []
    return np.array([[step, statistics.mean(log[step] for log in logs)] for step in steps]).reshape(-1, 2)


def with_tables(page: str, made: str, place: str = "networks") -> str:
    """Return a page's text with tables in their place, between the comments `<!-- PLACE -->` and `<!-- /PLACE -->`."""
    marked = re.compile(f"(?<=<!-- {place} -->\n).*?(?=<!-- /{place} -->)", re.DOTALL)
    if not marked.search(page):
        raise SystemExit(f"the page lacks <!-- {place} --> and <!-- /{place} -->; put them where the tables belong")
    return marked.sub(lambda _: f"\n{made}\n", page, count=1)
