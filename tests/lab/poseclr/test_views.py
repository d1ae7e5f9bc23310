import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.datasets.h36m import load_h36m
from poselift.errors import DatasetError
from poselift.lab.poseclr.views import (
    BenchmarkViewTask,
    CameraViews,
    MocapViews,
    MocapViewTask,
    as_recorded,
    make_view_task,
)
from poselift.lab.windows import mocap as data
from poselift.lab.windows.benchmark import BenchmarkConfig
from poselift.lab.windows.mocap import DataConfig, MocapWindows
from poselift.prepare.convert import convert
from poselift.prepare.feed import Feed
from poselift.prepare.flip import flip
from poselift.prepare.normalize import SCREEN
from poselift.skeleton import H36M_17

MODEL = SimpleNamespace(skeleton=H36M_17, in_frames=9, out_frames=(3, 4, 5), in_channels=3, fps=50.0)
SINGLE = SimpleNamespace(skeleton=H36M_17, in_frames=5, out_frames=(2,), in_channels=2, fps=50.0)
RESHAPED = dataclasses.replace(as_recorded(DataConfig()), bone_scale=0.1, mirror=True, mix=0.3, bend=0.4)
CPU = torch.device("cpu")


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def seen(monkeypatch):
    """What each camera saw: points in its axes, one entry a view."""
    record = []

    def view(*arguments):
        found = original(*arguments)
        record.append(found.points)
        return found

    original = data.view
    monkeypatch.setattr(data, "view", view)
    return record


def assert_congruent(one, other, atol=2e-4):
    """Two windows (T, J, 3) are the same motion up to a rotation and a shift, and no mirror."""
    one, other = (x.double().flatten(0, 1) for x in (one, other))
    one, other = one - one.mean(0), other - other.mean(0)
    u, _, v = torch.linalg.svd(one.T @ other)
    rotation = u @ v
    assert torch.linalg.det(rotation) > 0
    torch.testing.assert_close(one @ rotation, other, rtol=0, atol=atol)


def test_assert_congruent_notices_a_mirror_and_a_bent_arm(walk):
    window = torch.from_numpy(walk(5).xyz)
    bent = window.clone()
    bent[:, H36M_17.index("left_wrist")] += 0.1
    for other in (bent, window * torch.tensor([-1.0, 1, 1])):
        with pytest.raises(AssertionError):
            assert_congruent(window, other)


def test_views_of_a_moment_share_the_pose_and_nothing_else(walk, seen, monkeypatch):
    monkeypatch.setattr(torch, "randperm", lambda size, **_: torch.arange(size))
    source = MocapViews([walk(200), walk(90, seed=1)], MODEL, 3, RESHAPED, CPU)
    views = source.batch(6, generator())
    assert views.inputs.shape == (6, 3, 9, 17, 3)
    assert len(seen) == 3
    for window in range(6):
        for one in range(3):
            for other in range(one):
                assert_congruent(seen[one][window], seen[other][window])
                assert (seen[one][window] - seen[other][window]).abs().max() > 0.05  # but the cameras differ
                assert (views.inputs[window, one] - views.inputs[window, other]).abs().max() > 0.05
    with pytest.raises(AssertionError):
        assert_congruent(seen[0][0], seen[1][1])


def test_the_kind_of_detector_tells_nothing_of_what_belongs_together(walk):
    """The first windows seen are always exact; each view sees them in its own order."""
    config = dataclasses.replace(as_recorded(DataConfig()), exact=0.5, own_joints=0.5)
    source = MocapViews([walk(300)], MODEL, 2, config, CPU)
    exact = (source.batch(400, generator()).inputs[..., 2] == 1).all(-1).all(-1)
    assert exact.float().mean() == pytest.approx(0.5, abs=0.05)
    both = (exact[:, 0] & exact[:, 1]).float().mean()
    assert both == pytest.approx(0.25, abs=0.07)


