"""Whether left and right are exchanged throughout a clip.

To a camera very far away, a person with exchanged sides looks just like another person, mirrored in depth. Two small
cues tell them apart: toes that point to a camera above the floor are lower in the picture than the heels; detectors are
less sure of the side that is turned away. Each cue is a vote: sides are called exchanged only if one vote is clear and
none is against it. A third, that near parts of the body look larger, needs a lifter: `poselift.doctor.perspective`.
"""

import numpy as np

from poselift.checks.body import Body, agreement

FEWEST_FRAMES = 20
"""Fewest frames that must show arms and legs, before they are judged."""
FEWEST_CLEAR_FRAMES = 45
"""Fewest frames in which feet or confidence must be clear. Fewer agree by chance: with random scores, 18 of 100 true
single frames and 3 of 100 clips of 15 frames were called exchanged (benchmarks/doctor.py --frames)."""
OPPOSED = -0.5
"""Agreement below which arms and legs have different sides. Twisted people reach -0.2 over a clip."""
CLEAR = 0.4
"""Agreement of confidence with the body's direction that counts as a vote."""
CLEAR_FEET = (0.95, 0.85)
"""Agreement of the feet with the body's direction that counts as a vote, in less and in more than `MANY_FRAMES` that
are clear. Of 100 true clips of 60 to 500 frames less than 1 disagrees as much, and 18 to 33 of 100 exchanged ones do.
By 0.8 at any length it was 1.2 to 2.6 of 100, and half of the exchanged ones (benchmarks/doctor.py --feet)."""
MANY_FRAMES = 150
"""Clear frames from which the feet have taken several steps: within one, a lifted heel may mislead throughout."""
SUSPECTED = 0.84
"""Share of a vote that is good to know, though not enough for an error: for the feet, an agreement of 0.8 and 0.71."""

_FACING = 0.03
_SHARES = 0.03


def arms_against_legs(body: Body) -> float:
    """Return the agreement of the shoulders' direction with the hips': near 1, or near -1 if one pair is exchanged.

    It is NaN where fewer than `FEWEST_FRAMES` show both.
    """
    (left_shoulder, right_shoulder), (left_hip, right_hip) = body.both("shoulder"), body.both("hip")
    shoulders, hips = left_shoulder - right_shoulder, left_hip - right_hip
    if np.isfinite(shoulders + hips).all(-1).sum() < FEWEST_FRAMES:
        return float("nan")
    return agreement(shoulders.ravel(), hips.ravel())


def exchanged(body: Body, least: float = 1.0) -> list[str]:
    """Return reasons to believe that left and right are exchanged in the whole clip; empty when there are none.

    Args:
        body: The person.
        least: Size of a vote that counts; 1 is clear.
    """
    votes = {
        "the toes point away from where the hips face": feet(body),
        "the detector is less sure of the side that is turned to the camera": confidence(body) / CLEAR,
    }
    if any(vote > 1 / 2 for vote in votes.values()):
        return []
    return [reason for reason, vote in votes.items() if vote < -least]


def feet(body: Body) -> float:
    """Return the vote of the feet: their agreement with the hips' and shoulders' direction, over `CLEAR_FEET`.

    It is 0 where too few frames are clear. A person who faces the camera has the left hip right in the picture, and
    toes below the heels. A heel that rises in walking looks the same from behind, so the foot whose heel is lower
    against its toes counts.
    """
    name = "foot_index" if "left_foot_index" in body.keypoints.skeleton else "big_toe"
    across = sum((left - right)[:, 0] for left, right in (body.both("hip"), body.both("shoulder"))) / body.size_px
    (left_toe, right_toe), (left_heel, right_heel) = body.both(name), body.both("heel")
    down = np.minimum((left_toe - left_heel)[:, 1], (right_toe - right_heel)[:, 1]) / body.size_px
    clear = np.isfinite(across) & np.isfinite(down) & (np.abs(across) > 2 * _FACING) & (np.abs(down) > _FACING / 3)
    if clear.sum() < max(FEWEST_CLEAR_FRAMES, 0.2 * len(clear)):
        return 0.0
    return agreement(np.sign(across[clear]), down[clear]) / CLEAR_FEET[int(clear.sum() >= MANY_FRAMES)]


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
