"""Interrupt `poselift lift` and `poselift train` at random moments, and report half-written files and lost work.

    python benchmarks/interrupt.py --data mocap17.npz --out DIR [--moments 30] [--seed 0]

Each verb runs once to its end, and then for each signal so many times, each time with the signal at a random moment
between its start and the end that it had. Then the same command is given again in the same folder and must come to the
results of the run that was not interrupted, to the bit. Processes are forked from this one, which has imported
everything, so that the moments fall into the work and not into Python's start.
"""

import argparse
import importlib
import json
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import onnx
import safetensors.numpy
import torch
from google.protobuf.message import DecodeError

import poselift
from poselift.cli import main as poselift_main
from poselift.errors import CheckpointError
from poselift.lab.run.folder import RunFolder

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)
TRAIN = (
    "train mocap --lifter graph_lifter:GraphLifter --model.in-frames 3 --model.width 8 --model.layers 1 --device cpu "
    "--precision fp32 --data.rare 0 --evaluate-every 0 --batch-size 16 --steps 300 --log-every 1 --checkpoint-every 10"
).split()
"""A training of some seconds, which writes a checkpoint every tenth step; its lifter is quick to export."""
BROKEN = (ArithmeticError, EOFError, LookupError, OSError, RuntimeError, ValueError, pickle.UnpicklingError)
"""Errors of readers of files that are not whole."""


@dataclass
class Count:
    """What a signal did to a verb."""

    verb: str
    signal: str
    runs: int = 0
    """Runs that got the signal before they had ended."""
    half_files: int = 0
    """Files that cannot be read, or differ from those of the whole run."""
    temporary_after: int = 0
    """Runs that left temporary files."""
    temporary_later: int = 0
    """Runs whose temporary files the next run left as well."""
    lost_steps: int = 0
    """Most steps of training that were in the log and in no checkpoint."""
    other_results: int = 0
    """Runs that came to other results after the command was given again."""
    odd_status: int = 0
    """Runs that ended otherwise than by this signal's status, or that went on otherwise than with 0."""


@dataclass(frozen=True)
class Verb:
    """A command line that is interrupted, and what is looked at afterwards."""

    name: str
    arguments: Callable[[Path], Sequence[str]]
    """Arguments for a folder."""
    half_files: Callable[[Path, Path], Sequence[str]]
    """Names of half-written files in a folder, which is compared with that of the whole run."""
    same: Callable[[Path, Path], bool]
    """Whether a folder holds the results of the whole run."""
    resumes: bool = False
    """Whether it is a training, which goes on from its last checkpoint."""


def run(arguments: Sequence[str], interrupt: tuple[int, float] | None = None) -> tuple[int, float]:
    """Run poselift in a process, and send it a signal after some seconds; returns its status and its seconds."""
    process = multiprocessing.get_context("fork").Process(target=_work, args=(list(arguments),))
    start = time.monotonic()
    process.start()
    if interrupt is not None and process.pid is not None:
        number, moment = interrupt
        process.join(moment)
        if process.exitcode is None:
            os.kill(process.pid, number)
    process.join()
    assert process.exitcode is not None
    return process.exitcode, time.monotonic() - start


