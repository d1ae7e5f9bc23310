"""The dated page of `poselift benchmark`, the same as JSON, and its plot."""

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import onnxruntime
import torch

from poselift.lab.export.efficiency import FORMS, EfficiencyConfig, Row
from poselift.lab.export.roofline import SIDE
from poselift.lifters.load import load_lifter
from poselift.lifters.onnx import PIECE
from poselift.measure.push import SKIPPED, PushCost, measure_push
from poselift.measure.speed import machine
from poselift.read import read_keypoints

PUSHES: tuple[tuple[str, float, int], ...] = (
    ("nanohtnet.mocap27-live", 0.0, 1),
    ("nanohtnet.mocap27-live", 0.16, 1),
    ("nanohtnet.mocap27-live", 0.24, 1),
    ("nanohtnet.mocap27-243", 2.58, 1),
    ("nanohtnet.mocap27-live", 0.0, 4),
)
"""Streams of the page: weights, delay in seconds, people."""
FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimd")
"""Instructions of a processor that matter to matrix products."""


def measure_pushes(pushes: int) -> list[PushCost]:
    """Push so many frames of the bundled clip to each stream of `PUSHES`."""
    (person,) = read_keypoints(str(resources.files("poselift") / "data" / "demo.npz"))
    xy, scores = person.filled()
    clip = np.concatenate([xy, scores[..., None]], -1)
    clip = np.concatenate([clip, clip[-2:0:-1]])
    frames = clip[np.arange(pushes + SKIPPED) % len(clip)]
    return [
        measure_push(load_lifter(name, threads=1), name, frames, person.skeleton, delay_s=delay_s, people=people)
        for name, delay_s, people in PUSHES
    ]


def peak_memory(name: str, batch: int) -> dict[str, float]:
    """Return what a process of its own needs that lifts a batch with shipped weights: peak and file, MiB."""
    code = (
        "import pathlib, resource, sys, numpy as np, poselift as pl; l = pl.load_lifter(sys.argv[1], threads=1);"
        "l(np.zeros((int(sys.argv[2]), l.in_frames, len(l.skeleton), l.in_channels), np.float32));"
        "status = pathlib.Path('/proc/self/status');"  # what getrusage says may be the peak of who started the process
        "peak = status.read_text().partition('VmHWM:')[2].split()[:1] if status.exists() else [];"
        "print(float((peak or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0]) / 1024)"
    )
    folder = str(Path(str(resources.files("poselift"))).parent)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", code, name, str(batch)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    return {
        "peak_mib": float(said),
        "file_mib": Path(folder, "poselift", "weights", f"{name}.onnx").stat().st_size / 2**20,
    }


def surroundings() -> dict[str, Any]:
    """Return the machine and the versions."""
    flags = ""
    if Path("/proc/cpuinfo").exists():
        flags = next((x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith(("flags", "Feat"))), "")
    return {
        "machine": machine(),
        "flags": [flag for flag in FLAGS if flag in flags.split()],
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
        "onnxruntime": onnxruntime.__version__,
        "omp_wait_policy": os.environ.get("OMP_WAIT_POLICY", "not set"),
    }


