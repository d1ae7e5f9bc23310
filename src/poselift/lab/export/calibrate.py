"""Calibrate the spread of a trained lifter, so that as many joints lie within their radius as it says.

A network knows the motion that it was trained on better than any other, and errors follow no law exactly. So for each
group of joints the spread s becomes c s^a, which keeps the order of spreads. The power a is the likeliest one on motion
capture that was held back. The factor c then makes the radii right: half of the joints lie within their radius of 50 %,
and nine of ten within that of 90 %, as far as one number can do both. (A power that makes both right exactly was tried:
it went to 0.3 and 2.0, where spreads no longer tell sure joints from others.) The clips are seen with detector errors,
as in use; with exact 2D joints the radii are a little too large. Both numbers go into the weights of the network's last
layer (`ExtraHeads.scale_spread`), and cost nothing.
"""

from collections.abc import Sequence

import numpy as np
import torch

from poselift.datasets.clip import MocapClip
from poselift.lab.models.lifter import Lifter
from poselift.lifters.contract import Lifter as AnyLifter
from poselift.measure.certainty import GROUPS, Certainty, group_of
from poselift.measure.mocap import MocapProtocol, Observer, certainty_on
from poselift.sequence import spread_quantile

PROTOCOL = MocapProtocol(cameras=2, seed=1)
"""Cameras of the calibration, other ones than those of the scores on a card."""
POWERS = np.linspace(0.5, 1.5, 101)
"""Powers that are tried."""
_LEVELS = (0.5, 0.9)


def calibrate_spread(
    model: Lifter, lifter: AnyLifter, clips: Sequence[MocapClip], observers: Sequence[Observer | None]
) -> dict[str, tuple[float, float]]:
    """Fit a trained lifter's spread to its errors on motion capture, and change its weights.

    Args:
        model: The network; one without spread is left as it is.
        lifter: The same network, as it lifts.
        clips: Motion capture that it was not trained on.
        observers: How the clips are seen, each alike often: by simulated detectors, or exactly for None.

    Returns:
        By group of joints the power a and the factor c, for spreads in metres.
    """
    heads = getattr(model, "extras", None)
    if heads is None or "spread" not in heads.sizes:
        return {}
    found = [certainty_on(lifter, clips, PROTOCOL, observe) for observe in observers]
    by_group = {group: _of_group(found, group) for group in GROUPS}
    fitted = {group: fit(*part) for group, part in by_group.items() if len(part[0])}
    plain = (1.0, 1.0)
    pairs = [fitted.get(group_of(joint), plain) for joint in model.skeleton.joints]
    powers, factors = (torch.tensor(part, dtype=torch.float32) for part in zip(*pairs, strict=True))
    device = heads.out.weight.device
    heads.scale_spread(powers.to(device), factors.to(device))
    return fitted


def fit(distances: np.ndarray, spreads: np.ndarray) -> tuple[float, float]:
    """Return the power a and the factor c with which c s^a describes distances best.

    The power is the likeliest of `POWERS` (`poselift.lab.run.losses.spread_loss` is the likelihood, here with its best
    factor); the factor makes the radii of 50 and 90 % right, on average of their logarithms.

    Args:
        distances: (N,) distances from the truth, metres.
        spreads: (N,) spreads s, metres.
    """
    wanted = np.log([spread_quantile(level) for level in _LEVELS])
    logs, of_spreads = np.log(np.maximum(distances, 1e-6)), np.log(np.maximum(spreads, 1e-6))
    losses = [np.log(np.exp(logs - power * of_spreads).mean()) + power * of_spreads.mean() for power in POWERS]
    power = float(POWERS[np.argmin(losses)])
    return power, float(np.exp((np.quantile(logs - power * of_spreads, _LEVELS) - wanted).mean()))


def _of_group(found: Sequence[Certainty], group: str) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and spreads (N,), metres, of a group's joints."""
    parts = [part.of_joints(lambda name: group_of(name) == group) for part in found]
    ratios, spreads = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    return ratios * spreads, spreads
