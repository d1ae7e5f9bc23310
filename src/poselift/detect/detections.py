"""What a detector found in a video, and who the people are."""

import logging
from dataclasses import dataclass, field

import numpy as np

from poselift.detect.background import Background
from poselift.footage import Footage
from poselift.people import PASSING_S, Sighting, log_doubts, log_passers_by, middle, numbered, who_lasts
from poselift.sequence import Keypoints2D
from poselift.skeleton import Skeleton
from poselift.track import Track, absences, followed, track_clip

_LOG = logging.getLogger(__name__)
_FLICKER_S = 1 / 6
_FEWEST_FRAMES = 3
"""Tracks shorter than 1/6 s, or than 3 frames, are taken for errors of the detector, and are not named."""
SMALL_PX = 64
"""Below this height people are enlarged fourfold before the network sees them, and their joints are rough."""


@dataclass
class Detections:
    """The people of each frame of a video, in the order of time. Pictures are not kept."""

    name: str
    """Name of the video in the log."""
    skeleton: Skeleton
    """Joint order of the keypoints."""
    size: tuple[int, int]
    """(width, height) of the upright picture in pixels."""
    nominal_fps: float
    """Frames per second as the video states them."""
    focal: tuple[float, str] | None = None
    """Focal length in pixels by the file's metadata, and what they say."""
    background: Background = field(default_factory=Background)
    """What is beside the people."""
    frames: list[tuple[float, np.ndarray]] = field(default_factory=list)
    """Of each frame its time in seconds, and (P, J, 3) keypoints: pixels of the upright picture, and confidence."""

    def add(self, time_s: float, people: np.ndarray, seen_size: tuple[int, int]) -> None:
        """Add what was found in the next frame.

        Args:
            time_s: Time of the frame in seconds.
            people: (P, J, 3) keypoints in pixels of the picture that the detector saw.
            seen_size: (width, height) of that picture.
        """
        scale = np.array([self.size[0] / seen_size[0], self.size[1] / seen_size[1], 1], np.float32)
        self.frames.append((time_s, np.asarray(people, np.float32) * scale))

    @property
    def times_s(self) -> np.ndarray:
        """(T,) time of each frame in seconds."""
        return np.array([time_s for time_s, _ in self.frames])

    def footage(self) -> Footage:
        """Return what the video says of its camera."""
        focal_px, source = self.focal or (None, "")
        return Footage(focal_px, source, self.background.moved)

    def follow(self, shortest_s: float = PASSING_S) -> tuple[Keypoints2D, ...]:
        """Return everyone over all frames, those seen longest first, numbered; nobody if nobody was found.

        Args:
            shortest_s: People seen for less are left out, and logged.
        """
        tracks = track_clip([people for _, people in self.frames], self.times_s)
        frame_s = self._frame_s()
        anybody = len({frame for track in tracks for frame in track.frames})
        fewest = min(max(_FEWEST_FRAMES, round(_FLICKER_S / frame_s)), anybody)
        order = sorted(range(len(tracks)), key=lambda place: -len(tracks[place].frames))
        order = [place for place in order if len(tracks[place].frames) >= fewest] or order[:1]
        if not order:
            return ()
        lasting = who_lasts([len(tracks[place].frames) * frame_s for place in order], anybody * frame_s, shortest_s)
        passing = [self._sighting(tracks[place]) for place, lasts in zip(order, lasting, strict=True) if not lasts]
        log_passers_by(self.name, passing, shortest_s)
        kept = [place for place, lasts in zip(order, lasting, strict=True) if lasts]
        people = numbered(self._people(tracks, kept))
        for track, person in zip(kept, people, strict=True):
            for sentence in absences(tracks[track], f"person {person.person or 1}"):
                _LOG.warning("%s: %s", self.name, sentence)
        log_doubts(people, self.name)
        self._describe(people)
        return people

    def _frame_s(self) -> float:
        """Return the mean time between two frames."""
        if len(self.frames) < 2:
            return 1 / self.nominal_fps
        return (self.frames[-1][0] - self.frames[0][0]) / (len(self.frames) - 1)

    def _sighting(self, track: Track) -> Sighting:
        frame, place = track.frames[0], track.places[0]
        first_s, people = self.frames[frame]
        joints = people[place]
        shown = joints[np.isfinite(joints).all(-1) & (joints[:, 2] > 0), :2]
        return Sighting(len(track.frames) * self._frame_s(), first_s, middle(shown))

    def _people(self, tracks: list[Track], kept: list[int]) -> list[Keypoints2D]:
        """Return the people of the tracks that are kept, who may continue others of these by their places from 1."""
        doubts, place = [track.may_continue for track in tracks], {number: i for i, number in enumerate(kept, 1)}
        return [
            self._person(tracks[number], tuple(place[other] for other in followed(doubts, number, place)))
            for number in kept
        ]

    def _person(self, track: Track, may_continue: tuple[int, ...]) -> Keypoints2D:
        """Return one person over all frames, at even times."""
        keypoints = np.full((len(self.frames), len(self.skeleton), 3), np.nan, np.float32)
        for frame, place in zip(track.frames, track.places, strict=True):
            keypoints[frame] = self.frames[frame][1][place]
        keypoints, fps = evenly_timed(keypoints, self.times_s, self.nominal_fps)
        confidence = np.nan_to_num(keypoints[..., 2])
        return Keypoints2D(
            keypoints[..., :2], confidence, self.skeleton, fps, self.size, self.frames[0][0], may_continue=may_continue,
            footage=self.footage(),
        )  # fmt: skip

    def _describe(self, people: tuple[Keypoints2D, ...]) -> None:
        """Log in how many frames each person was found, and who is small."""
        for person in people:
            who = "the person" if person.person is None else f"person {person.person}"
            seen = person.seen
            shown = seen.any(1)
            _LOG.info("%s: %s is found in %d of %d frames", self.name, who, shown.sum(), len(person))
            y = np.where(seen[shown], person.xy[shown, :, 1], np.nan)
            if (height := float(np.median(np.nanmax(y, 1) - np.nanmin(y, 1)))) < SMALL_PX:
                _LOG.warning(
                    "%s: %s is about %.0f pixels high; below %d the joints are rough: film closer, or larger",
                    *(self.name, who, height, SMALL_PX),
                )


def evenly_timed(keypoints: np.ndarray, times_s: np.ndarray, nominal_fps: float) -> tuple[np.ndarray, float]:
    """Return keypoints (T, J, 3) at i / fps seconds after the first frame, and the average rate.

    Times between a frame with the person and one without show nobody; times that fall on a frame keep its keypoints.

    Args:
        keypoints: (T, J, 3) of each frame.
        times_s: (T,) time of each frame in seconds.
        nominal_fps: Frames per second, for a single frame.
    """
    if len(times_s) == 1:
        return keypoints, nominal_fps
    fps = float((len(times_s) - 1) / (times_s[-1] - times_s[0]))
    position = np.interp(np.arange(len(times_s)) / fps, times_s - times_s[0], np.arange(len(times_s))).round(6)
    if np.abs(position - np.arange(len(times_s))).max() < 0.5:
        return keypoints, fps
    _LOG.info("the frames are not evenly spaced; keypoints are interpolated to %.3f frames/s", fps)
    before = np.floor(position).astype(int)
    after = np.ceil(position).astype(int)
    weight = (position - before)[:, None, None]
    return np.where(weight > 0, (1 - weight) * keypoints[before] + weight * keypoints[after], keypoints[before]).astype(
        np.float32
    ), fps
