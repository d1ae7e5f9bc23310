"""One world for a stream: up, floor and sizes converge while frames come, and then hold; roots and feet without delay.

What `poselift.refine.place` finds of a clip at once is found here of the frames so far. Samples of everybody, ten a
second, go into a memory of constant size; whenever it has grown by a quarter, up and floor are found anew by the code
for clips (`poselift.refine.gravity`), and each person's size from the bones (`poselift.refine.bones`). What is shown
goes there within a second, so that nobody jumps. After `HOLD_S` seconds of standing feet the floor holds, and after
`HOLD_S` seconds of bones a size does.
"""

import logging
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from poselift.errors import ShapeError
from poselift.geometry.camera import Camera
from poselift.geometry.rotation import shortest_arc
from poselift.refine.bones import bone_lengths, checked_height, is_upright, stature
from poselift.refine.focal import ASSUMED, assumed_camera, camera_of
from poselift.refine.gravity import PLANTED, Feet, Ground, feet_of, find_ground, find_up, with_angles
from poselift.refine.locks import FootLocks
from poselift.refine.moving import carried
from poselift.refine.root import RootFilter, Sight
from poselift.refine.scale import ADULT_M, LEAST_M
from poselift.refine.scene import world_camera
from poselift.sequence import CAMERA, TURNED_CAMERA, WORLD, Poses3D, unit_vectors
from poselift.skeleton import Skeleton

_LOG = logging.getLogger(__name__)
SAMPLE_S = 0.1
"""Seconds between two samples of a person."""
KEPT = 400
"""Samples of everybody that are kept, the latest."""
HOLD_S = 10.0
"""Seconds of standing feet after which the floor holds, and of bones after which a size does."""
EASE_S = 0.3
"""Seconds, of an exponential, in which what is shown goes to what was found."""
GROWN = 1.25
"""The floor is found anew when there are so many times as many samples as the last time."""
LOOK_S = 4.0
"""Seconds over which a world that holds is compared with what is seen."""
MOVED_DEG, MOVED_M = 15.0, 0.35
"""By so much up or the floor must be off, over `LOOK_S`, for the camera to have been moved."""
MOVED = "the camera was moved: up and floor are found anew"
CARRIED = (
    "The camera moves, or people are on a treadmill: paths are relative to the camera, not over the ground. "
    "--no-contacts says that it is a treadmill; for a moving camera, use --no-world."
)
"""What is said of feet that are carried: a stream's background is not looked at."""
CHANGED = "the picture's size changed: the world is found anew"


