"""Which of several weights suit a clip: the rule, and the reason in words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from poselift.errors import CheckpointError
from poselift.lifters.card import Card
from poselift.prepare.normalize import PERSON_SCALE

LEAST_CLIP: tuple[tuple[float, float], ...] = ((27, 0.0), (math.inf, 0.25))
"""(windows of up to so many frames, length of a clip in windows from which on they are used).

Windows are trained with clips' ends in a third of them, so a clip may be much shorter than the window: on motion
capture cut to pieces T=243 is level with T=81 or better from 2 frames on, and level on a real clip of 83
(docs/log.md). A quarter is on the safe side, for what is made up beyond a clip's ends is not the clip. A clip of two
frames or more is motion, which a single-frame network does not see.
"""


@dataclass(frozen=True)
class Choice:
    """Weights for a clip."""

    card: Card
    """Their card."""
    reason: str
    """Why these, for the console."""


def choose(cards: Sequence[Card], *, fps: float | None = None, length: int | None = None, live: bool = False) -> Choice:
    """The weights that suit a clip, or a stream.

    Live: the longest window among those whose newest frame out is the newest frame in. Else among those that wait for
    frames to come: the longest window that the clip is long enough for (`LEAST_CLIP`; the shortest where none is), a
    window of one frame for a single frame. Among equal windows the lower P-MPJPE with detector errors on the cards.

    Args:
        cards: Cards to choose among. Weights that need the picture's size are left out.
        fps: Frames per second of the clip.
        length: Frames of the clip.
        live: A stream that must not wait, whatever its length.

    Raises:
        CheckpointError: There is nothing to choose among, or nothing without delay; or fps or length is not given.
    """
    usable = [card for card in cards if card.normalization == PERSON_SCALE]
    if not usable:
        raise CheckpointError("there are no weights to choose among; name the path of an .onnx file")
    if live:
        prompt = [card for card in usable if card.delay == 0]
        if not prompt:
            least = min(usable, key=lambda card: card.delay / card.fps)
            raise CheckpointError(
                f"no weights here are without delay; those with the least are {least.name}, "
                f"{least.delay / least.fps:.2f} s behind: name them to use them"
            )
        best = min(prompt, key=lambda card: (-card.in_frames, *_preference(card)))
        return Choice(best, f"no delay, window of {best.in_frames}")
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


def frames_at(card: Card, fps: float, length: int) -> int:
    """Frames of a clip at the rate of the weights."""
    return 1 if length == 1 else max(round(length * card.fps / fps), 2)


def least_frames(window: int) -> int:
    """Frames of a clip from which on windows of this length are used."""
    share = next(share for longest, share in LEAST_CLIP if window <= longest)
    return max(math.ceil(share * window), min(window, 2))


def _preference(card: Card) -> tuple[float, str]:
    """Smaller is better: P-MPJPE with detector errors, infinite where it was not measured; then the name."""
    score = card.scores.get("detector errors")
    return (score.mean.get("p_mpjpe", math.inf) if score else math.inf), card.name
