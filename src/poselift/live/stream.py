"""One person's stream: frames of keypoints go in at any rate, and a pose comes out for each.

It takes the steps of `poselift.lifting.lift` in the same order and with the same code; what is a statistic of a whole
clip there has an online form here:

===================== ================================================================================================
offline               here
===================== ================================================================================================
scores divided by the by the median over the latest 500 frames (`RunningMedian`), all of a window alike
clip's median
rate changed, windows the window is read from the memory of frames when it is due (`History.at`), by the same rule
cut
seams blended         the same, one window later (`Plan.blended`), or by the later window alone
resampled back        the same, between the two lifted frames around the time that is due
gaps                  farther than 0.25 s from a sighting that is known when the pose goes out
doubtful pelvis       against the pose before, and the running median of the width of the hips
outliers, strays      left out until they have stayed for a while (`poselift.live.outliers`)
exchanged sides       not put back: that needs the frames after
single frames that    the pose before; a clip has that between the poses around
show nobody
===================== ================================================================================================
"""

import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from poselift.lifters.answer import Answer, ask, join
from poselift.lifters.contract import Lifter, frame_of
from poselift.lifting import FASTEST_TURN_RAD, FEWEST_JOINTS, HIPS, NARROWEST_HIPS
from poselift.live.history import LONGEST_STEP_S, History, RunningMedian
from poselift.live.outliers import OutlierFilter
from poselift.prepare.feed import Feed
from poselift.prepare.normalize import SCREEN, pixels_from_screen
from poselift.prepare.window import Windows, block_delay, frames_after, stream_delay
from poselift.sequence import Poses3D

_FASTEST_INPUT = 8
"""So many times the lifter's rate may the input have; of a faster one, the oldest frames of a window are missing."""
_NOWHERE = np.empty((0, 0))
"""Windows whose frames are in the memory of the stream."""
_ROUNDING = 1e-3
"""Frames: times so close to a frame of the lifter's rate are on it."""


@dataclass(frozen=True)
class Plan:
    """When windows are lifted, and how late poses come."""

    blocks: bool
    """True: a window for every K frames of the lifter's rate. False: a window for each push, of which only the newest
    frame is used."""
    blended: bool
    """Whether blocks wait for the next one to be blended with it as in a clip (`blend_seams`); else each follows on
    from the one before (`follow_on`)."""
    lag: int
    """Frames of the lifter's rate from the newest keypoints to the pose that comes out."""

    @staticmethod
    def of(lifter: Lifter, delay_s: float) -> "Plan | None":
        """Return the plan of a lifter with the longest delay up to `delay_s`; None if it looks farther ahead."""
        window = lifter.in_frames, lifter.out_frames
        plans = [Plan(True, True, stream_delay(*window)), Plan(True, False, block_delay(*window))]
        plans = [*(plans if len(lifter.out_frames) > 1 else ()), Plan(False, False, frames_after(*window))]
        return next((plan for plan in plans if plan.lag <= delay_s * lifter.fps + _ROUNDING), None)


