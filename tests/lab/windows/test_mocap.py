import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.datasets.clip import MocapClip
from poselift.errors import DatasetError, RecipeError
from poselift.geometry.camera import Camera, look_at
from poselift.lab.observe.bodies import bones_of, joints_of, scale_bones
from poselift.lab.observe.cameras import CameraConfig, project, view
from poselift.lab.observe.noise import DETECTOR_SKELETON, NoiseConfig
from poselift.lab.windows import mocap as data
from poselift.lab.windows.changes import Changes
from poselift.lab.windows.mocap import DataConfig, MocapWindows
from poselift.lifting import lift
from poselift.prepare.convert import convert
from poselift.prepare.feed import Feed
from poselift.prepare.normalize import PERSON_SCALE
from poselift.prepare.window import cut
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_27, COCO_17, H36M_17

EXACT = DataConfig(
    exact=1, own_joints=0, short=0, bone_scale=0, speed=(1, 1), mirror=False, mix=0, turn=0, bend=0, rare=0
)
ROOT = H36M_17.root


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def windows_of(clips, config=EXACT, *, in_frames=9, keep=3, channels=3, fps=50.0):
    first = (in_frames - keep) // 2
    out = range(first, first + keep)
    return MocapWindows(
        clips, in_frames=in_frames, out_frames=out, in_channels=channels, fps=fps, config=config
    )  # fmt: skip


def clock(frames, offset=0.0, **fields):
    """A clip whose every coordinate is the number of the frame."""
    xyz = np.broadcast_to(np.arange(frames, dtype=np.float32)[:, None, None] + offset, (frames, 17, 3))
    fields = {"name": "clock", "subject": "one", "skeleton": H36M_17, "fps": 50.0} | fields
    return MocapClip(xyz=np.ascontiguousarray(xyz), **fields)


def reshaped(source, world, generator):
    return Changes.draw(len(world), source.skeleton, source.config, generator).bodies(world)


def still(body, frames=30):
    return MocapClip("still", "one", np.repeat(body[None], frames, 0), H36M_17, 50.0)


@pytest.fixture
def camera():
    R, t = look_at(np.array([3.0, -2.0, 1.8]), np.array([0.0, 0.2, 0.9]), 0.05)
    return Camera(R, t, np.array([[1150.0, 0, 512], [0, 1150.0, 515], [0, 0, 1]]))


@pytest.fixture
def seen(monkeypatch):
    """What the camera saw in the last batch: points in camera axes, and the turn to a straight camera."""
    record = SimpleNamespace()

    def view(*arguments):
        record.points, record.turn, record.up = original(*arguments)
        return record.points, record.turn, record.up

    original = data.view
    monkeypatch.setattr(data, "view", view)
    return record


def test_exact_windows_are_the_projection_and_targets_the_joints(walk, seen):
    batch = windows_of([walk(200)]).batch(32, generator())
    assert batch.inputs.shape == (32, 9, 17, 3)
    assert batch.targets.shape == (32, 3, 17, 3)
    clip = Feed.join(project(seen.points), torch.ones(32, 9, 17))
    inputs = Feed(H36M_17, 3).windows(clip, torch.ones(32, 9))
    inside = batch.inputs[..., 2] > 0
    assert torch.equal(inside, inside[:, :, :1].expand_as(inside))
    whole = inside.all((1, 2))
    assert whole.sum() > 25
    assert torch.equal(batch.inputs[whole], inputs[whole])
    straight = torch.einsum("bij,btkj->btki", seen.turn, seen.points)[:, 3:6]
    torch.testing.assert_close(batch.targets, straight - straight[:, :, ROOT, None], rtol=0, atol=1e-5)
    assert (batch.targets[:, :, ROOT] == 0).all()


def test_without_confidence(walk):
    three = windows_of([walk()]).batch(8, generator()).inputs
    two = windows_of([walk()], channels=2).batch(8, generator()).inputs
    assert torch.equal(two, three[..., :2])


