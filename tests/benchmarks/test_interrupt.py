"""What the benchmark of interruptions looks for; signals at known points are in the tests of what they interrupt."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
interrupt = pytest.importorskip("interrupt")  # needs onnx as well

from poselift.datasets.mocap import load_mocap
from poselift.lab.run.folder import RunFolder


@pytest.fixture
def folders(tmp_path):
    """Two folders of the same training, whose weights and files are whole."""
    for name in ("run", "whole"):
        folder = RunFolder(tmp_path / name, {"seed": 1})
        folder.write("recipe.json", json.dumps({"seed": 1}))
        folder.save({"step": 2, "model": {"a": torch.ones(200)}, "average": {"a": torch.ones(200)}})
        for step in (1, 2):
            folder.log({"step": step})
    return tmp_path / "run", tmp_path / "whole"


def test_whole_files_are_whole(folders):
    assert interrupt.unreadable_files(*folders) == []
    assert interrupt.temporary_files(folders[0]) == []
    assert interrupt.same_files(*folders) and interrupt.same_weights(*folders)
    assert interrupt.lost_steps(folders[0]) == 0


@pytest.mark.parametrize("name", ["recipe.json", "log.jsonl", "checkpoint.pt"])
def test_a_half_file_is_found(folders, name):
    path = folders[0] / name
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    assert [found.split(":")[0] for found in interrupt.unreadable_files(*folders)] == [name]
    assert interrupt.changed_files(*folders) == [name]
    assert not interrupt.same_files(*folders)


def test_other_weights_missing_files_and_lost_steps_are_found(folders):
    folder = RunFolder(folders[0], {"seed": 1})
    folder.log({"step": 5})
    assert interrupt.lost_steps(folders[0]) == 3
    folder.save({"step": 2, "model": {"a": torch.ones(200)}, "average": {"a": torch.zeros(200)}})
    assert not interrupt.same_weights(*folders)
    folder.save({"step": 2, "model": {"a": torch.ones(200)}, "average": {"a": torch.ones(200)}})
    assert interrupt.same_weights(*folders)
    (folders[0] / ".checkpoint.poselift-01234567.pt").touch()
    assert interrupt.temporary_files(folders[0]) == [".checkpoint.poselift-01234567.pt"]
    (folders[0] / "log.jsonl").unlink()
    assert not interrupt.same_weights(*folders)


def test_a_part_of_an_archive_is_its_shortest_clips(walk, write_archive, tmp_path):
    lengths = {"a": (30, "train"), "b": (20, "train"), "c": (25, "train"), "d": (12, "dev"), "e": (14, "dev")}
    clips = [walk(frames, name=name) for name, (frames, _) in lengths.items()]
    archive = write_archive(tmp_path / "all.npz", clips, [split for _, split in lengths.values()])
    part = interrupt.part_of(archive, tmp_path / "part.npz", clips=2)
    found = {clip.name: clip for split in ("train", "dev") for clip in load_mocap(part, split=split)}
    assert sorted(found) == ["b", "c", "d", "e"]
    np.testing.assert_allclose(found["c"].xyz, clips[2].xyz, atol=1e-4)