def test_each_view_is_back_in_its_place(walk, seen):
    """Whatever the order of seeing, a view stands with its own moment: exact 2D is the projection of the same pose."""
    source = MocapViews([walk(200)], MODEL, 2, as_recorded(DataConfig()), CPU)
    world, inside = source._windows._at(*source._windows._choose(5, generator()))
    views = source.batch(5, generator())
    size = (world - world[:, :, :1]).flatten(1).norm(dim=1)
    for view, points in enumerate(seen):
        exact = Feed.join(data.project(points), torch.ones(5, 9, 17))
        inputs = Feed(H36M_17, 3).windows(exact, inside)
        sizes = (points - points[:, :, :1]).flatten(1).norm(dim=1)
        for window in range(5):
            (place,) = torch.nonzero((sizes - size[window]).abs() < 1e-4)[:, 0].tolist()
            torch.testing.assert_close(views.inputs[window, view, ..., :2], inputs[place, ..., :2])


def test_moments_say_which_clip_and_when(walk):
    clips = [walk(40), walk(200, seed=1)]
    source = MocapViews(clips, MODEL, 2, dataclasses.replace(RESHAPED, speed=(0.5, 2.0)), CPU)
    moments = source.batch(300, generator()).moments
    clip, time = source._windows._choose(300, generator())
    assert torch.equal(moments.clip, clip)
    assert set(clip.tolist()) == {0, 1}
    begins, ends = moments.span_s.T
    lasts = torch.tensor([39, 199])[clip] / 50
    assert (begins >= 0).all()
    assert (ends <= lasts).all()
    whole = (time[:, 0] >= 0) & (time[:, -1] <= torch.tensor([39, 199])[clip])
    torch.testing.assert_close(begins[whole], time[whole, 0] / 50)
    spans = (ends - begins)[whole] * 50 / 8
    assert spans.min() < 0.6
    assert spans.max() > 1.8


def test_the_stretch_that_is_seen_is_drawn_for_each_view(walk):
    source = MocapViews([walk(300)], MODEL, 2, dataclasses.replace(RESHAPED, short=1.0), CPU)
    inside = source.batch(200, generator()).inputs[..., 2].amax(-1) > 0
    assert (inside[:, 0] != inside[:, 1]).any(1).float().mean() > 0.3


