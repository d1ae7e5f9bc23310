"""Lift the people of many clips by windows of many of them at a time, on the road of `poselift.lifting.lift`."""

import operator
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poselift.errors import PoseliftError
from poselift.lifters.answer import Answer
from poselift.lifters.contract import Lifter, frame_of
from poselift.lifting import BATCH, Prepared, about, prepare, run_lifter, with_doubts
from poselift.prepare.feed import Feed
from poselift.sequence import Keypoints2D, Poses3D

BROKEN = (PoseliftError, ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
"""What a broken clip may raise: our errors, and those of code that did not foresee it. None of them ends a run."""
Result = tuple[Any, Poses3D | Exception]
"""Whose result it is, and the poses, or what went wrong."""


@dataclass(eq=False)
class _Waiting:
    """Somebody whose windows are being lifted."""

    whose: Any
    clip: Prepared
    asked: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Number of windows that the network has not seen."""
        return len(self.clip.windows.index) - self.asked


class Together:
    """Collects windows until there are enough of them for the network, and gives poses back when a clip is whole.

    The poses are those of `poselift.lift(keypoints, lifter, check=False)` to float noise. Memory holds the clips
    that are given and not given back yet, and one batch.
    """

    def __init__(self, lifter: Lifter, *, flip: bool = False, repair: bool = True, batch: int = BATCH) -> None:
        """Begin with nothing.

        Args:
            lifter: The network.
            flip: Average with the mirror image.
            repair: Mend what detectors do for a moment.
            batch: Number of windows in a call of the network.
        """
        self.network_s = 0.0
        """Processor time in the network so far, in seconds."""
        self._lifter, self._feed = lifter, Feed.of(lifter)
        self._flip, self._repair, self._batch = flip, repair, batch
        self._facts = {"frame": frame_of(lifter), "about": about(lifter, flip, repair)}
        self._waiting: list[_Waiting] = []
        self._count = 0

    def add(self, whose: Any, keypoints: Keypoints2D) -> None:
        """Take one person's clip.

        Raises:
            PoseliftError: The keypoints cannot be lifted; the errors of `poselift.lifting.prepare`.
        """
        clip = prepare(keypoints, self._lifter, repair=self._repair)
        self._waiting.append(_Waiting(whose, clip))
        self._count += len(clip.windows.index)

    def results(self, *, flush: bool = False) -> Iterator[Result]:
        """Lift whole batches, and with `flush` also what is left then; yields what is whole, in the order of `add`."""
        while self._count >= (1 if flush else self._batch):
            yield from self._run(min(self._count, self._batch))

    def _run(self, count: int) -> Iterator[Result]:
        """Lift so many windows, those that came first."""
        parts: list[tuple[_Waiting, slice]] = []
        left = count
        for one in self._waiting:
            taken = min(one.left, left)
            parts.append((one, slice(one.asked, one.asked + taken)))
            left -= taken
            if not left:
                break
        self._count -= count
        failed = self._ask(parts)
        for one, chosen in parts:
            one.asked = chosen.stop
        whole = [one for one, _ in parts if not one.left or one in failed]
        for one in whole:
            self._waiting.remove(one)
            self._count -= one.left if one in failed else 0
            yield one.whose, failed[one] if one in failed else self._poses(one)

    def _ask(self, parts: list[tuple[_Waiting, slice]]) -> dict[_Waiting, Exception]:
        """Lift windows of some clips and store the answers; returns the clips that the network cannot lift.

        When a batch fails, its clips are tried one by one, so that one of them does not spoil the others.
        """
        frames = [np.take(one.clip.frames, one.clip.windows.index[chosen], 0) for one, chosen in parts]
        inside = [one.clip.windows.inside[chosen] for one, chosen in parts]
        try:
            shown = frames[0] if len(frames) == 1 else np.concatenate(frames)
            inputs = self._feed.windows(shown, np.concatenate(inside), filled=True)
            started = time.thread_time()
            answer = run_lifter(self._lifter, inputs, self._flip)
            self.network_s += time.thread_time() - started
        except BROKEN as error:
            if len(parts) == 1:
                return {parts[0][0]: error}
            failed: dict[_Waiting, Exception] = {}
            for part in parts:
                failed |= self._ask([part])
            return failed
        answer, first = answer.from_root(self._lifter.skeleton.root), 0
        for one, chosen in parts:
            mine = slice(first, first + chosen.stop - chosen.start)
            one.answers.append(answer.each(operator.itemgetter(mine)))
            first = mine.stop
        return {}

    def _poses(self, one: _Waiting) -> Poses3D | Exception:
        try:
            answer = one.clip.whole(self._lifter, one.answers)
            return with_doubts(one.clip.as_poses(self._lifter, answer, self._facts), one.clip)
        except BROKEN as error:
            return error