def test_what_is_seen_is_the_body_unmirrored_and_unscaled(body, seen):
    windows_of([still(body)]).batch(64, generator())
    ours = torch.from_numpy(body - body.mean(0)).double()
    theirs = (seen.points - seen.points.mean(2, keepdim=True)).double()
    u, _, v = torch.linalg.svd(theirs.transpose(2, 3) @ ours)
    rotation = u @ v
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(64, 9, dtype=torch.float64))
    torch.testing.assert_close(ours @ rotation.transpose(2, 3), theirs, rtol=0, atol=1e-4)


def test_seen_from_behind_left_is_left(body):
    """A person who looks away has the left side at the left of the picture; who looks at us, at the right."""
    batch = windows_of([still(body)]).batch(200, generator())
    left, right = H36M_17.index("left_shoulder"), H36M_17.index("right_shoulder")
    across = batch.targets[:, 1, left] - batch.targets[:, 1, right]
    up = batch.targets[:, 1, H36M_17.index("thorax")]
    away = torch.linalg.cross(across, up)[:, 2] / (across.norm(dim=-1) * up.norm(dim=-1))
    clear = away.abs() > 0.3
    assert (away > 0.3).any()
    assert (away < -0.3).any()
    assert torch.equal(across[clear, 0] < 0, away[clear] > 0)
    in_picture = (batch.inputs[:, 4, left] - batch.inputs[:, 4, right])[:, 0]
    assert torch.equal(in_picture[clear] < 0, away[clear] > 0)
    assert (batch.inputs[:, 4, H36M_17.index("head_top"), 1] < 0).all()  # up is negative in a picture
    assert (up[:, 1] < 0).all()


def test_arms_are_turned_more_than_legs_and_in_the_share_of_windows_asked_for(body):
    config = dataclasses.replace(EXACT, turn=0.5, turn_rad=0.3)
    camera = dataclasses.replace(config.camera, roll_rad=0.0)
    batches = [
        windows_of([still(body)], dataclasses.replace(config, camera=camera, turn=share))
        .batch(400, generator())
        .targets
        for share in (0.0, 0.5)
    ]

    def angles(targets, parent, joint):  # of each window, to the trunk, which nothing turns
        bone = targets[:, 0, H36M_17.index(joint)] - targets[:, 0, H36M_17.index(parent)]
        return torch.nn.functional.cosine_similarity(bone, targets[:, 0, H36M_17.index("thorax")], dim=-1).acos()

    for side in ("left", "right"):
        still_arm, arm = (angles(t, f"{side}_shoulder", f"{side}_elbow") for t in batches)
        assert still_arm.std() < 1e-3
        assert 0.4 < ((arm - still_arm.mean()).abs() > 1e-3).float().mean() < 0.6
        thigh = angles(batches[1], f"{side}_hip", f"{side}_knee")
        assert 0.3 < thigh.std() / arm.std() < 0.8


@pytest.mark.parametrize("mirror", [True, False])
def test_mirrored_bodies_are_bodies(body, mirror):
    body = body.copy()
    body[H36M_17.index("left_wrist")] += [0, 0.2, 0.7]  # a raised left hand tells the copies apart
    config = dataclasses.replace(EXACT, mirror=mirror, bone_scale=0.05)
    batch = windows_of([still(body)], config).batch(128, generator())
    joint = {name: batch.targets[:, 1, i] for i, name in enumerate(H36M_17.joints)}
    front = torch.linalg.cross(joint["left_hip"] - joint["right_hip"], joint["thorax"] - joint["pelvis"])
    for side in ("left", "right"):
        bend = joint[f"{side}_knee"] - (joint[f"{side}_hip"] + joint[f"{side}_ankle"]) / 2
        assert ((bend * front).sum(-1) > 0).all()
    up = joint["thorax"] - joint["pelvis"]
    left_raised = ((joint["left_wrist"] - joint["left_elbow"]) * up).sum(-1) > 0
    right_raised = ((joint["right_wrist"] - joint["right_elbow"]) * up).sum(-1) > 0
    assert (left_raised ^ right_raised).all()
    assert right_raised.float().mean().item() == (pytest.approx(0.5, abs=0.15) if mirror else 0)


