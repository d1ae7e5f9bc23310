"""Checks of one person's 2D keypoints. Each check takes a `Body` and yields its findings."""

from collections.abc import Callable, Iterator

import numpy as np

from poselift.doctor import pace, sides
from poselift.doctor.body import HIGH, LOW, Body
from poselift.doctor.finding import Finding
from poselift.errors import SkeletonError
from poselift.formats.order import check_order, order_gain
from poselift.lifters.contract import Lifter
from poselift.prepare.convert import check_convertible
from poselift.prepare.swaps import find_swaps
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
_MANY_MISSING = 0.3
_MANY_SWAPS = 0.15


def check_keypoints(body: Body, lifter: Lifter | None = None) -> list[Finding]:
    """Return everything that the checks of this module find.

    Args:
        body: The person. Checks that need the frame rate are left out where it is not known.
        lifter: A person-scale lifter for the check of exchanged sides; None to leave out the perspective.
    """
    if not body.keypoints.seen.any():
        return [_nobody()]
    findings = [finding for check in CHECKS for finding in check(body)]
    blind = {"order", "up"} & {finding.check for finding in findings if finding.severity == "error"}
    return findings if blind else findings + list(_sides(body, lifter))  # where joints are not what they seem


def _nobody() -> Finding:
    return Finding(
        "error", "missing", "no joint is seen in any frame", "there is nobody to lift", "check the detector's output"
    )


def _units(body: Body) -> Iterator[Finding]:
    seen = body.xy[np.isfinite(body.xy).all(-1)]
    largest = float(np.abs(seen).max())
    if largest <= NORMALIZED:
        yield Finding(
            "error", "units", f"coordinates reach {largest:.3g} only: they are normalised, not pixels",
            "poses come out stretched unless the picture was square, and weights that use the picture's size fail",
            "from 0..1: x times the picture's width, y times its height; from -1..1: (x + 1) * width / 2 and "
            "(y + height / width) * width / 2",
        )  # fmt: skip
        return
    if body.size_px < SMALL_PX:
        yield Finding(
            "warning", "units", f"the person is {body.size_px:.0f} pixels large", "one pixel of error is centimetres",
            "run the detector on the full picture, or cut the person out and enlarge",
        )  # fmt: skip
    if size := body.keypoints.image_size:
        outside = ((seen < -0.1 * np.array(size)) | (seen > 1.1 * np.array(size))).any(-1).mean()
        if outside > 0.05:
            yield Finding(
                "error", "picture",
                f"{100 * outside:.0f} % of the joints lie outside of the {size[0]}x{size[1]} picture",
                "weights that use the picture's size see the person elsewhere",
                "give lift the picture's true size (--image-size)",
            )  # fmt: skip


def _order(body: Body) -> Iterator[Finding]:
    if message := check_order(body.keypoints):
        yield Finding(
            "error", "order", message, "every joint is lifted as another one: the result is no person",
            "name the order that the joints are in (--skeleton)",
        )  # fmt: skip
    elif (gain := order_gain(body.xy, body.keypoints.skeleton)) > SHUFFLED[0]:
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
            "replace y by the picture's height - y",
        )  # fmt: skip
    elif (np.abs(height[:, 0]) > 2 * np.abs(height[:, 1])).mean() > _MOST:
        yield Finding(
            "info", "up", "the person lies, or the picture is turned by 90 degrees",
            "weights have seen few people who lie", "if it is the picture: turn the video before the detector sees it",
        )  # fmt: skip


def _sides(body: Body, lifter: Lifter | None) -> Iterator[Finding]:
    if len(body.xy) < sides.FEWEST_FRAMES:
        yield Finding(
            "info", "sides", f"too few frames ({len(body.xy)}) to tell whether left and right are exchanged",
            "a person with exchanged sides is lifted as their mirror image in depth", "look at the drawing (--out)",
        )  # fmt: skip
    elif sides.arms_against_legs(body) < sides.OPPOSED:
        yield Finding(
            "error", "sides", "left and right of arms and legs disagree throughout",
            "the body is twisted by half a turn",
            "exchange left and right of the arms, or of the legs, in the file's order",
        )  # fmt: skip
    elif reasons := sides.exchanged(body, lifter if body.rate_known else None):
        yield Finding(
            "error", "sides", f"left and right are probably exchanged: {'; '.join(reasons)}",
            "the person is lifted as their mirror image in depth: front is back",
            "look at the drawing (--out); if so, exchange left and right in the file's order, or mirror the video",
        )  # fmt: skip


