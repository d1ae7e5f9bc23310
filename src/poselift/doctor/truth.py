"""Checks of a benchmark's 3D joints, and of how they fit their keypoints."""

from collections.abc import Iterator

import numpy as np

from poselift.checks.body import HIGH, LOW, agreement
from poselift.checks.finding import Finding
from poselift.datasets.clip import BenchmarkClip
from poselift.skeleton import Skeleton

LEG_M = 0.85
"""Length of a leg from hip to ankle in metres."""

_UNITS = {"millimetres": 1000.0, "centimetres": 100.0}
_LEG_RANGE = (0.5, 1.6)
_KNEES = -0.3
_MOST = 0.8
_MISFIT = 0.05
_BETTER = 0.6
_FRAMES = 300


def check_truth(clip: BenchmarkClip) -> list[Finding]:
    """Return everything that is wrong with a clip's 3D joints and valid frames, and with their fit to the keypoints."""
    valid = np.flatnonzero(clip.valid)
    if not len(valid):
        return [_finding("warning", "valid", "no frame is valid", "nothing is scored or learned", "drop this sequence")]
    xyz = clip.xyz[valid].astype(np.float64)
    if not np.isfinite(xyz).all():
        wrong = f"{(~np.isfinite(xyz)).any((1, 2)).sum()} valid frames hold NaN or infinite joints"
        return [_finding("error", "finite", wrong, "errors become NaN", "mark these frames as not valid, or drop them")]
    chosen = valid[:: max(1, len(valid) // _FRAMES)]
    joints = clip.xyz[chosen].astype(np.float64)
    findings = [*_units(joints, clip.skeleton), *_frame(joints, clip.skeleton), *_knees(joints, clip.skeleton)]
    if not findings:
        findings = list(_projection(clip, chosen, joints))
    return findings


def _finding(severity: str, check: str, wrong: str, effect: str, advice: str) -> Finding:
    return Finding(severity, f"3D {check}", wrong, effect, advice)  # type: ignore[arg-type]


def _units(xyz: np.ndarray, skeleton: Skeleton) -> Iterator[Finding]:
    legs = [limb for limb in skeleton.limbs if skeleton.joints[limb[0]].endswith("hip")]
    if not legs:
        return
    bones = [
        np.linalg.norm(xyz[:, a] - xyz[:, b], axis=-1)
        for hip, knee, ankle in legs
        for a, b in ((hip, knee), (knee, ankle))
    ]
    leg = float(np.median(np.sum(bones, 0))) / len(legs)
    if not _LEG_RANGE[0] < leg / LEG_M < _LEG_RANGE[1]:
        units = [name for name, number in _UNITS.items() if _LEG_RANGE[0] < leg / LEG_M / number < _LEG_RANGE[1]]
        yield _finding(
            "error", "units", f"legs are {leg:.3g} long: " + (f"these are {units[0]}" if units else "not metres"),
            "every error is given in a wrong unit, and weights learn a person of that size",
            f"divide by {_UNITS[units[0]]:g}" if units else "find the unit, and turn it into metres",
        )  # fmt: skip


def _frame(xyz: np.ndarray, skeleton: Skeleton) -> Iterator[Finding]:
    high = [skeleton.index(name) for name in HIGH if name in skeleton]
    low = [skeleton.index(name) for name in LOW if name in skeleton]
    if high and low and (xyz[:, low, 1].mean(1) < xyz[:, high, 1].mean(1)).mean() > _MOST:
        yield _finding(
            "error", "up", "heads are below feet: y points up, in a frame where it should point down",
            "keypoints and joints contradict each other", "turn the joints into camera axes: x right, y down, z away",
        )  # fmt: skip
    if (xyz[:, skeleton.root, 2] <= 0).any():
        yield _finding(
            "error", "camera", "the person is not in front of the camera", "the joints are not in camera axes, or were "
            "made relative to the root",
            "turn the joints into the camera's frame, with the camera's own rotation and place",
        )  # fmt: skip


def _knees(xyz: np.ndarray, skeleton: Skeleton) -> Iterator[Finding]:
    """Yield a finding if knees bend backwards; forward is the cross product of left and up."""
    top = next((name for name in ("thorax", "neck", "head_top", "head") if name in skeleton), None)
    if top is None or "left_hip" not in skeleton:
        return
    left = xyz[:, skeleton.index("left_hip")] - xyz[:, skeleton.index("right_hip")]
    hips = (xyz[:, skeleton.index("left_hip")] + xyz[:, skeleton.index("right_hip")]) / 2
    forward = np.cross(left, xyz[:, skeleton.index(top)] - hips)
    forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-9)
    bent = []
    for hip, knee, ankle in skeleton.limbs:
        if skeleton.joints[hip].endswith("hip"):
            offset = xyz[:, knee] - (xyz[:, hip] + xyz[:, ankle]) / 2
            bent.append((offset * forward).sum(-1))
    forwards = np.concatenate(bent)
    if agreement(forwards, np.ones_like(forwards)) < _KNEES:
        yield _finding(
            "error", "sides", "knees bend backwards: left and right are exchanged, or an axis is mirrored",
            "weights learn people that do not exist", "exchange left and right joints, or check each axis' sign",
        )  # fmt: skip


def _projection(clip: BenchmarkClip, frames: np.ndarray, xyz: np.ndarray) -> Iterator[Finding]:
    """Yield a finding if no pinhole camera sees the joints where the keypoints are."""
    both = [name for name in clip.skeleton.joints if name in clip.keypoints.skeleton]
    joints = xyz[:, list(clip.skeleton.indices(both))]
    places = list(clip.keypoints.skeleton.indices(both))
    exchanged = [
        places[both.index(_other_side(name))] if _other_side(name) in both else p
        for name, p in zip(both, places, strict=True)
    ]
    misfit = _misfit(joints, clip, frames, places)
    if np.isnan(misfit):
        return
    if (other := _misfit(joints, clip, frames, exchanged)) < _BETTER * misfit and other < _MISFIT:
        yield _finding(
            "error", "sides", "keypoints and joints have left and right exchanged against each other",
            "weights learn to exchange the sides", "exchange left and right in one of the two orders",
        )  # fmt: skip
    elif misfit > _MISFIT:
        yield _finding(
            "error" if misfit > 3 * _MISFIT else "warning", "projection",
            f"no camera sees the joints where the keypoints are: they miss by {100 * misfit:.0f} % of the person",
            "the pairs do not belong together: another sequence, camera, joint order, or a shift in time",
            "check how sequences and cameras are paired and where the first frames are, or choose other keypoints or "
            "another truth (--keypoints, --truth)",
        )  # fmt: skip


def _other_side(name: str) -> str:
    for side, other in (("left_", "right_"), ("right_", "left_")):
        if name.startswith(side):
            return other + name.removeprefix(side)
    return name


def _misfit(xyz: np.ndarray, clip: BenchmarkClip, frames: np.ndarray, places: list[int]) -> float:
    """Return the median distance of keypoints from the best pinhole camera's view of the joints, in person sizes."""
    seen = clip.keypoints.seen[frames][:, places]
    depth = np.maximum(xyz[..., 2:], 0.1)
    rays, pixels = (xyz[..., :2] / depth)[seen], clip.keypoints.xy[frames][:, places][seen].astype(np.float64)
    if len(rays) < 50:
        return float("nan")
    one = np.ones(len(rays))
    rest = []
    for axis in range(2):
        known = np.stack([rays[:, axis], one], 1)
        rest.append(pixels[:, axis] - known @ np.linalg.lstsq(known, pixels[:, axis], rcond=None)[0])
    xy = np.where(seen[..., None], clip.keypoints.xy[frames][:, places], np.nan)
    boxes = np.linalg.norm(np.nanmax(xy[seen.any(1)], 1) - np.nanmin(xy[seen.any(1)], 1), axis=-1)
    return float(np.median(np.hypot(*rest)) / max(np.median(boxes), 1e-9))
