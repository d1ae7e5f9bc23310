"""A lifter's answer to a batch of windows: joints, and what else it gives.

Whatever happens to joints between the network and the clip happens here, to all of the answer alike: mirrored, averaged
with the mirror image's, turned into another frame, blended where windows meet, stitched.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from poselift.errors import ShapeError
from poselift.lifters.contract import Lifter
from poselift.prepare.flip import flip
from poselift.prepare.window import Windows, blend_seams, follow_on
from poselift.sequence import CONTACTS, unit_vectors
from poselift.skeleton import Skeleton

_LEAST_SPREAD_M = 1e-6
_OTHER_SIDE = tuple(
    CONTACTS.index(name.replace("left", "*").replace("right", "left").replace("*", "right")) for name in CONTACTS
)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a lifter says of S frames in each of B windows; a field that it does not give is None."""

    joints: np.ndarray
    """(B, S, J, 3) metres, root-relative."""
    spread: np.ndarray | None = None
    """(B, S, J) metres: expected distance of each joint from where it is lifted to."""
    up: np.ndarray | None = None
    """(B, S, 3) of length 1, in the axes of the joints."""
    contact: np.ndarray | None = None
    """(B, S, 4) probability that each of `CONTACTS` stands still on the ground."""

    def mirrored(self, skeleton: Skeleton) -> "Answer":
        """Return the answer to the mirror image: x changes sign, and left and right are exchanged."""
        return Answer(
            flip(self.joints, skeleton),
            None if self.spread is None else self.spread[..., list(skeleton.flipped)],
            None if self.up is None else self.up * np.array([-1, 1, 1], self.up.dtype),
            None if self.contact is None else self.contact[..., list(_OTHER_SIDE)],
        )

    def averaged(self, other: "Answer") -> "Answer":
        """Return the mean of two answers to the same windows.

        The mean of two joints with errors a and b has the error (a + b) / 2, whose length is at most (|a| + |b|) / 2.
        So its expected length is at most the mean of the two spreads, however much the errors have in common. The mean
        is taken, which is exact where they have all in common; those of a picture and its mirror image nearly have.
        """
        means: dict[str, Any] = {}
        for field in fields(self):
            both = getattr(self, field.name), getattr(other, field.name)
            means[field.name] = None if both[0] is None or both[1] is None else (both[0] + both[1]) / 2
        return _with_unit_up(Answer(**means), self)

    def turned(self, matrices: np.ndarray) -> "Answer":
        """Return the answer in other axes, to which `joints @ matrix` leads, matrices (B, 1, 3, 3)."""
        up = None if self.up is None else (self.up[:, :, None] @ matrices)[:, :, 0]
        return replace(self, joints=self.joints @ matrices, up=up)

    def from_root(self, root: int) -> "Answer":
        """Return the answer with the root joint at 0."""
        return replace(self, joints=self.joints - self.joints[:, :, root, None])

    def between(self, frame: int, share: float) -> "Answer":
        """Return one frame of a stitched answer (T, ...), as (1, ...): `share` of the way from a frame to the next."""
        if share == 0:
            return self.each(lambda part: part[frame, None])
        weight = np.float32(share)
        mixed: dict[str, Any] = {
            name: None if part is None else part[frame, None] * (1 - weight) + part[frame + 1, None] * weight
            for name, part in self.parts.items()
        }
        if self.up is not None:
            mixed["up"] = unit_vectors(mixed["up"], self.up[frame, None])
        return Answer(**mixed)

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> "Answer":
        """Return the answer with every part changed alike."""
        changed: dict[str, Any] = {n: None if part is None else change(part) for n, part in self.parts.items()}
        return Answer(**changed)

    def apart(self) -> "list[Answer]":
        """Return the answer (1, ...) to each window."""
        named = {name: part for name, part in self.parts.items() if part is not None}
        return [Answer(**{name: part[at : at + 1] for name, part in named.items()}) for at in range(len(self.joints))]

    @property
    def parts(self) -> dict[str, Any]:
        """Arrays by name, None where there are none."""
        return vars(self)

    def stitched(self, windows: Windows) -> "Answer":
        """Return the clip's answer, (T, ...) in place of (B, S, ...), with the jumps between windows removed."""
        return self._blended(lambda part: blend_seams(part, windows.num_frames)).each(windows.stitch)

    def filled(self, known: np.ndarray) -> "Answer":
        """Return a stitched answer (T, ...) in which unknown frames lie on the line between the known ones around them.

        Before the first and after the last known frame, theirs is held. Spreads stay as they are.

        Args:
            known: (T,) bool.
        """
        frames = np.flatnonzero(known)
        if len(frames) in (0, len(known)):
            return self
        place = np.interp(np.arange(len(known)), frames, np.arange(len(frames)))
        before = np.floor(place).astype(int)
        after = np.minimum(before + 1, len(frames) - 1)

        def between(part: np.ndarray) -> np.ndarray:
            share = (place - before).astype(part.dtype).reshape(-1, *(1,) * (part.ndim - 1))
            return part[frames[before]] * (1 - share) + part[frames[after]] * share

        return _with_unit_up(replace(self.each(between), spread=self.spread), self)

    def following(self, before: "Answer") -> "Answer":
        """Return the answer to one window without a jump from the answer before it, which stays as it is."""
        theirs = before.parts
        joined: dict[str, Any] = {
            name: None if part is None else np.concatenate([theirs[name][:, -2:], part], 1)
            for name, part in self.parts.items()
        }
        return Answer(**joined)._blended(follow_on)

    def _blended(self, blend: Callable[[np.ndarray], np.ndarray]) -> "Answer":
        """Blend each part as `blend` does joints (B, S, ...), of which it may leave out the first frames.

        Spreads are blended by their logarithms, so that they stay positive; directions get their length again;
        probabilities are cut at 0 and 1.
        """
        made = replace(self, joints=blend(self.joints))
        kept = slice(self.joints.shape[1] - made.joints.shape[1], None)
        if self.spread is not None:
            logs = blend(np.log(np.maximum(self.spread, _LEAST_SPREAD_M)))
            made = replace(made, spread=np.where(self.spread[:, kept] > 0, np.exp(logs), np.float32(0)))
        if self.up is not None:
            made = replace(made, up=unit_vectors(blend(self.up), self.up[:, kept]))
        if self.contact is not None:
            made = replace(made, contact=blend(self.contact).clip(0, 1))
        return made


