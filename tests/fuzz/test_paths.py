"""What is at a path need not be a file, and need not be for this user."""

import json
import os
import subprocess
import sys

import pytest
from paths import HERE, WAYS, verbs
from seeds import all_seeds

SOURCE = HERE.parents[1] / "src"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes, devices and modes are POSIX")


@pytest.fixture(scope="module")
def results():
    """What came of every reader and verb, as an unprivileged user."""
    done = subprocess.run(
        [sys.executable, HERE / "paths.py"], capture_output=True, text=True, timeout=1800,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", [seed.name for seed, _ in all_seeds()])
def test_readers_refuse_what_is_no_file_or_not_for_them(results, name):
    assert results[name] == dict.fromkeys(WAYS, "refused")


@pytest.mark.parametrize("name", verbs())
def test_verbs_refuse_paths_that_cannot_be_looked_at(results, name):
    assert results[name] == dict.fromkeys(("closed", "long", "deep", "nul"), "refused")
