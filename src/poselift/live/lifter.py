"""`LiveLifter`: keypoints go in frame by frame, poses come out at once or at a constant delay."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from poselift.errors import CheckpointError, FormatError, ShapeError, SkeletonError
from poselift.lifters.answer import Answer, ask
from poselift.lifters.contract import Lifter, check_lifter
from poselift.lifters.load import choose_shipped, load_lifter
from poselift.live.history import LONGEST_STEP_S
from poselift.live.outliers import WAIT_S
from poselift.live.smooth import OneEuro
from poselift.live.stream import PersonStream, Plan
from poselift.prepare.convert import FrameConverter
from poselift.prepare.normalize import SCREEN
from poselift.prepare.window import frames_after
from poselift.refine.online import CHANGED, OnlineRoom, WorldOptions
from poselift.sequence import Poses3D
from poselift.skeleton import Skeleton, get_skeleton
from poselift.track import PATIENCE_S, Tracker

_LOG = logging.getLogger(__name__)


@dataclass
class Counts:
    """What came in and was lifted so far."""

    frames: int = 0
    """Frames that were taken."""
    late: int = 0
    """Frames that were ignored because a later one had come before."""
    repeated: int = 0
    """Frames that were ignored because they had the time of the one before."""
    people: int = 0
    """People that were seen; somebody who was away for more than a second counts again."""
    left_out: int = 0
    """Frames of a person that were left out, because the body jumped (`poselift.live.outliers`) or waits for a number
    where somebody had just vanished (`poselift.track.Tracker`)."""
    windows: int = 0
    """Windows that were lifted."""


@dataclass
class _Follower:
    """One person's stream, and when the person was last in a frame."""

    stream: PersonStream
    filter: OneEuro | None
    seen_s: float
    number: int
    who: dict[str, Any]


