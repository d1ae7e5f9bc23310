"""One skeleton for one person: bones of constant length, left and right alike, optionally of a given height.

A lifter answers frame by frame, so that bones breathe with its errors. Here each bone gets one length for the clip, and
each pose is moved as little as its error bars allow until all bones have it.
"""

from dataclasses import replace

import numpy as np

from poselift.errors import ShapeError, SkeletonError
from poselift.refine.report import StepReport
from poselift.sequence import Poses3D
from poselift.skeleton import Skeleton

STATURE_OF_FIGURE = 1.081
"""Height from sole to crown over the figure's: one thigh, one shank, and pelvis to spine to thorax to crown. What is
left are the ankle's height (3.9 % of stature, Winter, Biomechanics and Motor Control of Human Movement) and the
pelvis, which lies above the hips. It was fitted on the 35 bodies of CMU's motion capture."""
STATURE_ERROR = 0.008
"""Standard deviation of that relation over those bodies, as a share; 0.018 at most. Lifted bones add their own."""
POSSIBLE_HEIGHTS_M = (0.5, 2.6)
"""Smallest and greatest height that is believed: people from half a year on."""
_MIDDLE = ("pelvis", "spine", "thorax", "head_top")
_LEG = ("hip", "knee", "ankle")
_STEPS = 4
"""Newton steps of the fit. Errors of length fall to a hundredth of a millimetre in three; the rest is rebuilt."""
_LEAST_SPREAD_M = 0.005
"""Spreads below this count as this, so that no joint is immovable but the root."""
_CHUNK = 2048
"""Frames that are fitted at once; more need more memory and are not faster."""


def constant_bones(
    poses: Poses3D, *, height_m: float | None = None, lengths: np.ndarray | None = None
) -> tuple[Poses3D, StepReport]:
    """Give a person one skeleton over the whole clip.

    Each pose x (J, 3) is replaced by the y that minimizes

        sum_j  w_j |y_j - x_j|^2   with   |y_j - y_parent(j)| = L_j   for each bone, and the root as it was,

    with w_j = 1 / spread_j^2 (equal weights without spread), so that joints that are known well stay where they are.
    With a height the poses, their spread and their path are scaled first: farther and larger look the same.

    Args:
        poses: One person; any frame, any skeleton with bones.
        height_m: Height of the person from sole to crown in metres; None to keep the size that was lifted.
        lengths: (J,) metres: lengths of the bones that end in each joint, if they are known; they are taken as they
            are. When None, `bone_lengths` of the poses.

    Returns:
        The poses with constant bones, and what changed. Fields other than `xyz` stay; with a height, `spread` and
        `path` are scaled with the body.

    Raises:
        ShapeError: The height is out of range, or the lengths have another shape or are not positive; or both are
            given.
        SkeletonError: The skeleton has no bones; or it lacks joints from which a height can be told.
    """
    skeleton = poses.skeleton
    if not skeleton.bones:
        raise SkeletonError(f"{skeleton.name} has no bones, so that none can be made constant")
    if height_m is not None and lengths is not None:
        raise ShapeError("wanted the height or the lengths of the bones, got both; the lengths give the height already")
    warnings, scale = [], 1.0
    if height_m is not None:
        scale = checked_height(height_m) / stature(bone_lengths(poses), skeleton)
        poses = scaled(poses, scale)
        if not 0.75 < scale < 1.35:
            warnings.append(
                f"The height of {height_m:g} m makes the body {scale:.2f} times what was lifted; check --height and "
                "--focal."
            )
    wanted = bone_lengths(poses) if lengths is None else _checked_lengths(lengths, skeleton)
    variation = _variation(poses.xyz, skeleton)
    xyz = with_lengths(poses.xyz, skeleton, wanted, poses.spread)
    moved = np.linalg.norm(xyz - poses.xyz, axis=-1)
    values = {
        "moved_mm": 1000 * float(moved.mean()),
        "moved_most_mm": 1000 * float(moved.max()),
        "variation_before": variation,
        "scale": scale,
    }
    if is_upright(skeleton):
        values["stature_m"] = stature(wanted, skeleton)
    said = f"bones varied by {100 * variation:.1f} % and are constant now; joints moved by {values['moved_mm']:.1f} mm"
    if height_m is not None:
        said += f"; the body was scaled by {scale:.3f} to {height_m:g} m"
    report = StepReport(name="bones", says=said + ".", values=values, warnings=tuple(warnings))
    return replace(poses, xyz=xyz.astype(np.float32)), report


