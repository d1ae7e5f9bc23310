"""Let ezc3d read a C3D file in a process of its own, which is ended when it takes too long.

ezc3d (1.7.2) never ends on some damaged files, takes memory without end on others, and may break down. In a process of
its own none of it harms the caller. What it found comes back as an npz file without pickles.
"""

import json
import multiprocessing
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poselift.errors import FormatError, MissingExtraError
from poselift.files import reason_of
from poselift.files.limits import VARIABLE, limits_factor
from poselift.formats import c3d_child

START_S = 30.0
"""Seconds to start Python, numpy and ezc3d, and to read: 1 s takes a laptop, 10 a crowded machine with a cold disk."""
S_PER_MIB = 1.0
"""Seconds more for each MiB of the file; ezc3d reads 30 MiB a second on one core."""
START_BYTES = 2 << 30
"""Memory of Python, numpy and ezc3d: addresses, of which most are never used."""
BYTES_PER_BYTE = 100
"""Memory for each byte of the file; 17 are used for 36,000 frames of 27 points in 18.5 MiB."""


@dataclass(frozen=True)
class Content:
    """What a C3D file holds, as far as it is read."""

    points: np.ndarray
    """(T, J, 3), in the file's unit."""
    residuals: np.ndarray
    """(T, J), in the file's unit; negative where the point is not there."""
    labels: list[str]
    """Names of the J points."""
    unit: str
    """Unit of the points, as the file says it."""
    fps: float
    """Frames a second."""
    analogs: dict[str, np.ndarray]
    """Analog channels (T,) by name; the first sample of each frame."""
    data_start: int
    """Number of the 512-byte block with which the frames begin, from 1."""
    floats: bool
    """Whether numbers have four bytes; two otherwise."""
    notes: str
    """JSON text in POSELIFT:NOTES; empty in files of others."""


def content_of(path: Path, size: int) -> Content:
    """Return what is in a C3D file.

    Args:
        path: The file.
        size: Its size in bytes, by which time and memory are bounded.

    Raises:
        FormatError: ezc3d finds the file broken, breaks down, or does not end in time.
        MissingExtraError: The other process has no ezc3d.
    """
    seconds = limits_factor() * (START_S + S_PER_MIB * size / 2**20)
    memory = int(limits_factor() * (START_BYTES + BYTES_PER_BYTE * size))
    with tempfile.TemporaryDirectory(prefix="poselift_c3d_", ignore_cleanup_errors=True) as folder:
        target = Path(folder) / "content.npz"
        status = _run(str(path.absolute()), str(target), memory, seconds)
        if status is None:
            raise FormatError(
                f"{path} was not read within {seconds:,.0f} s, and reading was stopped: damaged files keep ezc3d busy "
                f"without end. Write it again; if you trust it and the machine is slow, set {VARIABLE}=10 for ten "
                "times as long"
            )
        try:
            with np.load(target, allow_pickle=False) as found:
                arrays = {name: found[name] for name in found.files}
            words = json.loads(arrays.pop("words").tobytes())
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise FormatError(
                f"{path} is a broken C3D file (ezc3d broke down on it, status {status}); write it again"
            ) from error
    if "error" in words and not words["broken"]:
        raise MissingExtraError(words["error"])
    if "error" in words:
        raise FormatError(f"{path} is a broken C3D file ({words['error']}); write it again")
    channels = dict(zip(words.pop("channels"), arrays.pop("analogs").T, strict=True))
    return Content(**arrays, **words, analogs=channels)


def _run(path: str, target: str, memory: int, seconds: float) -> int | None:
    """Run `c3d_child` and return its exit status; None when it had to be ended.

    Raises:
        FormatError: The system starts no process.
    """
    try:
        if getattr(sys, "frozen", False) or not sys.executable:  # there is no python that could run a script
            return _run_frozen(path, target, memory, seconds)
        said = {"places": [place for place in sys.path if place], "path": path, "target": target, "memory": memory}
        done = subprocess.run(
            [sys.executable, "-I", "-W", "ignore", c3d_child.__file__], input=json.dumps(said).encode("ascii"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=seconds,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )  # fmt: skip
        return done.returncode
    except subprocess.TimeoutExpired:
        return None
    except OSError as error:
        raise FormatError(f"cannot read {path}: no process for ezc3d could be started ({reason_of(error)})") from error


def _run_frozen(path: str, target: str, memory: int, seconds: float) -> int | None:
    """Run `c3d_child` in a program without a Python beside it, which has to call `multiprocessing.freeze_support`."""
    process = multiprocessing.get_context("spawn").Process(
        target=c3d_child.main, args=(path, target, memory), daemon=True
    )
    process.start()
    process.join(seconds)
    ended = process.exitcode
    if ended is None:
        process.kill()
        process.join()
    return ended
