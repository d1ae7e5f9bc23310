"""Damage small valid files of every kind that is read, and try to read them: tracebacks, time and memory.

    python benchmarks/fuzz.py --cases 325           # about 25,000 files
    python benchmarks/fuzz.py --cases 325 --user 65534

Each kind is tried in a process of its own, with a limit on its memory. The time is the processor's; the memory is what
a case adds to the process. `tests/fuzz` holds the files, the damage and the readers, and tries the same cases.
"""

import argparse
import contextlib
import json
import logging
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path[:0] = [str(TESTS / part) for part in ("fuzz", "datasets", "formats")]

from cases import try_case  # noqa: E402
from seeds import Seed, all_seeds  # noqa: E402

SLOW_S, LARGE_MIB = 5.0, 1024
"""A case that takes more is a fault."""
HANG_S = 120
"""Seconds after which a case is given up, on a clock."""
GUARD_MIB = 4096
"""Memory that a process may ask for on top of what it has."""


def main() -> int:
    """Try all kinds; returns 1 when there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=325, help="files of each kind")
    parser.add_argument("--only", nargs="*", help="names of kinds")
    parser.add_argument("--user", type=int, help="number of an unprivileged user to run as, when root starts this")
    options = parser.parse_args()
    logging.disable()
    faults = cases = 0
    print(f"{'kind':40}{'files':>7}{'read':>7}{'faults':>8}{'slowest s':>11}{'MiB':>6}")
    for seed, write in all_seeds():
        if options.only and seed.name not in options.only:
            continue
        with tempfile.TemporaryDirectory() as folder:  # loads every module while this user may read them
            write(Path(folder))
            seed.read(Path(folder))
        with tempfile.TemporaryDirectory() as folder:
            result = in_child(seed, write, Path(folder), options)
        tried = options.cases if seed.cases is None else len(seed.cases[: options.cases])
        faults, cases = faults + len(result["faults"]), cases + tried
        print(
            f"{seed.name:40.40}{tried:7}{result['read']:7}{len(result['faults']):8}{result['slowest']:11.2f}"
            f"{result['largest']:6.0f}", flush=True,
        )  # fmt: skip
        for kind, count in Counter(fault.partition(": ")[2] for fault in result["faults"]).most_common():
            print(f"    {count} x {kind}; first: {next(f for f in result['faults'] if kind in f).partition(':')[0]}")
    print(f"{cases} files, {faults} faults")
    return int(faults > 0)


def in_child(seed: Seed, write, folder: Path, options: argparse.Namespace) -> dict:
    """The result of all cases of a kind, tried in a child."""
    report = folder / "report.json"
    folder.chmod(0o777)
    if not (child := os.fork()):
        status = 1
        try:
            if options.user is not None:
                os.setgroups([])
                os.setgid(options.user)
                os.setuid(options.user)
            place = folder / "files"
            place.mkdir()
            write(place)
            try_all(seed, place, report, options.cases)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    found = json.loads(report.read_text()) if report.exists() else {"faults": [], "read": 0, "slowest": 0, "largest": 0}
    if status:
        found["faults"].append(f"case {found.get('trying', -1)}: the process ended with {status}")
    return found


def try_all(seed: Seed, folder: Path, report: Path, cases: int) -> None:
    """Try the cases of a kind, and write what came out, after each case that was slow, large or a fault."""
    seed.read(folder)
    whole = (folder / seed.file).read_bytes()
    signal.signal(signal.SIGALRM, _give_up)
    resource.setrlimit(resource.RLIMIT_AS, (_status_mib("VmSize") + GUARD_MIB << 20,) * 2)
    found = {"faults": [], "read": 0, "slowest": 0.0, "largest": 0.0, "trying": 0}
    for number in range(cases) if seed.cases is None else seed.cases[:cases]:
        found["trying"] = number
        if number % 20 == 0:
            report.write_text(json.dumps(found))
        with contextlib.suppress(OSError):  # the peak of memory starts anew, unless this user may not ask for that
            Path("/proc/self/clear_refs").write_text("5")
        before, began = _status_mib("VmHWM"), time.process_time()
        signal.alarm(HANG_S)
        try:
            found["read"] += try_case(seed, folder, whole, number)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            found["faults"].append(f"case {number}: {type(error).__name__} {str(error)[:90]!r} at {place}")
        signal.alarm(0)
        spent, grown = time.process_time() - began, _status_mib("VmHWM") - before
        if spent > SLOW_S or grown > LARGE_MIB:
            found["faults"].append(f"case {number}: slow or large, {spent:.1f} s, {grown:.0f} MiB")
        found["slowest"], found["largest"] = max(found["slowest"], spent), max(found["largest"], grown)
    report.write_text(json.dumps(found))


def _give_up(*_: object) -> None:
    raise TimeoutError(f"no end after {HANG_S} s")


def _status_mib(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{name}:")[2].split()[0]) // 1024


if __name__ == "__main__":
    sys.exit(main())
