"""Feet on the ground: what stands does not slide, and nothing is under the floor.

A leg is moved before the body is: the foot goes to where it stands, the knee follows by inverse kinematics, and only
what the leg cannot reach moves the hips.
"""

from dataclasses import replace

import numpy as np

from poselift.errors import FormatError, SkeletonError
from poselift.geometry.two_bones import excess, put_end
from poselift.refine.contacts import believable, find_stands, planted_by
from poselift.refine.curves import above_all, let_go
from poselift.refine.foot import move_foot
from poselift.refine.report import StepReport
from poselift.sequence import CONTACTS, WORLD, Poses3D
from poselift.skeleton import Skeleton

SIDES = ("left", "right")
SOLE = ("heel", "big_toe", "small_toe")
"""Points of a foot, of which `poselift.sequence.CONTACTS` has the first two; the third stands when the second does."""
BELIEVED = 0.9
"""Probability of the radius within which a joint is moved (`Poses3D.radius`); beyond it, a contact is not believed."""
USUAL_REACH_M = 0.1
"""The radius where poses have no spread."""
HIPS_S = 0.25
"""Seconds in which hips that had to move return; longer than feet, so that the body does not bob."""
MOVING = 0.2
"""Share of contacts that move from which a treadmill is suspected."""
_ROUNDS = 3
"""Rounds in which hips that are too far from the feet are moved."""


def plant_feet(poses: Poses3D) -> tuple[Poses3D, StepReport]:
    """Keep standing feet where they stand, and everything above the floor.

    1. Trunk, knees and elbows under the floor raise the path, smoothly.
    2. `planted_by` finds when heels and toes stand, `find_stands` where, within the error bars.
    3. Each foot is shifted and turned as a whole: onto these places while it stands, above the floor always, and back
       to its own movement within `LET_GO_S`.
    4. The leg follows by inverse kinematics. Where it is too short, the path moves the hips.
    5. Wrists under the floor are raised by the arms.

    Lengths of bones stay.

    Args:
        poses: One person in the frame "world", floor at z = 0, with a path. Without `contact`, or in a skeleton without
            heels and toes, only the floor counts.

    Returns:
        The poses, with `contact` at least 0.5 where a point now stands and below elsewhere, and what changed.

    Raises:
        FormatError: The poses are in another frame, or have no path.
        SkeletonError: The skeleton has no legs.
    """
    _check(poses)
    skeleton, path = poses.skeleton, poses.path
    assert path is not None
    before = poses.xyz.astype(np.float64) + path[:, None]
    raised = _raise_body(before, skeleton, poses.fps)
    after = before + raised[:, None, None] * [0, 0, 1.0]
    contact, refused, planted = poses.contact, 0, None
    if _has_feet(skeleton):
        if contact is not None:
            points = after[:, list(skeleton.indices(CONTACTS))]
            contact = believable(contact, points, poses.fps)
            planted = planted_by(contact, poses.fps)
        targets, planted, refused = _feet_targets(after, planted, poses)
    else:
        targets = _ankles_above(after, skeleton, poses.fps)
    hips = _hips_shift(after, targets, skeleton, poses.fps)
    after = _place_feet(after + hips[:, None], targets, skeleton)
    after = _raise_wrists(after, skeleton, poses.fps)
    if contact is not None and planted is not None:
        contact = np.where(planted, np.maximum(contact, 0.5), np.minimum(contact, np.float32(0.49)))
    new_path = after[:, skeleton.root]
    found = replace(
        poses,
        xyz=(after - new_path[:, None]).astype(np.float32),
        path=new_path.astype(np.float32),
        contact=contact,
    )
    return found, _report(before, after, skeleton, planted, refused)


def feet_on_floor(poses: Poses3D, *, contacts: bool) -> tuple[Poses3D, list[StepReport]]:
    """Return what `plant_feet` makes of a person in a scene; somebody without legs stays as they are, without a report.

    Args:
        poses: One person in the frame "world", with a path.
        contacts: Whether points that touch the ground are at rest; without it, only the floor counts.
    """
    if any(f"{side}_{part}" not in poses.skeleton for side in SIDES for part in ("hip", "knee", "ankle")):
        return poses, []
    planted, report = plant_feet(poses if contacts else replace(poses, contact=None))
    return replace(planted, contact=planted.contact if contacts else poses.contact), [report]


