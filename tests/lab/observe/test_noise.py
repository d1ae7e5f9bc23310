import dataclasses
import math

import pytest

torch = pytest.importorskip("torch")

from poselift.lab.observe import noise
from poselift.lab.observe.noise import (
    DETECTOR_SKELETON,
    NoiseConfig,
    corrupt,
    detector_joints,
    hide_faces,
    smooth_noise,
)
from poselift.skeleton import H36M_17

OFF = NoiseConfig(level=0, shift=0, swaps=0, misses=0, spans=0, cuts=0, blackouts=0, spikes=0)
METRE = torch.full((64,), 0.25)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def only(**errors):
    return dataclasses.replace(OFF, **errors)


def scene(batch=64, frames=60, skeleton=H36M_17):
    """(B, T, J, 2) keypoints, all different from one another."""
    return torch.randn(batch, frames, len(skeleton), 2, generator=generator(99))


def assert_one_stretch(mask):
    """Each column of (T, N) is true over at most one stretch of frames."""
    begins = (mask[1:] & ~mask[:-1]).sum(0) + mask[0]
    assert (begins <= 1).all()


def detected(body, config=OFF, seed=0):
    """Detector joints by name, (B, T, 3), of 16 windows of a body that stands still."""
    points = detector_joints(torch.from_numpy(body).expand(16, 30, -1, -1), config, generator(seed))
    return {name: points[:, :, i] for i, name in enumerate(DETECTOR_SKELETON.joints)}


def test_assert_one_stretch_notices_two():
    with pytest.raises(AssertionError):
        assert_one_stretch(torch.tensor([[True], [False], [True]]))


@pytest.mark.parametrize("skeleton", [H36M_17, DETECTOR_SKELETON], ids=lambda s: s.name)
def test_without_errors_everything_is_seen_where_it_is(skeleton):
    xy = scene(skeleton=skeleton)
    seen, confidence = corrupt(xy, METRE, skeleton, OFF, generator())
    assert torch.equal(seen, xy)
    assert confidence.shape == xy.shape[:3]
    assert (confidence > 0.3).all()
    assert (confidence <= 1).all()
    assert confidence.mean() > 0.75


def test_head_literals(body, monkeypatch):
    monkeypatch.setattr(noise, "_randn", lambda shape, generator: torch.zeros(shape))
    joint = detected(body)
    # The head looks along +y; between neck (0, 0.05, 1.53) and crown (0, 0.02, 1.67) it leans back a little.
    up = torch.tensor([0, -0.03, 0.14]) / math.hypot(0.03, 0.14)
    middle = torch.tensor([0, 0.032, 1.614])
    front, left = torch.tensor([0.0, 1, 0]), torch.tensor([-1.0, 0, 0])
    expected = {
        "nose": middle + 0.11 * front - 0.02 * up,
        "head_top": torch.tensor([0, 0.02, 1.67]) + 0.09 * up,
        "left_eye": middle + 0.09 * front + 0.015 * up + 0.032 * left,
        "right_eye": middle + 0.09 * front + 0.015 * up - 0.032 * left,
        "left_ear": middle - 0.005 * front + 0.075 * left,
        "right_ear": middle - 0.005 * front - 0.075 * left,
        "upper_neck": torch.tensor([0, 0.025, 1.475]),
    }
    for name, point in expected.items():
        torch.testing.assert_close(joint[name], point.expand(16, 30, 3), rtol=0, atol=1e-6, msg=name)


def test_the_face_is_ahead_and_left_is_left(body):
    joint = detected(body)
    ears = (joint["left_ear"] + joint["right_ear"]) / 2
    ahead = (joint["nose"] - ears)[..., 1]
    assert ahead.mean() > 0.07
    assert (ahead > 0).float().mean() > 0.95  # a head that is turned by more than a right angle is rare
    for part in ("eye", "ear", "shoulder", "hip"):
        assert (joint[f"left_{part}"] - joint[f"right_{part}"])[..., 0].mean() < 0
    assert (joint["head_top"][..., 2] > joint["nose"][..., 2]).all()


