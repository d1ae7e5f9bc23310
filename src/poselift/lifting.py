"""The inference path, top to bottom: one person's 2D keypoints to 3D motion.

convert -> repair (outliers, swapped sides, strays) -> resample -> feed (calibrated, filled, normalised windows)
-> lifter (and its mirror image) -> turn into the frame asked for -> blend and stitch -> resample back -> add what was
observed

Whatever else a lifter gives, spread, up and contact, goes the same way as its joints (`poselift.lifters.answer`).
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from poselift.checks import check as check_person
from poselift.errors import DetectionError, FormatError
from poselift.geometry.camera import Camera
from poselift.geometry.rotation import shortest_arc
from poselift.lifters.answer import Answer, ask, join
from poselift.lifters.contract import Lifter, check_lifter, frame_of
from poselift.lifters.load import AUTO, load_lifter
from poselift.prepare.convert import convert
from poselift.prepare.feed import Feed
from poselift.prepare.flip import flip
from poselift.prepare.normalize import calibrate
from poselift.prepare.repair import Faults, find_faults
from poselift.prepare.repair import repair as repair_moments
from poselift.prepare.resample import resample_keypoints, resample_poses
from poselift.prepare.window import Windows, cut
from poselift.sequence import CAMERA, FRAMES, TURNED_CAMERA, Keypoints2D, Poses3D, expect_keypoints, say_spans, spans
from poselift.skeleton import Skeleton

_LOG = logging.getLogger(__name__)

Turn = Callable[[np.ndarray], np.ndarray]
"""From places in the picture (B, 2), pixels, to matrices (B, 1, 3, 3) for `joints @ matrix`."""
Progress = Callable[[int, int], None]
"""Takes the number of frames done and that of all."""
BATCH = 64
"""Number of windows lifted at a time; more is not faster on a laptop and takes memory."""
LONGEST_GUESS_S = 0.25
"""Seconds from the nearest sighting of the person beyond which a frame is a gap: in a quarter of a stride limbs may go
anywhere."""
FASTEST_TURN_RAD = 12 * np.pi
"""Radians a second by which a pelvis turns at most, six turns: as fast as figure skaters spin."""
NARROWEST_HIPS = 0.4
"""Hips closer together than this share of the clip's median distance are between two answers of the network."""
HIPS = ("left_hip", "right_hip")
DOUBTFUL = (
    "the pelvis turns faster than anybody can, or its hips collapse: left and right are confused in the keypoints; the "
    "hips are marked as not observed"
)
"""What is said of frames whose pelvis cannot be right."""
FEWEST_JOINTS = 3
"""Number of joints that a frame must show to count as a sighting."""


def lift(
    keypoints: Keypoints2D,
    lifter: Lifter | None = None,
    *,
    flip_average: bool = False,
    repair: bool = True,
    frame: str | None = None,
    camera: Camera | None = None,
    gaps: Literal["mark", "fill"] = "mark",
    check: bool = True,
    progress: Progress | None = None,
) -> Poses3D:
    """Lift one person's keypoints to 3D.

    Args:
        keypoints: Any skeleton that has the limbs, any frame rate, one frame or more; joints may be unseen.
        lifter: The network; when None, the shipped weights that suit the clip (`poselift.lifters.choose`).
        flip_average: Average with the result of the mirror image: a little better, in twice the time.
        repair: First leave out frames that show something else than the person for a moment and joints that jump far
            away and back, and undo short exchanges of left and right (`poselift.prepare.repair`).
        frame: Axes of the result, "camera" or "turned_camera" (`poselift.sequence.FRAMES`). When None, the lifter's
            own (`poselift.lifters.contract.frame_of`): "turned_camera" for person-scale weights, such as the shipped
            ones, and "camera" for `SCREEN` weights.
        camera: Camera whose intrinsics turn one into the other; its R and t are not used.
        gaps: "mark" marks frames farther than `LONGEST_GUESS_S` from any sighting as gaps; "fill" marks none. Their
            poses are filled in either way, and `observed` is 0 there.
        check: Log what is wrong with the keypoints (`poselift.checks`), errors and warnings alike, and frames whose
            pelvis cannot be right; nothing is refused.
        progress: Called with (frames done, frames in all) now and then.

    Returns:
        One pose for each frame of the keypoints: metres, relative to the pelvis, with what was observed of each joint,
        and what else the lifter gives: `spread`, `up`, `contact`. Nothing counts as observed of the hips in frames
        whose pelvis cannot be right (`doubtful_pelvis`).

    Raises:
        KindError: `keypoints` is an array, several people, or something else.
        FormatError: The weights need the picture's size, which the keypoints do not have; or the frame wanted is not
            the lifter's, and there is no camera.
        SkeletonError: The keypoints lack joints that cannot be made up.
        DetectionError: No joint was seen in any frame.
        ShapeError: The lifter's result has another shape than it announces, is not finite, or out of range.
    """
    expect_keypoints(keypoints)
    lifter = lifter or load_lifter(AUTO, fps=keypoints.fps, length=len(keypoints))
    check_lifter(lifter)
    turn = _turning(frame_of(lifter), frame, camera)
    clip = prepare(keypoints, lifter, repair=repair)
    if check:
        _log_findings(keypoints)
    found = _lift_windows(lifter, clip, flip_average, turn, progress)
    facts: dict[str, Any] = {"frame": frame or frame_of(lifter), "camera": camera}
    poses = clip.as_poses(lifter, found, facts | {"about": about(lifter, flip_average, repair)})
    return with_doubts(poses, clip, mark=gaps == "mark", log=check)


