"""What a stream remembers of one person: the latest keypoints with their times, and medians over a while."""

import numpy as np

LONGEST_STEP_S = 0.25
"""Between two frames farther apart, nobody was seen; between nearer ones joints go straight from one to the other."""
_ON_TIME_S = 5e-4
"""Frames so close to their times are on time."""
_ROUNDING_S = 1e-6


class History:
    """The latest frames of one person, in the lifter's joints, with calibrated confidence. Memory is constant."""

    def __init__(self, joints: int, most: int, step_s: float) -> None:
        """Start without frames.

        Args:
            joints: Number of joints (J).
            most: Number of frames that are kept.
            step_s: Time between two frames of a window.
        """
        self._most, self._step_s = most, step_s
        self._raw = np.zeros((2 * most, joints, 3), np.float32)
        self._calibrated = self._raw.copy()
        self._times_s = np.zeros(2 * most)
        self._sighted = np.zeros(2 * most, bool)
        self._scale = np.float32(1)
        self.clear()

    def clear(self) -> None:
        """Forget every frame."""
        self._start = self._end = self._even = 0
        self._even_from_s = self._sighted_s = -np.inf

    @property
    def times_s(self) -> np.ndarray:
        """(N,) times of the frames in seconds, increasing."""
        return self._times_s[self._start : self._end]

    @property
    def scale(self) -> float:
        """The score that counts as 1, as do higher ones; see `poselift.prepare.normalize.calibrate`."""
        return float(self._scale)

    @scale.setter
    def scale(self, scale: float) -> None:
        if np.float32(scale) == self._scale:
            return
        self._scale = np.float32(scale)
        held = slice(self._start, self._end)
        self._calibrated[held, :, 2] = np.minimum(self._raw[held, :, 2] / self._scale, 1)

    def add(self, frame: np.ndarray, time_s: float, sighted: bool) -> None:
        """Add the next frame.

        Args:
            frame: (J, 3) pixels and score, all 0 where a joint was not seen.
            time_s: Time of the frame, later than the one before.
            sighted: Whether it counts as a sighting of the person.
        """
        if self._end == len(self._times_s):  # half of the buffer is free again: move what is kept to its front
            for array in (self._raw, self._calibrated, self._times_s, self._sighted):
                array[: self._most - 1] = array[self._end - self._most + 1 :]
            self._start, self._end = 0, self._most - 1
        place = self._end
        self._raw[place] = self._calibrated[place] = frame
        np.minimum(frame[:, 2] / self._scale, 1, out=self._calibrated[place, :, 2])
        self._times_s[place], self._sighted[place] = time_s, sighted
        self._end += 1
        self._start = max(self._start, self._end - self._most)
        if abs(time_s - self._even_from_s - self._even * self._step_s) > _ON_TIME_S:
            self._even_from_s, self._even = time_s, 0
        self._even += 1
        if sighted:
            self._sighted_s = time_s

    def latest(self, count: int, last_s: float) -> np.ndarray | None:
        """Return the latest frames as they are if they are those of a window, which came at its rate; else None.

        Args:
            count: Number of frames of the window.
            last_s: Time of its last frame.

        Returns:
            (count, J, 3) as `at` returns it, without any arithmetic. Not to be written to.
        """
        if self._even < count or abs(last_s - self._times_s[self._end - 1]) > _ON_TIME_S:
            return None
        return self._calibrated[self._end - count : self._end]

    def at(self, times_s: np.ndarray) -> np.ndarray:
        """Return the keypoints at some times, by the rule of `poselift.prepare.resample.resample_keypoints`.

        Args:
            times_s: (N,) increasing.

        Returns:
            (N, J, 3) float32 pixels and calibrated confidence, which is 0 where a joint was not seen. Before the first
            frame and after the last, these are held.
        """
        known, frames = self.times_s, self._raw[self._start : self._end]
        before = (np.searchsorted(known, times_s + _ROUNDING_S, "right") - 1).clip(0)
        after = (before + 1).clip(max=len(known) - 1)
        step_s, since_s = known[after] - known[before], (times_s - known[before]).clip(0)
        share = (since_s / np.maximum(step_s, _ROUNDING_S)).clip(0, 1)
        share[since_s <= _ROUNDING_S] = 0
        one, other = frames[before], frames[after]
        both = (one[..., 2] > 0) & (other[..., 2] > 0)
        if both.all():  # as usual: a row a frame, since numpy is slow on axes of length 3
            weight = share.astype(np.float32)[:, None]
            rows = one.reshape(len(share), -1) * (1 - weight) + other.reshape(len(share), -1) * weight
            found = rows.reshape(one.shape)
        else:
            weight = np.where(both, share[:, None], share[:, None] >= 0.5).astype(np.float32)[..., None]
            found = one * (1 - weight) + other * weight
        apart = (step_s > LONGEST_STEP_S) & (since_s > _ON_TIME_S) & (step_s - since_s > _ON_TIME_S)
        found[apart, :, 2] = 0
        found[..., 2] = np.minimum(found[..., 2] / self._scale, 1)
        return found

    def frame(self, time_s: float) -> np.ndarray:
        """Return the keypoints (J, 3) at one time, as `at` does. Not to be written to."""
        after = self._start + int(np.searchsorted(self.times_s, time_s - _ROUNDING_S))
        if after < self._end and self._times_s[after] - time_s <= _ROUNDING_S:
            return np.asarray(self._calibrated[after])
        return np.asarray(self.at(np.array([time_s]))[0])

    def place(self, joint: int, first_s: float, last_s: float) -> np.ndarray:
        """Return the mean place (2,) of a joint from one time to another, over the frames in which it is seen.

        Where it is seen in none, it is that of all joints.
        """
        first, after = np.searchsorted(self.times_s, (first_s - _ROUNDING_S, last_s + _ROUNDING_S)) + self._start
        frames = self._raw[first : max(after, first + 1)]
        own = frames[frames[:, joint, 2] > 0, joint, :2]
        if not len(own):
            own = frames[frames[..., 2] > 0][:, :2]
        return own.mean(0) if len(own) else np.zeros(2, np.float32)

    def far_from_sightings(self, time_s: float) -> bool:
        """Return whether the person was not seen within `LONGEST_STEP_S` of a time."""
        if abs(time_s - self._sighted_s) <= LONGEST_STEP_S + _ROUNDING_S:
            return False
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

    def add(self, numbers: np.ndarray | float) -> bool:
        """Add a frame's numbers (width,), of which those count that are positive; return whether it was renewed."""
        self._numbers[self._count % self.FRAMES] = numbers
        self._count += 1
        held = min(self._count, self.FRAMES)
        if (self._count - self._renewed) * 10 >= held:
            positive = self._numbers[:held]
            positive = positive[positive > 0]
            if len(positive):
                self.value = float(np.median(positive))
                self._renewed = self._count
                return True
        return False