def test_scale_bones_keeps_directions_and_the_root(walk):
    xyz = torch.from_numpy(walk(4).xyz)[None].expand(3, -1, -1, -1)
    factors = 0.5 + torch.rand(3, 17, generator=generator())
    scaled = joints_of(scale_bones(bones_of(xyz, H36M_17), factors, H36M_17), H36M_17)
    assert torch.equal(scaled[:, :, ROOT], xyz[:, :, ROOT])
    for parent, child in H36M_17.bones:
        before, after = xyz[:, :, child] - xyz[:, :, parent], scaled[:, :, child] - scaled[:, :, parent]
        torch.testing.assert_close(after, before * factors[:, None, child, None], rtol=0, atol=1e-5)
    same = scale_bones(bones_of(xyz, H36M_17), torch.ones(3, 17), H36M_17)
    torch.testing.assert_close(joints_of(same, H36M_17), xyz, rtol=0, atol=1e-6)


def test_bodies_differ_but_their_sides_do_not(body):
    config = dataclasses.replace(EXACT, bone_scale=0.08, mirror=True)
    targets = windows_of([still(body)], config).batch(400, generator()).targets
    factors = {}
    for parent, child in H36M_17.bones:
        length = (targets[:, :, child] - targets[:, :, parent]).norm(dim=-1)
        torch.testing.assert_close(length, length[:, :1].expand_as(length), rtol=0, atol=1e-5)
        factors[child] = length[:, 0] / float(np.linalg.norm(body[child] - body[parent]))
    for left, right in H36M_17.pairs:
        torch.testing.assert_close(factors[left], factors[right], rtol=1e-4, atol=0)
        assert factors[left].log().std() == pytest.approx(0.08, rel=0.15)
        assert factors[left].log().mean().abs() < 0.02


def test_windows_hold_what_the_clip_holds_at_their_times():
    config = dataclasses.replace(EXACT, speed=(0.5, 2.0))
    source = windows_of([clock(30), clock(50, offset=1000)], config)
    world, inside = source._draw(2000, generator())
    time = world[:, :, 3, 1]
    assert torch.equal(world, time[..., None, None].expand_as(world))
    second = time[:, 4] >= 900
    time = time - 1000 * second[:, None]
    last = torch.where(second, 49, 29)[:, None]
    assert (time >= 0).all()
    assert (time <= last).all()
    # Linear in time between the ends, at a speed of its own; held and unseen beyond them.
    assert inside[:, 4].all()
    steps, both = time.diff(dim=1), inside[:, 1:] & inside[:, :-1]
    speed = torch.where(both, steps, 0).amax(1)
    assert 0.5 <= speed.min() < 0.52
    assert 1.9 < speed.max() <= 2.0 + 1e-3
    assert speed.log().mean().abs() < 0.05
    torch.testing.assert_close(steps[both], speed[:, None].expand_as(steps)[both], rtol=0, atol=2e-3)
    beyond = time[:, 4:5] + speed[:, None] * torch.arange(-4, 5)
    clear = ((beyond.abs() > 4e-3) & ((beyond - last).abs() > 4e-3)) | (torch.arange(9) == 4)  # not on the edge
    assert torch.equal(inside[clear], ((beyond > -4e-3) & (beyond < last + 4e-3))[clear])
    assert ((time == 0) | (time == last))[~inside].all()
    assert (~inside).any()
    assert time[~second, 4].mean() == pytest.approx(14.5, abs=0.7)


def test_other_frame_rates():
    source = windows_of([clock(100, fps=120.0)], fps=50.0)
    world, inside = source._draw(50, generator())
    steps = world[:, :, 0, 0].diff(dim=1)[inside[:, 1:] & inside[:, :-1]]
    torch.testing.assert_close(steps, torch.full_like(steps, 2.4), rtol=0, atol=1e-4)