def test_limbs_are_the_body_s_own_and_feet_are_copies(body):
    joint = detected(body)
    for name in ("left_wrist", "right_knee", "left_hip"):
        assert torch.equal(joint[name][3, 7], torch.from_numpy(body[H36M_17.index(name)]))
    for side in ("left", "right"):
        for part in ("big_toe", "small_toe", "heel"):
            assert torch.equal(joint[f"{side}_{part}"], joint[f"{side}_ankle"])


def test_the_face_moves_with_the_body(body):
    points = torch.from_numpy(body).expand(4, 30, -1, -1)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator(5)))[0]
    turn = turn * torch.linalg.det(turn)
    config = only(shift=0.02)
    moved = detector_joints(points @ turn.T + 2, config, generator())
    torch.testing.assert_close(moved, detector_joints(points, config, generator()) @ turn.T + 2, rtol=0, atol=1e-5)


def test_shifts_are_mirrored_between_the_sides_and_constant(body):
    config = only(shift=0.03)
    shifts = noise.symmetric_shifts(500, DETECTOR_SKELETON, config, generator())
    mirror = torch.tensor([-1.0, 1, 1])
    assert torch.equal(shifts[:, list(DETECTOR_SKELETON.flipped)][:, [5, 6]], shifts[:, [5, 6]] * mirror)
    for left, right in DETECTOR_SKELETON.pairs:
        assert torch.equal(shifts[:, right], shifts[:, left] * mirror)
    assert shifts.std() == pytest.approx(0.03, rel=0.05)
    joint, plain = detected(body, config), detected(body)
    knee = joint["left_knee"] - plain["left_knee"]
    torch.testing.assert_close(knee, knee[:, :1].expand_as(knee), rtol=0, atol=1e-6)
    other = joint["right_knee"] - plain["right_knee"]
    torch.testing.assert_close(other, knee * mirror, rtol=0, atol=1e-6)  # the body's left is the world's -x
    assert knee.norm(dim=-1).mean() > 0.02


def test_jitter_is_as_large_as_asked_in_metres():
    xy, metre = scene(256, 60), torch.full((256,), 0.25)
    seen, _ = corrupt(xy, metre, H36M_17, only(level=0.02, level_spread=0), generator())
    error = (seen - xy).norm(dim=-1) / 0.25
    assert 0.015 < error.median() < 0.035
    nearer, _ = corrupt(xy, 2 * metre, H36M_17, only(level=0.02, level_spread=0), generator())
    torch.testing.assert_close(nearer - xy, 2 * (seen - xy), rtol=0, atol=1e-5)
    part = error.mean((0, 1))
    assert part[H36M_17.index("left_hip")] > 1.2 * part[H36M_17.index("left_shoulder")]
    assert part[H36M_17.index("head_top")] < part[H36M_17.index("left_shoulder")]


def test_errors_drift_and_jitter():
    xy = scene(256, 60)
    seen, _ = corrupt(xy, torch.ones(256), H36M_17, only(level=0.02, level_spread=0), generator())
    error = seen - xy

    def alike(lag):
        return (error[:, lag:] * error[:, :-lag]).mean() / (error**2).mean()

    assert 0.4 < alike(1) < 0.9
    assert abs(alike(40)) < 0.05


def test_swaps_exchange_arms_or_legs_for_a_while():
    xy = scene(200, 60)
    seen, confidence = corrupt(xy, torch.ones(200), H36M_17, only(swaps=1), generator())
    swapped = (seen != xy).any(-1)  # (B, T, J)
    assert torch.equal(seen, torch.where(swapped[..., None], xy[:, :, list(H36M_17.flipped)], xy))
    legs = torch.tensor([any(p in name for p in ("hip", "knee", "ankle")) for name in H36M_17.joints])
    arms = torch.tensor([any(p in name for p in ("shoulder", "elbow", "wrist")) for name in H36M_17.joints])
    assert not swapped[..., ~(legs | arms)].any()
    kinds = set()
    for window in swapped:
        frames = window.any(1)
        assert_one_stretch(frames[:, None])
        assert frames.sum() <= 0.4 * 60 + 1
        members = window[frames]
        assert (members == members[:1]).all()
        if frames.any():
            for part in (legs, arms):
                assert members[0, part].all() or not members[0, part].any()
            kinds.add((bool(members[0, legs].any()), bool(members[0, arms].any())))
    assert kinds == {(True, False), (False, True), (True, True)}
    assert confidence[swapped].mean() < confidence[~swapped].mean() - 0.05