@dataclass(frozen=True, kw_only=True)
class WorldOptions:
    """What is known of the people and the camera of a stream."""

    height_m: float | None = None
    """Height of everybody in metres; None for an adult's mean, 1.70."""
    focal_px: float | None = None
    """Focal length in pixels; None for a usual one, 0.85 of the picture's longer side."""
    pitch_deg: float | None = None
    """Degrees by which the camera looks down; found when None."""
    roll_deg: float | None = None
    """Degrees by which the camera is turned clockwise; found when None."""
    contacts: bool = True
    """Feet that touch the ground are at rest. False for treadmills."""

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            ShapeError: A height or an angle is out of range.
        """
        if self.height_m is not None:
            checked_height(self.height_m)
        for name, angle in (("pitch_deg", self.pitch_deg), ("roll_deg", self.roll_deg)):
            if angle is not None and not -180 <= angle <= 180:
                raise ShapeError(f"wanted {name} from -180 to 180 degrees, got {angle:g}")

    def camera(self, image_size: tuple[int, int]) -> Camera:
        """Return the camera for pictures (width, height), at the origin."""
        return assumed_camera(image_size) if self.focal_px is None else camera_of(self.focal_px, image_size)


@dataclass(frozen=True, eq=False)
class _Sample:
    """One person at one moment; lengths at the size that was lifted."""

    who: int
    time_s: float
    points: np.ndarray
    """(P, 3): points of the feet from the camera."""
    contact: np.ndarray
    heights: np.ndarray
    known: bool
    poses: Poses3D
    """One frame in camera axes."""


@dataclass
class _Walker:
    """One person in the room."""

    root: RootFilter
    locks: FootLocks
    bones: deque[Poses3D] = field(default_factory=lambda: deque(maxlen=KEPT // 4))
    size: float = 0.0
    """Metres of the person for each metre that was lifted, as shown; 0 before the first frame."""
    wanted: float = 1.0
    counted: int = 0
    sampled_s: float = -np.inf
    time_s: float = -np.inf


class OnlineRoom:
    """The world of a stream with one camera at rest: z up, metres, floor at 0."""

    def __init__(self, options: WorldOptions, image_size: tuple[int, int]) -> None:
        """Start without people.

        Args:
            options: What is known.
            image_size: (width, height) of the picture in pixels.

        Raises:
            ShapeError: The focal length is out of range.
        """
        self._options = options
        self.seen_by = options.camera(image_size)
        """The camera at the origin."""
        self.restarts = 0
        """Times that the world was found anew, because the camera was moved."""
        self._begin()

    def _begin(self) -> None:
        """Forget the floor and everybody's place; sizes are found anew too."""
        self._walkers: dict[int, _Walker] = {}
        self._samples: deque[_Sample] = deque(maxlen=KEPT)
        self._count = self._found_at = 0
        self._stood_s = 0.0
        self._found: Ground | None = None
        self._shown: Ground | None = None
        self._shown_s = self._looked_s = -np.inf
        self._first: tuple[int, np.ndarray] | None = None
        self._camera: Camera | None = None
        self._carried = False
        self.settled = False
        """Whether up and floor hold."""

    @property
    def guesses(self) -> tuple[str, ...]:
        """What is guessed, a sentence each, with the flag that decides it."""
        assert self.seen_by.K is not None
        guessed = []
        if self.seen_by.name == ASSUMED:
            focal = self.seen_by.K[0, 0]
            guessed.append(f"The focal length is a guess ({focal:.0f} px); --focal or --fov says what it is.")
        if self._options.height_m is None:
            guessed.append(f"Heights are not known and taken as {ADULT_M:.2f} m; --height says what they are.")
        return tuple(guessed)

    @property
    def ground(self) -> Ground | None:
        """The floor as it is shown, in camera axes; None before the first pose."""
        return self._shown

    def forget(self, who: int) -> None:
        """Forget a person who has left."""
        self._walkers.pop(who, None)

    def place(self, poses: Poses3D, keypoints: np.ndarray, place: np.ndarray, who: int = 0) -> Poses3D:
        """Return a person's pose in the world.

        Args:
            poses: One frame, in the frame "camera" or "turned_camera"; frames of a person come in the order of time.
            keypoints: (J, 3) pixels and calibrated confidence of that moment, in the joints of the poses.
            place: (2,) pixels: where in the picture the person is on the mean over the window.
            who: Number of the person.
        """
        walker = self._walkers.get(who)
        if walker is None:
            assert self.seen_by.K is not None
            walker = self._walkers[who] = _Walker(RootFilter(self.seen_by.K), FootLocks(poses.skeleton))
        poses, time_s = self._in_camera_axes(poses, place), poses.start_s
        self._resize(walker, poses, time_s)
        xyz = poses.xyz.astype(np.float64) * walker.size
        feet = feet_of(poses, xyz)
        if not self._options.contacts or self._carried:
            feet = feet.unused()
        gap = poses.gap is not None and bool(poses.gap[0])
        confidence = keypoints[:, 2] * (not gap)
        spread = None if poses.spread is None else poses.spread[0] * walker.size
        sight = Sight(
            xyz[0], keypoints[:, :2].astype(np.float64), confidence, spread, feet.points[0],
            feet.contact[0], feet.heights,
        )  # fmt: skip
        known = self._shown if self._found is not None else None
        up = np.array([0.0, -1.0, 0.0]) if known is None else known.up
        root = walker.root.step(sight, time_s, up, None if known is None else known.height)
        walker.time_s = time_s
        if time_s - walker.sampled_s >= SAMPLE_S - 1e-6 and not gap:
            walker.sampled_s = time_s
            self._sample(who, walker, poses, feet, root)
        self._ease(time_s)
        return self._in_world(walker, who, poses, xyz[0], root, feet)

    def _in_camera_axes(self, poses: Poses3D, place: np.ndarray) -> Poses3D:
        if poses.frame != TURNED_CAMERA:
            return poses
        turn = shortest_arc(np.array([0.0, 0.0, 1.0]), self.seen_by.rays(place)).T.astype(np.float32)
        others = {**vars(poses), "xyz": poses.xyz @ turn, "frame": CAMERA}
        if poses.up is not None:
            others["up"] = poses.up @ turn
        return Poses3D.trusted(**others)

    def _resize(self, walker: _Walker, poses: Poses3D, time_s: float) -> None:
        """Find a person's size anew when there is more of them, and go there."""
        if is_upright(poses.skeleton):
            if time_s - walker.sampled_s >= SAMPLE_S - 1e-6 and walker.counted * SAMPLE_S < HOLD_S:
                walker.bones.append(poses)
                walker.counted += 1
                if walker.counted < 4 or _is_due(walker.counted):
                    lifted = stature(bone_lengths(_joined(walker.bones)), poses.skeleton)
                    walker.wanted = (self._options.height_m or ADULT_M) / max(lifted, LEAST_M)
        before = walker.size
        walker.size = (
            walker.wanted if not before else before + (walker.wanted - before) * _eased(time_s - walker.time_s)
        )
        if before and walker.size != before:
            walker.root.scaled(walker.size / before)

    def _sample(self, who: int, walker: _Walker, poses: Poses3D, feet: Feet, root: np.ndarray) -> None:
        """Remember a moment; find the floor anew when it is due, or see whether the camera was moved."""
        points = (root + feet.points[0]) / walker.size
        self._samples.append(
            _Sample(who, walker.time_s, points, feet.contact[0], feet.heights / walker.size, feet.known, poses)
        )
        self._count += 1
        if (feet.contact > PLANTED).any():
            self._stood_s += SAMPLE_S
        if self._first is None:
            self._first = (who, root / walker.size)
        if self.settled:
            if walker.time_s - self._looked_s >= 1:
                self._looked_s = walker.time_s
                self._look(walker.time_s)
            return
        if self._count < 4 or self._count >= GROWN * self._found_at or self._stood_s >= HOLD_S:
            self._found_at = self._count
            self._found = self._find(self._samples)
            self.settled = self._stood_s >= HOLD_S
            if self.settled:
                _LOG.info("the floor is found and holds (%s)", self._found.source)

    def _find(self, samples: deque[_Sample] | list[_Sample]) -> Ground:
        """Return the floor from samples of everybody."""
        given = (self._options.pitch_deg, self._options.roll_deg)
        up = find_up([(poses, poses.xyz.astype(np.float64)) for poses in (_joined([s.poses for s in samples]),)])
        up = with_angles(up, *given)
        people = [self._feet(samples, who) for who in dict.fromkeys(sample.who for sample in samples)]
        if not self._carried and (velocity := carried(people)) is not None:
            self._carried = True
            _LOG.warning("planted feet move together at %.1f m/s. %s", np.linalg.norm(velocity), CARRIED)
            people = [(feet.unused(), path, fps) for feet, path, fps in people]
        return with_angles(find_ground(up, people, fixed=None not in given), *given)

    def _feet(self, samples: deque[_Sample] | list[_Sample], who: int) -> tuple[Feet, np.ndarray, float]:
        """Return one person's feet at the size that is shown, with a path of zeros, and the samples a second."""
        own = [sample for sample in samples if sample.who == who]
        size = self._walkers[who].size if who in self._walkers else (self._options.height_m or ADULT_M) / ADULT_M
        points = np.stack([sample.points for sample in own]) * size
        feet = Feet(points, np.stack([sample.contact for sample in own]), own[0].heights * size, own[0].known)
        return feet, np.zeros((len(own), 3)), 1 / SAMPLE_S

    def _look(self, time_s: float) -> None:
        """Begin anew if the camera was moved: up or the floor is elsewhere for `LOOK_S`."""
        latest = [sample for sample in self._samples if time_s - sample.time_s <= LOOK_S]
        if len(latest) < LOOK_S / SAMPLE_S / 2 or self._found is None:
            return
        people = [self._feet(latest, who) for who in dict.fromkeys(sample.who for sample in latest)]
        off = [self._found.above(feet.points)[feet.contact > PLANTED] for feet, _, _ in people]
        heights = np.concatenate(off)
        sunk = len(heights) >= 10 and float(np.quantile(heights, 0.75)) < -MOVED_M  # nobody stands under the floor
        turned = False
        if latest[0].poses.up is not None and None in (self._options.pitch_deg, self._options.roll_deg):
            now = find_up([(poses, poses.xyz.astype(np.float64)) for poses in (_joined([s.poses for s in latest]),)])
            turned = float(now.up @ self._found.up) < np.cos(np.deg2rad(MOVED_DEG))
        if sunk or turned:
            _LOG.warning(MOVED)
            restarts = self.restarts + 1
            self._begin()
            self.restarts = restarts

    def _ease(self, time_s: float) -> None:
        """Let the floor that is shown go towards the one that was found."""
        if self._found is None:
            return
        share, self._shown_s = _eased(time_s - self._shown_s), max(time_s, self._shown_s)
        if self._shown is None:
            self._shown, self._camera = self._found, None
        elif self._shown is not self._found and share > 0:
            up = unit_vectors(self._shown.up + share * (self._found.up - self._shown.up), self._found.up)
            height = self._shown.height + share * (self._found.height - self._shown.height)
            near = abs(height - self._found.height) < 1e-4 and float(up @ self._found.up) > 1 - 1e-9
            shown = Ground(up, height, self._found.error_deg, self._found.source)
            self._shown, self._camera = self._found if near and self.settled else shown, None

    def _in_world(
        self, walker: _Walker, who: int, poses: Poses3D, xyz: np.ndarray, root: np.ndarray, feet: Feet
    ) -> Poses3D:
        """Return a pose (J, 3), at its size and in camera axes, in the world, with feet that stand."""
        if self._camera is None:
            if self._shown is None or self._first is None:  # nothing but gaps so far
                self._first = self._first or (who, root / walker.size)
                self._shown = self._shown or self._find([_Sample(who, poses.start_s, (root + feet.points[0]) /
                    walker.size, feet.contact[0], feet.heights / walker.size, feet.known, poses)])  # fmt: skip
            first = self._walkers[self._first[0]].size if self._first[0] in self._walkers else walker.size
            self._camera = world_camera(self._shown, self._first[1] * first, self.seen_by)
        camera = self._camera
        there = camera.to_world(root + xyz)
        contact = feet.contact[0] if feet.contact.shape[1] == 4 else np.zeros(4)
        there = walker.locks(there, contact, poses.start_s)
        pelvis = there[poses.skeleton.root]
        others = {
            **vars(poses),
            "xyz": (there - pelvis)[None].astype(np.float32),
            "path": pelvis[None].astype(np.float32),
            "up": np.array([[0, 0, 1]], np.float32),
            "spread": None if poses.spread is None else poses.spread * np.float32(walker.size),
            "camera": camera,
            "frame": WORLD,
        }
        return Poses3D.trusted(**others)


def _eased(step_s: float) -> float:
    """Return the share of the way that is gone in a time."""
    return float(1 - np.exp(-max(step_s, 0.0) / EASE_S)) if np.isfinite(step_s) else 1.0


def _is_due(count: int) -> bool:
    """Return whether sizes are found anew at a number of samples: 4, 5, 6, 8, 10, ... a quarter more each time."""
    due = 4
    while due < count:
        due = max(due + 1, int(due * GROWN))
    return due == count


def _joined(poses: "deque[Poses3D] | list[Poses3D]") -> Poses3D:
    """Return frames of people of one skeleton in a row."""
    first = poses[0]
    made: dict[str, Any] = {}
    for name in ("xyz", "observed", "gap", "spread", "up", "contact"):
        parts = [getattr(each, name) for each in poses]
        made[name] = None if parts[0] is None else np.concatenate(parts)
    skeleton: Skeleton = first.skeleton
    return Poses3D.trusted(made.pop("xyz"), skeleton, 1 / SAMPLE_S, CAMERA, **made)