def _work(arguments: list[str]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    for number in SIGNALS[:2]:
        signal.signal(number, signal.SIG_DFL)
    sys.exit(poselift_main(arguments))


def temporary_files(folder: Path) -> list[str]:
    """Return the names of hidden files, as which all files are written first."""
    return [file.name for file in folder.glob(".*")]


def changed_files(folder: Path, whole: Path) -> list[str]:
    """Return the names of files whose bytes differ from those of the same name in another folder."""
    files = [file for file in folder.glob("*") if not file.name.startswith(".")]
    return [file.name for file in files if file.read_bytes() != (whole / file.name).read_bytes()]


def same_files(folder: Path, whole: Path) -> bool:
    """Return whether two folders hold the same files, to the bit."""
    names = [sorted(file.name for file in path.glob("*")) for path in (folder, whole)]
    return names[0] == names[1] and not changed_files(folder, whole)


def unreadable_files(folder: Path, whole: Path) -> list[str]:
    """Return the names of files of a training that cannot be read to their end."""
    readers: dict[str, Callable[[Path], object]] = {
        ".json": lambda path: json.loads(path.read_text()),
        ".jsonl": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
        ".pt": lambda path: torch.load(path, weights_only=True),
        ".onnx": lambda path: onnx.checker.check_model(onnx.load(path)),
        ".safetensors": safetensors.numpy.load_file,
    }
    broken = []
    for file in folder.glob("[!.]*.*"):
        try:
            readers[file.suffix](file)
        except (*BROKEN, onnx.checker.ValidationError, DecodeError, safetensors.SafetensorError) as error:
            broken.append(f"{file.name}: {error}")
    return broken


def same_weights(folder: Path, whole: Path) -> bool:
    """Return whether two trainings have ended with the same weights, to the bit, and with all their files."""
    names = [sorted(file.name for file in path.glob("*")) for path in (folder, whole)]
    states = [torch.load(path / "checkpoint.pt", weights_only=True) for path in (folder, whole)]
    weights = [
        state["model"] | {f"average.{name}": value for name, value in state["average"].items()} for state in states
    ]
    return names[0] == names[1] and all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def lost_steps(folder: Path) -> int:
    """Return the number of steps that are in the log of a training and in no checkpoint."""
    lines = RunFolder(folder, {}).lines()
    checkpoint = folder / "checkpoint.pt"
    saved = torch.load(checkpoint, weights_only=True)["step"] if checkpoint.exists() else 0
    return max(lines[-1]["step"] - saved, 0) if lines else 0


def interrupt_verb(verb: Verb, number: int, seconds: float, parts: Sequence[float], out: Path) -> Count:
    """Interrupt a verb after each of these parts of the seconds that it takes, and give its command again each time."""
    count, folder, whole = Count(verb.name, signal.Signals(number).name), out / verb.name, out / f"{verb.name}_whole"
    for part in parts:
        while True:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            status, took = run(verb.arguments(folder), (number, part * seconds))
            if took >= part * seconds:
                break
            seconds = took  # it ended before the signal: the machine is less busy now
        count.runs += 1
        killed = -number if number == signal.SIGKILL else 128 + number
        count.odd_status += status not in (killed, -number, 0)
        count.half_files += len(verb.half_files(folder, whole))
        left = bool(temporary_files(folder))
        count.temporary_after += left
        if verb.resumes:
            count.lost_steps = max(count.lost_steps, lost_steps(folder))
        again, _ = run(verb.arguments(folder))
        count.odd_status += again != 0
        count.temporary_later += bool(temporary_files(folder))
        count.other_results += not verb.same(folder, whole)
    return count


def part_of(archive: Path, path: Path, clips: int = 3) -> Path:
    """Write an archive with the shortest clips of the splits train and dev of another, so many of each."""
    with np.load(archive) as content:
        arrays = {name: content[name] for name in content.files}
    lengths = np.diff(arrays["offsets"])
    chosen = np.concatenate(
        [
            sorted(np.flatnonzero(arrays["split"] == split), key=lambda clip: lengths[clip])[:clips]
            for split in ("train", "dev")
        ]
    )
    frames = np.concatenate([np.arange(*arrays["offsets"][clip : clip + 2]) for clip in chosen])
    offsets = np.cumsum([0, *lengths[chosen]])
    by_frame, by_clip = ("pose", "root"), ("names", "subjects", "split", "bones")
    cut = {name: arrays[name][frames] for name in by_frame} | {
        name: arrays[name][chosen] for name in by_clip if name in arrays
    }
    np.savez(path, **(arrays | cut | {"offsets": offsets}))
    return path


def verbs(archive: Path) -> list[Verb]:
    """Return the verbs that are interrupted."""
    demo = Path(poselift.__file__).parent / "data" / "demo.npz"
    return [
        Verb("lift", lambda out: ["lift", str(demo), "--out", str(out), "--force"], changed_files, same_files),
        Verb(
            "train", lambda out: [*TRAIN, "--data", str(archive), "--out", str(out)], unreadable_files, same_weights,
            resumes=True,
        ),
    ]  # fmt: skip


def main() -> None:
    """Read the command line, interrupt each verb by each signal, and write the counts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="motion capture laid out like mocap17.npz")
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and for interrupt.json")
    parser.add_argument("--moments", type=int, default=30, help="runs for each verb and signal")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    given = parser.parse_args()
    torch.set_num_threads(1)
    for module in ("poselift.cli.training", "torch._dynamo", "onnxscript"):  # before processes are forked
        importlib.import_module(module)
    sys.path.append(str(Path(__file__).parents[1] / "examples"))
    given.out.mkdir(parents=True, exist_ok=True)
    counts = []
    for verb in verbs(part_of(given.data, given.out / "part.npz")):
        whole = given.out / f"{verb.name}_whole"
        shutil.rmtree(whole, ignore_errors=True)
        status, seconds = run(verb.arguments(whole))
        if status:
            raise CheckpointError(f"poselift {verb.name} ends with {status} when it is not interrupted")
        print(f"{verb.name} takes {seconds:.1f} s", flush=True)
        for number in SIGNALS:
            drawn = random.Random(f"{given.seed} {verb.name} {number}")
            parts = [drawn.random() for _ in range(given.moments)]
            counts.append(interrupt_verb(verb, number, seconds, parts, given.out))
            print(json.dumps(asdict(counts[-1])), flush=True)
    (given.out / "interrupt.json").write_text(json.dumps([asdict(count) for count in counts], indent=1) + "\n")


if __name__ == "__main__":
    main()
