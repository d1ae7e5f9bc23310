"""Worker processes that lift shards, one a core; what one of them cannot survive is tried again, and then left out.

A worker gets a shard, says where it is, and says when the file is written. It ignores Ctrl-C, which is for its parent,
and ends when its parent is gone. One that is killed, as by a system without memory, is replaced: its shard is begun
again, and a clip at which two workers ended counts as broken.
"""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from poselift.bulk.plan import Shard
from poselift.bulk.settings import Settings
from poselift.bulk.work import Report, Worker
from poselift.errors import PoseliftError

_DEATHS = 2
"""Workers that may end at one clip before it counts as broken."""
_LEAVE_S = 10.0
"""Seconds in which workers may clean up before they are killed."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Progress:
    """Frames of clips that were lifted since the last word; their shard may not be written yet."""

    frames: int


@dataclass(eq=False)
class _Hand:
    """A worker process as its parent sees it."""

    process: SpawnProcess
    pipe: Connection
    shard: int | None = None
    place: int = 0


@dataclass(eq=False)
class Crew:
    """Some worker processes; `lift` runs them until every shard is written."""

    settings: Settings
    count: int
    _hands: dict[Connection, _Hand] = field(default_factory=dict)

    def lift(self, shards: Sequence[Shard]) -> Iterator[Progress | tuple[int, Report]]:
        """Lift shards, and yield progress and, by place, the report of each that is written, in any order.

        Raises:
            PoseliftError: A worker cannot go on: weights are broken, or results cannot be written.
        """
        waiting = deque(range(len(shards)))
        deaths: Counter[tuple[int, int]] = Counter()
        skips: dict[int, dict[int, str]] = {}
        try:
            while waiting or any(hand.shard is not None for hand in self._hands.values()):
                while waiting and len(self._hands) < self.count:
                    self._start()
                for hand in self._hands.values():
                    if hand.shard is None and waiting:
                        hand.shard, hand.place = waiting.popleft(), 0
                        with contextlib.suppress(OSError):  # it is gone, and is found gone below
                            hand.pipe.send((shards[hand.shard], skips.get(hand.shard, {})))
                for pipe in wait(list(self._hands)):
                    assert isinstance(pipe, Connection)
                    hand = self._hands[pipe]
                    try:
                        said = pipe.recv()
                    except (EOFError, OSError):
                        if hand.shard is not None:
                            self._bury(hand, deaths, skips)
                            waiting.appendleft(hand.shard)
                        self._end(hand)
                        continue
                    if isinstance(said, PoseliftError):
                        raise said
                    if isinstance(said, Report):
                        assert hand.shard is not None
                        yield hand.shard, said
                        hand.shard = None
                    else:
                        hand.place, frames = said
                        yield Progress(frames)
        finally:
            self.close()

    def close(self) -> None:
        """End all workers; those that do not clean up in time are killed."""
        hands = list(self._hands.values())
        for hand in hands:
            hand.pipe.close()
            hand.process.terminate()
        for hand in hands:
            hand.process.join(_LEAVE_S)
            if hand.process.exitcode is None:
                hand.process.kill()
                hand.process.join()
        self._hands.clear()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.settings), daemon=True)
        with _one_thread():
            process.start()
        theirs.close()
        self._hands[ours] = _Hand(process, ours)

    def _end(self, hand: _Hand) -> None:
        hand.pipe.close()
        hand.process.join(_LEAVE_S)
        if hand.process.exitcode is None:
            hand.process.kill()
            hand.process.join()
        del self._hands[hand.pipe]

    def _bury(self, hand: _Hand, deaths: Counter[tuple[int, int]], skips: dict[int, dict[int, str]]) -> None:
        """Count the end of a worker for the clip that it was at, and skip that clip if it was not the first."""
        assert hand.shard is not None
        hand.process.join(_LEAVE_S)
        key = hand.shard, hand.place
        deaths[key] += 1
        code = hand.process.exitcode
        how = f"by signal {-code}" if code is not None and code < 0 else f"with status {code}"
        if why := worn_out(deaths[key], how):
            skips.setdefault(hand.shard, {})[hand.place] = why


def worn_out(deaths: int, how: str) -> str:
    """Return why a clip at which so many processes ended is left out; empty while it is tried again.

    Args:
        deaths: Number of processes.
        how: How they ended, such as "by signal 9"; empty if that is not known.
    """
    if deaths < _DEATHS:
        return ""
    return (
        f"{deaths} processes ended{how and ' '}{how} at this clip; there may be too little memory, or the clip is "
        "damaged: lift it by itself"
    )


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let libraries of processes that are started in the block use one thread each, unless the user says otherwise."""
    added = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]


def _serve(pipe: Connection, settings: Settings) -> None:
    """Lift the shards that come through a pipe until it is closed, or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    try:
        worker = Worker(settings)
        while True:
            shard, skip = pipe.recv()
            pipe.send(worker.lift(shard, lambda place, frames: pipe.send((place, frames)), skip))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return
    except PoseliftError as error:
        with contextlib.suppress(OSError):
            pipe.send(error)


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _leave_with_parent() -> None:
    """Wait in a thread until the parent is gone, and then end this process as by SIGTERM, so that it cleans up."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
