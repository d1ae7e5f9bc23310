"""Programs that read our animations, where they are at hand: Blender as a module, and three.js in Chromium.

Neither is in the suite's environments: bpy needs a numpy below 2, three.js comes from npm. The scripts that check them
stand alone; docs/formats.md says what they found.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
THREE = os.environ.get("POSELIFT_THREE", "")


def check(name: str, *arguments: str) -> str:
    places = os.pathsep.join([str(SCRIPTS.parent / "src"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / name), *arguments], capture_output=True, text=True, timeout=600,
        env=os.environ | {"PYTHONPATH": places},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="Blender's module bpy is not installed")
def test_blender_reads_and_retargets_by_name():
    said = check("check_blender.py")
    assert said.count("retargeted by name") == 6 and "all within bounds" in said


@pytest.mark.skipif(not THREE, reason="three.js is not at hand (POSELIFT_THREE names its folder)")
def test_three_reads_every_rig():
    assert "all within bounds" in check("check_three.py", THREE)
