"""Measure on a device how fast poselift's weights lift, and collect such measurements in a page.

    pip install poselift
    python scripts/device.py [--out MACHINE.json] [--lifters NAME ...] [--seconds 2]
    python scripts/device.py --page                 # in a checkout: docs/devices/*.json into docs/devices.md

One command, no data; torch is used where it is installed. Each network runs in a process of its own, on one thread that
is held on one core. The file says what the machine is, which share of its highest frequency the core ran at, how much
memory a network takes, and the energy of a frame where the machine tells it (Intel's and AMD's RAPL); what it does not
tell is named. Send the file as docs/devices/MACHINE.json.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from marked import with_marked

import poselift as pl

ROOT = Path(__file__).resolve().parents[1]
PAGE, FOLDER = ROOT / "docs" / "devices.md", ROOT / "docs" / "devices"
FORMAT = 1
BATCH = 64
"""Windows at a time in bulk."""
SYSTEM = Path("/")
"""Root of the files that the system tells by; the tests have their own."""
ROW = {
    "lifter": str, "in_frames": int, "out_frames": int, "window_ms": float, "bulk_frame_ms": float, "push_ms": float,
    "torch_ms": dict, "memory_mib": float, "frequency_mhz": float, "frequency_share": float,
    "millijoule_a_frame": float,
}  # fmt: skip
"""Fields of a row with their types; those that a machine may not tell can be null."""
NULLABLE = {"torch_ms", "memory_mib", "frequency_mhz", "frequency_share", "millijoule_a_frame"}
COLUMNS = (
    "weights", "windows/s", "K", "frames/s, K a window", "frames/s in bulk", "ms a window in torch", "ms a push",
    "memory, MiB", "MHz, share", "mJ a frame",
)  # fmt: skip
"""Heads of the page's tables."""
FORMS = ("published", "eager", "folded")
"""Forms in torch: the authors' steps, ours, and the network folded for inference."""
MACHINE = ("machine", "model", "system", "poselift", "onnxruntime", "date", "energy", "frequency", "load")
"""Fields of a file beside its rows, all of them text."""


def text_of(path: str) -> str | None:
    """Return what a system's file says, without spaces and zero bytes at its ends; None if it cannot be read."""
    try:
        return (SYSTEM / path).read_text(encoding="utf-8", errors="replace").strip(" \n\0")
    except OSError:
        return None


def number_of(path: str) -> float | None:
    """Return the number in a system's file; None if there is none."""
    text = text_of(path)
    return float(text) if text and re.fullmatch(r"[\d.]+", text) else None