def test_misses_are_single_and_as_many_as_asked():
    xy = scene(64, 60)
    seen, confidence = corrupt(xy, METRE, H36M_17, only(misses=0.2), generator())
    assert torch.equal(seen, xy)
    lost = confidence == 0
    assert lost.float().mean() == pytest.approx(0.2, abs=0.01)
    assert (lost[:, 1:] & lost[:, :-1]).float().mean() == pytest.approx(0.04, abs=0.01)


def test_spans_are_guessed_or_lost():
    xy = scene(200, 60)
    seen, confidence = corrupt(xy, torch.ones(200), H36M_17, only(spans=1), generator())
    guessed, lost = (seen != xy).any(-1), confidence == 0
    assert not (guessed & lost).any()
    for window in range(200):
        assert_one_stretch((guessed | lost)[window])
    joints = (guessed.any(1) | lost.any(1)).float().mean()
    assert 0.08 < joints < 0.16  # 0.15 of the joints, less the stretches of no frame
    assert guessed.any(1).sum() / lost.any(1).sum() == pytest.approx(1, abs=0.35)
    assert (seen - xy).norm(dim=-1)[guessed].mean() > 0.04
    assert confidence[guessed].mean() < 0.5 * confidence[~guessed & ~lost].mean()
    _, half = corrupt(xy, torch.ones(200), H36M_17, only(spans=0.3), generator())
    assert (half == 0).any((1, 2)).float().mean() < 0.5


def test_cuts_take_what_is_lowest():
    xy = scene(100, 60)
    seen, confidence = corrupt(xy, torch.ones(100), H36M_17, only(cuts=1), generator())
    hidden = (seen != xy).any(-1) | (confidence == 0)
    y = xy[..., 1]
    for window in range(100):
        assert hidden[window].any()
        assert y[window][hidden[window]].min() > y[window][~hidden[window]].max()
    low, high = y.amin((1, 2)), y.amax((1, 2))
    edge = torch.where(hidden, y, torch.inf).amin((1, 2))
    assert ((edge - low) / (high - low)).min() > 0.44


def test_blackouts_lose_the_whole_person():
    xy = scene(200, 60)
    seen, confidence = corrupt(xy, torch.ones(200), H36M_17, only(blackouts=1), generator())
    assert torch.equal(seen, xy)
    lost = confidence == 0
    assert torch.equal(lost.any(-1), lost.all(-1))
    assert_one_stretch(lost.any(-1).T)
    assert 0.1 < lost.float().mean() < 0.5
    _, confidence = corrupt(xy, torch.ones(200), H36M_17, only(blackouts=0.25), generator())
    assert (confidence == 0).any((1, 2)).float().mean() == pytest.approx(0.25, abs=0.08)


def test_spikes_last_one_frame():
    xy = scene(64, 60)
    seen, confidence = corrupt(xy, torch.ones(64), H36M_17, only(spikes=0.05), generator())
    spiked = (seen != xy).any(-1)
    assert spiked.float().mean() == pytest.approx(0.05, abs=0.005)
    assert (spiked[:, 1:] & spiked[:, :-1]).float().mean() == pytest.approx(0.0025, abs=0.0015)
    assert (seen - xy)[spiked].std() == pytest.approx(0.15, rel=0.05)
    assert confidence[spiked].mean() < 0.7 * confidence[~spiked].mean()


def test_confidence_tells_of_the_error():
    xy = scene(512, 30, DETECTOR_SKELETON)
    seen, confidence = corrupt(xy, torch.ones(512), DETECTOR_SKELETON, NoiseConfig(swaps=0), generator())
    found = confidence > 0
    error, score = (seen - xy).norm(dim=-1)[found], confidence[found]
    assert torch.corrcoef(torch.stack([error, score]))[0, 1] < -0.3
    order = score.argsort()
    quarter = len(order) // 4
    assert error[order[:quarter]].mean() > 2 * error[order[-quarter:]].mean()
    assert 0.02 <= score.min()
    assert score.max() <= 1