@dataclass(frozen=True, eq=False)
class Prepared:
    """One person's clip, cut into the windows of a lifter. Whatever lifts a clip goes through it."""

    keypoints: Keypoints2D
    """The keypoints as they came, T frames."""
    observed: np.ndarray
    """(T, J) calibrated confidence in the lifter's joints, 0 where unseen."""
    frames: np.ndarray
    """(N, J, 3) of `Feed.filled_clip`, at the lifter's rate."""
    windows: Windows
    """The frames of each window."""

    def whole(self, lifter: Lifter, chunks: Sequence[Answer]) -> Answer:
        """Return the answer (N, ...) to the clip from the answers to its windows.

        A lifter of single frames knows nothing of a frame that shows nobody: it gets the pose between its neighbours.
        """
        answer = join(chunks).stitched(self.windows)
        return answer.filled(np.any(self.frames[..., 2] > 0, 1)) if lifter.in_frames == 1 else answer

    def as_poses(self, lifter: Lifter, answer: Answer, facts: Mapping[str, Any]) -> Poses3D:
        """Return poses at the rate of the keypoints.

        Args:
            lifter: The lifter that answered.
            answer: (N, ...) of all frames, stitched.
            facts: Other fields of `Poses3D`.
        """
        extras = {name: part for name, part in answer.parts.items() if name != "joints"}
        poses = Poses3D(answer.joints, lifter.skeleton, lifter.fps, **extras, **facts)
        return resample_poses(poses, self.keypoints.fps, len(self.keypoints))


def prepare(keypoints: Keypoints2D, lifter: Lifter, *, repair: bool = True) -> Prepared:
    """Return one person's keypoints in the joints, at the rate and in the windows of a lifter.

    Raises:
        FormatError: The weights need the picture's size, which the keypoints do not have.
        SkeletonError: The keypoints lack joints that cannot be made up.
        DetectionError: No joint was seen in any frame.
    """
    source = convert(keypoints, lifter.skeleton)
    if not source.seen.any():
        raise DetectionError("no joint was seen in any frame: there is nobody to lift; check the detector's output")
    source = repair_moments(source) if repair else source
    rated = resample_keypoints(source, lifter.fps)
    windows = cut(len(rated), lifter.in_frames, lifter.out_frames)
    return Prepared(keypoints, calibrate(source.filled()[1]), Feed.of(lifter).filled_clip(rated), windows)


def about(lifter: Lifter, flip_average: bool, repair: bool) -> dict[str, str]:
    """Return what made poses, for `Poses3D.about`: weights without a card are called by their class."""
    card = getattr(lifter, "card", None)
    about = {"weights": type(lifter).__name__ if card is None else str(card.name)}
    about |= {"flip": "averaged with the mirror image"} if flip_average else {}
    return about if repair else about | {"repair": "off"}


def with_doubts(poses: Poses3D, clip: Prepared, *, mark: bool = True, log: bool = False) -> Poses3D:
    """Return the poses of a clip with what is known about them: who, when, gaps, and what was observed."""
    keypoints, observed = clip.keypoints, clip.observed.copy()
    gap = far_from_sightings(observed, poses.fps) if mark else None
    doubtful = doubtful_pelvis(replace(poses, observed=observed))
    if log and doubtful.any():
        _LOG.warning("frames %s: %s", say_spans(spans(doubtful)), DOUBTFUL)
    observed[np.ix_(doubtful, np.array(poses.skeleton.indices(HIPS)))] = 0
    who: dict[str, Any] = {
        "start_s": keypoints.start_s,
        "person": keypoints.person,
        "may_continue": keypoints.may_continue,
    }
    return replace(poses, observed=observed, gap=gap, **who)


def faults_in(keypoints: Keypoints2D, skeleton: Skeleton) -> Faults:
    """Return what `lift` repairs in keypoints; `mended` gives them as they were lifted, in their own joints.

    Args:
        keypoints: Any skeleton that has the limbs.
        skeleton: Joints of the lifter.

    Raises:
        SkeletonError: The keypoints lack joints that cannot be made up.
    """
    return find_faults(convert(keypoints, skeleton))


