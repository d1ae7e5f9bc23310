"""Other bodies and poses: what is kept, what changes, and whose limbs they are."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.lab.observe import bodies
from poselift.lab.observe.bodies import bones_of, commonness, joints_of, mirror
from poselift.skeleton import H36M_17

LEGS = [j for j, n in enumerate(H36M_17.joints) if any(p in n for p in ("hip", "knee", "ankle"))]
REST = [j for j in range(17) if j not in LEGS]
YES, NO = torch.tensor([True]), torch.tensor([False])
BOTH, NONE = torch.tensor([[True, True]]), torch.tensor([[False, False]])


@pytest.fixture
def two(walk):
    one, other = walk(20, seed=1), walk(20, seed=2)
    return torch.from_numpy(one.xyz)[None], torch.from_numpy(other.xyz)[None]


def mix_parts(one, other, legs, arms, skeleton):
    """What `one` becomes with the other's parts; the other is the window before it."""
    bones = bones_of(torch.cat([other, one]), skeleton)
    mixed = bodies.mix_parts(bones, torch.cat([NONE, legs]), torch.cat([NONE, arms]), skeleton)
    torch.testing.assert_close(mixed[0], bones[0])
    return joints_of(mixed[1:], skeleton)


def turn_limbs(xyz, turns, skeleton):
    return joints_of(bodies.turn_limbs(bones_of(xyz, skeleton), turns, skeleton), skeleton)


def bend_trunk(xyz, *rest):
    return joints_of(bodies.bend_trunk(bones_of(xyz, H36M_17), *rest), H36M_17)


def test_bones_are_joints_minus_their_parents_and_joints_come_back(two):
    one, _ = two
    bones = bones_of(one, H36M_17)
    for parent, joint in H36M_17.bones:
        torch.testing.assert_close(bones[:, :, joint], one[:, :, joint] - one[:, :, parent], rtol=0, atol=1e-6)
    assert torch.equal(bones[:, :, 0], one[:, :, 0])
    torch.testing.assert_close(joints_of(bones, H36M_17), one, rtol=0, atol=1e-5)


def lengths(xyz):
    return torch.stack([(xyz[:, :, c] - xyz[:, :, p]).norm(dim=-1) for p, c in H36M_17.bones], -1)


def test_nothing_chosen_changes_nothing(two):
    one, other = two
    torch.testing.assert_close(mix_parts(one, other, NONE, NONE, H36M_17), one, rtol=0, atol=1e-5)


def test_parts_of_oneself_change_nothing(two):
    one, _ = two
    torch.testing.assert_close(mix_parts(one, one, BOTH, BOTH, H36M_17), one, rtol=0, atol=1e-5)


def test_legs_are_the_others_at_the_same_height_and_below_the_own_pelvis(two):
    one, other = two
    mixed = mix_parts(one, other, BOTH, NONE, H36M_17)
    torch.testing.assert_close(mixed[:, :, REST], one[:, :, REST], rtol=0, atol=1e-5)
    relative = mixed - mixed[:, :, :1]
    torch.testing.assert_close(relative[:, :, LEGS, 2], (other - other[:, :, :1])[:, :, LEGS, 2], rtol=0, atol=1e-5)
    torch.testing.assert_close(lengths(mixed)[..., :6], lengths(other)[..., :6], rtol=0, atol=1e-5)
    left, right = H36M_17.indices(("left_hip", "right_hip"))
    across, own = (mixed[:, :, left] - mixed[:, :, right])[..., :2], (one[:, :, left] - one[:, :, right])[..., :2]
    assert torch.nn.functional.cosine_similarity(across, own, dim=-1).min() > 0.9999
    assert (mixed - one)[:, :, LEGS].abs().max() > 0.05