def under_floor(xyz: np.ndarray) -> np.ndarray:
    """Return how deep (*, J) in metres joints (*, J, 3) of a world with the floor at z = 0 are under it, or 0."""
    return np.asarray(np.maximum(-xyz[..., 2], 0))


def _check(poses: Poses3D) -> None:
    if poses.frame != WORLD or poses.path is None:
        raise FormatError(
            f"feet are put on the floor in the frame {WORLD!r}, with a path; these poses are in {poses.frame!r}"
            f"{'' if poses.path is not None else ' and have no path'}; place them in a scene first"
        )
    if missing := [
        f"{s}_{part}" for s in SIDES for part in ("hip", "knee", "ankle") if f"{s}_{part}" not in poses.skeleton
    ]:
        raise SkeletonError(f"{poses.skeleton.name} has no {', '.join(missing)}, and so no legs to put on the floor")


def _has_feet(skeleton: Skeleton) -> bool:
    return all(f"{side}_{part}" in skeleton for side in SIDES for part in SOLE)


def _leg(skeleton: Skeleton, side: str) -> list[int]:
    return list(skeleton.indices([f"{side}_{part}" for part in ("hip", "knee", "ankle")]))


def _foot(skeleton: Skeleton, side: str) -> list[int]:
    """Return the joints of a foot: the ankle, and after it what there is of the sole."""
    names = [f"{side}_{part}" for part in ("ankle", *SOLE)]
    return list(skeleton.indices([name for name in names if name in skeleton]))


def _feet_targets(xyz: np.ndarray, planted: np.ndarray | None, poses: Poses3D) -> tuple[np.ndarray, np.ndarray, int]:
    """Return where the feet (2, T, 4, 3) go, ankle first, the points that stand (T, 4), and how many are refused."""
    skeleton, frames = poses.skeleton, len(xyz)
    planted = np.zeros((frames, 4), bool) if planted is None else planted
    radius = poses.radius(BELIEVED)
    reach = np.full(xyz.shape[:2], USUAL_REACH_M) if radius is None else radius
    targets, stands, refused = np.empty((2, frames, 4, 3)), np.zeros((frames, 4), bool), 0
    for number in range(2):
        foot = _foot(skeleton, SIDES[number])
        sole, own = xyz[:, foot[1:]], planted[:, [2 * number, 2 * number + 1, 2 * number + 1]]
        weights = reach[:, foot[1:]] ** -2.0
        found = find_stands(sole, own, weights, reach[:, foot[1:]], poses.fps)
        stands[:, 2 * number : 2 * number + 2] = found.planted[:, :2]
        refused += int((own[:, :2] & ~found.planted[:, :2]).sum())
        targets[number] = move_foot(xyz[:, foot], found.planted, found.place, poses.fps)
    return targets, stands, refused


