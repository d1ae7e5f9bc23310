from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from poselift.checks.body import Body
from poselift.checks.finding import Finding
from poselift.checks.keypoints import check_keypoints, check_moments
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17, Skeleton


def found(keypoints: Keypoints2D) -> dict[str, Finding]:
    """Return findings by check; a check reports no more than one kind of thing."""
    findings = check_keypoints(Body(keypoints))
    assert all(f.wrong and f.effect and f.advice for f in findings)
    return {finding.check: finding for finding in findings}


def severities(keypoints: Keypoints2D) -> dict[str, str]:
    return {check: finding.severity for check, finding in found(keypoints).items()}


@pytest.mark.parametrize("turn_deg", [0, 60, 90, 150, 180, 270])
def test_a_walker_passes(stroll, turn_deg):
    assert severities(stroll(turn_deg=turn_deg).keypoints) == {"confidence": "info"}  # it has no scores


def test_nobody(stroll):
    unseen = replace(stroll().keypoints, xy=np.full((150, 17, 2), np.nan))
    assert severities(unseen) == {"missing": "error"}


def test_another_order_is_found(stroll, reordered):
    as_coco = replace(stroll().keypoints, skeleton=COCO_17)
    assert found(as_coco)["order"].severity == "error"
    assert "COCO_17" in found(as_coco)["order"].wrong
    shuffled = reordered(stroll().keypoints, np.random.default_rng(0).permutation(17).tolist())
    assert found(shuffled)["order"].severity == "error"
    assert "sides" not in found(shuffled)


def test_keypoints_that_cannot_be_lifted(stroll):
    legless = Skeleton("bust", tuple(f"j{i}" for i in range(17)), (-1,) + (0,) * 16)
    assert "nothing gives" in found(replace(stroll().keypoints, skeleton=legless))["order"].wrong


@pytest.mark.parametrize(
    "change",
    [
        lambda xy: xy / 1000, lambda xy: xy / 500 - 1, lambda xy: xy / 1000 - 0.5,
    ],
)  # fmt: skip
def test_normalised_coordinates_are_found(stroll, change):
    keypoints = stroll().keypoints
    findings = found(replace(keypoints, xy=change(keypoints.xy)))
    assert findings["units"].severity == "error"
    assert "width" in findings["units"].advice


def test_small_people_and_wrong_pictures(stroll):
    keypoints = stroll().keypoints
    small = replace(keypoints, xy=500 + (keypoints.xy - 500) / 20)
    assert found(small)["units"].severity == "warning"
    elsewhere = replace(keypoints, image_size=(400, 400))
    assert found(elsewhere)["picture"].severity == "warning"
    assert "outside of the 400x400 picture in 100 % of the frames" in found(elsewhere)["picture"].wrong


def test_people_near_the_camera_may_reach_out_of_the_picture(stroll):
    """Detectors guess the legs of someone at a desk, below the picture."""
    keypoints = stroll().keypoints
    inside = keypoints.xy[..., 1] < 1.1 * 590
    assert 0.35 < inside.mean() < 0.6
    assert "picture" not in found(replace(keypoints, image_size=(1000, 590)))


def test_pictures(stroll):
    keypoints = stroll().keypoints
    assert severities(replace(keypoints, image_size=None))["picture"] == "info"
    assert "picture" not in severities(replace(keypoints, image_size=(1000, 1002)))  # Human3.6M's own
    assert "upright (1000x1500)" in found(replace(keypoints, image_size=(1000, 1500)))["picture"].wrong


@pytest.mark.parametrize("change", [lambda xy: xy * (1, -1) + (0, 1000), lambda xy: 1000 - xy])
def test_y_up_is_found(stroll, change):
    keypoints = stroll().keypoints
    upside_down = replace(keypoints, xy=change(keypoints.xy))
    assert found(upside_down)["up"].severity == "error"
    assert "sides" not in found(upside_down)


def test_y_up_is_found_in_an_upper_body(stroll):
    keypoints = stroll().keypoints
    xy = keypoints.xy.copy()
    legs = [j for j, name in enumerate(H36M_17.joints) if name.endswith(("knee", "ankle"))]
    xy[:, legs] = np.nan
    assert "up" not in found(replace(keypoints, xy=xy))
    assert found(replace(keypoints, xy=xy * (1, -1) + (0, 1000)))["up"].severity == "error"


@pytest.mark.parametrize("frames", [1, 150])
def test_lying_people_are_found_and_y_before_x_is_named(stroll, frames):
    keypoints = stroll(frames=frames).keypoints
    swapped = found(replace(keypoints, xy=keypoints.xy[..., ::-1]))["up"]
    assert swapped.severity == "warning"
    assert "MoveNet" in swapped.wrong and "xy[..., ::-1]" in swapped.advice
    turned = found(replace(keypoints, xy=(1000, 0) + keypoints.xy[..., ::-1] * (-1, 1)))["up"]  # heads to the right
    assert turned.severity == "warning"
    assert "turned by 90 degrees" in turned.wrong and "MoveNet" not in turned.wrong


def test_a_handstand_within_a_clip_is_no_fault(stroll):
    keypoints = stroll().keypoints
    xy = keypoints.xy.copy()
    xy[:70] = xy[:70] * (1, -1) + (0, 1000)
    assert "up" not in found(replace(keypoints, xy=xy))


@pytest.mark.parametrize("joints", [("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")])
def test_arms_against_legs_are_found(stroll, exchanged, joints):
    finding = found(exchanged(stroll(turn_deg=20).keypoints, joints))["sides"]
    assert finding.severity == "error"
    assert "disagree" in finding.wrong