def test_arms_move_with_the_trunk(two):
    one, other = two
    mixed = mix_parts(one, other, NONE, BOTH, H36M_17)
    arms = [j for j, n in enumerate(H36M_17.joints) if "elbow" in n or "wrist" in n]
    rest = [j for j in range(17) if j not in arms]
    torch.testing.assert_close(mixed[:, :, rest], one[:, :, rest], rtol=0, atol=1e-5)
    assert (mixed - one)[:, :, arms].abs().max() > 0.05
    # The angle between upper arm and trunk is the other's.
    shoulder, elbow, thorax = H36M_17.indices(("left_shoulder", "left_elbow", "thorax"))

    def angle(xyz):
        arm, trunk = xyz[:, :, elbow] - xyz[:, :, shoulder], xyz[:, :, thorax] - xyz[:, :, 0]
        return torch.nn.functional.cosine_similarity(arm, trunk, dim=-1)

    torch.testing.assert_close(angle(mixed), angle(other), rtol=0, atol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_one_limb_alone_leaves_the_other_side_and_the_pelvis(two, side):
    one, other = two
    chosen = torch.tensor([[side == "left", side == "right"]])
    mixed = mix_parts(one, other, chosen, chosen, H36M_17)
    moved = {
        j for j, n in enumerate(H36M_17.joints) if n in {f"{side}_{p}" for p in ("knee", "ankle", "elbow", "wrist")}
    }
    rest = [j for j in range(17) if j not in moved]
    torch.testing.assert_close(mixed[:, :, rest], one[:, :, rest], rtol=0, atol=1e-5)
    assert ((mixed - one)[:, :, list(moved)].norm(dim=-1).amax((0, 1)) > 0.02).all()


def test_a_turned_limb_takes_along_what_hangs_on_it(two):
    one, _ = two
    shoulder, elbow, wrist = H36M_17.indices(("left_shoulder", "left_elbow", "left_wrist"))
    turns = torch.zeros(1, 17, 3)
    turns[0, elbow, 2] = torch.pi / 2  # about z: x to y, y to -x
    turned = turn_limbs(one, turns, H36M_17)
    rest = [j for j in range(17) if j not in (elbow, wrist)]
    torch.testing.assert_close(turned[:, :, rest], one[:, :, rest], rtol=0, atol=1e-5)
    for joint in (elbow, wrist):
        was, now = (xyz[:, :, joint] - xyz[:, :, shoulder] for xyz in (one, turned))
        torch.testing.assert_close(now, torch.stack([-was[..., 1], was[..., 0], was[..., 2]], -1), rtol=0, atol=1e-5)


def test_turns_add_up_along_a_limb_and_keep_lengths(two):
    one, _ = two
    generator = torch.Generator().manual_seed(0)
    turns = torch.randn(1, 17, 3, generator=generator)
    knee, ankle = H36M_17.indices(("right_knee", "right_ankle"))
    turned = turn_limbs(one, turns, H36M_17)
    torch.testing.assert_close(lengths(turned), lengths(one), rtol=0, atol=1e-5)
    shin_before = turn_limbs(one, turns * (torch.arange(17) != ankle)[:, None], H36M_17)
    bone = (shin_before[:, :, ankle] - shin_before[:, :, knee])[0]
    # The shin's own turn is made first, in its recorded place; then those of all above it.
    own = torch.linalg.matrix_exp(_cross(turns[0, ankle]))
    above = torch.linalg.matrix_exp(_cross(turns[0, H36M_17.index("right_hip")])) @ torch.linalg.matrix_exp(
        _cross(turns[0, knee])
    )
    recorded = (one[:, :, ankle] - one[:, :, knee])[0]
    torch.testing.assert_close(bone, recorded @ above.T, rtol=0, atol=1e-4)
    torch.testing.assert_close(
        (turned[:, :, ankle] - turned[:, :, knee])[0], recorded @ (above @ own).T, rtol=0, atol=1e-4
    )


def test_no_turn_is_nothing(two):
    one, _ = two
    torch.testing.assert_close(turn_limbs(one, torch.zeros(1, 17, 3), H36M_17), one, rtol=0, atol=1e-5)


def _cross(v):
    return torch.tensor([[0, -v[2], v[1]], [v[2], 0, -v[0]], [-v[1], v[0], 0]])


def test_mirror_twice_is_nothing_and_once_exchanges_the_sides(two):
    one, _ = two
    mirrored = mirror(one, YES, H36M_17)
    torch.testing.assert_close(mirror(mirrored, YES, H36M_17), one)
    left, right = H36M_17.indices(("left_wrist", "right_wrist"))
    torch.testing.assert_close(mirrored[:, :, left], one[:, :, right] * torch.tensor([-1.0, 1, 1]))
    assert torch.equal(mirror(one, NO, H36M_17), one)


def test_rare_poses_count_as_less_common_whatever_way_they_face(body):
    turned = body.copy()
    turned[:, 0], turned[:, 1] = -body[:, 1], body[:, 0]
    bent = body.copy()
    bent[H36M_17.index("left_wrist")] += [0, 0.3, 0.9]
    noise = np.random.default_rng(0).normal(0, 1e-4, (100, *body.shape))
    frames = (np.stack([body] * 60 + [turned] * 30 + [bent] * 10) + noise).astype(np.float32)
    share = commonness(frames, H36M_17, clusters=2)
    np.testing.assert_allclose(share[:90], 0.9)
    np.testing.assert_allclose(share[90:], 0.1)


def test_one_pose_is_as_common_as_can_be(body):
    assert (commonness(np.stack([body] * 5), H36M_17) == 1).all()


@pytest.mark.parametrize("tilted", [YES, NO])
def test_a_bent_trunk_turns_about_the_pelvis_and_the_legs_stand(two, tilted):
    one, _ = two
    right = torch.tensor([torch.pi / 2])
    bent = bend_trunk(one, right, torch.tensor([0.0]), tilted, H36M_17)  # about x: y to z, z to -y
    relative, was = bent - bent[:, :, :1], one - one[:, :, :1]
    expected = torch.stack([was[..., 0], -was[..., 2], was[..., 1]], -1)
    hips = list(H36M_17.indices(("left_hip", "right_hip")))
    turned = [*REST, *hips] if tilted else REST
    torch.testing.assert_close(relative[:, :, turned], expected[:, :, turned], rtol=0, atol=1e-5)
    for hip in hips:  # thigh and shin hang from the hip as before
        leg = [hip + 1, hip + 2]
        torch.testing.assert_close(
            relative[:, :, leg] - relative[:, :, [hip]], was[:, :, leg] - was[:, :, [hip]], rtol=0, atol=1e-5
        )
    assert torch.allclose(relative[:, :, hips], was[:, :, hips], atol=1e-5) != bool(tilted)
    torch.testing.assert_close(lengths(bent), lengths(one), rtol=0, atol=1e-5)
    torch.testing.assert_close(bend_trunk(one, 0 * right, right, tilted, H36M_17), one, rtol=0, atol=1e-5)
