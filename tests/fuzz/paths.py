"""Paths that are no files, or that this user may not look at: every reader and verb refuses them by an error of ours.

Run as a script, it prints what came out as JSON, and gives root's rights up first: root may look everywhere.
"""

import contextlib
import io
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
NOBODY = 65534


def fifo(path: Path) -> None:
    """A pipe that nobody writes to."""
    path.unlink()
    os.mkfifo(path)


def device(path: Path) -> None:
    """A link to a device that never ends."""
    path.unlink()
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    """A folder with the ending of a file."""
    path.unlink()
    path.mkdir()


def loop(path: Path) -> None:
    """A link to itself."""
    path.unlink()
    path.symlink_to(path.name)


def bound(path: Path) -> None:
    """A socket; it has a short name before it is moved, as its names may not be long."""
    path.unlink()
    with socket.socket(socket.AF_UNIX) as made, contextlib.chdir(path.parent):
        made.bind("s")
    (path.parent / "s").rename(path)


WAYS: dict[str, Callable[[Path], object]] = {
    "fifo": fifo,
    "device": device,
    "folder": folder,
    "loop": loop,
    "socket": bound,
    "unreadable": lambda path: path.chmod(0),
    "folder without x": lambda path: path.parent.chmod(0o600),
    "folder without r and x": lambda path: path.parent.chmod(0o200),
}


def verbs() -> dict[str, list[str]]:
    """Command lines whose path is put in the place of FILE; KEYPOINTS is a good file, and OUT a new folder."""
    from seeds import HAS_LAB

    found = {
        "lift": ["lift", "FILE.npz", "-o", "OUT"],
        "lift a folder": ["lift", "FILE", "-o", "OUT"],
        "lift a video": ["lift", "FILE.mp4", "-o", "OUT"],
        "lift to": ["lift", "KEYPOINTS", "-o", "FILE"],
        "lift by": ["lift", "KEYPOINTS", "-o", "OUT", "--lifter", "FILE.onnx"],
        "doctor": ["doctor", "FILE.csv"],
        "doctor to": ["doctor", "KEYPOINTS", "-o", "FILE"],
        "evaluate on": ["evaluate", "--data", "FILE.npz"],
        "evaluate on a folder": ["evaluate", "--data", "FILE"],
        "evaluate to": ["evaluate", "--data", "MOCAP", "-o", "FILE"],
        "table": ["table", "FILE.json"],
        "check-card": ["check-card", "FILE.onnx"],
    }
    lab = {
        "train to": ["train", "mocap", "--data", "MOCAP", "-o", "FILE", "--steps", "1", "--device", "cpu"],
        "pretrain to": ["pretrain", "htnet", "--data", "MOCAP", "-o", "FILE", "--steps", "1", "--device", "cpu"],
        "import to": ["import-weights", "htnet", "WEIGHTS", "-o", "FILE"],
        "train on": ["train", "mocap", "--data", "FILE.npz", "-o", "OUT"],
        "import-weights": ["import-weights", "htnet", "FILE.pth", "-o", "OUT"],
    }
    return found | (lab if HAS_LAB else {})


def run_verb(arguments: list[str], path: str, work: Path) -> str:
    """What comes of a verb: "refused" with the path's name, or what else."""
    from poselift.cli import main

    known = {"KEYPOINTS": str(work / "good" / "a.npz"), "OUT": str(work / "out")}
    known |= {"MOCAP": str(work / "good" / "mocap17.npz"), "WEIGHTS": str(work / "good" / "a.pth")}
    words = [known.get(word, word.replace("FILE", path)) for word in arguments]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = main(words)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    named = path.partition("\0")[0][:40] in "".join(printed.getvalue().split("\n"))
    return "refused" if status == 1 and named else f"status {status}: {printed.getvalue()[:300]}"


def read_seed(read: Callable[[Path], object], place: Path) -> str:
    """What comes of reading a folder: "refused", "read", or what else."""
    from poselift.errors import PoseliftError

    try:
        read(place)
    except PoseliftError:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "read"


def try_all(work: Path, results: dict[str, dict[str, str]], ways: dict[str, Callable[[Path], object]]) -> None:
    """Try every reader in every way, and every verb on every path, in a folder."""
    from seeds import all_seeds

    seeds = {seed.name: (seed, write) for seed, write in all_seeds()}
    for name, (seed, write) in seeds.items():
        results[name] = {}
        for way, spoil in ways.items():
            place = work / f"{name} {way}"
            place.mkdir()
            write(place)
            spoil(place / seed.file)
            results[name][way] = read_seed(seed.read, place)
    for name in ("good", "closed"):
        (work / name).mkdir()
        for seed in {"keypoints_npz", "mocap_npz", "pth"} & set(seeds):
            seeds[seed][1](work / name)
    (work / "closed").chmod(0o600)
    paths = {
        "closed": f"{work}/closed/a",
        "long": f"{work}/{'n' * 300}",
        "deep": f"{work}/{'n/' * 2500}n",
        "nul": "a\0b",
    }
    for name, words in verbs().items():
        results[name] = {way: run_verb(words, path, work) for way, path in paths.items()}


def main() -> None:
    """Try all readers and verbs in a folder of our own, and print what came out."""
    sys.path[:0] = [str(HERE), str(HERE.parent / "datasets"), str(HERE.parent / "formats")]
    results: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory() as work:  # loads every module while this user may read them
        try_all(Path(work), {}, {"whole": lambda path: None})
    work = Path(tempfile.mkdtemp())
    work.chmod(0o777)
    sys.stdout.flush()
    if child := os.fork():
        os.waitpid(child, 0)
        for place, names, _ in os.walk(work):
            for name in names:
                (Path(place) / name).chmod(0o700)
        shutil.rmtree(work)
        return
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try_all(work, results, WAYS)
    print(json.dumps(results))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
