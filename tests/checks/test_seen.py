from dataclasses import replace

import numpy as np
import pytest

from poselift.checks import Finding, check, number_people, worst
from poselift.errors import KindError
from poselift.prepare.swaps import GROUPS
from poselift.sequence import Keypoints2D
from poselift.skeleton import BODY_25, H36M_17


def said(keypoints: Keypoints2D) -> list[tuple[str, str, str]]:
    """Severity, check and what is wrong, of errors and warnings."""
    return [(f.severity, f.check, f.wrong) for f in check(keypoints) if f.severity != "info"]


def places(keypoints: Keypoints2D, xy: np.ndarray) -> Keypoints2D:
    return replace(keypoints, xy=np.broadcast_to(xy, keypoints.xy.shape))


@pytest.mark.parametrize("frames", [1, 2, 5, 60])
def test_what_is_no_figure_is_an_error_and_nothing_else_is_said(stroll, frames):
    keypoints = stroll(frames=frames).keypoints
    unseen, point, zeros = (places(keypoints, value) for value in (np.nan, 300.0, 0.0))
    assert said(unseen) == [("error", "missing", "no joint is seen in any frame")]
    assert said(point) == [("error", "extent", "the joints lie at one point: the person is 0 pixels large")]
    assert said(zeros) == [("error", "missing", f"{17 * frames} keypoints are seen at exactly (0, 0)")]
    for nonsense in (unseen, point, zeros):
        assert all(finding.advice and finding.effect for finding in check(nonsense))


@pytest.mark.parametrize(
    ("seen", "wrong"),
    [
        (("nose",), "no frame shows more than 0 of the 12 joints of arms and legs"),
        (("left_hip", "left_knee", "left_ankle"), "no frame shows more than 3 of the 12 joints of arms and legs"),
    ],
)
def test_too_few_joints_for_a_figure(seen, wrong):
    xy = np.full((40, len(BODY_25), 2), np.nan)
    xy[:, list(BODY_25.indices(seen))] = np.arange(len(seen))[:, None] * 50 + 100.0
    assert said(Keypoints2D(xy, None, BODY_25, 30.0)) == [("error", "missing", wrong)]


def test_one_joint_after_another_is_no_figure(stroll):
    """Every joint is seen at some time, but no two at once."""
    keypoints = stroll().keypoints
    one = np.arange(150)[:, None] % 17 == np.arange(17)
    assert [check for _, check, _ in said(places(keypoints, np.where(one[..., None], keypoints.xy, np.nan)))] == [
        "missing"
    ]


def test_an_upper_body_is_a_figure(stroll):
    keypoints = stroll().keypoints
    legs = [j for j, name in enumerate(H36M_17.joints) if name.endswith(GROUPS["legs"][1:])]
    xy = keypoints.xy.copy()
    xy[:, legs] = np.nan
    assert [(severity, check) for severity, check, _ in said(replace(keypoints, xy=xy))] == [("warning", "missing")]


@pytest.mark.parametrize(("seconds", "found"), [(0.9, False), (1.0, True), (10.0, True)])
def test_gaps_are_found(stroll, seconds, found):
    keypoints = stroll(frames=2000).keypoints
    xy = keypoints.xy.copy()
    xy[100 : 100 + round(50 * seconds)] = np.nan
    xy[5:9] = np.nan
    wrong = f"nobody is seen for {seconds:.1f} s (frames 100-{99 + round(50 * seconds)})"
    assert said(replace(keypoints, xy=xy)) == [("warning", "gap", wrong)] * found


def test_noise_and_jumps_are_found_at_any_rate(stroll):
    keypoints = replace(stroll(frames=60).keypoints, image_size=None)
    noise = replace(keypoints, xy=np.random.default_rng(0).uniform(0, 1000, keypoints.xy.shape))
    far = replace(keypoints, xy=keypoints.xy + 5000 * np.arange(60)[:, None, None])
    for fps in (10.0, 50.0):
        assert "jitter" in {check for _, check, _ in said(replace(noise, fps=fps))}
        jumps = [found for found in said(replace(far, fps=fps)) if found[1] == "jumps"]
        assert jumps == [
            ("warning", "jumps", "the person jumps by half of their size or more in 59 frames (the first is 1)")
        ]


def test_runners_at_few_frames_a_second_do_not_jump(stroll):
    """At 5 fps someone who runs 5 m/s moves half of their size and more from frame to frame."""
    keypoints = stroll(frames=40).keypoints
    far = 0.6 * np.median(np.linalg.norm(np.ptp(keypoints.xy, axis=1), axis=-1)) * np.arange(40)
    running = replace(keypoints, xy=keypoints.xy + np.stack([far, 0 * far], -1)[:, None], image_size=None)
    assert "jumps" in {check for _, check, _ in said(running)}
    assert "jumps" not in {check for _, check, _ in said(replace(running, fps=5.0))}


def test_findings_of_several_people_name_them():
    bad, note = Finding("error", "up", "a", "b", "c"), Finding("info", "rate", "a", "b", "c")
    assert number_people([[bad]]) == [bad]
    assert number_people([[note], [], [bad]]) == [replace(note, where="person 1"), replace(bad, where="person 3")]
    assert worst(number_people([[note], [bad]])) == "error"


def test_only_keypoints_are_checked():
    with pytest.raises(KindError, match="Keypoints2D"):
        check(np.zeros((3, 17, 2)))
