"""Choose the weights that suit a clip, and give the reason in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from poselift.errors import CheckpointError
from poselift.lifters.card import INT8, Card
from poselift.prepare.convert import missing_joints
from poselift.prepare.normalize import PERSON_SCALE
from poselift.prepare.window import stream_delay
from poselift.skeleton import Skeleton, get_skeleton

LEAST_CLIP: tuple[tuple[float, float], ...] = ((27, 0.0), (math.inf, 0.25))
"""Pairs of the longest window that a row holds for, in frames, and the shortest clip to use it on, in windows.

A third of the training windows contain a clip's end, so a clip may be much shorter than the window: on motion capture
cut to pieces, T=243 is as good as T=81 or better from 2 frames on, and as good on a real clip of 83 (docs/log.md). A
quarter is on the safe side, because the frames beyond a clip's ends are made up. A clip of two frames or more has
motion, which a single-frame network does not see.
"""


@dataclass(frozen=True)
class Choice:
    """The weights chosen for a clip."""

    card: Card
    """Card of the weights."""
    reason: str
    """Why these weights were chosen, for the console."""


def choose(
    cards: Sequence[Card],
    *,
    fps: float | None = None,
    length: int | None = None,
    live: bool = False,
    delay_s: float = 0.0,
    skeleton: Skeleton | str | None = None,
) -> Choice:
    """Choose the weights that suit a clip, or a stream.

    For a stream, take the longest window among weights without delay; if it may wait, the best weights that give poses
    within that time with windows blended as in a clip (`poselift.prepare.window.stream_delay`). For a clip, take the
    longest window that the clip is long enough for (`LEAST_CLIP`), or the shortest if it is too short for all, among
    weights that also look at later frames or at one frame only. Of equal windows, take that with the lower P-MPJPE with
    detector errors on the card. Where joints are asked for, weights that cannot give them are left out, and those with
    more joints than need be; else the weights with the most joints are taken: people want feet.

    Args:
        cards: Cards to choose among. Weights that need the picture's size are left out, and those in int8.
        fps: Frames per second of the clip.
        length: Frames of the clip.
        live: Choose for a stream; its length does not matter.
        delay_s: Seconds that a stream may wait.
        skeleton: Joints that the results must have, or its name; None for as many as there are.

    Raises:
        CheckpointError: There are no weights to choose among, none that give these joints, or none without delay; or
            fps or length is not given.
        SkeletonError: There is no skeleton of this name.
    """
    usable = [card for card in cards if card.normalization == PERSON_SCALE and not card.name.endswith(INT8)]
    if not usable:
        raise CheckpointError("there are no weights to choose among; name the path of an .onnx file")
    if live:  # weights that come too late do not count, however many joints they give
        usable = [card for card in usable if card.delay == 0 or _in_time(card, delay_s)] or usable
    usable = _with_joints(usable, None if skeleton is None else get_skeleton(skeleton))
    if live:
        return _for_stream(usable, delay_s)
    if fps is None or length is None or not (length >= 1 and 0 < fps < math.inf):
        raise CheckpointError(
            f"to choose weights, wanted fps and length of the clip, got fps={fps} and length={length}"
        )
    waiting = [card for card in usable if card.delay or card.in_frames == 1] or usable
    fitting = [card for card in waiting if frames_at(card, fps, length) >= least_frames(card.in_frames)]
    window = max((card.in_frames for card in fitting), default=min(card.in_frames for card in waiting))
    best = min((card for card in waiting if card.in_frames == window), key=_preference)
    frames = frames_at(best, fps, length)
    why = "the longest that is good" if fitting else "the shortest there is,"
    return Choice(best, f"window of {window}, {why} for a clip of {frames} frames at {best.fps:g} fps")


def _for_stream(usable: list[Card], delay_s: float) -> Choice:
    """Choose the weights for a stream that may wait for some seconds; see `choose`."""
    patient = [card for card in usable if _in_time(card, delay_s)]
    if patient:
        best = min(patient, key=_preference)
        late_s = stream_delay(best.in_frames, best.out_frames) / best.fps
        return Choice(best, f"{late_s:.2f} s late, window of {best.in_frames}")
    prompt = [card for card in usable if card.delay == 0]
    if not prompt:
        least = min(usable, key=lambda card: card.delay / card.fps)
        raise CheckpointError(
            f"no weights here are without delay; those with the least are {least.name}, "
            f"{least.delay / least.fps:.2f} s behind: name them to use them"
        )
    best = min(prompt, key=lambda card: (-card.in_frames, *_preference(card)))
    return Choice(best, f"no delay, window of {best.in_frames}")


def _in_time(card: Card, delay_s: float) -> bool:
    """Return whether blended windows of these weights come within a delay."""
    return 0 < stream_delay(card.in_frames, card.out_frames) <= delay_s * card.fps + 1e-6


def _with_joints(cards: list[Card], skeleton: Skeleton | None) -> list[Card]:
    """Return the cards of weights that give the joints of a skeleton, with as few joints more as there are.

    Without a skeleton, those of the weights with the most joints.
    """
    joints = {card.name: get_skeleton(card.skeleton) for card in cards}
    if skeleton is None:
        most = max(map(len, joints.values()))
        return [card for card in cards if len(joints[card.name]) == most]
    giving = [card for card in cards if not missing_joints(joints[card.name], skeleton)]
    if not giving:
        lacking = min((missing_joints(source, skeleton) for source in joints.values()), key=len)
        raise CheckpointError(
            f"no weights here give the joints of {skeleton.name}: {', '.join(lacking)} missing; ask for another "
            "skeleton, or name the path of an .onnx file"
        )
    fewest = min(len(joints[card.name]) for card in giving)
    return [card for card in giving if len(joints[card.name]) == fewest]


def frames_at(card: Card, fps: float, length: int) -> int:
    """Return the number of frames of a clip at the frame rate of the weights."""
    return 1 if length == 1 else max(round(length * card.fps / fps), 2)


def least_frames(window: int) -> int:
    """Return the number of frames of the shortest clip that windows of this length are used on."""
    share = next(share for longest, share in LEAST_CLIP if window <= longest)
    return max(math.ceil(share * window), min(window, 2))


def _preference(card: Card) -> tuple[float, str]:
    """Return a key, smaller for better weights: P-MPJPE with detector errors (infinite if not measured), then name."""
    score = card.scores.get("detector errors")
    return (score.mean.get("p_mpjpe", math.inf) if score else math.inf), card.name