def _swaps(body: Body) -> Iterator[Finding]:
    for group, frames in find_swaps(body.keypoints).items() if body.rate_known else ():
        share = float(frames.mean())
        first = int(np.flatnonzero(frames)[0])
        yield Finding(
            "warning" if share > _MANY_SWAPS else "info", "swaps",
            f"left and right {group} are exchanged for a moment, in {frames.sum()} frames (the first is {first})",
            "limbs jump across the body",
            "do nothing: lifting repairs them; before training, run `poselift.prepare.swaps.repair_swaps`",
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
    if repeats > 0.3:
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
    if steps and steps.strides_hz > pace.MOST_STRIDES_HZ:
        wrong = (
            f"{2 * steps.strides_hz:.1f} steps a second at {fps:g} fps: runners take 3.2 at most; is it {fps / 2:g}?"
        )
        yield Finding("warning", "rate", wrong, effect, advice)
    elif steps and steps.strides_hz < pace.FEWEST_STRIDES_HZ:
        wrong = f"{2 * steps.strides_hz:.2f} steps a second at {fps:g} fps: walkers take 1.5; is it {2 * fps:g}?"
        yield Finding("warning", "rate", wrong, effect, advice)
    elif not steps and odds > pace.LIKELY_LOG_ODDS:
        wrong = f"limbs are fast for {fps:g} fps: {fps / 2:g} is {np.exp(odds):.0f} times as likely, all else equal"
        yield Finding("warning" if odds > pace.CLEAR_LOG_ODDS else "info", "rate", wrong, effect, advice)


def _repeats(body: Body) -> float:
    """Return the share of frames in which nothing has moved since the frame before."""
    xy = np.nan_to_num(body.xy, nan=-1.0)
    still = (xy[1:] == xy[:-1]).all((1, 2)) & np.isfinite(body.xy[1:]).any((1, 2))
    return float(still.sum()) / len(xy) if len(xy) >= 10 else 0.0


def _picture(body: Body) -> Iterator[Finding]:
    size = body.keypoints.image_size
    if size is None:
        yield Finding(
            "info", "picture", "the picture's size is not known", "weights with the benchmarks' normalisation need it",
            "give the size to lift (--image-size) where the weights ask for it",
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
            "warning", "confidence", f"scores reach {positive.max():.3g}", "scores are used relative to their median",
            "scale them to 0..1",
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


def _missing(body: Body) -> Iterator[Finding]:
    keypoints, seen = body.keypoints, body.keypoints.seen
    zeros = seen & (keypoints.xy == 0).all(-1)
    if zeros.any():
        yield Finding(
            "error" if zeros.mean() > 0.01 else "warning", "missing",
            f"{zeros.sum()} keypoints are seen at exactly (0, 0)",
            "joints that were missed are dragged into the picture's corner",
            "write NaN, or confidence 0, for a joint that was not seen",
        )  # fmt: skip
    never = [name for name, ever in zip(keypoints.skeleton.joints, np.any(seen, 0).tolist(), strict=True) if not ever]
    limbs = {keypoints.skeleton.joints[joint] for limb in keypoints.skeleton.limbs for joint in limb}
    if never:
        yield Finding(
            "warning" if limbs & set(never) else "info", "missing", f"never seen: {', '.join(never)}",
            "they are made up from other joints where there is a rule, and else placed in the body's middle",
            "do nothing if they are out of the picture; lifted limbs that were not seen are guesses",
        )  # fmt: skip
    share = 1 - seen.mean()
    if share > _MANY_MISSING:
        yield Finding(
            "warning", "missing", f"{100 * share:.0f} % of the keypoints are missing",
            "gaps are filled in on straight lines",
            "use a better view or detector, or cut the clip to where the person is",
        )  # fmt: skip


def _jitter(body: Body) -> Iterator[Finding]:
    third = np.diff(body.xy, 3, axis=0)
    third = np.abs(third[np.isfinite(third)])
    if third.size < 100:
        return
    noise = float(np.median(third)) / 0.6745 / np.sqrt(20)  # of white noise, whose third difference has 20 variances
    if body.rate_known and body.keypoints.fps >= _JITTER_FPS and noise > _JITTER[0] * body.size_px:
        yield Finding(
            "warning" if noise > _JITTER[1] * body.size_px else "info", "jitter",
            f"joints tremble by about {noise:.2g} pixels, {100 * noise / body.size_px:.1f} % of the person",
            "the result trembles too, most of all in depth", "do nothing, or smooth the keypoints before lifting",
        )  # fmt: skip


def _jumps(body: Body) -> Iterator[Finding]:
    trunk = ("left_hip", "right_hip", "left_shoulder", "right_shoulder")
    centre = np.mean([body.joint(name) for name in trunk], axis=0)  # NaN unless all are seen: fewer have another middle
    step = np.linalg.norm(np.diff(centre, axis=0), axis=-1) / body.size_px
    frames = 1 + np.flatnonzero(np.nan_to_num(step) > 0.5)
    if len(frames):
        yield Finding(
            "warning", "jumps", f"the person jumps by half of their size or more in {len(frames)} frames (the first is "
            f"{frames[0]})", "two people, or two shots, are lifted as one", "cut the clip there, or track people apart",
        )  # fmt: skip


CHECKS: tuple[Callable[[Body], Iterator[Finding]], ...] = (
    _order, _units, _up, _swaps, _rate, _picture, _confidence, _missing, _jitter, _jumps,
)  # fmt: skip
"""Every check that needs only the person."""