def test_one_frame_is_a_clip(body):
    batch = windows_of([still(body, 1)]).batch(4, generator())
    assert torch.equal(batch.inputs[:, :, 0, 2] > 0, (torch.arange(9) == 4).expand(4, 9))
    assert batch.inputs.isfinite().all()
    torch.testing.assert_close(batch.inputs[:, :1, :, :2].expand(4, 9, 17, 2), batch.inputs[..., :2])


def test_short_clips_begin_or_end_around_what_is_yielded(body):
    source = windows_of([still(body)], dataclasses.replace(EXACT, short=1.0), in_frames=27, keep=9)
    inside = source._short_clips(2000, generator())
    assert inside[:, 9:18].all()
    assert (inside.int().diff(dim=1).abs().sum(1) <= 2).all()
    assert not inside[:, 0].all()
    assert not inside[:, -1].all()
    # Each side reaches the window's end where 27 u^2 >= 9.
    assert inside.all(1).float().mean() == pytest.approx((1 - 3**-0.5) ** 2, abs=0.03)
    assert windows_of([still(body)], in_frames=27, keep=9)._short_clips(200, generator()).all()


@pytest.mark.parametrize(
    ("balance", "expected"),
    [(0, [0.1, 0.3, 0.6]), (1, [0.125, 0.375, 0.5]), (0.5, [10 / 40**0.5, 30 / 40**0.5, 60 / 60**0.5])],
)
def test_clips_are_drawn_by_length_and_subject(balance, expected):
    clips = [clock(10), clock(30, 100), clock(60, 200, subject="two")]
    config = dataclasses.replace(EXACT, balance=balance)
    weights = torch.from_numpy(data._frame_weights(clips, config)).split([len(clip) for clip in clips])
    weights = torch.stack([part.sum() for part in weights]).float()
    expected = torch.tensor(expected) / sum(expected)
    torch.testing.assert_close(weights / weights.sum(), expected)
    world, _ = windows_of(clips, config)._draw(4000, generator())
    drawn = torch.bincount((world[:, 4, 0, 0] / 100).long(), minlength=3) / 4000
    torch.testing.assert_close(drawn, expected, rtol=0, atol=0.03)


def test_the_same_seed_gives_the_same_batch(walk):
    one, same, other = (windows_of([walk()], DataConfig()).batch(20, generator(s)) for s in (1, 1, 2))
    assert torch.equal(one.inputs, same.inputs)
    assert torch.equal(one.targets, same.targets)
    assert not torch.equal(one.inputs, other.inputs)


def test_exact_own_and_converted_windows_come_in_their_shares(walk):
    noise = NoiseConfig(misses=0.5)
    source = windows_of([walk(400)], DataConfig(exact=0.3, own_joints=0.2, short=0, noise=noise))
    points = torch.from_numpy(walk(9).xyz[None] + np.float32([0, 0, 5])).expand(40, -1, -1, -1)
    seen = source.detections(points, generator())
    assert [(len(xy), skeleton) for xy, _, skeleton in seen] == [(12, H36M_17), (8, H36M_17), (20, DETECTOR_SKELETON)]
    confidence = source.batch(40, generator()).inputs[..., 2]
    inside = confidence.amax(2) > 0
    assert (confidence[:12][inside[:12]] == 1).all()
    own = confidence[12:20]
    assert (own[:, :, 1:] == 0).float().mean() == pytest.approx(0.5, abs=0.12)
    pelvis = (confidence[20:, :, ROOT] == 0).float().mean()
    assert pelvis > 0.65  # both hips are needed


def test_half_of_the_detectors_know_no_crown(walk):
    config = dataclasses.replace(EXACT, exact=0, noise=NoiseConfig(misses=0, spans=0, cuts=0, blackouts=0))
    points = torch.from_numpy(walk(9).xyz[None] + np.float32([0, 0, 5])).expand(200, -1, -1, -1)
    *_, (_, confidence, skeleton) = windows_of([walk()], config).detections(points, generator())
    crown = confidence[..., skeleton.index("head_top")] > 0
    assert torch.equal(crown.any(1), crown.all(1))
    assert crown.any(1).float().mean() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("turned_faces", [0.0, 1.0])