def test_the_same_seed_gives_the_same_views(walk):
    source = MocapViews([walk()], MODEL, 2, DataConfig(), CPU)
    one, same, other = (source.batch(5, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.inputs, same.inputs)
    assert torch.equal(one.moments.span_s, same.moments.span_s)
    assert not torch.equal(one.inputs, other.inputs)


def test_training_draws_what_it_drew_before_there_were_views(walk):
    """The order in which randomness is used, pinned: seeds of earlier runs keep their meaning."""
    source = MocapWindows([walk(200)], in_frames=9, out_frames=(4,), in_channels=3, fps=50.0, config=DataConfig())
    g, calls = generator(), []
    for name in ("_choose", "_short_clips", "_reshape_bodies", "_see"):
        original = getattr(source, name)
        setattr(source, name, lambda *a, name=name, original=original: (calls.append(name), original(*a))[1])
    source.batch(4, g)
    assert calls == ["_choose", "_short_clips", "_reshape_bodies", "_see"]


@pytest.fixture(scope="module")
def h36m(archives, tmp_path_factory):
    folder = tmp_path_factory.mktemp("h36m")
    archives.write_h36m(folder)
    return folder


@pytest.fixture(scope="module")
def clips(h36m):
    return load_h36m(h36m, keypoints="cpn_ft_h36m_dbb", subjects=("S1", "S5")).clips


def windows_of(clip, model=SINGLE):
    """Every window of a clip (T, frames, J, C), cut by hand."""
    frames = Feed(H36M_17, 3, SCREEN).clip(convert(clip.keypoints, H36M_17))[..., : model.in_channels]
    reach = range(-model.out_frames[0], model.in_frames - model.out_frames[0])
    rows = [[min(max(t + r, 0), len(clip) - 1) for r in reach] for t in range(len(clip))]
    return torch.from_numpy(frames[np.array(rows)])


def test_views_of_a_benchmark_are_its_cameras_at_the_same_time(clips):
    views = CameraViews(clips, SINGLE, 3, mirror=False).batch(60, generator())
    assert views.inputs.shape == (60, 3, 5, 17, 2)
    names = list(dict.fromkeys((clip.subject, clip.sequence) for clip in clips))
    cut = {}
    for clip in clips:
        cut.setdefault(names.index((clip.subject, clip.sequence)), []).append(windows_of(clip))
    cameras = set()
    for window in range(60):
        recording = int(views.moments.clip[window])
        begins, ends = (views.moments.span_s[window] * 50).round().long().tolist()
        found = []
        for view in range(3):
            same = [(windows == views.inputs[window, view]).flatten(1).all(1) for windows in cut[recording]]
            ((camera, frame),) = [(c, t) for c, hits in enumerate(same) for t in torch.nonzero(hits)[:, 0].tolist()]
            found.append((camera, frame))
        length = len(cut[recording][0])
        assert len({frame for _, frame in found}) == 1
        assert len({camera for camera, _ in found}) == 3
        frame = found[0][1]
        assert (begins, ends) == (max(frame - 2, 0), min(frame + 2, length - 1))
        cameras |= {camera for camera, _ in found}
    assert cameras == {0, 1, 2, 3}
    assert len(views.moments.clip.unique()) > 3


def test_a_moment_is_mirrored_in_all_its_views(clips):
    plain, mirrored = (CameraViews(clips, SINGLE, 2, mirror=m).batch(40, generator()).inputs for m in (False, True))
    same = (plain == mirrored).flatten(2).all(2)
    turned = (flip(plain, H36M_17) == mirrored).flatten(2).all(2)
    assert torch.equal(same[:, 0], same[:, 1])
    assert torch.equal(same, ~turned)
    assert same[:, 0].float().mean() == pytest.approx(0.5, abs=0.25)


def test_recordings_without_enough_cameras_are_left_out(clips):
    first = (clips[0].subject, clips[0].sequence)
    fewer = [clip for clip in clips if (clip.subject, clip.sequence) != first or clip.camera == clips[0].camera]
    views = CameraViews(fewer, SINGLE, 4, mirror=False)
    assert len(views._lengths) == len({(c.subject, c.sequence) for c in clips}) - 1
    with pytest.raises(DatasetError, match="wanted 5 cameras of a recording at the same time, got 4; use --views 4"):
        CameraViews(clips, SINGLE, 5)
    short = dataclasses.replace(
        clips[0], keypoints=clips[0].keypoints.with_frames(clips[0].keypoints.xy[:3], None, 50.0),
        xyz=clips[0].xyz[:3], valid=clips[0].valid[:3],
    )  # fmt: skip
    with pytest.raises(DatasetError, match="ran together"):
        CameraViews([short, *clips[1:]], SINGLE, 2)


def test_tasks_by_the_kind_of_data(h36m):
    task = make_view_task(BenchmarkConfig(), h36m)
    assert isinstance(task, BenchmarkViewTask)
    assert task.views(SINGLE, 4, CPU).batch(2, generator()).inputs.shape[:2] == (2, 4)
    assert task.unseen(SINGLE, CPU).batch(2, generator()).inputs.shape[:2] == (2, 2)
    assert "training subjects" in task.data


def test_motion_capture_as_a_task(walk, monkeypatch):
    from poselift.lab.poseclr import views

    monkeypatch.setattr(views, "load_mocap", lambda path, split: [walk(30, subject=split)])
    task = make_view_task(DataConfig(), SimpleNamespace(name="tiny.npz"))
    assert isinstance(task, MocapViewTask)
    assert task.views(MODEL, 3, CPU).batch(2, generator()).inputs.shape == (2, 3, 9, 17, 3)
    unseen = task.unseen(MODEL, CPU)
    assert unseen._windows.config == as_recorded(DataConfig())
    assert task.data == "tiny.npz, split train"
