import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.run.ranks import Ranks, join, pick_device
from poselift.lab.windows.batch import WHOLE, Share

CPU = torch.device("cpu")
SOURCE = Path(__file__).parents[3] / "src"


@pytest.mark.parametrize(("size", "count"), [(64, 4), (10, 3), (2, 4)])
def test_shares_are_everything_once_and_alike(size, count):
    parts = [list(range(size))[Share(index, count).of(size)] for index in range(count)]
    assert sum(parts, []) == list(range(size))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert [Share(index, count).size(size) for index in range(count)] == [len(part) for part in parts]
    assert WHOLE.size(size) == size


def test_each_process_has_neighbouring_shares():
    found = [Ranks(CPU, rank, 3).shares(2) for rank in range(3)]
    assert sum(found, []) == [Share(index, 6) for index in range(6)]


def test_alone_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    alone = join("cpu")
    assert (alone, alone.first) == (Ranks(CPU), True)
    numbers = torch.arange(3.0)
    alone.add_up([numbers])
    assert numbers.tolist() == [0, 1, 2]
    assert alone.gather(numbers, slice(0, 3), 3) is numbers
    assert alone.any(True) and not alone.any(False)


TOGETHER = """
import torch
from poselift.lab.run.ranks import join
ranks = join("cpu")
assert join("cpu") == ranks
a, b = torch.full((2, 2), 1.0 + ranks.rank), torch.full((3,), 10.0 * ranks.rank)
ranks.add_up([a, b])
assert a.tolist() == [[3, 3], [3, 3]] and b.tolist() == [10, 10, 10]
place = slice(0, 2) if ranks.first else slice(2, 3)
whole = ranks.gather(torch.arange(3)[place], place, 3)
assert whole.tolist() == [0, 1, 2]
assert ranks.any(ranks.rank == 1) and not ranks.any(False)
assert ranks.first == (ranks.rank == 0) and ranks.size == 2
"""


def test_two_processes_tell_each_other(tmp_path):
    program = tmp_path / "together.py"
    program.write_text(TOGETHER)
    done = torchrun([str(program)])
    assert done.returncode == 0, done.stderr


def torchrun(command, processes=2):
    """Start a program in several processes that find each other on this machine."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    place = {"PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.run([*start, *command], capture_output=True, text=True, timeout=1800, env=os.environ | place)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_auto_is_the_cpu():
    assert pick_device("auto") == CPU
    with pytest.raises(RecipeError, match="torch sees none; use --device cpu"):
        pick_device("cuda")