def test_faces_that_look_away_are_hidden_in_training(body, turned_faces):
    """Noses and eyes of people seen from behind are lost or doubtful in what training converts and feeds."""
    calm = NoiseConfig(misses=0, spans=0, cuts=0, blackouts=0, spikes=0, swaps=0, turned_faces=turned_faces)
    source = windows_of([still(body)], dataclasses.replace(EXACT, exact=0, noise=calm))
    same = generator(1)
    world, _ = source._draw(300, same)
    points, *_ = view(reshaped(source, world, same), ROOT, source.config.camera, same)
    (*_, (_, confidence, skeleton)) = source.detections(points, same)
    joint = {name: points[:, 4, i] for i, name in enumerate(H36M_17.joints)}
    front = torch.linalg.cross(joint["left_hip"] - joint["right_hip"], joint["thorax"] - joint["pelvis"])
    away = torch.nn.functional.normalize(front, dim=-1)[:, 2]
    face, ears = (confidence[:, 4, list(skeleton.indices(names))].mean(1) for names in (FACE, EARS))
    assert ((face < 0.5 * ears)[away > 0.7]).float().mean() == pytest.approx(turned_faces, abs=0.05)
    assert not (face < 0.5 * ears)[away < -0.2].any()


FACE, EARS = ("nose", "left_eye", "right_eye"), ("left_ear", "right_ear")


class Recorder:
    """A lifter that keeps the windows it is given; a window yields all of its frames."""

    skeleton, in_channels, fps, normalization = H36M_17, 3, 50.0, PERSON_SCALE

    def __init__(self, frames):
        self.in_frames, self.out_frames = frames, tuple(range(frames))

    def __call__(self, windows):
        self.windows = windows
        return np.zeros((len(windows), self.in_frames, 17, 3), np.float32)


@pytest.mark.parametrize("frames", [1, 9, 27, 81])
def test_training_and_use_see_the_same_of_the_same_detections(walk, frames):
    """The seam: one random stream, once through training's batch, once detection by detection through `lift`."""
    config = DataConfig(exact=0.2, own_joints=0.3, short=0.5)
    first = (frames - 1) // 2
    source = MocapWindows(
        [walk(300)], in_frames=frames, out_frames=[first], in_channels=3, fps=50.0, config=config
    )  # fmt: skip
    trained = source.batch(60, generator(3)).inputs

    same = generator(3)
    world, inside = source._draw(60, same)
    points, *_ = view(reshaped(source, world, same), ROOT, config.camera, same)
    used, shown = [], iter(inside.numpy())
    for xy, confidence, skeleton in source.detections(points, same):
        for place, scores in zip(xy.numpy(), confidence.numpy(), strict=True):
            lifter = Recorder(frames)
            scores = scores * next(shown)[:, None]
            pixels = np.where(scores[..., None] > 0, 1000 * place + 500, np.nan)
            if not (convert(Keypoints2D(pixels, scores, skeleton, 50.0), H36M_17).confidence > 0).any():
                used.append(None)  # nobody: `lift` says so
                continue
            lift(Keypoints2D(pixels, scores, skeleton, 50.0), lifter, repair=False)
            used.append(lifter.windows[0])
    there = [number for number, window in enumerate(used) if window is not None]
    assert len(there) > 50
    found, wanted = trained.numpy()[there], np.stack([used[number] for number in there])
    np.testing.assert_allclose(found[..., :2], wanted[..., :2], rtol=0, atol=2e-4)
    np.testing.assert_allclose(found[..., 2], wanted[..., 2], rtol=0, atol=1e-6)
    ones = (found[12:, ..., 2] == 1).mean()
    assert ones == (wanted[12:, ..., 2] == 1).mean()
    assert 0.2 < ones < 0.7  # half of what a detector sees is as sure as its median, less what is missing