def bone_lengths(poses: Poses3D) -> np.ndarray:
    """Return the length of the bone that ends in each joint, (J,) metres, 0 for roots: one skeleton for the clip.

    It is the median over frames of both sides, each frame weighted by 1 / (spread of both ends)^2 where there is a
    spread; frames in gaps, and bones of which an end was not seen, count only where nothing else is there.
    """
    skeleton = poses.skeleton
    found = np.zeros(len(skeleton))
    if not skeleton.bones:
        return found
    parents, children = (list(ends) for ends in zip(*skeleton.bones, strict=True))
    every = np.linalg.norm(poses.xyz[:, children].astype(np.float64) - poses.xyz[:, parents], axis=-1)
    weights = np.ones_like(every)
    if poses.spread is not None:
        square = np.maximum(poses.spread.astype(np.float64), _LEAST_SPREAD_M) ** 2
        weights /= square[:, children] + square[:, parents]
    if poses.observed is not None:
        seen = (poses.observed > 0).astype(np.float64)
        weights *= np.maximum(seen[:, children] * seen[:, parents], 1e-6)
    if poses.gap is not None:
        weights[poses.gap] *= 1e-6
    column = {child: place for place, child in enumerate(children)}
    for place, child in enumerate(children):
        columns = [place]
        if (other := skeleton.flipped[child]) in column:
            columns = [place, column[other]]
        found[child] = _weighted_median(every[:, columns].ravel(), weights[:, columns].ravel())
    return found


def stature(lengths: np.ndarray, skeleton: Skeleton) -> float:
    """Return the height in metres, from sole to crown, of a figure that stands straight.

    It is `STATURE_OF_FIGURE` (thigh + shank + pelvis to spine to thorax to crown), right within `STATURE_ERROR`.

    Args:
        lengths: (J,) metres: length of the bone that ends in each joint.
        skeleton: Joints, with legs, spine, thorax and crown.

    Raises:
        SkeletonError: One of these is missing, or they hang in another order.
    """
    if not is_upright(skeleton):
        raise SkeletonError(
            f"the height of a person needs legs and trunk up to the crown ({', '.join(_MIDDLE)}) in one chain, which "
            f"{skeleton.name} lacks; use a lifter of H36M_17 or BODY_27, or leave the height out"
        )
    legs = np.mean([sum(lengths[skeleton.index(f"{side}_{part}")] for part in _LEG[1:]) for side in ("left", "right")])
    trunk = sum(lengths[joint] for joint in _chain(skeleton))
    return float(STATURE_OF_FIGURE * (legs + trunk))


def is_upright(skeleton: Skeleton) -> bool:
    """Return whether `stature` works for a skeleton: legs, and a chain from the pelvis to the crown."""
    legs = {f"{side}_{part}" for side in ("left", "right") for part in _LEG}
    return legs <= {*skeleton.joints} and set(_MIDDLE) <= {*skeleton.joints} and bool(_chain(skeleton))


def with_lengths(
    xyz: np.ndarray, skeleton: Skeleton, lengths: np.ndarray, spread: np.ndarray | None = None
) -> np.ndarray:
    """Return poses whose bones have these lengths exactly, each moved as little as `constant_bones` says.

    Args:
        xyz: (T, J, 3) metres; roots stay where they are.
        skeleton: Joint order.
        lengths: (J,) metres: length of the bone that ends in each joint.
        spread: (T, J) metres: how uncertain each joint is; None where all are alike.

    Returns:
        (T, J, 3) float64 metres.
    """
    xyz = xyz.astype(np.float64)
    free = np.ones(xyz.shape[:2]) if spread is None else np.maximum(spread.astype(np.float64), _LEAST_SPREAD_M) ** 2
    free[:, [joint for joint, parent in enumerate(skeleton.parents) if parent < 0]] = 0
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(xyz), _CHUNK)]
    fitted = np.concatenate([_fit(xyz[chunk], free[chunk], skeleton, lengths) for chunk in chunks])
    return _rebuilt(fitted, xyz, skeleton, lengths)