def test_the_same_seed_gives_the_same_errors():
    xy = scene(8, 30)
    one, same, other = (corrupt(xy, torch.ones(8), H36M_17, NoiseConfig(), generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one[0], same[0])
    assert torch.equal(one[1], same[1])
    assert not torch.equal(one[0], other[0])


def test_no_windows_are_no_trouble():
    xy, confidence = corrupt(scene(0, 9), METRE[:0], H36M_17, NoiseConfig(), generator())
    assert (xy.shape, confidence.shape) == ((0, 9, 17, 2), (0, 9, 17))


def test_smooth_noise_has_unit_variance_at_its_knots_and_straight_lines_between(monkeypatch):
    monkeypatch.setattr(noise, "_rand", lambda shape, generator: torch.zeros(shape))  # the first knot at frame 0
    signal = smooth_noise((200, 41, 50), 10, generator())
    assert signal.shape == (200, 41, 50)
    knots = signal[:, ::10]
    assert knots.mean().abs() < 0.02
    assert (knots.var((0, 2)) - 1).abs().max() < 0.05
    assert (signal[:, 5::10].var((0, 2)) - 0.5).abs().max() < 0.03
    bend = signal.diff(dim=1).diff(dim=1)
    between = torch.tensor([frame % 10 != 0 for frame in range(1, 40)])
    assert bend[:, between].abs().max() < 1e-5
    assert torch.corrcoef(torch.stack([knots[:, 0].flatten(), knots[:, 1].flatten()]))[0, 1].abs() < 0.05


@pytest.mark.parametrize(("frames", "period"), [(1, 10), (9, 40), (80, 20), (81, 20), (243, 10)])
def test_smooth_noise_of_any_length(frames, period):
    signal = smooth_noise((300, frames, 7), period, generator())
    assert signal.shape == (300, frames, 7)
    assert signal.mean().abs() < 0.1
    assert 0.5 < signal.var() < 0.85  # two thirds, averaged over where the knots lie
    if frames > 1:
        assert signal.diff(dim=1).abs().max() <= 8 / period


def test_intervals_reach_everywhere():
    mask = noise._interval((4000, 1), 60, generator())[..., 0]
    assert_one_stretch(mask.T)
    share = mask.float().mean(0)
    assert share.std() < 0.02  # no frame is spared
    assert mask.all(1).any()
    assert not mask.any(1).all()


def test_people_who_look_away_hide_nose_and_eyes(body):
    config = NoiseConfig(turned_faces=1.0)
    names = DETECTOR_SKELETON.joints
    face = [j for j, n in enumerate(names) if "nose" in n or "eye" in n]
    rest = [j for j in range(len(names)) if j not in face]
    upright = torch.from_numpy(body).float()[:, [0, 2, 1]] * torch.tensor([1.0, -1.0, 1.0])  # camera axes
    front = torch.linalg.cross(
        upright[H36M_17.index("left_hip")] - upright[H36M_17.index("right_hip")],
        upright[H36M_17.index("thorax")] - upright[0],
    )
    towards = upright if front[2] < 0 else upright * torch.tensor([-1.0, 1.0, -1.0])
    away = towards * torch.tensor([-1.0, 1.0, -1.0])  # turned round by half a turn
    for points, hidden in ((towards, False), (away, True)):
        windows = points.expand(200, 5, 17, 3)
        seen = hide_faces(torch.ones(200, 5, len(names)), windows, DETECTOR_SKELETON, config, generator())
        assert torch.equal(seen[..., rest], torch.ones_like(seen[..., rest]))
        if hidden:
            values = seen[..., face]
            lost, doubtful = (values == 0).float().mean(), torch.isclose(values, torch.tensor(0.3)).float().mean()
            assert lost == pytest.approx(0.6, abs=0.1)
            assert doubtful == pytest.approx(0.4, abs=0.1)
        else:
            assert (seen[..., face] == 1).all()


def test_no_face_is_hidden_when_none_shall_be(body):
    points = torch.from_numpy(body).float().expand(50, 3, 17, 3)
    confidence = torch.rand(50, 3, len(DETECTOR_SKELETON), generator=generator(1))
    config = NoiseConfig(turned_faces=0)
    assert torch.equal(hide_faces(confidence, points, DETECTOR_SKELETON, config, generator()), confidence)