@pytest.mark.parametrize("frames", [1, 2, 7, 40])
def test_what_training_calls_the_joints_is_what_use_answers(walk, frames):
    """A lifter that knows training's targets is right in the frame that `lift` says: that of a turned camera."""
    clip = walk(frames)
    source = windows_of([clip], in_frames=27, keep=9)
    windows = cut(frames, 27, tuple(range(9, 18)))
    world, inside = torch.from_numpy(clip.xyz[windows.index]), torch.from_numpy(windows.inside)
    same = generator(5)
    batch = source._see(world, inside, generator(5))
    points, turn, _ = view(world, ROOT, source.config.camera, same)
    straight = torch.einsum("bij,btkj->btki", turn, points)[:, 9:18]
    torch.testing.assert_close(batch.targets, straight - straight[:, :, ROOT, None], rtol=0, atol=1e-5)


def test_clips_must_be_alike():
    with pytest.raises(DatasetError, match="got 0 mixed or none"):
        windows_of([])
    for other in (clock(9, fps=60.0), dataclasses.replace(clock(9), skeleton=COCO_17)):
        with pytest.raises(DatasetError, match="one skeleton and frame rate"):
            windows_of([clock(9), other])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exact": 1.2}, r"data.exact: wanted a share in \[0, 1\], got 1.2"),
        ({"own_joints": -0.1}, "data.own_joints"),
        ({"short": 2}, "data.short"),
        ({"turn": -1}, "data.turn"),
        ({"exact": 0.6, "own_joints": 0.5}, "at most 1 - data.exact"),
        ({"speed": (1.4, 0.7)}, "data.speed"),
        ({"speed": (0.0, 1.0)}, "data.speed"),
    ],
)
def test_shares_and_speeds_are_checked(options, message):
    with pytest.raises(RecipeError, match=message):
        DataConfig(**options)


def test_cameras_of_the_config_are_used(body, seen):
    config = dataclasses.replace(EXACT, camera=CameraConfig(distance=(3.0, 3.0), aim_rad=0))
    windows_of([still(body)], config).batch(8, generator())
    crossed = np.linalg.norm(body - body[ROOT], axis=-1).max()
    torch.testing.assert_close(seen.points[:, 0, ROOT, 2], torch.full((8,), 3.0 + max(crossed - 1, 0)))


def walking(person, frames=60, **fields):
    """A clip of 27 joints whose person moves sideways, with contacts that count the frames."""
    xyz = np.repeat(person[None], frames, 0)
    xyz[..., 0] += 0.01 * np.arange(frames, dtype=np.float32)[:, None]
    contact = np.repeat((np.arange(frames) % 2)[:, None], 4, 1).astype(np.int8)
    return MocapClip("walking", "one", xyz, BODY_27, 50.0, contact=contact, **fields)


def test_up_is_up_in_the_axes_of_the_targets(person):
    config = dataclasses.replace(EXACT, camera=CameraConfig(roll_rad=0.6, elevation_rad=(0.3, 0.4)))
    batch = windows_of([walking(person)], config).batch(64, generator())
    assert batch.up.shape == (64, 3, 3)
    ankles = batch.targets[:, :, list(BODY_27.indices(("left_ankle", "right_ankle")))].mean(2)
    head = batch.targets[:, :, BODY_27.index("head_top")]
    upright = torch.from_numpy(
        person[BODY_27.index("head_top")] - person[list(BODY_27.indices(("left_ankle", "right_ankle")))].mean(0)
    )
    lean = upright[2] / upright.norm()
    cosine = (torch.nn.functional.normalize(head - ankles, dim=-1) * batch.up).sum(-1)
    torch.testing.assert_close(cosine, lean.expand_as(cosine), rtol=0, atol=1e-4)
    assert batch.up[..., 1].mean() < -0.5 and batch.up[:, 0, 0].abs().max() > 0.5  # y is down, cameras are rolled


