"""More bodies and poses than were recorded: other limb lengths, mirror images, limbs exchanged or turned, a lean.

All take windows of world joints (B, T, J, 3), z up, and the skeleton they are in.
"""

import numpy as np
import torch
from scipy.cluster.vq import kmeans2, vq
from torch import Tensor

from poselift.skeleton import Skeleton


def scale_bones(xyz: Tensor, factors: Tensor, skeleton: Skeleton) -> Tensor:
    """Make each bone longer or shorter, keeping its direction and the root's place.

    Args:
        xyz: (B, T, J, 3) joints.
        factors: (B, J) factor of the bone that ends at each joint; the root's is not used.
        skeleton: Joint order and tree.

    Returns:
        (B, T, J, 3).
    """
    return _from_bones(_bones(xyz, skeleton) * factors[:, None, :, None], xyz, skeleton)


def mirror(xyz: Tensor, chosen: Tensor, skeleton: Skeleton) -> Tensor:
    """Mirror the chosen windows (B,) about the world's yz plane, exchanging left and right."""
    mirrored = xyz[:, :, list(skeleton.flipped)] * torch.tensor([-1.0, 1.0, 1.0], device=xyz.device)
    return torch.where(chosen[:, None, None, None], mirrored, xyz)


def mix_parts(xyz: Tensor, other: Tensor, legs: Tensor, arms: Tensor, skeleton: Skeleton) -> Tensor:
    """Give windows the legs or arms of other windows.

    Legs keep their angle to the ground and turn with the pelvis about the vertical; arms move with the trunk. The
    pelvis comes along with both legs. The bones' lengths are the other body's, so scale them afterwards.

    Args:
        xyz: (B, T, J, 3) windows to change.
        other: (B, T, J, 3) windows to take from.
        legs: (B, 2) bool, windows whose left and right legs change.
        arms: (B, 2) bool, windows whose left and right arms change.
        skeleton: Joint order and tree; with both arms and legs.

    Returns:
        (B, T, J, 3).
    """
    mine, theirs = _bones(xyz, skeleton), _bones(other, skeleton)
    turned = theirs @ _yaw_between(other, xyz, skeleton)
    moved = theirs @ (_trunk_axes(other, skeleton).transpose(-1, -2) @ _trunk_axes(xyz, skeleton))
    for parts, source, chosen in (
        (("hip",), turned, legs.all(1, keepdim=True).expand(-1, 2)),  # half a pelvis would not fit the other half
        (("knee", "ankle"), turned, legs),
        (("elbow", "wrist"), moved, arms),
    ):
        for side, taken in zip(("left", "right"), chosen.unbind(1), strict=True):
            joints = list(skeleton.indices([f"{side}_{part}" for part in parts]))
            mine[:, :, joints] = torch.where(taken[:, None, None, None], source[:, :, joints], mine[:, :, joints])
    return _from_bones(mine, xyz, skeleton)


def turn_limbs(xyz: Tensor, turns: Tensor, skeleton: Skeleton) -> Tensor:
    """Turn bones and all that hangs on them, by one rotation for the whole window.

    Args:
        xyz: (B, T, J, 3) joints.
        turns: (B, J, 3) rotation vectors in radians, world axes, of the bone that ends at each joint; the root's is
            not used.
        skeleton: Joint order and tree.

    Returns:
        (B, T, J, 3).
    """
    own = _rotations(turns).unbind(1)
    total = [torch.eye(3, device=xyz.device).expand(len(xyz), 3, 3)] * len(skeleton)
    for joint in skeleton.topological:
        if skeleton.parents[joint] >= 0:
            total[joint] = total[skeleton.parents[joint]] @ own[joint]
    bones = _bones(xyz, skeleton).transpose(1, 2)  # (B, J, T, 3)
    return _from_bones((bones @ torch.stack(total, 1).transpose(2, 3)).transpose(1, 2), xyz, skeleton)


