"""Checks of one person's figure and its motion. Each check takes a `Body` and yields its findings."""

from collections.abc import Callable, Iterator

import numpy as np

from poselift.checks import pace, sides
from poselift.checks.body import HIGH, LOW, Body
from poselift.checks.finding import Finding
from poselift.checks.seen import check_extent, check_missing
from poselift.errors import SkeletonError
from poselift.formats.order import check_order, order_gain
from poselift.prepare.convert import check_convertible
from poselift.prepare.repair import find_faults
from poselift.sequence import say_spans, spans
from poselift.skeleton import H36M_17

NORMALIZED = 2.0
"""Greatest coordinate that is taken for normalised, not pixels."""
SMALL_PX = 40
"""Size in pixels below which people are too blurred for a detector."""

SHUFFLED = (0.4, 0.6)
"""Gains in likeness (`order_gain`) above which a wrong order is a warning, and an error."""

_UPSIDE_DOWN = 0.3
_MOST = 0.8
_JITTER = (0.006, 0.015)
_JITTER_FPS = 20  # below, motion itself looks like trembling
_JITTER_FRAMES = (15, 3000)  # fewer show a single movement, and more take time and say the same
_FEWEST_STEPS = 40
_NOISE = 0.1  # of the person's size; people who run and dance reach 0.02 at 10 frames a second and 0.065 at 5
_JUMP = 0.5
_FASTEST = 6  # person sizes a second, 10 m/s
_REPEATED = (0.3, 0.99)  # of a picture that stands still, all frames are alike
_INSIDE = 1 / 3  # near a camera, a detector guesses most joints to be below the picture
_ORDER_FRAMES = 30  # as good as all of them: distances between joints are averaged over the clip


def check_keypoints(body: Body) -> list[Finding]:
    """Return everything that the checks find in a person; those that need an unknown frame rate are left out."""
    if findings := list(check_extent(body)):
        return findings  # the other checks measure a figure
    findings = [finding for check in CHECKS for finding in check(body)]
    return findings if blind(findings) else findings + list(_sides(body))


def blind(findings: list[Finding]) -> bool:
    """Return whether joints are not where they seem to be, so that left and right cannot be judged."""
    return any(found.severity == "error" and found.check in ("order", "up", "missing", "extent") for found in findings)


def _units(body: Body) -> Iterator[Finding]:
    if body.largest <= NORMALIZED:
        yield Finding(
            "error", "units", f"coordinates reach {body.largest:.3g} only: they are normalised, not pixels",
            "poses come out stretched unless the picture was square, and weights that use the picture's size fail",
            "from 0..1: `xy * (width, height)`; from -1..1: `(xy + (1, height / width)) * width / 2`",
        )  # fmt: skip
        return
    if body.size_px < SMALL_PX:
        yield Finding(
            "warning", "units", f"the person is {body.size_px:.0f} pixels large", "one pixel of error is centimetres",
            "run the detector on the full picture, or cut the person out and enlarge",
        )  # fmt: skip


def _order(body: Body) -> Iterator[Finding]:
    few = body.few(_ORDER_FRAMES)
    if message := check_order(few):
        yield Finding(
            "error", "order", message, "every joint is lifted as another one: the result is no person",
            "name the order that the joints are in (--skeleton)",
        )  # fmt: skip
    elif (gain := order_gain(Body(few).xy, few.skeleton)) > SHUFFLED[0]:
        yield Finding(
            "error" if gain > SHUFFLED[1] else "warning", "order",
            f"the joints look more like a person in another order than in that of {body.keypoints.skeleton.name} "
            "(or the camera looks along the body)", "every joint is lifted as another one: the result is no person",
            "look at the drawing (--out), and reorder the joints or name their order (--skeleton)",
        )  # fmt: skip
    try:
        check_convertible(body.keypoints.skeleton, H36M_17)
    except SkeletonError as error:
        yield Finding("error", "order", str(error), "the clip cannot be lifted", "use keypoints that have these joints")


def _up(body: Body) -> Iterator[Finding]:
    height = (body.middle(LOW) - body.middle(HIGH)) / body.size_px  # x, y from the head down to the legs
    if not np.isfinite(body.middle(LOW)).any():
        height = (body.middle(("left_hip", "right_hip")) - body.middle(HIGH)) / body.size_px
    height = height[np.isfinite(height).all(-1)]
    if not len(height):
        return
    if (height[:, 1] < -_UPSIDE_DOWN).mean() > _MOST:
        yield Finding(
            "error", "up", "heads are below feet: y points up, or the picture stands on its head",
            "people are lifted upside down, which the weights have never seen",
            "turn y down: `xy[..., 1] = height - xy[..., 1]`, with the picture's height",
        )  # fmt: skip
    elif (np.abs(height[:, 0]) > 2 * np.abs(height[:, 1])).mean() > _MOST:
        to_the_left = (height[:, 0] > 0).mean() > _MOST  # where (y, x) puts the head of someone upright
        yield Finding(
            "warning", "up", "the person lies in every frame, or the picture is turned by 90 degrees"
            + (", or x and y are exchanged: MoveNet and PoseNet write (y, x)" if to_the_left else ""),
            "weights have seen few people who lie",
            "if it is the picture: turn the video before the detector sees it"
            + ("; if it is the order: `xy = xy[..., ::-1]`" if to_the_left else ""),
        )  # fmt: skip


