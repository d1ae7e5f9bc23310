"""The tracker that sees one frame after the other: files, videos and streams are tracked by it."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from poselift.errors import ShapeError
from poselift.track.likeness import compare, doubles
from poselift.track.match import match
from poselift.track.memory import Held, Person

PATIENCE_S = 1.0
"""A person not seen for longer than this many seconds counts as a new person when seen again."""
_ROUNDING_S = 1e-6
_NEW = 45.0
"""Nats: cost of a detection that shows somebody new."""
_MISSED = 3.0
"""Nats: cost of not finding a person in the first frame in which they are missing."""
_DOUBT = 5.0
"""Nats: a match that is no better than another one by this much is doubtful; 5 nats are odds of 150 to 1."""
_SHADOW, _SHADOW_SPEED = 0.5, 0.5
"""A detection may show two people when somebody out of sight for t seconds is expected within 0.5 + 0.5 t sizes."""

Ids = Sequence[int | None]
"""Numbers that a source gives the people of a frame; None or below 0 for somebody without one."""


class Tracker:
    """Recognises people from frame to frame."""

    def __init__(self, *, patience_s: float = PATIENCE_S, hold_s: float = 0.0) -> None:
        """Start without known people.

        Args:
            patience_s: A person not seen for longer counts as new when seen again, unless the id is a known one.
            hold_s: Somebody new at the place of a person who has just vanished, or when nobody else is seen, gets a
                number after so many seconds: until then it is most likely an error of the detector. A clip, which
                knows what comes after, needs no such wait.
        """
        self.may_continue: dict[int, tuple[int, ...]] = {}
        """Tracks that started in doubt, and the earlier tracks that each may continue, the likeliest first."""
        self.unclear: set[int] = set()
        """Tracks whose last detection may show somebody else too, or instead, who is out of sight at the same place."""
        self.parted: set[int] = set()
        """Tracks beside whose last detection somebody has appeared, who may have been hidden in the one before."""
        self.held: set[int] = set()
        """Places, in the last frame, of detections that wait for a number."""
        self._patience_s, self._hold_s = patience_s, hold_s
        self._known: list[Person] = []
        self._count = 0
        self._last_s = -np.inf

    def step(self, people: np.ndarray, time_s: float, ids: Ids | None = None) -> list[int | None]:
        """Recognise the people of the next frame.

        Args:
            people: (P, J, 3) keypoints x, y, confidence; the people in any order. A confidence of 0 or NaN coordinates
                mean that the joint was not seen.
            time_s: Time of the frame in seconds; later than the previous frame.
            ids: Number of each person, where the source gives reliable ones.

        Returns:
            For each person the track's number, counted from 0 in the order of appearance; None for a person without a
            joint that was seen, for a detection that repeats another one, and for one that waits for a number. Where it
            is doubtful who somebody is, a new track starts, and `may_continue` says which earlier ones it may continue.

        Raises:
            ShapeError: `people` is not (P, J, 3), J has changed since the last frame, or there are not P `ids`.
        """
        poses, named = masked(people), _named(ids, len(people))
        if len(poses) and self._known and len(self._known[0].pose) != poses.shape[1]:
            raise ShapeError(
                f"wanted detections of shape (people, joints, 3) with {len(self._known[0].pose)} joints as before, "
                f"got {poses.shape}"
            )
        since_s = time_s - self._patience_s - _ROUNDING_S
        self._known = [known for known in self._known if known.id is not None or known.time_s >= since_s]
        by_id = {known.id: known for known in self._known if known.id is not None}
        seen = [place for place, pose in enumerate(poses) if pose[:, 2].any()]
        found = {place: by_id[name] for place in seen if (name := named[place]) in by_id}
        for place, known in found.items():
            known.see(poses[place], time_s)
        appeared = [known for known in self._known if known.time_s < self._last_s - _ROUNDING_S]
        repeated = {seen[i] for i in doubles(poses[seen])}
        rest = [place for place in seen if place not in found and (place not in repeated or named[place] is not None)]
        free = [known for known in self._known if known.time_s >= since_s and known not in found.values()]
        found |= self._matched(free, rest, poses, named, time_s)
        lost = self._just_lost(list(found.values()), time_s)
        for place in rest:
            if place not in found:
                found[place] = self._newcomer(poses[place], time_s, lost if named[place] is None else [])
                appeared.append(found[place])
        self._settle(found, time_s)
        for place, known in found.items():
            known.id = known.id if named[place] is None else named[place]
        self.unclear = self._shadowing(list(found.values()), time_s)
        self.parted = self._beside(list(found.values()), appeared)
        self._last_s = time_s
        self.held = {place for place, known in found.items() if known.held is not None}
        numbers = {place: known.number for place, known in found.items() if place not in self.held}
        return [numbers.get(place) for place in range(len(poses))]

    def _just_lost(self, found: list[Person], time_s: float) -> list[Person]:
        """Return the people who were seen a moment ago; somebody new may be an error of the detector about them."""
        since_s = time_s - self._hold_s - _ROUNDING_S
        lost = [one for one in self._known if one not in found and one.held is None and one.time_s >= since_s]
        return lost if self._hold_s else []

    def _newcomer(self, pose: np.ndarray, time_s: float, lost: list[Person]) -> Person:
        """Remember somebody new, who waits for a number at the place of somebody lost, or when only they are known."""
        person = Person.first_seen(-1, pose, time_s)
        alone = not any(known.time_s == time_s and known.held is None for known in self._known)
        instead = [other for other in lost if alone or _near(person, other, time_s - other.time_s)]
        if instead:
            person.held = Held(time_s, max(instead, key=lambda other: other.time_s))
        else:
            person.number = self._new()
        self._known.append(person)
        return person

    def _settle(self, found: dict[int, Person], time_s: float) -> None:
        """Give people who waited for long enough a number, and forget those whose place the lost person has again."""
        here = list(found.values())
        for known in here:
            if known.held is not None and time_s - known.held.since_s >= self._hold_s - _ROUNDING_S:
                known.number = self._new()
                self.may_continue[known.number] = (known.held.instead_of.number,)
                known.held = None
        self._known = [
            known for known in self._known if known.held is None or known in here or known.held.instead_of not in here
        ]

    def _matched(
        self, free: list[Person], rest: list[int], poses: np.ndarray, named: Ids, time_s: float
    ) -> dict[int, Person]:
        """Match the people at the places `rest` to known people in `free`, and let both remember it."""
        if not free or not rest:
            return {}
        like = compare(free, poses[rest], time_s)
        # two different ids are two different people
        other = np.array([[known.id is not None and named[place] is not None for place in rest] for known in free])
        missing = np.array([_MISSED if known.time_s >= self._last_s - _ROUNDING_S else 0.0 for known in free])
        matched = {}
        pairs = match(np.where(other, np.inf, like.cost), missing, _NEW, _DOUBT)
        taken = {pair.row for pair in pairs}
        for pair in pairs:
            row, place = pair.row, rest[pair.column]
            # rather somebody who is sure to be there than somebody who may be nobody
            sure = [rival for rival in pair.rivals if free[rival].held is None]
            decided = len(sure) == 1 and len(pair.rivals) > 1 and (sure[0] == row or sure[0] not in taken)
            row = sure[0] if decided else row
            taken.add(row)
            known = free[row]
            doubtful = pair.margin < _DOUBT and not decided and known.id is None and known.held is None
            if doubtful and self._hold_s and pair.rivals == (row,):
                continue  # as soon somebody new, who waits
            matched[place] = known
            known.see(poses[place], time_s, like.moved[row, pair.column])
            if doubtful:
                matched[place] = self._doubtful(known, [free[row] for row in pair.rivals])
        return matched

    def _doubtful(self, known: Person, rivals: list[Person]) -> Person:
        """Give a person who may be another one a new track."""
        number = self._new()
        self.may_continue[number] = tuple(rival.number for rival in rivals)
        known.number = number
        return known

    def _shadowing(self, found: list[Person], time_s: float) -> set[int]:
        """Return the tracks of people near whom somebody else is out of sight."""
        lost = [known for known in self._known if known not in found and known.time_s >= time_s - PATIENCE_S]
        near = set()
        for other in lost:
            near |= {known.number for known in found if _near(known, other, time_s - other.time_s)}
        return near

    @staticmethod
    def _beside(found: list[Person], appeared: list[Person]) -> set[int]:
        """Return the tracks of people beside whom somebody else has appeared."""
        beside = set()
        for other in appeared:
            for known in found if other in found else ():
                if known is not other and _near(known, other, 0.0):
                    beside.add(known.number)
        return beside

    def _new(self) -> int:
        self._count += 1
        return self._count - 1


def _near(known: Person, other: Person, gap_s: float) -> bool:
    """Return whether a person, last seen some time ago, may be at the place of another one."""
    away = other.motion.after(gap_s).place - known.motion.place
    return bool(np.hypot(*away) < (_SHADOW + _SHADOW_SPEED * gap_s) * max(known.size, other.size))


def masked(people: np.ndarray) -> np.ndarray:
    """Return people as float32, unseen joints as NaN with confidence 0.

    Raises:
        ShapeError: `people` is not (P, J, 3).
    """
    if np.ndim(people) != 3 or np.shape(people)[2] != 3:
        raise ShapeError(f"wanted detections of shape (people, joints, 3) in every frame, got {np.shape(people)}")
    poses = np.array(people, np.float32)
    poses[~(np.isfinite(poses).all(-1) & (poses[..., 2] > 0))] = (np.nan, np.nan, 0.0)
    return poses


def _named(ids: Ids | None, people: int) -> list[int | None]:
    """Return the number of each person of a frame; None for a person without a number, or with another's number."""
    ids = [None] * people if ids is None else ids
    if len(ids) != people:
        raise ShapeError(f"wanted an id, or None, for each of {people} people, got {len(ids)}")
    known = [None if id is None or id < 0 else id for id in ids]
    counts = Counter(known)
    return [id if counts[id] == 1 else None for id in known]