def _fit(xyz: np.ndarray, free: np.ndarray, skeleton: Skeleton, lengths: np.ndarray) -> np.ndarray:
    """Return poses (T, J, 3) near `xyz` whose bones have nearly these lengths; joints move as `free` (T, J) says.

    Each Newton step solves the constraints, made linear at the last pose, for the multipliers of the bones. The
    matrix couples two bones only at a joint that they share.
    """
    bones = skeleton.bones
    parents, children = (list(ends) for ends in zip(*bones, strict=True))
    wanted = lengths[children]
    ends = np.zeros((len(bones), len(skeleton)))  # incidence: +1 at the bone's end, -1 at its start
    ends[np.arange(len(bones)), children], ends[np.arange(len(bones)), parents] = 1, -1
    shared = np.einsum("bj,tj,cj->tbc", ends, free, ends, optimize=True)
    found = xyz
    for _ in range(_STEPS):
        bone = found[:, children] - found[:, parents]
        size = np.linalg.norm(bone, axis=-1)
        along = bone / np.maximum(size, 1e-9)[..., None]
        # the constraint at `found`, and how far its linear form is from it at `xyz`
        missing = size - wanted + (along * ((xyz - found)[:, children] - (xyz - found)[:, parents])).sum(-1)
        matrix = shared * (along @ along.swapaxes(-1, -2))
        matrix[:, range(len(bones)), range(len(bones))] += 1e-12
        force = np.linalg.solve(matrix, missing[..., None])
        found = xyz - free[..., None] * np.einsum("bj,tbk->tjk", ends, force * along, optimize=True)
    return found


def _rebuilt(fitted: np.ndarray, xyz: np.ndarray, skeleton: Skeleton, lengths: np.ndarray) -> np.ndarray:
    """Return poses with the directions of the fitted ones and exactly these lengths, from the roots outwards."""
    found = fitted.copy()
    for joint in skeleton.topological:
        parent = skeleton.parents[joint]
        if parent < 0:
            found[:, joint] = xyz[:, joint]
            continue
        bone = fitted[:, joint] - fitted[:, parent]
        size = np.linalg.norm(bone, axis=-1, keepdims=True)
        bone = np.where(size > 1e-6, bone / np.maximum(size, 1e-6), [0.0, 0.0, 1.0])
        found[:, joint] = found[:, parent] + lengths[joint] * bone
    return found


def _chain(skeleton: Skeleton) -> list[int]:
    """Return the joints from above the pelvis up to the crown; empty when the crown does not hang from the pelvis."""
    joint, chain = skeleton.index(_MIDDLE[-1]), []
    while (parent := skeleton.parents[joint]) >= 0:
        chain.append(joint)
        joint = parent
    there = skeleton.joints[joint] == _MIDDLE[0] and set(_MIDDLE[1:-1]) <= {skeleton.joints[link] for link in chain}
    return chain if there else []


def _variation(xyz: np.ndarray, skeleton: Skeleton) -> float:
    """Return the standard deviation of the bones' lengths over frames as a share of their means, averaged."""
    parents, children = (list(ends) for ends in zip(*skeleton.bones, strict=True))
    every = np.linalg.norm(xyz[:, children].astype(np.float64) - xyz[:, parents], axis=-1)
    return float((every.std(0) / np.maximum(every.mean(0), 1e-9)).mean())


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2).clip(max=len(values) - 1)])


def scaled(poses: Poses3D, scale: float) -> Poses3D:
    """Return a person so many times as large: joints, spread and path."""

    def times(array: np.ndarray | None) -> np.ndarray | None:
        return None if array is None else array * np.float32(scale)

    return replace(poses, xyz=poses.xyz * np.float32(scale), spread=times(poses.spread), path=times(poses.path))


def checked_height(height_m: float) -> float:
    """Return a person's height in metres.

    Raises:
        ShapeError: Nobody is as tall.
    """
    if not POSSIBLE_HEIGHTS_M[0] <= height_m <= POSSIBLE_HEIGHTS_M[1]:
        low, high = POSSIBLE_HEIGHTS_M
        raise ShapeError(f"wanted a height from {low} to {high} metres (height_m, --height), got {height_m:g}")
    return float(height_m)


def _checked_lengths(lengths: np.ndarray, skeleton: Skeleton) -> np.ndarray:
    lengths = np.asarray(lengths, np.float64)
    bones = [child for _, child in skeleton.bones]
    if lengths.shape != (len(skeleton),) or not np.isfinite(lengths).all() or (lengths[bones] <= 0).any():
        raise ShapeError(
            f"wanted lengths of bones ({len(skeleton)},), metres, positive for each bone of {skeleton.name}, got "
            f"shape {lengths.shape}"
        )
    return lengths
