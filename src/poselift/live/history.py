"""What a stream remembers of one person: the latest keypoints with their times, and medians over a while."""

import numpy as np

LONGEST_STEP_S = 0.25
"""Between two frames farther apart, nobody was seen; between nearer ones joints go straight from one to the other."""
_ON_TIME_S = 5e-4
"""Frames so close to the times asked for are taken as they are."""
_ROUNDING_S = 1e-6


class History:
    """The latest frames of one person, in the lifter's joints. Memory is constant."""

    def __init__(self, joints: int, most: int) -> None:
        """Start without frames; `most` of J `joints` are kept."""
        self._most = most
        self._frames = np.zeros((2 * most, joints, 3), np.float32)
        self._times_s = np.zeros(2 * most)
        self._sighted = np.zeros(2 * most, bool)
        self._start = self._end = 0

    def __len__(self) -> int:
        """Number of frames that are kept."""
        return self._end - self._start

    @property
    def times_s(self) -> np.ndarray:
        """(N,) times of the frames in seconds, increasing."""
        return self._times_s[self._start : self._end]

    def clear(self) -> None:
        """Forget every frame."""
        self._start = self._end = 0

    def add(self, frame: np.ndarray, time_s: float, sighted: bool) -> None:
        """Add the next frame.

        Args:
            frame: (J, 3) pixels and score, all 0 where a joint was not seen.
            time_s: Time of the frame, later than the one before.
            sighted: Whether it counts as a sighting of the person.
        """
        if self._end == len(self._times_s):  # half of the buffer is free again: move what is kept to its front
            for array in (self._frames, self._times_s, self._sighted):
                array[: self._most - 1] = array[self._end - self._most + 1 :]
            self._start, self._end = 0, self._most - 1
        self._frames[self._end], self._times_s[self._end], self._sighted[self._end] = frame, time_s, sighted
        self._end += 1
        self._start = max(self._start, self._end - self._most)

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Return the keypoints at some times, by the rule of `poselift.prepare.resample.resample_keypoints`.

        Args:
            times_s: (N,) increasing.

        Returns:
            (N, J, 3) float32 pixels and score, the score 0 where a joint was not seen. Before the first frame and
            after the last, these are held. Not to be written to: it may be the memory itself.
        """
        known, frames = self.times_s, self._frames[self._start : self._end]
        first = int(np.searchsorted(known, times_s[0] - _ON_TIME_S))
        meant = known[first : first + len(times_s)]
        if len(meant) == len(times_s) and np.abs(meant - times_s).max() <= _ON_TIME_S:
            return frames[first : first + len(times_s)]
        before = (np.searchsorted(known, times_s + _ROUNDING_S, "right") - 1).clip(0)
        after = (before + 1).clip(max=len(known) - 1)
        step_s = known[after] - known[before]
        share = ((times_s - known[before]) / np.maximum(step_s, _ROUNDING_S)).clip(0, 1).astype(np.float32)[:, None]
        one, other = frames[before], frames[after]
        both = (one[..., 2] > 0) & (other[..., 2] > 0)
        weight = np.where(both, share, share >= 0.5)[..., None]
        found = one + (other - one) * weight
        apart = (step_s > LONGEST_STEP_S) & (share[:, 0] * step_s > _ON_TIME_S)
        apart &= (1 - share[:, 0]) * step_s > _ON_TIME_S
        found[apart, :, 2] = 0
        return np.asarray(found, np.float32)

    def far_from_sightings(self, time_s: float) -> bool:
        """Return whether the person was not seen within `LONGEST_STEP_S` of a time."""
        seen_s = self.times_s[self._sighted[self._start : self._end]]
        return not len(seen_s) or bool(np.abs(seen_s - time_s).min() > LONGEST_STEP_S + _ROUNDING_S)


class RunningMedian:
    """The median of positive numbers over the latest frames, renewed each time a tenth of them is new.

    It stands where a clip's median stands offline; in a stream the frames to come are not known.
    """

    FRAMES = 500
    """Number of frames that count, ten seconds at 50 frames a second."""

    def __init__(self, width: int) -> None:
        """Take `width` numbers a frame."""
        self._numbers = np.zeros((self.FRAMES, width), np.float32)
        self._count = self._renewed = 0
        self.value = 1.0
        """The median; 1 before the first positive number."""

    def add(self, numbers: np.ndarray | float) -> None:
        """Add a frame's numbers (width,); those that are not positive do not count."""
        self._numbers[self._count % self.FRAMES] = numbers
        self._count += 1
        held = min(self._count, self.FRAMES)
        if (self._count - self._renewed) * 10 >= held:
            positive = self._numbers[:held]
            positive = positive[positive > 0]
            if len(positive):
                self.value = float(np.median(positive))
                self._renewed = self._count
