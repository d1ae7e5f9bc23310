"""The benchmark of the tracker: its scenes show what they say, and its outcomes are named rightly."""

import numpy as np
import pytest

pytest.importorskip("torch")
import tracking
from tracking_scenes import GHOST, UNCLEAR, scene

from poselift.track import Track


@pytest.fixture(scope="module")
def made():
    """A scene of three people on whom the detector's errors are drawn."""
    from poselift.datasets.clip import MocapClip
    from poselift.skeleton import H36M_17

    rng = np.random.default_rng(0)
    time = np.arange(120) / 50
    body = np.zeros((17, 3))
    body[:, 2] = [0.95, 0.95, 0.5, 0.08, 0.95, 0.5, 0.08, 1.18, 1.42, 1.53, 1.67, 1.42, 1.14, 0.92, 1.42, 1.14, 0.92]
    body[:, 0] = [0, 0.12, 0.12, 0.12, -0.12, -0.12, -0.12, 0, 0, 0, 0, -0.18, -0.2, -0.2, 0.18, 0.2, 0.2]
    clips = []
    for subject in range(4):
        swing = 0.3 * np.sin(2 * np.pi * time[:, None] + rng.uniform(0, 6)) * (body[:, 2] < 0.9)
        xyz = body * (1, 1, 0.9 + 0.07 * subject) + np.stack([0 * swing, swing + 1.2 * time[:, None], 0 * swing], -1)
        clips.append(MocapClip(f"walk {subject}", f"{subject}", xyz.astype(np.float32), H36M_17, 50.0))
    return scene(clips, 7, seconds=8, people=3)


def test_detections_lie_on_the_people_they_show(made):
    found = 0
    for frame, (people, owners) in enumerate(zip(made.detections, made.owners, strict=True)):
        for pose, owner in zip(people, owners, strict=True):
            if owner >= 0:
                seen = pose[:, 2] > 0
                true = made.xy[owner, frame]
                assert np.linalg.norm(pose[seen, :2].mean(0) - true.mean(0)) < 0.35 * np.ptp(true, axis=0).max()
                found += 1
    assert found > 2 * len(made.times_s)


def test_the_same_seed_gives_the_same_scene_with_meetings_and_errors(made):
    owners = np.concatenate(made.owners)
    assert made.people == 3
    assert made.events
    assert (owners == GHOST).any()
    assert set(np.unique(owners)) <= {UNCLEAR, GHOST, 0, 1, 2}
    assert any(tracking.meetings(made, one, other) for one, other in ((1, 0), (2, 0), (2, 1)))


def perfect(made) -> list[Track]:
    tracks = [Track() for _ in range(made.people)]
    for frame, owners in enumerate(made.owners):
        for person in range(made.people):
            places = np.flatnonzero(owners == person)
            if len(places):
                tracks[person].frames.append(frame)
                tracks[person].places.append(int(places[0]))
    return tracks


def judged(made, tracks) -> tracking.Score:
    score = tracking.Score()
    tracking.judge(score, "scene", made, tracks)
    return score


def test_the_truth_is_kept_everywhere(made):
    score = judged(made, perfect(made))
    counts = score.crossings + score.long_crossings
    assert set(counts) == {"kept"}
    assert score.impure == 0


def test_an_exchange_and_splits_are_noticed(made):
    score = judged(made, perfect(made))
    one, other, first, last = next(
        (one, other, *meeting)
        for one, other in ((1, 0), (2, 0), (2, 1))
        for meeting in tracking.meetings(made, one, other)
        if all(
            tracking.ends(row, *meeting, round(made.fps))
            for row in tracking.numbers_of(perfect(made), made)[[one, other]]
        )
    )
    middle = (first + last) // 2
    tracks = perfect(made)

    def halves(track: Track) -> tuple[Track, Track]:
        cut = int(np.searchsorted(track.frames, middle))
        return Track(track.frames[:cut], track.places[:cut]), Track(track.frames[cut:], track.places[cut:])

    (a, b), (c, d) = halves(tracks[one]), halves(tracks[other])
    exchanged = list(tracks)
    exchanged[one] = Track(a.frames + d.frames, a.places + d.places)
    exchanged[other] = Track(c.frames + b.frames, c.places + b.places)
    found = judged(made, exchanged)
    assert (found.crossings + found.long_crossings)["exchanged"] >= 1
    assert found.impure > 0
    for marks, outcome in (((one,), "marked split"), ((), "unmarked split")):
        split = [*tracks, Track(b.frames, b.places, marks)]
        split[one] = a
        found = judged(made, split)
        assert (found.crossings + found.long_crossings)[outcome] >= 1
        assert (found.crossings + found.long_crossings)["kept"] < sum((score.crossings + score.long_crossings).values())


@pytest.mark.shared
def test_people_of_real_motion_are_kept_apart(shared):
    """A small version of the benchmark."""
    from poselift.datasets.mocap import load_mocap

    score = tracking.run(load_mocap(shared / "data" / "mocap17.npz"), (306, 323))
    counts = score.crossings + score.long_crossings
    assert sum(counts.values()) >= 20
    assert counts["exchanged"] == 0
    assert counts["kept"] >= 0.95 * sum(counts.values())
