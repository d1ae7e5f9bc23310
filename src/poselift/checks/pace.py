"""Whether a clip runs at its claimed frame rate, judged by the rhythm of steps and by how fast limbs move.

A rate twice too high makes every motion twice as fast. Walkers take 1.5 to 2.3 steps a second and runners up to 3.6;
in other motions, limbs differ so much in speed that a rate looks wrong only where they are very fast.
"""

from dataclasses import dataclass

import numpy as np

from poselift.checks.body import Body

MOST_STRIDES_HZ = (1.65, 1.9)
"""Most strides (two steps) a second of walking and of running: 1 in 100 strides is quicker than 1.55 a second, and fast
runners of the motion capture take 1.8."""
RUNNING_SWING = 0.35
"""Root mean square distance between the legs' joints, in person sizes, that only runners reach: those with more than
1.65 strides a second have 0.36 to 0.47, and half of the walks at twice their pace have less than 0.3."""
FEWEST_STRIDES_HZ = 0.47
"""Fewest strides a second: 1 in 100 is slower."""
FEWEST_S = 1.5
"""Fewest seconds in which steps are looked for: in shorter clips only quick strides repeat themselves."""
FEWEST_LIMB_S = 2.5
"""Fewest seconds in which the speed of limbs is judged: of clips of two seconds, 6 in 1000 true ones look too fast."""
CLEAR_LOG_ODDS = 3.0
"""Log odds of a rate twice too high from which it is a warning: dancers at their true rate reach 2.8, and someone who
exercises on a chair 2.6."""
LIKELY_LOG_ODDS = 1.0
"""Log odds from which it is reported as good to know: 1 in 12 true rates reaches them."""
LAGS_S = (0.1, 0.4)
"""Times in seconds over which the motion of limbs is measured."""
TOO_HIGH = (4.4, -1.22, -2.18, 5.22)
"""Log odds for each of `limb_features` and a constant, fitted to motion capture (benchmarks/doctor.py). There is no
such fit for a rate that is too low: people may stand still at any rate."""

_LIMBS = tuple(f"{side}_{joint}" for side in ("left", "right") for joint in ("wrist", "ankle", "elbow", "knee"))
_LONGEST_STRIDE_S = 2.6
_LEAST_SWING = 0.07
"""Least root mean square distance between the legs' joints, in person sizes, that counts as steps."""
_SEEN = 0.6


@dataclass(frozen=True)
class Gait:
    """A rhythm of the legs."""

    strides_hz: float
    """Strides (two steps) a second, at the claimed rate."""
    likeness: float
    """How well the motion repeats itself after a stride, at most 1."""
    swing: float
    """Root mean square distance between the legs' joints about its mean, in person sizes."""

    @property
    def too_quick(self) -> bool:
        """Whether hardly anyone walks, or runs, at this pace."""
        walking, running = MOST_STRIDES_HZ
        return self.strides_hz > (walking if self.swing < RUNNING_SWING else running)


def gait(body: Body) -> Gait | None:
    """Return the rhythm of someone who walks or runs; None where the legs have no rhythm."""
    apart = _legs_apart(body)
    if apart is None:
        return None
    fps, frames = body.keypoints.fps, len(apart)
    time = np.stack([np.ones(frames), np.linspace(-1, 1, frames)], 1)
    apart = apart - time @ np.linalg.lstsq(time, apart, rcond=None)[0]
    likeness = _likenesses(apart, min(int(_LONGEST_STRIDE_S * fps), int(0.6 * frames)) - 1)
    swing = float(np.sqrt((apart**2).sum(1).mean()))
    opposite = np.flatnonzero(likeness < 0)
    if swing <= _LEAST_SWING or not len(opposite):
        return None
    original = likeness.copy()
    likeness[: opposite[0]] = -1
    inner = likeness[1:-1]
    peaks = 1 + np.flatnonzero((inner >= likeness[:-2]) & (inner >= likeness[2:]) & (inner > 0.85 * likeness.max()))
    if not len(peaks):
        return None
    stride = int(peaks[0]) + 1
    found = Gait(fps / stride, float(likeness[stride - 1]), swing)
    return found if found.likeness > 0.75 and original[(stride + 1) // 2 - 1] < -0.5 else None


def _legs_apart(body: Body) -> np.ndarray | None:
    """Return left minus right ankle and knee, (T, 4) person sizes, gaps interpolated; None if too little is seen."""
    apart = np.concatenate([np.subtract(*body.both(joint)) for joint in ("ankle", "knee")], axis=1) / body.size_px
    seen = np.isfinite(apart)
    if len(apart) < FEWEST_S * body.keypoints.fps or seen.mean(0).min() < _SEEN:
        return None
    time = np.arange(len(apart))
    columns = [np.interp(time, time[ok], values[ok]) for values, ok in zip(apart.T, seen.T, strict=True)]
    return np.stack(columns, 1)


def _likenesses(series: np.ndarray, lags: int) -> np.ndarray:
    """Return how alike a series (T, C) is to itself 1, 2, ... `lags` frames later: sum(a b) / sqrt(sum(a²) sum(b²))."""
    frames, shifts = len(series), np.arange(1, lags + 1)
    spectrum = np.fft.rfft(series, 2 * frames, axis=0)
    products = np.fft.irfft((np.abs(spectrum) ** 2).sum(1), 2 * frames)[shifts]
    power = np.concatenate([[0], np.cumsum((series**2).sum(1))])
    return products / np.maximum(np.sqrt(power[frames - shifts] * (power[-1] - power[shifts])), 1e-12)


def limb_features(body: Body) -> np.ndarray | None:
    """Return the logarithms (3,) of how far limbs move in each of `LAGS_S`, and of their spread.

    Limbs are wrists, ankles, elbows and knees relative to the middle of the hips, in person sizes. None when the clip
    is too short or too little of it is seen.
    """
    fps = body.keypoints.fps
    hips = body.middle(("left_hip", "right_hip"))
    limbs = np.stack([body.joint(name) for name in _LIMBS], 1)
    limbs = (limbs - hips[:, None]) / body.size_px
    limbs = limbs[:, np.isfinite(limbs).any((0, 2))]
    if len(limbs) < FEWEST_LIMB_S * fps or np.isfinite(limbs).sum() < _SEEN * 2 * len(limbs) * len(_LIMBS):
        return None
    far = []
    for lag in LAGS_S:
        whole = int(lag * fps)
        share = lag * fps - whole
        later = limbs[whole : len(limbs) - 1] * (1 - share) + limbs[whole + 1 :] * share
        far.append(np.sqrt(np.nanmean(((later - limbs[: len(later)]) ** 2).sum(-1))))
    far.append(np.sqrt(np.nanmean(np.nanvar(limbs, 0).sum(-1))))
    return np.log(np.maximum(far, 1e-6))


def log_odds(body: Body) -> float:
    """Return the log odds that the claimed rate is twice too high; 0 where the clip gives no evidence."""
    features = limb_features(body)
    return 0.0 if features is None else float(np.dot(TOO_HIGH, [*features, 1]))