def numbers(
    rows: Sequence[Row], pushes: Sequence[PushCost], memory: dict[str, dict[str, float]], settings: EfficiencyConfig,
    about: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Return everything that was measured."""
    return about | {
        "settings": asdict(settings) | {"piece": PIECE},
        "lifters": [
            asdict(row)
            | {
                "matmul_gflops": 2 * row.matmul_rate / 1e6,
                "fraction_of_matmul": row.fraction(),
                "fraction_of_matmul_whole": row.fraction(row.whole_ms),
                "fraction_of_matmul_one": row.fraction(row.latency_ms["onnx"]),
            }
            for row in rows
        ],
        "pushes": [
            asdict(one) | {"median_ratio": one.median_ratio, "mean_ratio": one.mean_ratio, "tail_ratio": one.tail_ratio}
            for one in pushes
        ],
        "memory": memory,
    }


def markdown(
    rows: Sequence[Row], pushes: Sequence[PushCost], memory: dict[str, dict[str, float]], settings: EfficiencyConfig,
    about: dict[str, Any],
) -> str:  # fmt: skip
    """Return the dated page of a run in Markdown; `about` has command, commit, date and `surroundings`."""
    clock = "processor time" if settings.threads == 1 else "time by the clock"
    lines = [
        f"# Efficiency of the lifters, {about['date']}",
        "",
        f"`{about['command']}` at commit {about['commit']}.",
        f"{settings.threads} thread(s) of {about['machine']} with {', '.join(about['flags']) or 'unknown flags'}, load",
        f"average {about['load']}; {about['system']}, Python {about['python']}, numpy {about['numpy']}, torch",
        f"{about['torch']}, ONNX Runtime {about['onnxruntime']}; float32; OMP_WAIT_POLICY {about['omp_wait_policy']}.",
        "",
        f"Fresh weights; medians of calls, {clock}. The forms take turns of many calls, so a network finds its weights",
        "in the cache; taking turns call by call, each would first have to fetch them. *published*: the authors' steps",
        "in torch; *eager*: ours; *folded*: ours for inference; *onnx*: the folded graph in ONNX Runtime, a batch in",
        f"pieces of {PIECE} windows as `OnnxLifter` runs it. Ratios are against *published*. MACs are those of matrix",
        "products and convolutions, in the authors' steps and folded.",
        "",
        "| lifter | parameters | ONNX, MB | MMACs a window | folded | a frame | training ms | largest difference |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.lifter} | {row.parameters:,} | {row.file_bytes / 1e6:.1f} | {row.macs / 1e6:.2f} "
            f"| {row.folded_macs / 1e6:.2f} | {row.macs / row.out_frames / 1e6:.2f} | {row.train_ms:.2f} "
            f"| {row.difference:.1e} |"
        )
    lines += [
        "",
        (
            f"| lifter | one window, ms: {', '.join(FORMS)} | onnx p5, p95, p99 | onnx is faster by | batch of "
            f"{settings.batch}, frames/s: {', '.join(FORMS)} | onnx is faster by |"
        ),
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        one = " / ".join(f"{row.latency_ms[form]:.2f}" for form in FORMS)
        many = " / ".join(f"{row.frames_per_s(form):,.0f}" for form in FORMS)
        tails = ", ".join(f"{row.onnx_ms[name]:.2f}" for name in ("p5", "p95", "p99"))
        lines.append(
            f"| {row.lifter} | {one} | {tails} | {row.speedup('onnx'):.1f}x | {many} "
            f"| {row.speedup('onnx', bulk=True):.1f}x |"
        )
    lines += [
        "",
        f"**Against plain products.** A product of {SIDE} x {SIDE} matrices in ONNX Runtime takes turns with the",
        "batches; the share is the network's multiply-accumulates (folded) a second over the product's.",
        "",
        f"| lifter | product, GFLOP/s | batch of {settings.batch} | the same, whole | one window |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        shares = [row.fraction(), row.fraction(row.whole_ms), row.fraction(row.latency_ms["onnx"])]
        lines.append(
            f"| {row.lifter} | {2 * row.matmul_rate / 1e6:.0f} | {' | '.join(f'{100 * x:.0f} %' for x in shares)} |"
        )
    lines += _push_lines(pushes) + _memory_lines(memory, settings)
    return "\n".join(lines) + "\n"


def _push_lines(pushes: Sequence[PushCost]) -> list[str]:
    if not pushes:
        return []
    lines = [
        "",
        "**Pushes of a stream.** Keypoints of the bundled clip, 50 frames a second; pushes take turns with the",
        "network's window by itself, so that both find cold caches; processor time. Ratios are to its median, the",
        "tail is p99 over the median.",
        "",
        "| weights | delay, ms | people | windows | window, ms | push, ms: p5, median, p95, p99 | median | mean | p99 | tail |",  # noqa: E501
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in pushes:
        took = ", ".join(f"{one.push_ms[name]:.2f}" for name in ("p5", "median", "p95", "p99"))
        lines.append(
            f"| {one.name} | {1000 * one.delay_s:.0f} | {one.people} | {one.windows * one.people:.2f} "
            f"| {one.window_ms['median']:.2f} | {took} | {one.median_ratio:.2f} | {one.mean_ratio:.2f} "
            f"| {one.worst_ratio:.2f} | {one.tail_ratio:.1f} |"
        )
    return lines


def _memory_lines(memory: dict[str, dict[str, float]], settings: EfficiencyConfig) -> list[str]:
    if not memory:
        return []
    lines = ["", f"**Memory.** A process that opens shipped weights and lifts {settings.batch} windows.", ""]
    lines += ["| weights | file, MiB | peak, MiB |", "|---|---|---|"]
    return lines + [f"| {name} | {one['file_mib']:.1f} | {one['peak_mib']:.0f} |" for name, one in memory.items()]


def plot_svg(rows: Sequence[Row], title: str) -> str:
    """Return a drawing of the share of the plain product's rate that each lifter reaches, a bar for each way to run."""
    bars = (
        ("batch", "#0b62a4", lambda row: row.fraction()),
        ("batch, whole", "#8fb8d8", lambda row: row.fraction(row.whole_ms)),
        ("one window", "#c0392b", lambda row: row.fraction(row.latency_ms["onnx"])),
    )
    left, width, step = 230, 480, 56
    height = 70 + step * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 70} {height}" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="20" font-size="14">{escape(title)}</text>',
    ]
    for place, (name, colour, _) in enumerate(bars):
        parts.append(f'<text x="{left + 130 * place}" y="42" fill="{colour}">{escape(name)}</text>')
    for number, row in enumerate(rows):
        top = 54 + step * number
        parts.append(f'<text x="{left - 8}" y="{top + 26}" text-anchor="end">{escape(row.lifter)}</text>')
        for place, (_, colour, share) in enumerate(bars):
            value, y = share(row), top + 15 * place
            parts.append(f'<rect x="{left}" y="{y}" width="{width * min(value, 1):.1f}" height="12" fill="{colour}"/>')
            parts.append(f'<text x="{left + width * min(value, 1) + 5:.1f}" y="{y + 11}">{100 * value:.0f} %</text>')
    return "\n".join([*parts, "</svg>\n"])
