"""The commit of the running poselift, for logs and cards."""

import subprocess
from pathlib import Path


def commit() -> str:
    """Return the checkout's commit, with "-dirty" if files differ from it; "unknown" outside of a checkout."""
    try:
        # This fails where poselift is installed inside somebody else's repository, whose commit says nothing of it.
        _git("ls-files", "--error-unmatch", Path(__file__).name)
        return _git("describe", "--always", "--dirty", "--abbrev=12") or "unknown"
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(*arguments: str) -> str:
    """Run git in this file's folder and return what it prints."""
    here = Path(__file__).parent
    done = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
