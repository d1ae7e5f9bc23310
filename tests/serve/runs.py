"""What workers run in tests instead of `poselift lift`: new processes import this module by its name."""

import os
import subprocess
import sys
import time
from pathlib import Path


def run(arguments: list[str], tick) -> int:
    """Do what the name of the uploaded file says; a result is written before, as a real run would have begun one."""
    name, out = arguments[1], Path(arguments[arguments.index("--out") + 1])
    what = Path(name).stem.partition("_")[0]
    out.mkdir()
    (out / f"{Path(name).stem}.csv").write_text("1,2\n")
    print(f"read {name}", flush=True)  # noqa: T201
    tick(f"reading {name}", 3, 4)
    if what == "fail":
        sys.stderr.write("error: this file is broken; mend it (--fps)\n")
        return 1
    if what == "wait":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (out / "child").write_text(str(child.pid))
        time.sleep(600)
    if what == "full":
        hold = [bytearray(1 << 28) for _ in range(200)]
        return len(hold)
    if what == "crash":
        os.write(2, b"a library in C complains\n")
        os.abort()
    if what == "fault":
        raise AssertionError("a fault of ours")
    return 0


def read(status: int, out: str, err: str) -> dict:
    """As `poselift.cli.serving.read_answer` does it, in short."""
    errors = [{"kind": "FormatError", "message": err, "what_to_do": "", "flags": [], "input": None}] if status else []
    return {"errors": errors, "messages": out.splitlines(), "result": {}}