@pytest.mark.parametrize(("frames", "severity"), [(1, "info"), (19, "info"), (20, "error")])
def test_sides_are_not_told_from_a_handful_of_frames(stroll, exchanged, frames, severity):
    keypoints = exchanged(stroll(turn_deg=20).keypoints, ("hip", "knee", "ankle"))
    assert severities(keypoints.with_frames(keypoints.xy[:frames], None, 50.0))["sides"] == severity


def test_swaps_for_a_moment_are_good_to_know(stroll, exchanged):
    keypoints = stroll(turn_deg=0).keypoints
    xy = keypoints.xy.copy()
    for start in range(20, 100, 10):  # a lasting exchange is believed
        xy[start : start + 5] = exchanged(keypoints).xy[start : start + 5]
    findings = list(check_moments(Body(replace(keypoints, xy=xy))))
    assert {finding.severity for finding in findings} == {"info"}
    assert all("in 40 frames (the first is 20)" in finding.wrong for finding in findings)
    assert list(check_moments(Body(keypoints))) == []


def test_what_is_elsewhere_for_a_moment_is_good_to_know(stroll):
    keypoints = stroll(turn_deg=0).keypoints
    xy = keypoints.xy.copy()
    xy[[20, 21, 30]] += 3000
    xy[50, keypoints.skeleton.index("left_wrist")] += 3000
    wrong = replace(keypoints, xy=xy)
    frames, joints = check_moments(Body(wrong))
    assert (frames.severity, frames.check, joints.severity, joints.check) == ("info", "outliers") * 2
    assert "in 3 frames (20-21, 30)" in frames.wrong and "poselift.prepare.repair" in frames.advice
    assert "back for a moment (left_wrist in frames 50)" in joints.wrong
    assert list(check_moments(Body(wrong, rate_known=False))) == []


def test_rates(stroll):
    keypoints = stroll(strides_hz=0.95).keypoints
    assert "rate" not in found(keypoints)
    fast = found(replace(keypoints, fps=100.0))["rate"]
    assert fast.severity == "warning" and "is it 50?" in fast.wrong
    assert "3.8 steps a second at 100 fps" in fast.wrong
    slow = found(stroll(frames=300, strides_hz=0.9, fps=50.0).keypoints.with_frames(*_thinned(stroll), 25.0))["rate"]
    assert slow.severity == "warning" and "is it 50?" in slow.wrong
    assert "--fps" in slow.advice


def _thinned(stroll: Callable) -> tuple[np.ndarray, None]:
    """A walk of 50 frames a second; 25 will be claimed."""
    return stroll(frames=300, strides_hz=0.9, fps=50.0).keypoints.xy, None


def test_repeated_frames_are_found(stroll):
    keypoints = stroll(frames=80, fps=25.0).keypoints
    twice = keypoints.with_frames(np.repeat(keypoints.xy, 2, axis=0), None, 50.0)
    finding = found(twice)["rate"]
    assert finding.severity == "warning"
    assert "50 % of the frames repeat" in finding.wrong and "about 25" in finding.wrong


def test_confidence(stroll):
    keypoints = stroll().keypoints
    rng = np.random.default_rng(0)

    def scored(scores: np.ndarray) -> dict[str, str]:
        return {c: s for c, s in severities(replace(keypoints, confidence=scores)).items() if c == "confidence"}

    assert scored(rng.uniform(0.5, 1, (150, 17))) == {}
    assert scored(np.ones((150, 17))) == {"confidence": "info"}
    assert scored(rng.uniform(50, 100, (150, 17))) == {"confidence": "info"}
    assert scored(rng.uniform(0.01, 0.2, (150, 17))) == {"confidence": "warning"}


def test_missing_joints(stroll):
    keypoints = stroll().keypoints

    def without(*names: str, share: float = 1.0) -> dict[str, Finding]:
        xy = keypoints.xy.copy()
        xy[: int(share * len(xy)), list(H36M_17.indices(names))] = np.nan
        return found(replace(keypoints, xy=xy))

    assert without("left_wrist")["missing"].severity == "warning"
    assert "never seen: left_wrist" in without("left_wrist")["missing"].wrong
    assert without("nose")["missing"].severity == "info"
    assert "missing" not in without("nose", "left_wrist", share=0.5)
    assert without(*H36M_17.joints, share=0.4)["missing"].severity == "warning"


@pytest.mark.parametrize(("frames", "severity"), [(1, "warning"), (60, "error")])
def test_joints_at_zero_are_found(stroll, frames, severity):
    keypoints = stroll().keypoints
    xy = keypoints.xy.copy()
    xy[:frames, H36M_17.index("right_wrist")] = 0
    assert found(replace(keypoints, xy=xy))["missing"].severity == severity
    scores = np.full((150, 17), 0.9, np.float32)
    scores[:frames, H36M_17.index("right_wrist")] = 0
    assert "missing" not in found(replace(keypoints, xy=xy, confidence=scores))


@pytest.mark.parametrize(("noise", "severity"), [(0.5, None), (5, "info"), (15, "warning")])
def test_trembling_is_found(stroll, noise, severity):
    assert severities(stroll(noise=noise).keypoints).get("jitter") == severity


def test_jumps_are_found(stroll):
    keypoints = stroll().keypoints
    xy = keypoints.xy.copy()
    xy[70:] += (400, 0)
    finding = found(replace(keypoints, xy=xy, image_size=(1500, 1000)))["jumps"]
    assert finding.severity == "warning"
    assert "in 1 frames (the first is 70)" in finding.wrong
