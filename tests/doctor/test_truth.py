from dataclasses import replace

import numpy as np
import pytest

from poselift.checks.finding import Finding
from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.doctor import diagnose
from poselift.doctor.truth import check_truth
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17

MIRROR = list(H36M_17.flipped)


@pytest.fixture
def clip(stroll) -> BenchmarkClip:
    made = stroll(turn_deg=60)
    return BenchmarkClip("S1", "Walking", "Walking 1", "c0", made.keypoints, made.xyz, H36M_17, np.ones(150, bool))


def found(clip: BenchmarkClip) -> dict[str, Finding]:
    findings = check_truth(clip)
    assert all(f.wrong and f.effect and f.advice for f in findings)
    return {finding.check: finding for finding in findings}


@pytest.mark.parametrize("turn_deg", [0, 60, 90, 180, 300])
def test_good_clips_pass(stroll, clip, turn_deg):
    made = stroll(turn_deg=turn_deg)
    assert found(replace(clip, keypoints=made.keypoints, xyz=made.xyz)) == {}


@pytest.mark.parametrize(("scale", "unit"), [(1000, "millimetres"), (100, "centimetres"), (20, "not metres")])
def test_units(clip, scale, unit):
    finding = found(replace(clip, xyz=clip.xyz * np.float32(scale)))["3D units"]
    assert finding.severity == "error" and unit in finding.wrong
    assert ("divide by" in finding.advice) == (unit != "not metres")


def test_axes(clip):
    up = found(replace(clip, xyz=clip.xyz * np.float32((1, -1, 1))))
    assert up["3D up"].severity == "error"
    assert found(replace(clip, xyz=clip.xyz - clip.xyz[:, :1]))["3D camera"].severity == "error"


def test_sides_of_the_joints(clip):
    both = replace(clip, xyz=clip.xyz[:, MIRROR], keypoints=replace(clip.keypoints, xy=clip.keypoints.xy[:, MIRROR]))
    assert "knees bend backwards" in found(both)["3D sides"].wrong
    mirrored = replace(clip, xyz=clip.xyz * np.float32((-1, 1, 1)))
    assert "knees bend backwards" in found(mirrored)["3D sides"].wrong


def test_sides_of_the_keypoints_against_the_joints(clip):
    finding = found(replace(clip, keypoints=replace(clip.keypoints, xy=clip.keypoints.xy[:, MIRROR])))["3D sides"]
    assert finding.severity == "error" and "against each other" in finding.wrong


def test_pairs_that_do_not_belong_together(stroll, clip):
    other = stroll(turn_deg=180, strides_hz=1.3).keypoints
    assert found(replace(clip, keypoints=other))["3D projection"].severity in ("warning", "error")
    rng = np.random.default_rng(0)
    anywhere = Keypoints2D(rng.uniform(0, 1000, (150, 17, 2)), None, H36M_17, 50.0, (1000, 1000))
    assert found(replace(clip, keypoints=anywhere))["3D projection"].severity == "error"


def test_detections_with_gaps_in_another_order_pass(clip):
    names = [name if name in H36M_17 else "nose" for name in COCO_17.joints]
    xy = clip.keypoints.xy[:, list(H36M_17.indices(names))] + np.random.default_rng(0).normal(0, 5, (150, 17, 2))
    xy[np.random.default_rng(1).random((150, 17)) < 0.3] = np.nan
    assert found(replace(clip, keypoints=Keypoints2D(xy, None, COCO_17, 50.0, (1000, 1000)))) == {}
    unseen = Keypoints2D(np.full((150, 17, 2), np.nan), None, COCO_17, 50.0, (1000, 1000))
    assert found(replace(clip, keypoints=unseen)) == {}  # check_keypoints reports this


def test_valid_frames(clip):
    assert found(replace(clip, valid=np.zeros(150, bool)))["3D valid"].severity == "warning"
    broken = clip.xyz.copy()
    broken[3, 4] = np.nan
    assert "1 valid frames" in found(replace(clip, xyz=broken))["3D finite"].wrong
    valid = clip.valid.copy()
    valid[3] = False
    assert found(replace(clip, xyz=broken, valid=valid)) == {}


def test_a_data_set_is_told_of_once(clip):
    clips = [replace(clip, camera=f"c{i}") for i in range(6)]
    clips[4:] = [replace(c, xyz=c.xyz * np.float32(1000)) for c in clips[4:]]
    ticks = []
    findings = diagnose(BenchmarkSet("made up", clips, {}), progress=lambda done, total: ticks.append((done, total)))
    assert [(f.severity, f.check, f.where) for f in findings] == [
        ("error", "3D units", "2 of 6 clips: S1 Walking 1 c4, S1 Walking 1 c5"),
        ("info", "confidence", "6 of 6 clips: S1 Walking 1 c0, S1 Walking 1 c1, S1 Walking 1 c2, ..."),
    ]
    assert ticks[-1] == (6, 6)
    assert [f.check for f in diagnose(BenchmarkSet("none", [], {}))] == ["clips"]