def _with_unit_up(answer: Answer, before: Answer) -> Answer:
    """Return an answer whose directions have length 1; those of `before` where they have lost all length."""
    if answer.up is None or before.up is None:
        return answer
    return replace(answer, up=unit_vectors(answer.up, before.up))


def join(answers: Sequence[Answer]) -> Answer:
    """Return the answers to successive batches of one lifter as one."""
    parts = {field.name: [getattr(answer, field.name) for answer in answers] for field in fields(Answer)}
    joined: dict[str, Any] = {
        name: None if found[0] is None else np.concatenate(found) for name, found in parts.items()
    }
    return Answer(**joined)


def ask(lifter: Lifter, inputs: np.ndarray) -> Answer:
    """Return everything that a lifter says of windows (B, T, J, C).

    Raises:
        ShapeError: A part has another shape than `poselift.lifters.contract.Lifter` says, is not finite, or out of
            range.
    """
    found = dict(lifter.answer(inputs)) if hasattr(lifter, "answer") else {"joints": lifter(inputs)}
    name, shape = type(lifter).__name__, (len(inputs), len(lifter.out_frames))
    wanted = {
        "joints": (*shape, len(lifter.skeleton), 3),
        "spread": (*shape, len(lifter.skeleton)),
        "up": (*shape, 3),
        "contact": (*shape, len(CONTACTS)),
    }
    if "joints" not in found:
        raise ShapeError(f"wanted joints in the answer of {name}, got {', '.join(found) or 'nothing'}")
    for part, array in found.items():
        if part not in wanted:
            raise ShapeError(f"{name} answers '{part}', which is not known; wanted {', '.join(wanted)}")
        if array.shape != wanted[part] or not _is_finite(array):
            odd = " with NaN or infinite values" if array.shape == wanted[part] else ""
            raise ShapeError(f"wanted finite {part} {wanted[part]} from {name}, got {array.shape}{odd}")
    _check_ranges(found, name)
    return Answer(**found)


def _is_finite(array: np.ndarray) -> bool:
    """Return whether all numbers are finite; their sum of squares tells it in one step, unless it overflows."""
    return math.isfinite(float(np.vdot(array, array))) or bool(np.isfinite(array).all())


def _check_ranges(found: dict[str, np.ndarray], name: str) -> None:
    """Raise a ShapeError that names the first part whose values are out of range, if there is one."""
    for part, what, low, high in (
        ("spread", "distances of 0 or more as", 0.0, np.inf),
        ("contact", "probabilities from 0 to 1 as", 0.0, 1.0),
        ("up", "directions of length 1 as", 0.99, 1.01),
    ):
        if part in found and found[part].size:
            values = found[part]
            if part == "up":
                values = np.sqrt(np.einsum("...i,...i->...", values, values))
            if not (np.minimum.reduce(values, None) >= low and np.maximum.reduce(values, None) <= high):
                raise ShapeError(
                    f"wanted {what} {part} from {name}, got {values.min():.3g} to {values.max():.3g}; see "
                    "poselift.lifters.contract.Lifter"
                )