def bend_trunk(xyz: Tensor, angle_rad: Tensor, heading_rad: Tensor, tilted: Tensor, skeleton: Skeleton) -> Tensor:
    """Lean all above the legs over, by one angle for the whole window; thighs and shins keep their directions.

    Args:
        xyz: (B, T, J, 3) joints.
        angle_rad: (B,) how far.
        heading_rad: (B,) direction of the horizontal axis to turn about.
        tilted: (B,) bool, whether the pelvis tilts with the trunk; else the hips stay level.
        skeleton: Joint order and tree.

    Returns:
        (B, T, J, 3).
    """
    above = [j for j, name in enumerate(skeleton.joints) if not ("knee" in name or "ankle" in name)]
    level = torch.tensor(["hip" in skeleton.joints[j] for j in above], device=xyz.device) & ~tilted[:, None]
    bones = _bones(xyz, skeleton)
    zero = torch.zeros_like(heading_rad)
    axis = torch.stack([heading_rad.cos(), heading_rad.sin(), zero], -1)[:, None, None]
    cos, sin = (f(angle_rad)[:, None, None, None] for f in (torch.cos, torch.sin))
    upright = bones[:, :, above]
    along = (upright * axis).sum(-1, keepdim=True) * axis  # Rodrigues' formula
    turned = along + (upright - along) * cos + torch.linalg.cross(axis.expand_as(upright), upright) * sin
    bones[:, :, above] = torch.where(level[:, None, :, None], upright, turned)
    return _from_bones(bones, xyz, skeleton)


def rarity(frames: np.ndarray, skeleton: Skeleton, *, clusters: int = 256, sample: int = 10000) -> np.ndarray:
    """How common each pose is, as the share of frames in its cluster of alike poses.

    Args:
        frames: (N, J, 3) world joints, z up.
        skeleton: Joint order.
        clusters: Number of clusters; fewer when there are fewer frames.
        sample: Frames that the clusters are found from.

    Returns:
        (N,) in (0, 1]; the same for the same frames.
    """
    points = torch.from_numpy(frames)[None]
    facing = (points - points[:, :, skeleton.root : skeleton.root + 1]) @ _yaw(points, skeleton)
    features = facing[0].flatten(1).numpy().astype(np.float64)
    step = max(len(features) // sample, 1)
    count = min(clusters, len(np.unique(features[::step], axis=0)))
    centres, _ = kmeans2(features[::step], count, iter=10, minit="++", rng=np.random.default_rng(0), missing="warn")
    cluster, _ = vq(features, centres)
    return np.bincount(cluster, minlength=count)[cluster] / len(features)


def _bones(xyz: Tensor, skeleton: Skeleton) -> Tensor:
    """(B, T, J, 3) each joint minus its parent; zero at the root."""
    return xyz - xyz[:, :, [max(p, 0) if p >= 0 else j for j, p in enumerate(skeleton.parents)]]


def _from_bones(bones: Tensor, xyz: Tensor, skeleton: Skeleton) -> Tensor:
    """Joints from bones, with the root of `xyz`."""
    chain = torch.zeros(len(skeleton), len(skeleton), device=bones.device)
    for joint in skeleton.topological:
        if skeleton.parents[joint] >= 0:
            chain[joint] = chain[skeleton.parents[joint]]
            chain[joint, joint] = 1
    return xyz[:, :, skeleton.root : skeleton.root + 1] + chain @ bones


def _rotations(vectors: Tensor) -> Tensor:
    """(*, 3, 3) rotations by vectors (*, 3): along the axis, in radians."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    angle = vectors.norm(dim=-1)[..., None, None].clip(min=1e-8)
    return (
        torch.eye(3, device=vectors.device) + angle.sin() / angle * cross + (1 - angle.cos()) / angle**2 * cross @ cross
    )


def _side(xyz: Tensor, skeleton: Skeleton, joint: str) -> Tensor:
    """(B, T, 3) from the right to the left joint of this name."""
    return xyz[:, :, skeleton.index(f"left_{joint}")] - xyz[:, :, skeleton.index(f"right_{joint}")]


def _yaw(xyz: Tensor, skeleton: Skeleton) -> Tensor:
    """(B, T, 3, 3) turns about the vertical that bring the hips' line onto x: `points @ turn`."""
    side = torch.nn.functional.normalize(_side(xyz, skeleton, "hip")[..., :2], dim=-1)
    x, y = side.unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([x, -y, zero, y, x, zero, zero, zero, one], -1).unflatten(-1, (3, 3))


def _yaw_between(source: Tensor, target: Tensor, skeleton: Skeleton) -> Tensor:
    """(B, T, 3, 3) turns about the vertical from the source's facing to the target's."""
    return _yaw(source, skeleton) @ _yaw(target, skeleton).transpose(-1, -2)


def _trunk_axes(xyz: Tensor, skeleton: Skeleton) -> Tensor:
    """(B, T, 3 axes, 3): left, up and front of the trunk."""
    normalize = torch.nn.functional.normalize
    up = normalize(xyz[:, :, skeleton.index("thorax")] - xyz[:, :, skeleton.root], dim=-1)
    side = _side(xyz, skeleton, "shoulder")
    left = normalize(side - (side * up).sum(-1, keepdim=True) * up, dim=-1)
    return torch.stack([left, up, torch.linalg.cross(left, up)], -2)
