"""Whether left and right are exchanged throughout a clip.

To a camera very far away, a person with exchanged sides looks just like another person, mirrored in depth. Three small
cues tell them apart: near parts of the body look larger; toes that point to a camera above the floor are lower in the
picture than the heels; detectors are less sure of the side that is turned away. Each cue is a vote: sides are called
exchanged only if one vote is clear and none is against it.
"""

from dataclasses import replace

import numpy as np

from poselift.doctor.body import Body, agreement
from poselift.lifters.contract import Lifter
from poselift.lifting import lift
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton

FEWEST_FRAMES = 20
"""Fewest frames that must show arms and legs, or be lifted for the perspective, before they are judged."""
FEWEST_CLEAR_FRAMES = 45
"""Fewest frames in which feet or confidence must be clear. Fewer agree by chance: with random scores, 18 of 100 true
single frames and 3 of 100 clips of 15 frames were called exchanged (benchmarks/doctor.py --frames)."""
OPPOSED = -0.5
"""Agreement below which arms and legs have different sides. Twisted people reach -0.2 over a clip."""
CLEAR = 0.4
"""Agreement of confidence with the body's direction that counts as a vote."""
CLEAR_FEET = 0.8
"""Agreement of the feet with the body's direction that counts as a vote. Of 100 true clips of 60 to 250 frames, 1 to 3
disagree as much; 9 to 12 did by `CLEAR` and the mean of both feet (benchmarks/doctor.py --feet)."""
CLEAR_LOG_ODDS = 2.5
"""Log odds of the perspective that count as a vote."""
WEIGHTS = (49.25, 3.03, 12.67)
"""Log odds for each unit of `perspective_features`, fitted to motion capture (benchmarks/doctor.py)."""

_FACING = 0.03
_SHARES = 0.03
_MOST_FRAMES = 405


def arms_against_legs(body: Body) -> float:
    """Return the agreement of the shoulders' direction with the hips': near 1, or near -1 if one pair is exchanged.

    It is NaN where fewer than `FEWEST_FRAMES` show both.
    """
    (left_shoulder, right_shoulder), (left_hip, right_hip) = body.both("shoulder"), body.both("hip")
    shoulders, hips = left_shoulder - right_shoulder, left_hip - right_hip
    if np.isfinite(shoulders + hips).all(-1).sum() < FEWEST_FRAMES:
        return float("nan")
    return agreement(shoulders.ravel(), hips.ravel())


def exchanged(body: Body, lifter: Lifter | None) -> list[str]:
    """Return reasons to believe that left and right are exchanged in the whole clip; empty when there are none.

    Args:
        body: The person.
        lifter: A person-scale lifter, for keypoints of its skeleton; None to leave out the perspective.
    """
    votes = {
        "the toes point away from where the hips face": CLEAR * feet(body) / CLEAR_FEET,
        "the detector is less sure of the side that is turned to the camera": confidence(body),
    }
    if lifter is not None and body.keypoints.skeleton == lifter.skeleton and body.keypoints.confidence is None:
        log_odds = perspective(body.keypoints, lifter)
        votes["the parts of the body that should be near look small"] = CLEAR * log_odds / CLEAR_LOG_ODDS
    if any(vote > CLEAR / 2 for vote in votes.values()):
        return []
    return [reason for reason, vote in votes.items() if vote < -CLEAR]


def feet(body: Body) -> float:
    """Return the agreement of the hips' and shoulders' direction with the feet's; 0 where too few frames are clear.

    A person who faces the camera has the left hip right in the picture, and toes below the heels. A heel that rises in
    walking looks the same from behind, so the foot whose heel is lower against its toes counts.
    """
    name = "foot_index" if "left_foot_index" in body.keypoints.skeleton else "big_toe"
    across = sum((left - right)[:, 0] for left, right in (body.both("hip"), body.both("shoulder"))) / body.size_px
    (left_toe, right_toe), (left_heel, right_heel) = body.both(name), body.both("heel")
    down = np.minimum((left_toe - left_heel)[:, 1], (right_toe - right_heel)[:, 1]) / body.size_px
    clear = np.isfinite(across) & np.isfinite(down) & (np.abs(across) > 2 * _FACING) & (np.abs(down) > _FACING / 3)
    if clear.sum() < max(FEWEST_CLEAR_FRAMES, 0.2 * len(clear)):
        return 0.0
    return agreement(np.sign(across[clear]), down[clear])


