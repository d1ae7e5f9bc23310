"""Which of the people in a source are wanted, and who only passed by.

People are numbered from 1, those seen longest first. A number stays with the person: it is in the results, in their
names, and in the files that hold keypoints of several people.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from poselift.errors import FormatError
from poselift.sequence import Keypoints2D
from poselift.track import followed

_LOG = logging.getLogger(__name__)
ALL, LARGEST = "all", "largest"
PASSING_S = 1.0
"""Somebody seen for less than this many seconds has passed by."""
_PLACE = re.compile(r"\s*([-+.\d]+)\s*,\s*([-+.\d]+)\s*(?:@\s*([.\d]+)\s*)?")
_NAMED = 6
"""Passers-by of whom the log says when and where they were."""


@dataclass(frozen=True)
class Sighting:
    """Where and when somebody was seen."""

    seconds: float
    """How long, all in all."""
    first_s: float
    """Time of the first frame."""
    place: tuple[float, float]
    """Middle of the person in that frame, x and y in pixels."""

    def __str__(self) -> str:
        """Say it in words."""
        x, y = self.place
        return f"{self.seconds:.2f} s from {self.first_s:.2f} s on, first at pixel {x:.0f},{y:.0f}"


def sighting(person: Keypoints2D) -> Sighting | None:
    """Return where and when a person was seen; None for somebody who never was."""
    frames = np.flatnonzero(person.seen.any(1))
    if not len(frames):
        return None
    place = middle(person.xy[frames[0]][person.seen[frames[0]]])
    return Sighting(len(frames) / person.fps, person.start_s + frames[0] / person.fps, place)


def middle(points: np.ndarray) -> tuple[float, float]:
    """Return the middle of the box around (J, 2) points."""
    x, y = (points.min(0) + points.max(0)) / 2
    return float(x), float(y)


def who_lasts(seen_s: Sequence[float], anybody_s: float, shortest_s: float = PASSING_S) -> list[bool]:
    """Return who is seen for long enough to be no passer-by.

    Args:
        seen_s: Seconds for which each person is seen.
        anybody_s: Seconds for which anybody is seen. In short clips half of it is enough, so that somebody is left.
        shortest_s: Seconds for which somebody must be seen.
    """
    enough = min(shortest_s, anybody_s / 2)
    return [seconds >= enough - 1e-6 or seconds >= max(seen_s) for seconds in seen_s]


def log_passers_by(name: str, left_out: Sequence[Sighting], shortest_s: float) -> None:
    """Log who was left out of a source of this name, when and where they were."""
    if left_out:
        named = "; ".join(map(str, left_out[:_NAMED]))
        more = f"; and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        _LOG.warning(
            "%s: %d person(s) seen for less than %g s passed by and are left out (--shortest 0 keeps them): %s%s",
            *(name, len(left_out), shortest_s, named, more),
        )


def without_passers_by(
    people: Sequence[Keypoints2D], name: str, shortest_s: float = PASSING_S
) -> tuple[Keypoints2D, ...]:
    """Return the people without those who were seen for less than `shortest_s`; these are logged.

    Args:
        people: Everyone in a source, over the same frames.
        name: Name of the source in the log.
        shortest_s: Seconds for which somebody must be seen.
    """
    seen = [sighting(person) for person in people]
    seconds = [0.0 if found is None else found.seconds for found in seen]
    anybody = np.any([person.seen.any(1) for person in people], axis=0).sum() / people[0].fps
    lasting = who_lasts(seconds, float(anybody), shortest_s)
    left_out = [found for found, lasts in zip(seen, lasting, strict=True) if not lasts and found is not None]
    log_passers_by(name, left_out, shortest_s)
    return only(people, lasting)


def numbered(people: Sequence[Keypoints2D]) -> tuple[Keypoints2D, ...]:
    """Return the people with numbers from 1 on, in their order; somebody who is alone gets none.

    People who have numbers already keep them.
    """
    if len(people) == 1 or any(person.person is not None for person in people):
        return tuple(people)
    return tuple(replace(person, person=number) for number, person in enumerate(people, 1))


def only(people: Sequence[Keypoints2D], kept: Sequence[bool]) -> tuple[Keypoints2D, ...]:
    """Return some of the people; who may continue somebody left out may continue those whom that one may continue.

    Args:
        people: The people, all numbered or none. Without numbers, `may_continue` holds their places, counted from 1;
            it still does afterwards, so that `numbered` may follow.
        kept: Of each whether they are kept.
    """
    old = [place if person.person is None else person.person for place, person in enumerate(people, 1)]
    place_of = {number: place for place, number in enumerate(old)}
    doubts = [[place_of[number] for number in person.may_continue if number in place_of] for person in people]
    places = [place for place, keep in enumerate(kept) if keep]
    new = {place: number if people[place].person is None else old[place] for number, place in enumerate(places, 1)}
    left = []
    for place in places:
        others = tuple(new[other] for other in followed(doubts, place, new))
        same = others == people[place].may_continue
        left.append(people[place] if same else replace(people[place], may_continue=others))
    return tuple(left)


def log_doubts(people: Sequence[Keypoints2D], name: str) -> None:
    """Log whose continuation people may be, where the tracker could not decide; `name` is that of the source."""
    for person in people:
        if person.may_continue:
            others = " or ".join(f"person {number}" for number in person.may_continue)
            frame = int(person.seen.any(1).argmax())
            _LOG.warning(
                "%s: person %s may be %s, from frame %d on: the tracker lost them and could not decide",
                *(name, person.person, others, frame),
            )


def choose_people(people: Sequence[Keypoints2D], which: str | int = ALL, name: str = "") -> tuple[Keypoints2D, ...]:
    """Return the people who are wanted.

    Args:
        people: Everyone in a source, over the same frames, numbered.
        which: One of

            ========= ========================================================================================
            all       everybody
            largest   who takes up most of the picture over all frames: the person's size times the time seen
            3         the person of this number
            x,y       the person nearest to this pixel in the first frame that shows anybody
            x,y@2.5   the person nearest to this pixel 2.5 s after the beginning of the source
            ========= ========================================================================================
        name: Name of the source in messages.

    Returns:
        The people, with their numbers.

    Raises:
        FormatError: `which` is none of these, nobody has that number, or nobody is seen at that time.
    """
    check_choice(which)
    wanted = str(which).strip()
    if wanted == ALL:
        return tuple(people)
    if wanted == LARGEST:
        found = max(people, key=lambda person: float(np.nansum(_sizes(person))))
    elif wanted.isdecimal():
        found = _of_number(people, int(wanted), name)
    else:
        found = _nearest(people, wanted, name)
    if len(people) > 1:
        _LOG.info("%s: of %d people, person %s was chosen: %s", name, len(people), found.person, sighting(found))
    return (found,)


def check_choice(which: str | int) -> None:
    """Refuse what `choose_people` does not understand, before anything is read.

    Raises:
        FormatError: It is none of its choices.
    """
    text = str(which).strip()
    if text not in (ALL, LARGEST) and not text.isdecimal() and _place(text) is None:
        raise FormatError(
            f"wanted --people (people=...) as all, largest, the number of a person, x,y or x,y@SECONDS; got {which!r}"
        )


def _place(text: str) -> tuple[float, float, float | None] | None:
    """Return x, y and the time or None of a place; None for what is none."""
    found = _PLACE.fullmatch(text)
    try:
        numbers = [None if part is None else float(part) for part in found.groups()] if found else []
    except ValueError:
        return None
    x, y, time = numbers or (None, None, None)
    return None if x is None or y is None else (x, y, time)


def _of_number(people: Sequence[Keypoints2D], number: int, name: str) -> Keypoints2D:
    found = [person for person in people if (person.person or 1) == number]
    if not found:
        there = "; ".join(f"{person.person or 1}: {sighting(person)}" for person in people)
        raise FormatError(f"{name}: there is no person {number} (--people); there are {there}")
    return found[0]


def _nearest(people: Sequence[Keypoints2D], where: str, name: str) -> Keypoints2D:
    """Return the person nearest to a pixel: inside of whose box it is, or else whose box is nearest."""
    x, y, time_s = _place(where) or (0.0, 0.0, None)
    seen = np.array([person.seen.any(1) for person in people])  # (P, T)
    first = people[0]
    frame = int(seen.any(0).argmax()) if time_s is None else round((time_s - first.start_s) * first.fps)
    if not 0 <= frame < seen.shape[1] or not seen[:, frame].any():
        raise FormatError(
            f"{name}: nobody is seen {first.start_s + frame / first.fps:.2f} s after the beginning (--people "
            f"{where}); choose another time"
        )
    there = [person for person, shown in zip(people, seen[:, frame], strict=True) if shown]
    return min(there, key=lambda person: _apart(person.xy[frame][person.seen[frame]], np.array([x, y])))


def _apart(points: np.ndarray, pixel: np.ndarray) -> tuple[float, float]:
    """Return how far a pixel is from the box of (J, 2) points, and from its middle in sizes of the box."""
    low, high = points.min(0), points.max(0)
    outside = np.maximum(np.maximum(low - pixel, pixel - high), 0)
    middle = np.linalg.norm(pixel - (low + high) / 2) / max(float((high - low).max()), 1.0)
    return float(np.linalg.norm(outside)), float(middle)


def _sizes(person: Keypoints2D) -> np.ndarray:
    """Return the longer side of the box around the seen joints in each frame (T,), 0 where nobody is seen."""
    sizes, xy, seen = np.zeros(len(person), np.float32), person.xy, person.seen
    for frame in np.flatnonzero(seen.any(1)):
        points = xy[frame][seen[frame]]
        sizes[frame] = (points.max(0) - points.min(0)).max()
    return sizes