class PersonStream:
    """The keypoints of one person, and the poses lifted from them; memory is constant."""

    def __init__(
        self, lifter: Lifter, plan: Plan, image_size: tuple[int, int] | None = None, *, repair: bool = True
    ) -> None:
        """Start without frames; with `repair`, what jumps is left out."""
        self._lifter, self._plan, self._image_size = lifter, plan, image_size
        self._feed, self._frame, self._root = Feed.of(lifter), frame_of(lifter), lifter.skeleton.root
        self._hips = list(lifter.skeleton.indices(HIPS))
        frames = lifter.in_frames + plan.lag + 1
        self._history = History(len(lifter.skeleton), frames * _FASTEST_INPUT, 1 / lifter.fps)
        self._whole = np.ones((1, lifter.in_frames), bool)
        self._longest_pause_s = max(lifter.in_frames / lifter.fps, LONGEST_STEP_S)
        self._back_s = (np.arange(lifter.in_frames) - (lifter.in_frames - 1)) / lifter.fps
        self._scale, self._hip_width = RunningMedian(len(lifter.skeleton)), RunningMedian(1)
        self.lag = plan.lag
        """Frames of the lifter's rate from the newest keypoints to the pose: one more than planned, once keypoints came
        between the frames of the blocks."""
        self.last_s = -np.inf
        """Time of the newest frame."""
        self.windows = 0
        """Number of windows that were lifted."""
        self._filter = OutlierFilter(lifter.skeleton) if repair else None
        self.left_out = False
        """Whether the newest frame was left out, because the body jumped."""
        self._begun, self._pending = False, list[np.ndarray]()
        self._begin(0.0)

    def _begin(self, time_s: float) -> None:
        """Forget the frames, not what is known of the detector's scores: the next window starts at a time."""
        self._history.clear()
        self._start_s = time_s
        self._answers: list[Answer] = []
        self._lifted: Answer | None = None
        self._known: Answer | None = None
        self._blocks = 0
        self._across: tuple[float, list[float]] | None = None

    def push(self, frame: np.ndarray, time_s: float, **who: Any) -> Poses3D | None:
        """Take the keypoints of the next frame and lift the windows that are due.

        Arguments and result are those of `take` and `give`.
        """
        return self.give([ask(self._lifter, window) for window in self.take(frame, time_s)], **who)

    def take(self, frame: np.ndarray, time_s: float) -> list[np.ndarray]:
        """Take the keypoints of the next frame.

        Args:
            frame: (J, 3) float32 in the lifter's joints: pixels and score, all 0 where a joint was not seen.
            time_s: Time of the frame, later than `last_s`.

        Returns:
            The network's input, (1, T, J, C), of each window that is due now; `give` wants the answers.
        """
        if time_s - self.last_s > self._longest_pause_s:
            self._begun = False
        if self._filter is not None:
            frame = self._filter(frame, time_s)
            self.left_out = self._filter.left_out
        self.last_s, self._pending = time_s, []
        if not self._begun:
            if not frame[:, 2].any():
                return []  # nobody yet
            self._begin(time_s)
            self._begun = True
        if self._feed.normalization == SCREEN:
            frame = self._feed.frames(frame[:, :2], frame[:, 2], self._image_size)
        if self._scale.add(frame[:, 2]):
            self._history.scale = self._scale.value
        self._history.add(frame, time_s, bool(np.count_nonzero(frame[:, 2]) >= FEWEST_JOINTS))
        return self._due_blocks(time_s) if self._plan.blocks else self._due_window(time_s)

    def give(self, answers: Sequence[Answer], **who: Any) -> Poses3D | None:
        """Return the pose that is due after the frame that was taken last.

        Args:
            answers: (1, K, ...) to each window that `take` returned.
            who: `person` and `may_continue` of the result.

        Returns:
            One pose, whose `start_s` is the time that it is of; None while nobody was seen, and until the delay is
            over.
        """
        if not self._begun:
            return None
        self.windows += len(answers)
        found = self._of_blocks(answers) if self._plan.blocks else self._of_window(answers)
        return None if found is None else self._pose(*found, who)

    def sight(self, time_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Return what was seen at the time of a pose that came out.

        Returns:
            Keypoints (J, 3), pixels and calibrated confidence; and the mean place (2,) of the person in the picture
            over the pose's window.
        """
        fps, outputs = self._lifter.fps, self._lifter.out_frames
        middle = (outputs[0] + outputs[-1]) / 2 if self._plan.blocks else outputs[-1]
        first_s = time_s - middle / fps
        frame = self._history.frame(time_s)
        place = self._history.place(self._root, first_s, first_s + (self._lifter.in_frames - 1) / fps)
        if self._feed.normalization == SCREEN and self._image_size is not None:
            xy = pixels_from_screen(frame[:, :2], self._image_size)
            return np.concatenate([xy, frame[:, 2:]], 1), pixels_from_screen(place, self._image_size)
        return frame, place

    def _due_window(self, time_s: float) -> list[np.ndarray]:
        """Return the window that ends with the newest frame, unless its pose would lie before the stream began."""
        if time_s - self.lag / self._lifter.fps < self._start_s - _ROUNDING / self._lifter.fps:
            return []
        clip, inside = self._window(time_s)
        self._pending.append(clip[self._lifter.out_frames[-1], :, 2])
        return [self._feed.windows(clip[None], inside)]

    def _of_window(self, answers: Sequence[Answer]) -> tuple[Answer, np.ndarray, float] | None:
        """Return the newest frame (1, ...) of the answer, what was observed (J,), and the time."""
        if not answers:
            return None
        newest = answers[0].each(lambda part: part[0, -1:])
        if self._lifter.in_frames == 1:
            if self._pending[0].any():
                self._known = newest
            elif self._known is not None:
                newest = replace(self._known, spread=newest.spread)
        return newest, self._pending[0], self.last_s - self.lag / self._lifter.fps

    def _due_blocks(self, time_s: float) -> list[np.ndarray]:
        """Return the windows that have become complete."""
        fps, yielded, first = self._lifter.fps, len(self._lifter.out_frames), self._lifter.out_frames[0]
        position = (time_s - self._start_s) * fps
        last = self._lifter.in_frames - 1 - first  # from the first frame that comes out to the last that goes in
        due, block = [], self._blocks
        while block * yielded + last <= position + _ROUNDING:
            clip, inside = self._window(self._start_s + (block * yielded + last) / fps)
            due.append(self._feed.windows(clip[None], inside))
            block += 1
        return due

    def _of_blocks(self, answers: Sequence[Answer]) -> tuple[Answer, np.ndarray, float] | None:
        """Add the blocks, and return what is due as `_of_window` does."""
        for answer in answers:
            self._add_block(answer)
        fps, yielded = self._lifter.fps, len(self._lifter.out_frames)
        position = (self.last_s - self._start_s) * fps
        if self.lag == self._plan.lag and abs(position - round(position)) > _ROUNDING:
            self.lag += 1
        position = position - self.lag
        if position < -_ROUNDING or self._lifted is None:
            return None
        frame = max(math.floor(position + _ROUNDING), 0)
        share = position - frame
        share = float(share) if share > _ROUNDING else 0.0
        output_s = self._start_s + (frame + share) / fps
        oldest = (self._blocks - len(self._answers)) * yielded
        return self._lifted.between(frame - oldest, share), self._history.frame(output_s)[:, 2], output_s

    def _add_block(self, answer: Answer) -> None:
        """Take the answer (1, K, ...) to the next block, and join it to those before it that are still needed."""
        self._blocks += 1
        if not self._plan.blended:
            if self._answers:
                answer = answer.following(self._answers[-1])
            self._answers = [*self._answers[-1:], answer]
            self._lifted = join(self._answers).each(lambda part: part.reshape(-1, *part.shape[2:]))
            return
        self._answers = [*self._answers[-2:], answer]
        frames = len(self._answers) * len(self._lifter.out_frames)
        self._lifted = join(self._answers).stitched(Windows(_NOWHERE, _NOWHERE, frames))

    def _window(self, last_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the feed's clip (T, J, 3) up to a time, and (1, T) bool: the stream had begun by then."""
        clip = self._history.latest(self._lifter.in_frames, last_s)
        if clip is not None:
            return clip, self._whole
        times_s = last_s + self._back_s
        inside = times_s >= self._history.times_s[0] - _ROUNDING / self._lifter.fps
        return self._history.at(times_s), inside[None]

    def _pose(self, answer: Answer, observed: np.ndarray, time_s: float, who: dict[str, Any]) -> Poses3D:
        """Return a pose with what is known about it."""
        observed = observed.copy()  # of the memory
        left, right = self._hips
        if self._doubtful(answer.joints[0, left].tolist(), answer.joints[0, right].tolist(), time_s):
            observed[self._hips] = 0
        return Poses3D.trusted(
            answer.joints - answer.joints[:, self._root, None], self._lifter.skeleton, self._lifter.fps, self._frame,
            observed=observed[None], gap=np.array([self._history.far_from_sightings(time_s)]), spread=answer.spread,
            up=answer.up, contact=answer.contact, start_s=time_s, **who,
        )  # fmt: skip

    def _doubtful(self, left: list[float], right: list[float], time_s: float) -> bool:
        """Return whether the hips, in metres, cannot be right; see `poselift.lifting.doubtful_pelvis`."""
        across = [one - other for one, other in zip(left, right, strict=True)]
        width = math.hypot(*across)
        self._hip_width.add(width)
        across = [part / max(width, 1e-9) for part in across]
        before, self._across = self._across, (time_s, across)
        narrow = width < NARROWEST_HIPS * self._hip_width.value
        if before is None or time_s <= before[0]:
            return narrow
        turn = math.acos(min(max(sum(map(operator.mul, across, before[1])), -1.0), 1.0))
        return narrow or turn > FASTEST_TURN_RAD * (time_s - before[0])