def _sides(body: Body) -> Iterator[Finding]:
    if len(body.xy) < sides.FEWEST_FRAMES:
        yield Finding(
            "info", "sides", f"too few frames ({len(body.xy)}) to tell whether left and right are exchanged",
            "a person with exchanged sides is lifted as their mirror image in depth", "look at the drawing (--out)",
        )  # fmt: skip
    elif sides.arms_against_legs(body) < sides.OPPOSED:
        yield Finding(
            "error", "sides", "left and right of arms and legs disagree throughout",
            "the body is twisted by half a turn",
            "exchange left and right of the arms, or of the legs, in the file's order; the drawing shows which "
            "(poselift doctor --out)",
        )  # fmt: skip
    elif reasons := sides.exchanged(body):
        yield sides_exchanged(reasons)
    elif reasons := sides.exchanged(body, sides.SUSPECTED):
        yield Finding(
            "info", "sides", f"left and right may be exchanged: {'; '.join(reasons)}",
            "if they are, the person is lifted as their mirror image in depth",
            "look at the drawing (poselift doctor --out)",
        )  # fmt: skip


def sides_exchanged(reasons: list[str]) -> Finding:
    """Return the finding that left and right are exchanged, for these reasons."""
    return Finding(
        "error", "sides", f"left and right are probably exchanged: {'; '.join(reasons)}",
        "the person is lifted as their mirror image in depth: front is back",
        "look at the drawing (poselift doctor --out); if so, exchange left and right in the file's order "
        "(`xy = xy[:, skeleton.flipped]`), or mirror the video",
    )  # fmt: skip


def check_moments(body: Body) -> Iterator[Finding]:
    """Yield what lifting will repair: frames of something else, and sides that are exchanged for a moment."""
    if not body.rate_known:
        return
    faults = find_faults(body.keypoints)
    if faults.outliers.any():
        yield Finding(
            "info", "outliers", f"the keypoints show something else than the person for a moment, in "
            f"{faults.outliers.sum()} frames ({say_spans(spans(faults.outliers))})",
            "the body collapses, or jumps there and back",
            "do nothing: lifting leaves these frames out; before training, run `poselift.prepare.repair.repair`",
        )  # fmt: skip
    if faults.strays:
        yield Finding(
            "info", "outliers", "single joints jump far away and back for a moment ("
            + "; ".join(f"{name} in frames {say_spans(spans(away), 3)}" for name, away in faults.strays.items()) + ")",
            "the joint and the scale of the body are wrong around them", "do nothing: lifting leaves them out",
        )  # fmt: skip
    for group, frames in faults.swaps.items():
        yield Finding(
            "info", "swaps", f"left and right {group} are exchanged for a moment, in {frames.sum()} frames "
            f"(the first is {np.flatnonzero(frames)[0]})", "limbs jump across the body",
            "do nothing: lifting repairs them; before training, run `poselift.prepare.repair.repair`",
        )  # fmt: skip


def _rate(body: Body) -> Iterator[Finding]:
    if not body.rate_known:
        yield Finding(
            "info", "rate", "the frame rate is not known: swaps, rate, jitter and perspective were not looked at",
            "lifting refuses the file", "give the rate with --fps",
        )  # fmt: skip
        return
    fps = body.keypoints.fps
    repeats = _repeats(body)
    if _REPEATED[0] < repeats < _REPEATED[1]:
        yield Finding(
            "warning", "rate", f"{100 * repeats:.0f} % of the frames repeat the one before: the true rate is about "
            f"{fps * (1 - repeats):.3g} fps", "motion stutters",
            "leave out the repeated frames, and give the keypoint file's true rate (--fps)",
        )  # fmt: skip
        return
    steps = pace.gait(body)
    odds = pace.log_odds(body)
    effect = (
        "velocities are wrong by the same factor, and the weights see motion at a pace that they were not trained on"
    )
    advice = "check the rate of the video, and give it for the keypoint file (--fps)"
    if steps and steps.too_quick:
        wrong = f"{2 * steps.strides_hz:.1f} steps a second at {fps:g} fps: walkers take 2; is it {fps / 2:g}?"
        yield Finding("warning", "rate", wrong, effect, advice)
    elif steps and steps.strides_hz < pace.FEWEST_STRIDES_HZ:
        wrong = f"{2 * steps.strides_hz:.2f} steps a second at {fps:g} fps: walkers take 2; is it {2 * fps:g}?"
        yield Finding("warning", "rate", wrong, effect, advice)
    elif not steps and odds > pace.LIKELY_LOG_ODDS:
        wrong = f"limbs are fast for {fps:g} fps: {fps / 2:g} is {np.exp(odds):.0f} times as likely, all else equal"
        yield Finding("warning" if odds > pace.CLEAR_LOG_ODDS else "info", "rate", wrong, effect, advice)


