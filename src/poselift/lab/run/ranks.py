"""One run by one process or by many: which part of the work is whose, and what they tell each other.

`torchrun` starts the processes and tells each its place by environment variables; without it a run is one process.
Batches are made in parts, one for each process and each round of accumulation (`Share`). Gradients of the parts are
added up by one message a step, in place, so that all processes hold the same weights to the bit.
"""

import atexit
import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from poselift.errors import RecipeError
from poselift.lab.windows.batch import Share

_PATIENCE = datetime.timedelta(hours=2)
"""How long the others wait while the first one evaluates."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a run, seen from one of them."""

    device: torch.device
    """Where this one computes."""
    rank: int = 0
    """Which one this is; the first one, 0, writes files and evaluates."""
    size: int = 1
    """How many there are."""

    @property
    def first(self) -> bool:
        """Whether this one writes files and evaluates."""
        return self.rank == 0

    def shares(self, rounds: int) -> list[Share]:
        """The parts of a batch that are this process's, of `rounds` for each process."""
        return [Share(self.rank * rounds + number, self.size * rounds) for number in range(rounds)]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one type, on the device, by their sums over all processes: one message."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        sums = flat.split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(list(tensors), [part.view_as(t) for part, t in zip(sums, tensors, strict=True)])

    def gather(self, own: Tensor, place: slice, size: int) -> Tensor:
        """(size, ...) what all processes have, each its rows at its place."""
        if self.size == 1:
            return own
        whole = own.new_zeros((size, *own.shape[1:]))
        whole[place] = own
        dist.all_reduce(whole)
        return whole

    def any(self, said: bool) -> bool:
        """Whether one of the processes says so; a GPU does not wait for the answer."""
        if self.size == 1:
            return said
        found = torch.tensor(int(said))
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return bool(found)


def join(device: str) -> Ranks:
    """Meet the other processes that `torchrun` has started; alone without it.

    Args:
        device: "cpu", "cuda", or "auto" for a GPU where there is one; each process takes the GPU of its own number.

    Raises:
        RecipeError: There is no such device, or fewer GPUs than processes.
    """
    where, size = pick_device(device), int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Ranks(where)
    if where.type == "cuda":
        place, there = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if place >= there:
            raise RecipeError(f"device: wanted a GPU for each process, got {there}; use --nproc-per-node {there}")
        where = torch.device("cuda", place)
        torch.cuda.set_device(where)
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo", timeout=_PATIENCE)
        atexit.register(_part)
    return Ranks(where, dist.get_rank(), size)


def _part() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


def pick_device(name: str) -> torch.device:
    """The device of this name; "auto" is a GPU where there is one.

    Raises:
        RecipeError: There is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise RecipeError("device: wanted a GPU, but torch sees none; use --device cpu")
    try:
        return torch.device(name)
    except RuntimeError as error:
        raise RecipeError(f"device: wanted cpu, cuda or auto, got '{name}'") from error