def megahertz(core: int) -> float | None:
    """Return the frequency of a core now, in MHz; None where the system does not tell."""
    kilohertz = number_of(f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_cur_freq")
    if kilohertz is not None:
        return kilohertz / 1000
    found = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", text_of("proc/cpuinfo") or "", re.MULTILINE)
    return float(found[core]) if core < len(found) else None


def highest_megahertz(core: int) -> float | None:
    """Return the highest frequency of a core, in MHz; None where the system does not tell."""
    kilohertz = number_of(f"sys/devices/system/cpu/cpu{core}/cpufreq/cpuinfo_max_freq")
    return None if kilohertz is None else kilohertz / 1000


class Energy:
    """The processor's counter of energy (RAPL, the first package)."""

    folder = "sys/class/powercap/intel-rapl:0"

    def __init__(self) -> None:
        """Look for the counter; `why` says why there is none, and is empty where there is one."""
        self.why = ""
        if not (SYSTEM / self.folder).is_dir():
            self.why = "not told: no RAPL counter (/sys/class/powercap/intel-rapl:0)"
        elif number_of(f"{self.folder}/energy_uj") is None:
            self.why = "not told: the RAPL counter may be read by root only"

    def joules(self) -> float | None:
        """Return the counter, in joules; None where there is none."""
        microjoules = None if self.why else number_of(f"{self.folder}/energy_uj")
        return None if microjoules is None else microjoules / 1e6

    def between(self, before: float | None, after: float | None) -> float | None:
        """Return the joules from one reading to the next; the counter may have begun anew once."""
        if before is None or after is None:
            return None
        if after < before:
            most = number_of(f"{self.folder}/max_energy_range_uj")
            return None if most is None else after - before + most / 1e6
        return after - before


def peak_mib() -> float | None:
    """Return the peak memory of this process in MiB; None where the system does not tell (all but Linux)."""
    found = re.search(r"^VmHWM:\s*(\d+) kB", text_of("proc/self/status") or "", re.MULTILINE)
    return int(found[1]) / 1024 if found else None


def seconds_a_call(call: Callable[[], Any], seconds: float, least: int = 5) -> tuple[float, int]:
    """Return the processor time of a call in seconds, the median without the first one, and the number of calls."""
    taken: list[float] = []
    began = time.perf_counter()
    while len(taken) < least or time.perf_counter() - began < seconds:
        before = time.process_time()
        call()
        taken.append(time.process_time() - before)
    return statistics.median(taken[1:]), len(taken)


def measure(name: str, seconds: float, *, in_torch: bool) -> dict[str, Any]:
    """Return the row of one lifter, measured in this process on one core.

    Args:
        name: Name of shipped weights, or path of an .onnx file.
        seconds: Duration of each of the three measurements.
        in_torch: Measure `forms` too.
    """
    core = 0
    if hasattr(os, "sched_setaffinity"):
        core = min(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {core})
    before = peak_mib()
    lifter = pl.load_lifter(name, threads=1)
    shape = (lifter.in_frames, len(lifter.skeleton), lifter.in_channels)
    windows = np.random.default_rng(0).uniform(-1, 1, (BATCH, *shape)).astype(np.float32)
    frames, energy = len(lifter.out_frames), Energy()
    with Frequency(core) as frequency:
        window_s, _ = seconds_a_call(lambda: lifter(windows[:1]), seconds)
        start = energy.joules()
        bulk_s, calls = seconds_a_call(lambda: lifter(windows), seconds)
        joules = energy.between(start, energy.joules())
        after = peak_mib()
        push_s, _ = seconds_a_call(pushes(lifter), seconds)
    mean, most = frequency.mean, highest_megahertz(core)
    numbers = {
        "window_ms": 1000 * window_s, "bulk_frame_ms": 1000 * bulk_s / (BATCH * frames), "push_ms": 1000 * push_s,
        "memory_mib": None if before is None or after is None else after - before,
        "frequency_mhz": mean, "frequency_share": None if mean is None or most is None else mean / most,
        "millijoule_a_frame": None if joules is None else 1000 * joules / (calls * BATCH * frames),
    }  # fmt: skip
    rounded = {key: None if value is None else float(f"{value:.4g}") for key, value in numbers.items()}
    torch_ms = forms(lifter, seconds) if in_torch else None
    return {"lifter": name, "in_frames": lifter.in_frames, "out_frames": frames, "torch_ms": torch_ms} | rounded


def forms(lifter: pl.Lifter, seconds: float) -> dict[str, float] | None:
    """Return the processor's milliseconds of a window in torch, by form: the authors' steps, ours, and folded.

    None without torch, or for weights that do not name their network.
    """
    training = getattr(getattr(lifter, "card", None), "training", None)
    try:
        import torch

        from poselift.lab.export.forms import example, fold, published
        from poselift.lab.models.registry import build_stored
    except ImportError:
        return None
    if training is None:
        return None
    torch.set_num_threads(1)
    recipe = training.recipe
    model = build_stored(recipe["lifter"], recipe["model"], "the card").eval().requires_grad_(False)
    x = example(model, 1)
    made = {"published": published(model), "eager": model, "folded": fold(model)}
    return {
        name: float(f"{1000 * seconds_a_call(lambda form=form: form(x), seconds)[0]:.4g}")
        for name, form in made.items()
    }


def pushes(lifter: pl.Lifter) -> Callable[[], Any]:
    """Return a call that pushes the next frame of the package's clip into a stream; a window is lifted for each."""
    with resources.as_file(resources.files("poselift") / "data" / "demo.npz") as path:
        (person,) = pl.read_keypoints(path)
    ahead = lifter.in_frames - 1 - lifter.out_frames[-1]
    live = pl.LiveLifter(lifter, delay_s=ahead / lifter.fps)
    keypoints = np.concatenate([person.xy, person.confidence[..., None]], -1)
    pushed = 0

    def push() -> Any:
        nonlocal pushed
        pushed += 1
        there_and_back = pushed % (2 * len(keypoints) - 2)
        place = min(there_and_back, 2 * len(keypoints) - 2 - there_and_back)
        return live.push(keypoints[place], person.skeleton, pushed / lifter.fps)

    for _ in range(lifter.in_frames):
        push()
    return push


class Frequency:
    """Reads a core's frequency ten times a second while something else is measured."""

    def __init__(self, core: int) -> None:
        self.core, self.read, self._done = core, list[float](), threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> "Frequency":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._done.wait(0.1):
            if (now := megahertz(self.core)) is not None:
                self.read.append(now)

    @property
    def mean(self) -> float | None:
        """Mean in MHz; None where the system does not tell."""
        return statistics.mean(self.read) if self.read else None


def describe() -> dict[str, str]:
    """Return what the machine says of itself."""
    from poselift.measure.speed import machine

    governor = text_of("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return {
        "machine": machine(),
        "model": text_of("proc/device-tree/model") or text_of("sys/class/dmi/id/product_name") or "not told",
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "poselift": pl.__version__, "onnxruntime": onnxruntime.__version__, "date": time.strftime("%Y-%m-%d"),
        "energy": Energy().why or "RAPL, the whole package, while one core lifts in bulk",
        "frequency": f"governor {governor}" if governor else "not told: no cpufreq",
        "load": f"{load:.1f} before the measurement",
    }  # fmt: skip


def check(content: Any, where: str) -> dict[str, Any]:
    """Return the content of a measurement's file.

    Raises:
        SystemExit: It is none; the message names the file and the field.
    """
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise SystemExit(f"{where}: wanted a file of scripts/device.py with format {FORMAT}")
    for name in MACHINE:
        if not isinstance(content.get(name), str) or "|" in content[name] or "\n" in content[name]:
            raise SystemExit(f"{where}, {name}: wanted a line of text, got {content.get(name)!r}")
    rows = content.get("rows")
    if not isinstance(rows, list) or not rows:
        raise SystemExit(f"{where}: wanted rows, got {rows!r}")
    for row in rows:
        for name, kind in ROW.items():
            value = row.get(name) if isinstance(row, dict) else None
            wanted = (int, float) if kind is float else (kind,)
            if not (type(value) in wanted or (value is None and name in NULLABLE and isinstance(row, dict))):
                raise SystemExit(f"{where}, {name}: wanted {kind.__name__}, got {value!r}")
        torch_ms = row["torch_ms"]
        if torch_ms is not None and not all(type(torch_ms.get(form)) in (int, float) for form in FORMS):
            raise SystemExit(f"{where}, torch_ms: wanted numbers for {', '.join(FORMS)}, got {torch_ms!r}")
    return content


def tables(found: Sequence[dict[str, Any]]) -> str:
    """Return the tables of measurements in Markdown, one for each machine."""
    parts = []
    for content in found:
        parts.append(
            f"## {content['machine']}\n\n{content['model']}; {content['system']}; poselift {content['poselift']}, ONNX "
            f"Runtime {content['onnxruntime']}; {content['date']}; load {content['load']}. Frequency: "
            f"{content['frequency']}. Energy: {content['energy']}."
        )
        lines = [f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
        for row in content["rows"]:
            windows, bulk = 1000 / max(row["window_ms"], 1e-6), 1000 / max(row["bulk_frame_ms"], 1e-6)
            frequency = f"{_told(row['frequency_mhz'], '{:.0f}')}, {_told(row['frequency_share'], '{:.0%}')}"
            cells = [f"`{row['lifter']}`", f"{windows:,.0f}", str(row["out_frames"])]
            cells += [f"{windows * row['out_frames']:,.0f}", f"{bulk:,.0f}", _in_torch(row["torch_ms"])]
            cells += [f"{row['push_ms']:.1f}"]
            cells += [_told(row["memory_mib"], "{:.0f}"), frequency, _told(row["millijoule_a_frame"], "{:.2f}")]
            lines.append(f"| {' | '.join(cells)} |")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _in_torch(forms: dict[str, float] | None) -> str:
    """Return the milliseconds of the authors' steps, of ours and of the folded network."""
    return "-" if forms is None else " / ".join(f"{forms[name]:.1f}" for name in FORMS)


def _told(value: float | None, shape: str) -> str:
    return "-" if value is None else shape.format(value)


def with_tables(page: str, folder: Path) -> str:
    """Return the page's text with the tables of all files in a folder, by name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(check(json.loads(path.read_text(encoding="utf-8")), path.name))
        except (ValueError, OSError) as error:
            raise SystemExit(f"{path.name}: not JSON: {error}") from error
    return with_marked(page, "devices", f"\n{tables(found)}\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("device.json"), help="file to write; it must not exist")
    parser.add_argument("--lifters", nargs="*", default=list(pl.shipped_lifters()), help="names of weights, or files")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each of three measurements of each lifter")
    parser.add_argument("--no-torch", action="store_true", help="do not measure in torch, even where it is installed")
    parser.add_argument("--page", action="store_true", help="measure nothing; write docs/devices.md anew")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.page:
        PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8"), FOLDER), encoding="utf-8")
        return 0
    if args.one:
        print(json.dumps(measure(args.one, args.seconds, in_torch=not args.no_torch)))
        return 0
    if args.out.exists():
        raise SystemExit(f"{args.out} exists; name another file with --out")
    content: dict[str, Any] = {"format": FORMAT} | describe() | {"rows": []}
    for name in args.lifters:
        command = [sys.executable, str(Path(__file__)), "--one", name, "--seconds", str(args.seconds)]
        command += ["--no-torch"] * args.no_torch
        done = subprocess.run(command, capture_output=True, text=True, timeout=600 + 20 * args.seconds)
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr.strip()[-500:]}")
        content["rows"].append(json.loads(done.stdout.splitlines()[-1]))
        print(f"{name}: {1000 / content['rows'][-1]['bulk_frame_ms']:,.0f} frames/s in bulk", flush=True)
    text = json.dumps(check(content, str(args.out)), indent=1) + "\n"
    temporary = args.out.with_name(f".{args.out.name}.part")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(args.out)
    print(f"-> {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
