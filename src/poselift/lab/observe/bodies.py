"""Augmentation of bodies and poses: other limb lengths, mirror images, limbs exchanged or turned, bent trunks.

World axes are z up, lengths are metres. All changes but the mirror image are made to bones (B, T, J, 3): each joint
minus its parent, and at the root's index the root itself. One matrix product turns joints into bones, and one turns
them back (`bones_of`, `joints_of`).
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from scipy.cluster.vq import kmeans2, vq
from torch import Tensor

from poselift.skeleton import Skeleton


def bones_of(xyz: Tensor, skeleton: Skeleton) -> Tensor:
    """Return the bones (B, T, J, 3) of joints (B, T, J, 3)."""
    return (xyz.flatten(2) @ _tree(skeleton, xyz.device)[0]).view_as(xyz)


def joints_of(bones: Tensor, skeleton: Skeleton) -> Tensor:
    """Return the joints (B, T, J, 3) of bones (B, T, J, 3)."""
    return (bones.flatten(2) @ _tree(skeleton, bones.device)[1]).view_as(bones)


def scale_bones(bones: Tensor, factors: Tensor, skeleton: Skeleton) -> Tensor:
    """Make each bone longer or shorter, keeping its direction and the root's position.

    Args:
        bones: (B, T, J, 3) bones.
        factors: (B, J) factor of the bone that ends at each joint; the root's is not used.
        skeleton: Joint order and tree.

    Returns:
        (B, T, J, 3) bones.
    """
    is_root = named(skeleton, (skeleton.joints[skeleton.root],), bones.device)
    return bones * torch.where(is_root, 1, factors)[:, None, :, None]


def mirror(xyz: Tensor, chosen: Tensor, skeleton: Skeleton) -> Tensor:
    """Mirror the chosen windows (B,) of joints (B, T, J, 3) at the world's yz plane, and exchange left and right."""
    negated = torch.where(torch.arange(3, device=xyz.device) == 0, -1.0, 1.0)
    mirrored = xyz.index_select(2, indices(skeleton.flipped, xyz.device)) * negated
    return torch.where(chosen[:, None, None, None], mirrored, xyz)


def mix_parts(bones: Tensor, legs: Tensor, arms: Tensor, skeleton: Skeleton) -> Tensor:
    """Give windows the legs or arms of the window before them in the batch; the first window gets those of the last.

    Legs keep their angle to the ground and turn with the pelvis about the vertical; arms move with the trunk. The
    pelvis is exchanged when both legs are. The bones' lengths are the other body's, so scale them afterwards.

    Args:
        bones: (B, T, J, 3) bones.
        legs: (B, 2) bool, windows whose left and right legs are exchanged.
        arms: (B, 2) bool, windows whose left and right arms are exchanged.
        skeleton: Joint order and tree; with both arms and legs.

    Returns:
        (B, T, J, 3) bones.
    """
    hips, trunk = _frames(bones, skeleton)
    yaw = _yaw(hips)
    facing = yaw.roll(1, 0) @ yaw.transpose(-1, -2)  # (B, T, 3, 3): points @ facing
    leaning = trunk.roll(1, 0).transpose(-1, -2) @ trunk
    mixed = bones.clone()
    pelvis = legs.all(1, keepdim=True).expand(-1, 2)  # half a pelvis would not fit the other half
    for parts, turn, chosen in (
        (("hip",), facing, pelvis),
        (("knee", "ankle", "toe", "heel"), facing, legs),
        (("elbow", "wrist"), leaning, arms),
    ):
        joints = indices(_with(skeleton, parts), bones.device)
        left = named(skeleton, ("left",), bones.device)[joints]
        taken = torch.where(left, chosen[:, :1], chosen[:, 1:])[:, None, :, None]
        own = bones.index_select(2, joints)
        mixed.index_copy_(2, joints, torch.where(taken, own.roll(1, 0) @ turn, own))
    return mixed


def turn_limbs(bones: Tensor, turns: Tensor, skeleton: Skeleton) -> Tensor:
    """Turn bones, with all bones below them in the tree, by one rotation for the whole window.

    Args:
        bones: (B, T, J, 3) bones.
        turns: (B, J, 3) rotation vectors in radians, world axes, of the bone that ends at each joint; the root's is
            not used.
        skeleton: Joint order and tree.

    Returns:
        (B, T, J, 3) bones.
    """
    own = _rotations(turns).unbind(1)
    total = [torch.eye(3, device=bones.device).expand(len(bones), 3, 3)] * len(skeleton)
    for joint in skeleton.topological:
        if skeleton.parents[joint] >= 0:
            total[joint] = total[skeleton.parents[joint]] @ own[joint]
    return (bones.transpose(1, 2) @ torch.stack(total, 1).transpose(2, 3)).transpose(1, 2)