def _log_findings(keypoints: Keypoints2D) -> None:
    """Log the errors and warnings of the checks, each with its advice."""
    for finding in check_person(keypoints):
        if finding.severity != "info":
            level = logging.ERROR if finding.severity == "error" else logging.WARNING
            _LOG.log(level, f"{finding.check}: {finding.wrong}; then {finding.effect}; advice: {finding.advice}")


def _lift_windows(
    lifter: Lifter, clip: Prepared, flip_average: bool, turn: Turn | None, progress: Progress | None
) -> Answer:
    """Return the answer (N, ...) to a clip: fed, lifted, turned, blended, stitched."""
    windows, feed, chunks = clip.windows, Feed.of(lifter), []
    for start in range(0, len(windows.index), BATCH):
        chosen = slice(start, start + BATCH)
        shown = clip.frames[windows.index[chosen]], windows.inside[chosen]
        answer = run_lifter(lifter, feed.windows(*shown, filled=True), flip_average)
        if turn:
            answer = answer.turned(turn(feed.places(*shown, clip.keypoints.image_size)))
        chunks.append(answer.from_root(lifter.skeleton.root))
        if progress:
            progress(min((start + BATCH) * len(lifter.out_frames), windows.num_frames), windows.num_frames)
    return clip.whole(lifter, chunks)


def run_lifter(lifter: Lifter, inputs: np.ndarray, flip_average: bool) -> Answer:
    """Return a network's answer to windows (B, T, J, C), averaged with the mirror image's if `flip_average` is set.

    Raises:
        ShapeError: A part of it has another shape than the lifter announces, is not finite, or out of range.
    """
    answer = ask(lifter, inputs)
    if flip_average:
        answer = answer.averaged(ask(lifter, flip(inputs, lifter.skeleton)).mirrored(lifter.skeleton))
    return answer


def turn_to(directions: np.ndarray) -> np.ndarray:
    """Return rotations (B, 1, 3, 3) from a camera turned to look in these directions (B, 3) to the camera itself."""
    return shortest_arc(np.array([0.0, 0.0, 1.0]), directions)[:, None]


def far_from_sightings(observed: np.ndarray, fps: float) -> np.ndarray:
    """Return a mask (T,) of frames farther than `LONGEST_GUESS_S` from any frame that shows the person.

    Args:
        observed: (T, J) confidence, 0 where unseen.
        fps: Frames per second.
    """
    frames = np.arange(len(observed))
    sighted = np.flatnonzero((observed > 0).sum(1) >= FEWEST_JOINTS)
    if not len(sighted):
        return np.ones(len(observed), bool)
    after = np.searchsorted(sighted, frames).clip(max=len(sighted) - 1)
    before = (after - 1).clip(min=0)
    distance = np.minimum(np.abs(sighted[after] - frames), np.abs(frames - sighted[before]))
    return distance > LONGEST_GUESS_S * fps


def doubtful_pelvis(poses: Poses3D) -> np.ndarray:
    """Return a mask (T,) of frames whose pelvis cannot be right, as left and right are confused in the keypoints.

    There it turns faster than `FASTEST_TURN_RAD`, or its hips are closer together than `NARROWEST_HIPS` allows. Frames
    that show nobody are filled in, and not among them.
    """
    left, right = poses.skeleton.indices(HIPS)
    across = poses.xyz[:, left].astype(np.float64) - poses.xyz[:, right]
    width = np.linalg.norm(across, axis=-1)
    doubtful = width < NARROWEST_HIPS * np.median(width)
    across /= width.clip(min=1e-9)[:, None]
    turn = np.arccos((across[1:] * across[:-1]).sum(-1).clip(-1, 1))
    fast = np.flatnonzero(turn * poses.fps > FASTEST_TURN_RAD)
    doubtful[fast] = doubtful[fast + 1] = True
    return doubtful if poses.observed is None else doubtful & (poses.observed > 0).any(1)


def _turning(own: str, wanted: str | None, camera: Camera | None) -> Turn | None:
    """Return what turns the rows of joints from the lifter's own frame into the one wanted; None if they are one."""
    if wanted not in (None, CAMERA, TURNED_CAMERA):
        raise FormatError(
            f"wanted the frame {CAMERA} or {TURNED_CAMERA}, got {wanted!r}; frames are {', '.join(FRAMES)}"
        )
    if wanted in (None, own):
        return None
    if camera is None:
        raise FormatError(
            f"these weights answer in the frame {own}; to turn that into {wanted}, give the camera (camera=..., or "
            "--focal PIXELS and --image-size WIDTH HEIGHT)"
        )
    rays = camera.rays
    if wanted == TURNED_CAMERA:
        return lambda places: turn_to(rays(places))
    return lambda places: turn_to(rays(places)).swapaxes(-1, -2)
