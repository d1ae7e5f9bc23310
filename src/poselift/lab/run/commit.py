"""Which commit of poselift runs, for logs and cards."""

import subprocess
from pathlib import Path


def commit() -> str:
    """The checkout's commit, "unknown" outside of one; marked when files differ from it."""
    try:
        _git("ls-files", "--error-unmatch", Path(__file__).name)  # installed inside somebody's repository is not in it
        return _git("describe", "--always", "--dirty", "--abbrev=12") or "unknown"
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    here = Path(__file__).parent
    done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