def test_contacts_are_those_of_the_nearest_frame_within_the_clip(person):
    source = windows_of([walking(person, 20)], keep=9)
    clip, time = source._choose(200, same := generator(4))
    batch = source.batch(200, generator(4))
    inside = (time >= 0) & (time <= 19)
    wanted = torch.where(inside, time.round().clip(0, 19) % 2, -1.0)
    assert torch.equal(batch.contact, wanted[..., None].expand(-1, -1, 4))
    assert (batch.contact == -1).any() and same is not None and not clip.any()
    nothing = dataclasses.replace(walking(person), contact=None)
    assert (windows_of([nothing]).batch(8, generator()).contact == -1).all()


def test_joints_that_are_not_known_are_neither_shown_nor_learned(person, body):
    """A clip without face, one whose feet are weak, and one of 17 joints, in one training."""
    lacking = walking(person)
    lacking.xyz[:, 17:21] = np.nan
    weak = dataclasses.replace(walking(person), trusted=np.arange(27) < 21, contact=None)
    small = still(body).in_joints(BODY_27)
    source = windows_of([lacking, weak, small], dataclasses.replace(EXACT, bodies_alone=0))
    clip, _ = source._choose(300, generator(2))
    batch = source.batch(300, generator(2))
    assert batch.inputs.isfinite().all() and batch.targets.isfinite().all()
    shown = (batch.inputs[..., 2] > 0).any(1)
    wanted_shown = torch.tensor([[True] * 17 + [False] * 4 + [True] * 6, [True] * 27, [True] * 17 + [False] * 10])
    wanted_known = torch.tensor(
        [[True] * 17 + [False] * 4 + [True] * 6, [True] * 21 + [False] * 6, [True] * 17 + [False] * 10]
    )
    assert torch.equal(shown, wanted_shown[clip])
    assert torch.equal(batch.known, wanted_known[clip][:, None].expand(-1, 3, -1))


def test_some_exact_windows_show_the_body_alone(person):
    source = windows_of([walking(person)], dataclasses.replace(EXACT, bodies_alone=0.4))
    seen = (source.batch(300, generator()).inputs[..., 2] > 0).any(1)
    assert seen[:, :17].all()
    assert torch.equal(seen[:, 17:].any(1), seen[:, 17:].all(1))
    assert seen[:, 20].float().mean() == pytest.approx(0.6, abs=0.07)


def test_training_and_use_see_the_same_of_bodies_of_27_joints(person):
    """The seam, for several kinds of detectors: once through training's batch, once through `lift`."""

    class Body(Recorder):
        skeleton = BODY_27

        def __call__(self, windows):
            self.windows = windows
            return np.zeros((len(windows), self.in_frames, 27, 3), np.float32)

    clip = walking(person, 200)
    clip.xyz[:, 17:21] += np.random.default_rng(0).normal(0, 0.001, (200, 4, 3))
    source = windows_of([clip], DataConfig(exact=0.2, own_joints=0.2, short=0.5, rare=0), in_frames=9)
    trained = source.batch(60, generator(3)).inputs
    same = generator(3)
    clips, time = source._choose(60, same)
    world, inside = source._at(clips, time)
    inside = inside & source._short_clips(60, same)
    points, *_ = view(reshaped(source, world, same), ROOT, source.config.camera, same)
    used, shown = [], iter(inside.numpy())
    for xy, confidence, skeleton in source.detections(points, same):
        for place, scores in zip(xy.numpy(), confidence.numpy(), strict=True):
            scores = scores * next(shown)[:, None]
            pixels = np.where(scores[..., None] > 0, 1000 * place + 500, np.nan)
            lifter, seen = Body(9), Keypoints2D(pixels, scores, skeleton, 50.0)
            if (convert(seen, BODY_27).confidence > 0).any():
                lift(seen, lifter, repair=False, check=False)
                used.append(lifter.windows[0])
            else:
                used.append(None)
    there = [number for number, window in enumerate(used) if window is not None]
    assert len(there) > 50
    found, wanted = trained.numpy()[there], np.stack([used[number] for number in there])
    np.testing.assert_allclose(found[..., :2], wanted[..., :2], rtol=0, atol=2e-4)
    np.testing.assert_allclose(found[..., 2], wanted[..., 2], rtol=0, atol=1e-6)
