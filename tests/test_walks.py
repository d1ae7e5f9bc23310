"""The walks in docs/walks/ run as they stand, each in an empty folder, and print what the pages say.

Numbers that a page prints may differ by a fifth, because decoders and processors round differently.
"""

import functools
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

import poselift
from poselift.formats.bvh import read_bvh
from poselift.formats.mot import read_mot

WALKS = Path(__file__).resolve().parents[1] / "docs" / "walks"
FENCE = re.compile(r"^```(console|python|text)(?: needs=(\S+)| (by hand))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    language: str
    needs: tuple[str, ...]
    """Modules without which it does not run."""
    by_hand: bool
    """Whether it is for people alone, as it needs the network."""
    text: str
    output: str
    """What the page says a python block prints."""

    def missing(self) -> list[str]:
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


def blocks(page: str) -> list[Block]:
    found = FENCE.findall((WALKS / f"{page}.md").read_text("utf-8"))
    made = []
    for (language, needs, by_hand, text), after in zip(found, [*found[1:], ("", "", "", "")], strict=True):
        if language != "text":
            output = after[3] if after[0] == "text" else ""
            made.append(Block(language, tuple(needs.split(",")) if needs else (), bool(by_hand), text, output))
    return made


def commands(block: Block) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output that the page shows."""
    return [tuple(part.split("\n", 1)) for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE) if part]


def run(arguments: list[str], folder: Path) -> str:
    places = os.pathsep.join([str(Path(poselift.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, encoding="utf-8", timeout=300,
        env={**os.environ, "PYTHONPATH": places, "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def check_printed(said: str, wanted: str) -> None:
    """Every line of the page is printed, in its order; numbers to a fifth, or to 3 of the last digit."""
    printed = iter(said.replace("\\", "/").splitlines())
    for line in wanted.splitlines():
        if line != "...":
            assert any(is_like(line, other) for other in printed), f"not printed: {line}\nbut:\n{said}"


def is_like(wanted: str, said: str) -> bool:
    if NUMBER.sub("#", wanted) != NUMBER.sub("#", said.rstrip()):
        return False
    for one, other in zip(NUMBER.findall(wanted), NUMBER.findall(said), strict=True):
        digits = len(one.partition(".")[2])
        if abs(float(one) - float(other)) > max(0.2 * abs(float(one)), 3 * 10.0**-digits):
            return False
    return True


@functools.cache
def walked(page: str, folder: Path) -> Path:
    """Run everything on a page that this environment can run, except Blender's part; return the folder.

    The console blocks come first on a page; the python blocks share their names, as in a notebook.
    """
    with resources.as_file(resources.files("poselift") / "data" / "demo_video.mp4") as video:
        (folder / "walking.mp4").write_bytes(video.read_bytes())
    python = []
    for block in blocks(page):
        if block.by_hand or "bpy" in block.needs:
            continue
        if missing := block.missing():
            pytest.skip(f"docs/walks/{page}.md needs {', '.join(missing)}")
        if block.language == "python":
            python.append(block)
            continue
        for command, output in commands(block):
            program, *arguments = shlex.split(command)
            assert program == "poselift", f"only poselift is run, not {program}"
            check_printed(run(["-m", "poselift", *arguments], folder), output)
    if python:
        said = run(["-c", "\n".join(block.text for block in python)], folder)
        check_printed(said, "".join(block.output for block in python))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {page.stem: tmp_path_factory.mktemp(page.stem) for page in sorted(WALKS.glob("*.md"))}


def test_pages_are_walks(folders: dict[str, Path]) -> None:
    assert sorted(folders) == ["blender", "notebook", "opensim"]
    for page in folders:
        text, found = (WALKS / f"{page}.md").read_text("utf-8"), blocks(page)
        assert text.count("\n```") == 2 * sum(1 + bool(block.output) for block in found), "a block is not understood"
        assert sum(block.language == "console" for block in found)
        for link in re.findall(r"\]\(([^)#]+)", text):
            assert (WALKS / link).exists(), link


def test_opensim(folders: dict[str, Path]) -> None:
    """Markers and angles are those of a person of 1.75 m who walks for a second, upright on the floor."""
    results = walked("opensim", folders["opensim"]) / "results"
    lines = (results / "walking_person1.trc").read_text().splitlines()
    assert lines[2].split("\t") == ["30", "30", "30", "26", "m", "30", "1", "30"]
    names = [name for name in lines[3].split("\t")[2:] if name]
    markers = np.array([line.split("\t") for line in lines[5:] if line], float)[:, 2:].reshape(30, 26, 3)
    heels = markers[:, [names.index("LHeel"), names.index("RHeel")], 1]
    assert -0.02 < heels.min() < 0.15
    assert 1.5 < markers[:, names.index("Head"), 1].max() < 1.9
    shank = np.linalg.norm(markers[:, names.index("RKnee")] - markers[:, names.index("RAnkle")], axis=-1)
    assert 0.35 < shank.mean() < 0.5
    assert json.loads((results / "walking_person1.trc.json").read_text())["unseen"]
    angles = read_mot(results / "walking_person1.mot")
    knee = np.asarray(angles["knee_angle_r"])
    assert len(knee) == 30
    assert knee.max() > 30, "a walking knee bends"
    assert (results / "walking_person1_angles.csv").read_text().startswith("frame,time_s,")


def test_blender(folders: dict[str, Path]) -> None:
    """Files are metres under Mixamo's names; what was not known is beside the BVH file."""
    folder = walked("blender", folders["blender"])
    text = (folder / "results" / "walking_person1.bvh").read_text()
    assert "mixamorig:LeftLeg" in text
    assert "Frames: 30" in text
    assert (folder / "results" / "walking_person1.bvh.json").exists()
    read_bvh(folder / "results" / "walking_person1.bvh")
    for name, bone in (("results/walking_person1.glb", b"mixamorig:LeftLeg"), ("unreal.glb", b'"calf_l"')):
        whole = (folder / name).read_bytes()
        assert whole[:4] == b"glTF"
        assert bone in whole


def test_blender_itself(folders: dict[str, Path]) -> None:
    """Blender's part of the walk, where this Python has Blender."""
    (block,) = (block for block in blocks("blender") if "bpy" in block.needs)
    compile(block.text, "docs/walks/blender.md", "exec")
    if block.missing():
        pytest.skip("this part of docs/walks/blender.md needs bpy, Blender as a module")
    check_printed(run(["-c", block.text], walked("blender", folders["blender"])), block.output)


def test_notebook(folders: dict[str, Path]) -> None:
    folder = walked("notebook", folders["notebook"])
    assert (folder / "knees.png").read_bytes().startswith(b"\x89PNG")
    import pandas as pd

    table = pd.read_parquet(folder / "results" / "walking_person1.parquet")
    assert len(table) == 30
    np.testing.assert_allclose(table["time_s"], np.arange(30) / 30, atol=1e-6)
    assert table["path_z_m"].between(0.6, 1.1).all(), "the pelvis is as high as legs are long"
    angles = pd.read_csv(folder / "results" / "walking_person1_angles.csv")
    assert angles["knee_angle_r_deg"].between(-10, 120).all()