def bend_trunk(bones: Tensor, angle_rad: Tensor, heading_rad: Tensor, tilted: Tensor, skeleton: Skeleton) -> Tensor:
    """Bend the trunk, arms and head, by one angle for the whole window; thighs, shins and feet keep their directions.

    Args:
        bones: (B, T, J, 3) bones.
        angle_rad: (B,) angle to bend by.
        heading_rad: (B,) direction of the horizontal axis to turn about.
        tilted: (B,) bool, whether the pelvis tilts with the trunk; else the hips stay level.
        skeleton: Joint order and tree.

    Returns:
        (B, T, J, 3) bones.
    """
    x, y, zero = heading_rad.cos(), heading_rad.sin(), torch.zeros_like(heading_rad)
    cos, sin = angle_rad.cos()[:, None, None], angle_rad.sin()[:, None, None]
    axis = torch.stack([x, y, zero], -1)
    cross = torch.stack([zero, zero, -y, zero, zero, x, y, -x, zero], -1).view(-1, 3, 3)
    along = axis[:, :, None] * axis[:, None]
    turn = cos * torch.eye(3, device=bones.device) + sin * cross + (1 - cos) * along  # Rodrigues' formula
    turned = (bones.flatten(1, 2) @ turn).view_as(bones)
    stays = named(skeleton, ("knee", "ankle", "toe", "heel", skeleton.joints[skeleton.root]), bones.device)
    stays = stays | (named(skeleton, ("hip",), bones.device) & ~tilted[:, None])
    return torch.where(stays[:, None, :, None], bones, turned)


def commonness(frames: np.ndarray, skeleton: Skeleton, *, clusters: int = 256, sample: int = 10000) -> np.ndarray:
    """Return how common each pose is: the share of all frames in its cluster of similar poses. Rare poses are low.

    Args:
        frames: (N, J, 3) joints in the world, metres, z up.
        skeleton: Joint order.
        clusters: Number of clusters; fewer when there are fewer frames.
        sample: Number of frames that the clusters are computed from.

    Returns:
        (N,) shares in (0, 1]; the same frames always give the same shares.
    """
    points = torch.from_numpy(frames)[None]
    left, right = skeleton.indices(("left_hip", "right_hip"))
    turn = _yaw(points[:, :, left] - points[:, :, right])
    facing = (points - points[:, :, skeleton.root : skeleton.root + 1]) @ turn
    features = facing[0].flatten(1).numpy().astype(np.float64)
    step = max(len(features) // sample, 1)
    count = min(clusters, len(np.unique(features[::step], axis=0)))
    centres, _ = kmeans2(features[::step], count, iter=10, minit="++", rng=np.random.default_rng(0), missing="warn")
    cluster, _ = vq(features, centres)
    return np.bincount(cluster, minlength=count)[cluster] / len(features)


@cache
def indices(joints: Sequence[int], device: torch.device) -> Tensor:
    """Return joint numbers (a tuple) as a tensor on the device, which is made once and kept."""
    return torch.tensor(joints, device=device)


@cache
def named(skeleton: Skeleton, parts: tuple[str, ...], device: torch.device) -> Tensor:
    """Return a mask (J,) on the device, made once and kept, of the joints whose names contain one of these parts."""
    found = _with(skeleton, parts)
    return torch.tensor([joint in found for joint in range(len(skeleton))], device=device)


def _with(skeleton: Skeleton, parts: tuple[str, ...]) -> tuple[int, ...]:
    """Return the numbers of the joints whose names contain one of these parts."""
    return tuple(j for j, name in enumerate(skeleton.joints) if any(part in name for part in parts))


@cache
def _tree(skeleton: Skeleton, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return matrices to multiply from the right: joints to bones and bones to joints, both (3 J, 3 J), and (3 J, 9).

    The last one turns bones into three vectors: from the right to the left hip, from the right to the left shoulder,
    and from the root to the thorax.
    """
    size = len(skeleton)
    to_bones, to_joints = torch.eye(size), torch.eye(size)
    for joint in skeleton.topological:
        if (parent := skeleton.parents[joint]) >= 0:
            to_bones[joint, parent] = -1
            to_joints[joint] += to_joints[parent]
    pairs = (("left_hip", "right_hip"), ("left_shoulder", "right_shoulder"), ("thorax", skeleton.joints[skeleton.root]))
    ends = [[skeleton.index(pair[end]) for pair in pairs] for end in (0, 1)]
    across = to_joints[ends[0]] - to_joints[ends[1]]
    whole, back, some = (torch.kron(rows.T.contiguous(), torch.eye(3)) for rows in (to_bones, to_joints, across))
    return whole.to(device), back.to(device), some.to(device)


def _rotations(vectors: Tensor) -> Tensor:
    """Return the rotation matrices (*, 3, 3) of rotation vectors (*, 3), in radians."""
    x, y, z = vectors.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).unflatten(-1, (3, 3))
    angle = vectors.norm(dim=-1)[..., None, None].clip(min=1e-8)
    around = angle.sin() / angle * cross + (1 - angle.cos()) / angle**2 * cross @ cross
    return torch.eye(3, device=vectors.device) + around


def _frames(bones: Tensor, skeleton: Skeleton) -> tuple[Tensor, Tensor]:
    """Return the line from right to left hip (B, T, 3), and the trunk's left, up and front axes (B, T, 3 axes, 3)."""
    normalize = torch.nn.functional.normalize
    hips, side, spine = (bones.flatten(2) @ _tree(skeleton, bones.device)[2]).unflatten(2, (3, 3)).unbind(2)
    up = normalize(spine, dim=-1)
    left = normalize(side - (side * up).sum(-1, keepdim=True) * up, dim=-1)
    return hips, torch.stack([left, up, torch.linalg.cross(left, up)], -2)


def _yaw(hips: Tensor) -> Tensor:
    """Return rotations about the vertical (B, T, 3, 3) that bring the hips' line (B, T, 3) onto x: `points @ turn`."""
    x, y = torch.nn.functional.normalize(hips[..., :2], dim=-1).unbind(-1)
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([x, -y, zero, y, x, zero, zero, zero, one], -1).unflatten(-1, (3, 3))
