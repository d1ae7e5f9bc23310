"""One run in one process or in many: how the work is shared, and what the processes send each other.

`torchrun` starts the processes and numbers them by environment variables; without it a run is one process. Batches are
made in parts, one for each process and each round of accumulation (`Share`). Gradients of the parts are added up by one
message a step, in place, so that all processes hold the same weights to the bit.
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

_TIMEOUT = datetime.timedelta(hours=2)
"""How long the other processes wait while the first one evaluates."""


@dataclass(frozen=True)
class Ranks:
    """The processes of a run, as one of them sees them."""

    device: torch.device
    """The device that this process computes on."""
    rank: int = 0
    """Number of this process; the first one, 0, writes files and evaluates."""
    size: int = 1
    """Number of processes."""

    @property
    def first(self) -> bool:
        """Whether this process writes files and evaluates."""
        return self.rank == 0

    def shares(self, rounds: int) -> list[Share]:
        """Return the parts of a batch that this process makes, if each process makes `rounds` of them."""
        return [Share(self.rank * rounds + number, self.size * rounds) for number in range(rounds)]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors of one type, on the device, by their sums over all processes, with one message."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        sums = flat.split([tensor.numel() for tensor in tensors])
        torch._foreach_copy_(list(tensors), [part.view_as(t) for part, t in zip(sums, tensors, strict=True)])

    def gather(self, own: Tensor, place: slice, size: int) -> Tensor:
        """Return the rows of all processes as one tensor (size, ...); this process's `own` rows go to `place`."""
        if self.size == 1:
            return own
        whole = own.new_zeros((size, *own.shape[1:]))
        whole[place] = own
        dist.all_reduce(whole)
        return whole

    def any(self, value: bool) -> bool:
        """Return whether `value` is true in any of the processes; a GPU does not wait for the answer."""
        if self.size == 1:
            return value
        greatest = torch.tensor(int(value))
        dist.all_reduce(greatest, dist.ReduceOp.MAX)
        return bool(greatest)


def join(device: str) -> Ranks:
    """Connect to the other processes that `torchrun` has started; without `torchrun` there is only this one.

    Args:
        device: "cpu", "cuda", or "auto" for a GPU where there is one; each process uses the GPU of its own number.

    Raises:
        RecipeError: There is no such device, or fewer GPUs than processes.
    """
    where, size = pick_device(device), int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Ranks(where)
    if where.type == "cuda":
        local_rank, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local_rank >= gpus:
            raise RecipeError(f"device: wanted a GPU for each process, got {gpus}; use --nproc-per-node {gpus}")
        where = torch.device("cuda", local_rank)
        torch.cuda.set_device(where)
    if not dist.is_initialized():
        dist.init_process_group("cpu:gloo,cuda:nccl" if where.type == "cuda" else "gloo", timeout=_TIMEOUT)
        atexit.register(_disconnect)
    return Ranks(where, dist.get_rank(), size)


def _disconnect() -> None:
    """Leave the other processes, if this one is still connected to them."""
    if dist.is_initialized():
        dist.destroy_process_group()


def pick_device(name: str) -> torch.device:
    """Return the device of this name; "auto" is a GPU where there is one, else the CPU.

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