def _repeats(body: Body) -> float:
    """Return the share of frames in which nothing has moved since the frame before."""
    xy, seen = body.keypoints.xy, body.seen
    same = (xy[1:, :, 0] == xy[:-1, :, 0]) & (xy[1:, :, 1] == xy[:-1, :, 1])
    still = np.where(seen[1:], same & seen[:-1], ~seen[:-1]).all(1) & seen[1:].any(1)
    return float(still.sum()) / len(xy) if len(xy) >= 10 else 0.0


def _picture(body: Body) -> Iterator[Finding]:
    size = body.keypoints.image_size
    if size is None:
        yield Finding(
            "info", "picture", "the picture's size is not known", "weights with the benchmarks' normalisation need it",
            "give the size to lift (--image-size) where the weights ask for it",
        )  # fmt: skip
        return
    joints = body.seen.sum(1)
    x, y = body.xy[..., 0] / size[0], body.xy[..., 1] / size[1]
    inside = ((x > -0.1) & (x < 1.1) & (y > -0.1) & (y < 1.1)).sum(1)
    outside = float((inside < _INSIDE * joints).sum() / (joints > 0).sum())
    if outside > 0.05:
        yield Finding(
            "warning", "picture",
            f"the person is outside of the {size[0]}x{size[1]} picture in {100 * outside:.0f} % of the frames",
            "weights that use the picture's size see the person elsewhere",
            "give lift the picture's true size (--image-size)",
        )  # fmt: skip
    elif size[1] > 1.1 * size[0]:
        yield Finding(
            "info", "picture", f"the picture is upright ({size[0]}x{size[1]})",
            "person-scale weights are not affected; weights of the benchmarks were trained on square pictures only",
            "use person-scale weights, such as those that ship (--lifter auto)",
        )  # fmt: skip


def _confidence(body: Body) -> Iterator[Finding]:
    scores = body.keypoints.confidence
    if scores is None:
        yield Finding(
            "info", "confidence", "there are no scores", "every joint that has coordinates counts as seen",
            "write the detector's scores beside x and y if it gives them",
        )  # fmt: skip
        return
    positive = scores[scores > 0]
    if positive.max() > 1:
        yield Finding(
            "info", "confidence", f"scores reach {positive.max():.3g}", "scores are used relative to their median",
            "do nothing, or scale them to 0..1",
        )  # fmt: skip
    elif len(np.unique(positive)) == 1 and positive.size > 50:
        yield Finding(
            "info", "confidence", f"every score is {positive[0]:.3g}, so that they carry no information",
            "every joint counts as equally sure", "write the detector's own scores if it gives them",
        )  # fmt: skip
    elif np.median(positive) < 0.3:
        yield Finding(
            "warning", "confidence", f"half of the scores are below {np.median(positive):.2g}",
            "the detector hardly saw this person; joints may be anywhere", "use a better view, light or detector",
        )  # fmt: skip


def _jitter(body: Body) -> Iterator[Finding]:
    third = np.diff(body.xy[: _JITTER_FRAMES[1]], 3, axis=0)
    third = np.abs(third[np.isfinite(third)])
    if third.size < _FEWEST_STEPS:
        return
    noise = float(np.median(third)) / 0.6745 / np.sqrt(20)  # of white noise, whose third difference has 20 variances
    share = noise / body.size_px
    slow = not body.rate_known or body.keypoints.fps < _JITTER_FPS
    if share > _NOISE:
        yield Finding(
            "warning", "jitter", f"joints jump by about {100 * share:.0f} % of the person from frame to frame",
            "no person moves like this: the result is noise", "check that frames are in order and show one person, and "
            "which columns of the file hold x and y",
        )  # fmt: skip
    elif share > _JITTER[0] and not slow and len(body.xy) >= _JITTER_FRAMES[0]:
        yield Finding(
            "warning" if share > _JITTER[1] else "info", "jitter",
            f"joints tremble by about {noise:.2g} pixels, {100 * share:.1f} % of the person",
            "the result trembles too, most of all in depth", "do nothing, or smooth the keypoints before lifting",
        )  # fmt: skip


def _jumps(body: Body) -> Iterator[Finding]:
    trunk = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    centre = np.mean([body.joint(name) for name in trunk], axis=0)  # NaN unless all are seen: fewer have another middle
    step = np.linalg.norm(np.diff(centre, axis=0), axis=-1) / body.size_px
    frames = 1 + np.flatnonzero(np.nan_to_num(step) > max(_JUMP, _FASTEST / body.keypoints.fps))
    if len(frames):
        yield Finding(
            "warning", "jumps", f"the person jumps by half of their size or more in {len(frames)} frames (the first is "
            f"{frames[0]})", "two people, two shots, or false detections are lifted as one motion",
            "cut the clip there, or track people apart",
        )  # fmt: skip


CHECKS: tuple[Callable[[Body], Iterator[Finding]], ...] = (
    _order, _units, _up, _rate, _picture, _confidence, check_missing, _jitter, _jumps,
)  # fmt: skip
"""Every check of a figure but that of the sides."""