def _ankles_above(xyz: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """Return the ankles (2, T, 1, 3) of a skeleton without feet, raised where they are under the floor."""
    ankles = xyz[:, [_leg(skeleton, side)[2] for side in SIDES]].copy()
    for number in range(2):
        ankles[:, number, 2] += above_all(under_floor(ankles)[:, number], fps)
    return ankles.swapaxes(0, 1)[:, :, None]


def _hips_shift(xyz: np.ndarray, targets: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """Return the shift (T, 3) of the body that lets both legs reach their ankles, smooth, and 0 where they do."""
    shift = np.zeros((len(xyz), 3))
    for _ in range(_ROUNDS):
        need = np.zeros_like(shift)
        for side, target in zip(SIDES, targets[:, :, 0], strict=True):
            leg = xyz[:, _leg(skeleton, side)] + shift[:, None]
            line = target - leg[:, 0]
            line /= np.maximum(np.linalg.norm(line, axis=-1, keepdims=True), 1e-9)
            need += excess(leg, target)[:, None] * line / 2
        size = np.linalg.norm(need, axis=-1)
        if not (size > 1e-4).any():
            break
        direction = need / np.maximum(size, 1e-9)[:, None]
        shift += let_go(2 * size[:, None] * direction, (size > 1e-4).astype(float), fps, HIPS_S)
    return shift


def _place_feet(xyz: np.ndarray, targets: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Return the poses with the feet on their targets, and knees that follow."""
    found = xyz.copy()
    forward = _forward(xyz, skeleton)
    for side, target in zip(SIDES, targets, strict=True):
        leg, foot = _leg(skeleton, side), _foot(skeleton, side)
        found[:, leg] = put_end(xyz[:, leg], target[:, 0], forward)
        missed = found[:, foot[0]] - target[:, 0]
        found[:, foot[1:]] = target[:, 1:] + missed[:, None]
    return found


def _forward(xyz: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    """Return the direction (T, 3) in which knees bend: forward, at right angles to the hips and to the legs."""
    left, right = (xyz[:, _leg(skeleton, side)] for side in SIDES)
    down = left[:, 2] + right[:, 2] - left[:, 0] - right[:, 0]
    return np.cross(down, left[:, 0] - right[:, 0])


def _raise_body(xyz: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    """Return by how much (T,) the body is raised so that all but hands and feet are above the floor."""
    ends = ("wrist", "ankle", "heel", "toe", "foot", "hand")
    body = [j for j, name in enumerate(skeleton.joints) if not any(end in name for end in ends)]
    return above_all(under_floor(xyz[:, body]).max(1), fps)


def _raise_wrists(xyz: np.ndarray, skeleton: Skeleton, fps: float) -> np.ndarray:
    found = xyz.copy()
    for side in SIDES:
        names = [f"{side}_{part}" for part in ("shoulder", "elbow", "wrist")]
        if not all(name in skeleton for name in names):
            continue
        arm = list(skeleton.indices(names))
        need = under_floor(xyz[:, arm[2]])
        if need.any():
            target = xyz[:, arm[2]] + above_all(need, fps)[:, None] * [0, 0, 1.0]
            moved = put_end(xyz[:, arm], target, np.zeros_like(target))
            below = [j for j, parent in enumerate(skeleton.parents) if parent == arm[2]]
            found[:, below] += (moved[:, 2] - xyz[:, arm[2]])[:, None]
            found[:, arm] = moved
    return found


def _report(
    before: np.ndarray, after: np.ndarray, skeleton: Skeleton, planted: np.ndarray | None, refused: int
) -> StepReport:
    moved = np.linalg.norm(after - before, axis=-1)
    feet = [joint for side in SIDES for joint in _foot(skeleton, side)]
    path = moved[:, skeleton.root]
    deep = [1000 * float(np.quantile(under_floor(xyz).max(1), 0.95)) for xyz in (before, after)]
    standing = 0.0 if planted is None else float(planted.any(1).mean())
    values = {
        "standing": standing,
        "feet_moved_mm": 1000 * float(moved[:, feet].mean()),
        "feet_moved_most_mm": 1000 * float(moved[:, feet].max()),
        "path_moved_mm": 1000 * float(path.mean()),
        "path_moved_most_mm": 1000 * float(path.max()),
        "under_floor_before_mm": deep[0],
        "under_floor_mm": deep[1],
        "refused": float(refused),
    }
    said = (
        f"a foot stands in {100 * standing:.0f} % of the frames; feet moved by {values['feet_moved_mm']:.0f} mm, "
        f"{values['feet_moved_most_mm']:.0f} mm at most, the path by {values['path_moved_mm']:.0f} mm; the lowest "
        f"joint was {deep[0]:.0f} mm under the floor (95 % of the frames less) and is {deep[1]:.0f} mm."
    )
    warnings = []
    share = 0.0 if planted is None else refused / max(int(planted.sum()) + refused, 1)
    if share > MOVING:
        warnings.append(
            f"Of the contacts {100 * share:.0f} % move: the person slides or is on a treadmill, or the camera moves; "
            "--no-contacts leaves the feet as they are."
        )
    return StepReport(name="feet", says=said, values=values, warnings=tuple(warnings))
