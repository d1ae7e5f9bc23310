"""Whether a lifter knows how far off it is, which way is up, and which feet stand still.

Shares are in per cent, angles in degrees. A share of joints within their radius ("coverage") is right when it is the
probability that the radius was asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from poselift.measure.anatomy import angle
from poselift.sequence import Poses3D, spread_quantile

LEVELS = tuple(np.arange(0.05, 1, 0.05).round(2).tolist())
"""Probabilities over which the calibration error is averaged."""
GROUPS: dict[str, tuple[str, ...]] = {
    "feet": ("toe", "heel", "foot_index"),
    "face": ("eye", "ear", "nose", "head"),
    "arms": ("elbow", "wrist"),
    "legs": ("knee", "ankle"),
    "trunk": ("",),
}
"""Groups of joints, and parts of their names; a joint belongs to the first group that fits."""
CERTAIN = 0.5
"""Probability from which a contact counts as said."""
UNITS = {
    **{f"coverage_{level}{where}": "%" for where in ("", "_unseen", *(f"_{g}" for g in GROUPS)) for level in (50, 90)},
    "calibration_error": "%",
    "spread": "mm",
    "up": "°",
    "up_median": "°",
    "up_95": "°",
    "contact_precision": "%",
    "contact_recall": "%",
    "contact_f1": "%",
}
"""Units by metric: joints within their radius of 50 and 90 %, of all, of those that were not seen, and by group; mean
difference between these shares and what they should be; mean spread; angle to the true direction that is up, its mean,
median and 95 % quantile; contacts with the ground."""


def group_of(joint: str) -> str:
    """Return the name of a joint's group in `GROUPS`."""
    return next(group for group, parts in GROUPS.items() if any(part in joint for part in parts))


@dataclass(eq=False)
class Certainty:
    """Collects what poses say of their own errors, view by view."""

    ratios: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """By joint, distances from the truth in spreads, (frames,) each."""
    spreads: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """By joint, spreads in metres, (frames,) each."""
    seen: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """By joint, whether it was seen, (frames,) bool each."""
    angles: list[np.ndarray] = field(default_factory=list)
    """Angles to the direction that is up, degrees, (frames,) each."""
    contacts: list[np.ndarray] = field(default_factory=list)
    """Probabilities of contacts and true ones where these are known, (contacts, 2) each."""

    def add(self, poses: Poses3D, truth: np.ndarray, up: np.ndarray, contact: np.ndarray | None) -> None:
        """Add a view.

        Args:
            poses: Lifted poses; what they do not say is left out.
            truth: (T, J, 3) true joints, metres, relative to the root, in the frame of the poses; NaN where not known.
            up: (T, 3) true directions that are up, in the same frame.
            contact: (T, 4) true contacts, negative where not known; None where nothing is known.
        """
        if poses.spread is not None:
            self._add_spread(poses, poses.spread, truth)
        if poses.up is not None:
            self.angles.append(angle(poses.up, up))
        if poses.contact is not None and contact is not None:
            known = contact >= 0
            self.contacts.append(np.stack([poses.contact[known], contact[known]], 1))

    def _add_spread(self, poses: Poses3D, spread: np.ndarray, truth: np.ndarray) -> None:
        far = np.linalg.norm(poses.xyz - truth, axis=-1)
        observed = np.ones(far.shape) if poses.observed is None else poses.observed
        for joint, name in enumerate(poses.skeleton.joints):
            if joint != poses.skeleton.root and np.isfinite(far[:, joint]).all():
                parts = (far[:, joint] / np.maximum(spread[:, joint], 1e-9), spread[:, joint], observed[:, joint] > 0)
                for found, part in zip((self.ratios, self.spreads, self.seen), parts, strict=True):
                    found.setdefault(name, []).append(part)

    def of_joints(self, belongs: Callable[[str], bool]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return distances in spreads, spreads in metres and whether seen, (N,) each, of the joints that belong."""
        names = [name for name in self.ratios if belongs(name)]
        parts = ([part for name in names for part in found[name]] for found in (self.ratios, self.spreads, self.seen))
        ratios, spreads, seen = (np.concatenate(part) if part else np.empty(0) for part in parts)
        return ratios, spreads, seen.astype(bool)

    def means(self) -> dict[str, float]:
        """Return each measure of `UNITS` that the poses and the truth allow."""
        found: dict[str, float] = {}
        ratios, spreads, seen = self.of_joints(lambda name: True)
        if len(ratios):
            chosen = {"": ratios, "_unseen": ratios[~seen]}
            for group in GROUPS:
                chosen[f"_{group}"] = self.of_joints(lambda name, group=group: group_of(name) == group)[0]  # type: ignore[misc]
            for where, part in chosen.items():
                if len(part):
                    found |= {f"coverage_{level}{where}": 100 * coverage(part, level / 100) for level in (50, 90)}
            found |= {"calibration_error": 100 * calibration_error(ratios), "spread": 1000 * float(spreads.mean())}
        if self.angles:
            angles = np.concatenate(self.angles)
            found |= {"up": float(angles.mean()), "up_median": float(np.median(angles))}
            found["up_95"] = float(np.quantile(angles, 0.95))
        said, true = np.concatenate([np.zeros((0, 2)), *self.contacts]).T
        if len(said):
            found |= contact_scores(said, true)
        return found


def coverage(ratios: np.ndarray, probability: float) -> float:
    """Return the share of joints that lie within their radius of a probability.

    Args:
        ratios: (N,) distances from the truth, in spreads.
        probability: What the share should be.
    """
    return float((ratios <= spread_quantile(probability)).mean())


def calibration_error(ratios: np.ndarray) -> float:
    """Return the expected calibration error: the mean difference between `coverage` and the probability, over `LEVELS`.

    Args:
        ratios: (N,) distances from the truth, in spreads.

    Source: Kuleshov et al. 2018, "Accurate uncertainties for deep learning using calibrated regression". Differs:
    differences are not squared, as in Guo et al. 2017.
    """
    return float(np.mean([abs(coverage(ratios, level) - level) for level in LEVELS]))


def contact_scores(said: np.ndarray, true: np.ndarray) -> dict[str, float]:
    """Return precision, recall and F1 of contacts in per cent.

    Args:
        said: (N,) probabilities, which count from `CERTAIN`.
        true: (N,) 1 for contact and 0 for none; soft ones count from 0.5.
    """
    yes, is_true = said >= CERTAIN, true >= 0.5
    hits = int((yes & is_true).sum())
    precision, recall = hits / max(int(yes.sum()), 1), hits / max(int(is_true.sum()), 1)
    f1 = 2 * hits / max(int(yes.sum() + is_true.sum()), 1)
    return {"contact_precision": 100 * precision, "contact_recall": 100 * recall, "contact_f1": 100 * f1}