def confidence(body: Body) -> float:
    """Return the agreement of the way the knees bend with the side the detector is surer of; 0 where it is not clear.

    A person who walks to the right of the picture turns the right side to the camera.
    """
    scores, skeleton = body.keypoints.confidence, body.keypoints.skeleton
    if scores is None:
        return 0.0
    forward = np.zeros(len(body.xy))
    for side in ("left", "right"):
        hip, knee, ankle = (body.joint(f"{side}_{name}") for name in ("hip", "knee", "ankle"))
        forward += (knee - (hip + ankle) / 2)[:, 0] / body.size_px
    limbs = {name for limb in skeleton.limbs for name in limb}
    pairs = [(left, right) for left, right in skeleton.pairs if left in limbs]
    if not pairs:
        return 0.0
    surer = np.mean([scores[:, right] - scores[:, left] for left, right in pairs], axis=0)
    known = np.isfinite(forward)
    if known.sum() < FEWEST_CLEAR_FRAMES or np.abs(forward[known]).mean() < _FACING:
        return 0.0
    if np.abs(surer[known]).mean() < _SHARES:
        return 0.0
    return agreement(forward, surer)


def perspective(keypoints: Keypoints2D, lifter: Lifter) -> float:
    """Return the log odds that left and right are correct, from lifting the clip as it is and with sides exchanged."""
    if len(keypoints) < FEWEST_FRAMES:
        return 0.0
    return float(np.dot(WEIGHTS, perspective_features(keypoints, lifter)))


def perspective_features(keypoints: Keypoints2D, lifter: Lifter) -> np.ndarray:
    """Return evidence for the sides as they are against exchanged ones; it changes sign when they are exchanged.

    Returns:
        (3,): by how much more the lifted near parts are enlarged in the picture (1/m), by how much less the body
        leans away from the picture plane as if seen from below, and the logarithm of how much smaller the misfit is.
    """
    first = _first(keypoints)
    other = replace(first, xy=first.xy[:, list(first.skeleton.flipped)])
    (near, lean, misfit), (other_near, other_lean, other_misfit) = (_explained(k, lifter) for k in (first, other))
    return np.array([near - other_near, other_lean - lean, np.log(other_misfit / misfit)])


def _first(keypoints: Keypoints2D) -> Keypoints2D:
    frames = slice(0, _MOST_FRAMES)
    scores = keypoints.confidence
    return keypoints.with_frames(keypoints.xy[frames], None if scores is None else scores[frames], keypoints.fps)


def _explained(keypoints: Keypoints2D, lifter: Lifter) -> tuple[float, float, float]:
    """Return how the lifted poses explain the picture: enlargement with nearness, lean, and mean squared misfit."""
    poses = lift(keypoints, lifter, repair=False).xyz.astype(np.float64)
    seen = keypoints.seen[..., None]
    picture = _centred(np.where(seen, keypoints.xy, 0), seen)
    flat = _centred(poses[..., :2], seen)
    square = np.maximum((flat**2).sum((1, 2)), 1e-9)
    scale = (flat * picture).sum((1, 2)) / square
    scale = np.where(np.abs(scale) > 1e-9, scale, np.nan)[:, None, None]
    rest = picture / scale - flat
    near = _centred(-poses[..., :2] * poses[..., 2:], seen)
    near = near - flat * ((near * flat).sum((1, 2)) / square)[:, None, None]
    fitted = np.isfinite(rest).all((1, 2))
    rest, near = rest[fitted], near[fitted]
    enlarged = (near * rest).sum() / max((near**2).sum(), 1e-9)
    misfit = max((rest**2).sum() - enlarged * (near * rest).sum(), 1e-9) / max(fitted.sum(), 1)
    return float(enlarged), _lean(poses, keypoints.skeleton), float(misfit)


def _lean(poses: np.ndarray, skeleton: Skeleton) -> float:
    """Return the mean depth of the unit vector from the feet to the thorax; negative where the camera is above."""
    feet = poses[:, list(skeleton.indices(["left_ankle", "right_ankle"]))].mean(1)
    up = poses[:, skeleton.index("thorax")] - feet
    return float((up / np.maximum(np.linalg.norm(up, axis=-1, keepdims=True), 1e-9))[:, 2].mean())


def _centred(points: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return points (T, J, 2) relative to the mean of the frame's seen joints; 0 where unseen."""
    mean = (points * seen).sum(1, keepdims=True) / np.maximum(seen.sum(1, keepdims=True), 1)
    return (points - mean) * seen