class LiveLifter:
    """Lifts one person (`push`) or everybody (`push_people`) of a stream, at any frame rate; memory is constant.

    ::

        live = pl.LiveLifter()
        while True:
            keypoints, time_s = ...                             # (17, 3) x, y, confidence; seconds
            poses = live.push(keypoints, pl.COCO_17, time_s)    # one pose, or None
    """

    def __init__(
        self,
        lifter: Lifter | None = None,
        *,
        delay_s: float = 0.0,
        smooth: bool = False,
        image_size: tuple[int, int] | None = None,
        world: WorldOptions | bool = False,
        repair: bool = True,
    ) -> None:
        """Choose weights and how late poses come.

        Args:
            lifter: The network. When None, shipped weights: without delay `nanohtnet.mocap27-live`; with a delay, the
                best whose poses come within `delay_s` (`poselift.lifters.choose`).
            delay_s: How late poses may be, in seconds. 0 lifts a window for each frame, and takes its newest pose.
                With 0.16 windows step by the nine frames that they yield, which is smoother and takes a ninth of the
                time; with 0.24 they are blended as in a clip. Weights that look ahead need more, and are more accurate:
                0.42, 0.96 or 2.58. `delay_s` of the result says how late poses are.
            smooth: Smooth each joint by a one-euro filter, which comes late by `smoothing_delay_s` more.
            image_size: (width, height) of the picture in pixels, which `screen` weights and the world want.
            world: Place everybody in one world (`poselift.refine.online.OnlineRoom`): True, or what is known of it.
                Poses are then in the frame "world", with `path`; up, floor and sizes converge and then hold (`room`).
            repair: Leave out frames to which a body jumps, and joints that jump, until they have stayed there for a
                while (`poselift.live.outliers`); `push_people` gives somebody new at the place of a person who has just
                vanished no number for as long.

        Raises:
            ShapeError: `delay_s` is negative or no number.
            CheckpointError: The lifter looks farther ahead than `delay_s`.
            FormatError: The weights or the world want the picture's size.
            SkeletonError: `lifter` is no lifter.
        """
        if not (math.isfinite(delay_s) and delay_s >= 0):
            raise ShapeError(f"wanted a delay of 0 seconds or more, got {delay_s}")
        if lifter is None:
            choice = choose_shipped(live=True, delay_s=delay_s)
            _LOG.info("lifting by %s: %s", choice.card.name, choice.reason)
            lifter = load_lifter(choice.card.name, threads=1)  # a single window is too small for more
        check_lifter(lifter)
        if getattr(lifter, "normalization", None) == SCREEN and image_size is None:
            raise FormatError("these weights want the picture's size; give image_size=(width, height)")
        if world and image_size is None:
            raise FormatError(
                "to place people in the world, the picture's size must be known; give image_size=(width, height) "
                "(--image-size WIDTH HEIGHT), or leave the world out (--no-world)"
            )
        plan = Plan.of(lifter, delay_s)
        if plan is None:
            least_s = frames_after(lifter.in_frames, lifter.out_frames) / lifter.fps
            raise CheckpointError(
                f"these weights look {least_s:g} s ahead, more than the delay of {delay_s:g} s; give delay_s="
                f"{least_s:g} (--delay {least_s:g}) or more, or take weights without delay (lifter=None)"
            )
        self.lifter: Lifter = lifter
        """The network."""
        self.counts = Counts()
        """What came in so far."""
        self.room: OnlineRoom | None = None
        """The world in which people are placed; None without."""
        self._plan, self._smooth, self._image_size, self._repair = plan, smooth, image_size, repair
        self._world = WorldOptions() if world is True else world or None
        self._lag, self._smoothing_s = plan.lag, 0.0
        self._skeleton: Skeleton | None = None
        self._last_s = -math.inf
        self._tracker = Tracker(hold_s=WAIT_S if repair else 0.0)
        self._alone: _Follower | None = None
        self._followed: dict[int, _Follower] = {}
        if self._world is not None and image_size is not None:
            self.resize(image_size)

    @property
    def delay_s(self) -> float:
        """Seconds from the time of a frame that comes in to the time that the pose is of; smoothing comes on top.

        With blocks, it grows once by a frame of the lifter when a frame comes in at a time between the blocks' frames:
        the pose then lies between two that were lifted.
        """
        return self._lag / self.lifter.fps

    @property
    def smoothing_delay_s(self) -> float:
        """Seconds by which smoothing delayed the last pose: the lag of joints in steady motion, their mean."""
        return self._smoothing_s

    def resize(self, image_size: tuple[int, int], world: WorldOptions | None = None) -> None:
        """Say that the frames to come are of pictures of another size; the world, if there is one, is found anew.

        Args:
            image_size: (width, height) of the picture in pixels.
            world: What is known of the world from now on; None for what was known before.

        Raises:
            ShapeError: The focal length is out of range for such pictures.
        """
        self._world = world or self._world
        self._image_size = image_size
        for follower in [*self._followed.values(), *([self._alone] if self._alone else [])]:
            follower.stream = self._stream(image_size)  # places in the picture are new
        if self._world is None:
            return
        if self.room is not None:
            _LOG.warning(CHANGED)
        self.room = OnlineRoom(self._world, image_size)
        for guess in self.room.guesses:
            _LOG.warning(guess)

    def push(self, keypoints_xyc: np.ndarray, skeleton: Skeleton | str, time_s: float) -> Poses3D | None:
        """Take the next frame of one person.

        Args:
            keypoints_xyc: (J, 3) x, y in pixels and confidence; NaN or confidence 0 where a joint was not seen.
            skeleton: Joint order of the keypoints, or its name; the same for every frame.
            time_s: Time of the frame in seconds, by any clock. A frame that is not later than the one before is
                ignored and counted. A pause of up to 0.25 s is bridged; after more, the frames between count as not
                seen; after one longer than a window, the stream starts afresh.

        Returns:
            One pose, metres, relative to the pelvis, in the lifter's frame, with `observed`, `gap`, and what else the
            lifter gives; its `start_s` is the time that it is of, `delay_s` before `time_s`. None while nobody was
            seen, until the delay is over, and for frames that are ignored.

        Raises:
            ShapeError: The keypoints are not (J, 3), or the time is no number.
            SkeletonError: The skeleton is unknown, is another one than before, or does not fit.
        """
        if not self._takes(skeleton, time_s):
            return None
        frame = np.array(keypoints_xyc, np.float32)
        if frame.shape != self._shape:
            raise ShapeError(
                f"wanted keypoints of shape {self._shape}, x, y and confidence of {get_skeleton(skeleton).name}, got "
                f"{frame.shape}"
            )
        if self._alone is None:
            self._alone = self._follow(time_s, 0, {})
        return self._advance([(self._alone, frame)], time_s)[0]

    def push_people(self, people_xyc: np.ndarray, skeleton: Skeleton | str, time_s: float) -> tuple[Poses3D, ...]:
        """Take the next frame of everybody.

        Args:
            people_xyc: (P, J, 3) as for `push`, the people in any order; P may be 0.
            skeleton: As for `push`.
            time_s: As for `push`.

        Returns:
            One pose for each person, in the order of their numbers (`person`), which `poselift.track.Tracker` gives in
            the order in which people appear. Somebody who is missed is lifted on for 0.25 s, with nothing observed;
            after a second away, somebody who returns has a new number. `may_continue` names those of whom a new person
            may be the continuation.

        Raises:
            ShapeError: The keypoints are not (P, J, 3), or the time is no number.
            SkeletonError: As for `push`.
        """
        if not self._takes(skeleton, time_s):
            return ()
        people = np.array(people_xyc, np.float32)
        people = people.reshape(0, *self._shape) if people.size == 0 else people
        if people.shape[1:] != self._shape:
            raise ShapeError(
                f"wanted people of shape (P, {self._shape[0]}, 3), x, y and confidence of "
                f"{get_skeleton(skeleton).name}, got {people.shape}"
            )
        here: dict[int, np.ndarray] = {}
        for number, pose in zip(self._tracker.step(people, time_s), people, strict=True):
            if number is not None:
                here[number] = pose
                if number not in self._followed:
                    earlier = tuple(before + 1 for before in self._tracker.may_continue.get(number, ()))
                    self._followed[number] = self._follow(
                        time_s, number, {"person": number + 1, "may_continue": earlier}
                    )
                self._followed[number].seen_s = time_s
        self.counts.left_out += len(self._tracker.held)
        self._forget(time_s)
        nobody = np.zeros(self._shape, np.float32)
        due = [
            (follower, here.get(number, nobody))
            for number, follower in sorted(self._followed.items())
            if number in here or time_s - follower.seen_s <= LONGEST_STEP_S + self.delay_s
        ]
        return tuple(pose for pose in self._advance(due, time_s) if pose is not None)

    def _takes(self, skeleton: Skeleton | str, time_s: float) -> bool:
        """Return whether a frame is later than the one before; check its skeleton and time."""
        if skeleton is not self._skeleton:
            skeleton = get_skeleton(skeleton)
            if self._skeleton is None:
                self._converter = FrameConverter(skeleton, self.lifter.skeleton)
                self._skeleton, self._shape = skeleton, (len(skeleton), 3)
            elif skeleton != self._skeleton:
                raise SkeletonError(
                    f"the stream began with {self._skeleton.name}, got {skeleton.name}; make a LiveLifter for each"
                )
        if not math.isfinite(time_s):
            raise ShapeError(f"wanted the time of a frame in seconds, got {time_s}")
        if time_s <= self._last_s:
            self.counts.repeated += time_s == self._last_s
            self.counts.late += time_s < self._last_s
            return False
        self._last_s = time_s
        self.counts.frames += 1
        return True

    def _follow(self, time_s: float, number: int, who: dict[str, Any]) -> _Follower:
        """Begin the stream of a person."""
        self.counts.people += 1
        stream = self._stream(self._image_size)
        return _Follower(stream, OneEuro() if self._smooth else None, time_s, number, who)

    def _stream(self, image_size: tuple[int, int] | None) -> PersonStream:
        return PersonStream(self.lifter, self._plan, image_size, repair=self._repair)

    def _forget(self, time_s: float) -> None:
        """Forget people who have been away for too long for the tracker, and whose last poses have come out."""
        longest_s = max(PATIENCE_S, LONGEST_STEP_S + self.delay_s)
        for number in [n for n, follower in self._followed.items() if time_s - follower.seen_s > longest_s]:
            del self._followed[number]
            if self.room is not None:
                self.room.forget(number)
            self._tracker.may_continue.pop(number, None)

    def _advance(self, people: Sequence[tuple[_Follower, np.ndarray]], time_s: float) -> list[Poses3D | None]:
        """Push a frame (J, 3) of the source's joints, which may be changed, to the stream of each person.

        The windows of all of them go through the network together.
        """
        taken = []
        for follower, frame in people:
            if not math.isfinite(np.vdot(frame, frame)):  # quicker than to look at each number
                frame[~np.isfinite(frame).all(-1)] = 0
            taken.append(follower.stream.take(self._converter(frame), time_s))
            self.counts.left_out += follower.stream.left_out
        answers = iter(self._answers([window for windows in taken for window in windows]))
        found = []
        for (follower, _), windows in zip(people, taken, strict=True):
            pose = follower.stream.give([next(answers) for _ in windows], **follower.who)
            self.counts.windows += len(windows)
            self._lag = max(self._lag, follower.stream.lag)
            if pose is not None and follower.filter is not None:
                pose = self._smoothed(follower.filter, pose)
            if pose is not None and self.room is not None:
                pose = self.room.place(pose, *follower.stream.sight(pose.start_s), follower.number)
            found.append(pose)
        return found

    def _answers(self, windows: list[np.ndarray]) -> list[Answer]:
        """Return the answers (1, K, ...) to windows (1, T, J, C), of one call of the network."""
        if len(windows) < 2:
            return [ask(self.lifter, window) for window in windows]
        answer = ask(self.lifter, np.concatenate(windows))
        return answer.apart()

    def _smoothed(self, smooth: OneEuro, pose: Poses3D) -> Poses3D:
        joints = smooth(pose.xyz[0], pose.start_s, None if pose.spread is None else pose.spread[0])
        self._smoothing_s = smooth.delay_s
        return replace(pose, xyz=joints[None])
