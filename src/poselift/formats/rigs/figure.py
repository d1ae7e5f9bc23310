"""Put a person's motion into a rig: a figure of constant bones whose joints turn."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from poselift.formats.rigs import Rig
from poselift.geometry.body import SIDES, UP, Body, body_of
from poselift.geometry.rotation import shortest_arc
from poselift.sequence import Poses3D, spans

_CLAVICLE, _HIP_JOINT, _NECK, _TOES = 0.2, 0.25, 0.15, 0.72
"""Where bones begin that our joints do not show, as shares: a clavicle from thorax to shoulder, a hip joint from pelvis
to hip, a neck from thorax to skull, and toes from ankle to the tips of the toes."""
_HAND, _HEAD = 0.35, 1.0
"""Length of hands, which end in no joint, by that of the forearm, and of heads by that of the neck."""
_SHORTEST_M = 0.01
_COLLAPSED = 0.5
"""A bone this much shorter than its constant length, as a share of it, has collapsed."""
_FAR_M = 0.05
_AT_ORIGIN_M = 0.1
"""Root-relative poses of a skeleton without a pelvis have the middle of the hips this near to the origin."""


@dataclass
class Joint:
    """A joint of a figure."""

    name: str
    parent: int
    """Index of its parent, which is before it; -1 for the root."""
    rest: np.ndarray
    """(3,) metres: where it is at rest; the soles stand at y = 0, the root above or at the origin."""
    world: np.ndarray
    """(T, 3, 3) rotation; the identity is the rest pose."""
    place: np.ndarray
    """(T, 3) metres: where it is."""
    end: np.ndarray
    """(3,) metres: the end of its bone at rest, as seen from it."""
    children: list[int] = field(default_factory=list)
    source: str | None = None
    """The joint of the poses that it stands for."""
    part: str = ""
    """What it is: `hips`, `trunk`, `neck`, `head`, `clavicle`, `upper_arm`, ..., or `point`."""
    side: str = ""
    """`left`, `right`, or nothing for a joint in the middle."""


@dataclass(frozen=True, eq=False)
class Figure:
    """A rig in motion, in metres with y up."""

    rig: Rig
    joints: tuple[Joint, ...]
    body: Body
    poses: Poses3D
    target: np.ndarray
    """(T, J, 3) metres, y up: where the joints of the poses are in the figure's world."""

    @property
    def offset(self) -> np.ndarray:
        """(J, 3) where each joint is at rest, as seen from its parent; zero for the root."""
        rest = np.array([joint.rest for joint in self.joints])
        parents = [joint.parent for joint in self.joints]
        return np.array([rest[i] - rest[parent] if parent >= 0 else np.zeros(3) for i, parent in enumerate(parents)])

    def local(self, index: int) -> np.ndarray:
        """Return the rotation (T, 3, 3) of a joint against its parent."""
        joint = self.joints[index]
        if joint.parent < 0:
            return joint.world
        return np.asarray(np.swapaxes(self.joints[joint.parent].world, -1, -2) @ joint.world)

    @cached_property
    def off_m(self) -> dict[str, np.ndarray]:
        """(T,) distance of each joint of the poses from the joint that stands for it."""
        skeleton = self.poses.skeleton
        return {
            joint.source: np.linalg.norm(joint.place - self.target[:, skeleton.index(joint.source)], axis=-1)
            for joint in self.joints
            if joint.source is not None
        }

    def cost(self) -> dict[str, Any]:
        """Return what constant bones cost: how far the figure's joints are from those of the poses, and where.

        `far` holds the spans of frames in which a joint is more than 5 cm off, `collapsed` those in which a bone of the
        poses is shorter than half its usual length; both ends are included.
        """
        off_mm: np.ndarray = 1000 * np.stack(list(self.off_m.values()), axis=1)
        frame, worst = np.unravel_index(off_mm.argmax(), off_mm.shape)
        parents, children = np.array(self.poses.skeleton.bones, int).reshape(-1, 2).T
        lengths = np.linalg.norm(self.target[:, children] - self.target[:, parents], axis=-1)
        return {
            "mean_mm": round(float(off_mm.mean()), 1), "max_mm": round(float(off_mm.max()), 1),
            "joint": list(self.off_m)[worst], "frame": int(frame),
            "far": spans(np.any(off_mm > 1000 * _FAR_M, axis=1)),
            "collapsed": spans((lengths < _COLLAPSED * np.median(lengths, axis=0)).any(1)),
        }  # fmt: skip


def pose_rig(poses: Poses3D, rig: Rig) -> Figure:
    """Turn a rig so that its joints are where those of the poses are.

    Bones have constant lengths: medians over the frames, left and right averaged. Bones of arms and legs point as in
    the poses; those of trunk, neck and clavicles at the joint above. The figure goes along the path of the root. Where
    that is not known and the root is always at the origin, it stays as high as it is at rest, so that the figure stands
    on y = 0.

    Raises:
        SkeletonError: A limb lacks a joint.
    """
    target = poses.y_up()
    if poses.path is not None:
        target = target + poses.y_up(poses.path)[:, None]
    body = body_of(target, poses.skeleton)
    builder = _Builder(body, rig)
    if poses.path is None and np.abs(body.places["pelvis"]).max() < _AT_ORIGIN_M:
        target = target + builder.lift
        for joint in builder.joints:
            joint.place = joint.place + builder.lift
    return Figure(rig, tuple(builder.joints), body, poses, target)


class _Builder:
    """Adds the joints of a figure from the root outwards."""

    def __init__(self, body: Body, rig: Rig) -> None:
        self.body, self.rig = body, rig
        self.joints: list[Joint] = []
        self.side = ""  # of the joints that are being added
        self.index: dict[str, int] = {}  # by place of the body, or segment
        rest = body.rest
        feet = [rest[f"{side}_{part}"][1] for side in SIDES for part in ("heel", "toes")]
        self.floor = min(*feet, -0.1)  # below the pelvis
        self.lift = -self.floor * UP
        self._trunk()
        for self.side in SIDES:
            self._arm(self.side)
            self._leg(self.side)
        self.side = ""
        if rig.points:
            self._points()
        for joint in self.joints:
            if joint.children:
                first = self.joints[joint.children[0]]
                joint.end = first.rest - joint.rest if np.linalg.norm(joint.end) < _SHORTEST_M else joint.end

    def _add(
        self, name: str, parent: int, rest: np.ndarray, frame: np.ndarray, *, part: str,
        aim: tuple[np.ndarray, np.ndarray] | None = None, end: np.ndarray | None = None, source: str | None = None,
    ) -> int:  # fmt: skip
        """Add a joint and return its index.

        Args:
            name: Its name.
            parent: Index of its parent.
            rest: (3,) where it is at rest.
            frame: (T, 3, 3) how it turns.
            part: What it is.
            aim: (3,) a place at rest and (T, 3) where that place is: the joint turns by the shortest way from `frame`
                until its bone points there.
            end: (3,) the end of its bone at rest, as seen from it; that of `aim` when None.
            source: The joint of the poses that it stands for.
        """
        above = self.joints[parent]
        place = above.place + above.world @ (rest - above.rest)
        if aim is not None:
            way = aim[0] - rest
            frame = shortest_arc(frame @ way, aim[1] - place) @ frame
            end = way if end is None else end
        end = np.zeros(3) if end is None else end
        self.joints.append(Joint(name, parent, rest, frame, place, end, source=source, part=part, side=self.side))
        above.children.append(len(self.joints) - 1)
        return len(self.joints) - 1

    def _trunk(self) -> None:
        body, rig, rest = self.body, self.rig, self.body.rest
        pelvis, chest, head = (body.frames[name] for name in ("pelvis", "chest", "head"))
        start = body.places["pelvis"]
        still = np.broadcast_to(np.eye(3), pelvis.shape)
        own = body.sources.get("pelvis")
        hips = Joint(_named(rig.hips, own, rig), -1, self.lift, pelvis, start, np.zeros(3), source=own, part="hips")
        if rig.root is not None:
            self.joints.append(Joint(rig.root, -1, np.zeros(3), still, start - self.lift, self.lift, part="root"))
            hips.parent = 0
            self.joints[0].children.append(1)
        self.joints.append(hips)
        self.index["pelvis"] = last = len(self.joints) - 1
        frames = _between(pelvis, chest, len(rig.trunk))
        for frame, (name, height) in zip(frames, rig.trunk, strict=True):
            lower = height < 1
            first, second = ("pelvis", "spine") if lower else ("spine", "thorax")
            at = rest[first] + (height if lower else height - 1) * (rest[second] - rest[first]) + self.lift
            target = None if height == 2 else (rest[second] + self.lift, body.places[second])
            place = "spine" if height == 1 else "thorax" if height == 2 else None
            source = body.sources.get(place) if place else None
            last = self._add(_named(name, source, rig), last, at, frame, part="trunk", aim=target, source=source)
        self.index["chest"] = last
        base = rest["thorax"] + _NECK * (rest["skull"] - rest["thorax"])
        target = (rest["skull"] + self.lift, body.places["skull"])
        for number, (name, frame) in enumerate(
            zip(rig.neck, _between(self.joints[last].world, head, len(rig.neck) + 1)[:-1], strict=True)
        ):
            share = number / len(rig.neck)
            at = base + share * (rest["skull"] - base) + self.lift
            last = self._add(name, last, at, frame, part="neck", aim=target)
        top = body.points.get("head_top", ("", rest["skull"] + _HEAD * (rest["skull"] - rest["thorax"])))[1]
        end = (top - rest["skull"]) * (0, 1, 1)
        self.index["head"] = self._add(
            rig.head, last, rest["skull"] + self.lift, head, part="head", end=end if end[1] > _SHORTEST_M else 0.2 * UP
        )

    def _arm(self, side: str) -> None:
        body, rig, name = self.body, self.rig, self._name(side)
        rest = {part: body.rest[f"{side}_{part}"] + self.lift for part in ("shoulder", "elbow", "wrist")}
        down = _down(SIDES[side], rig.arms_down_deg)
        shoulder = rest["shoulder"]
        elbow, wrist = (shoulder + down @ (rest[part] - shoulder) for part in ("elbow", "wrist"))
        start = body.rest["thorax"] + self.lift
        last = self._add(
            name(rig.clavicle), self.index["chest"], start + _CLAVICLE * (shoulder - start), body.frames["chest"],
            part="clavicle", aim=(shoulder, body.places[f"{side}_shoulder"]),
        )  # fmt: skip
        hand = _HAND * (wrist - elbow)
        for part, at, segment, source in (
            ("upper_arm", shoulder, "upper_arm", "shoulder"),
            ("lower_arm", elbow, "lower_arm", "elbow"),
            ("hand", wrist, "lower_arm", "wrist"),
        ):
            frame = body.frames[f"{side}_{segment}"] @ down.T
            last = self._add(
                name(getattr(rig, part)), last, at, frame, part=part, end=hand if part == "hand" else None,
                source=body.sources[f"{side}_{source}"],
            )  # fmt: skip
            self.index[f"{side}_{part}"] = last

    def _leg(self, side: str) -> None:
        body, rig, name = self.body, self.rig, self._name(side)
        rest = {part: body.rest[f"{side}_{part}"] + self.lift for part in ("hip", "knee", "ankle", "toes")}
        last = self.index["pelvis"]
        if rig.hip_joint is not None:
            start = self.lift + _HIP_JOINT * (rest["hip"] - self.lift)
            last = self._add(name(rig.hip_joint), last, start, body.frames["pelvis"], part="hip_joint")
        for part, place in (("upper_leg", "hip"), ("lower_leg", "knee"), ("foot", "ankle")):
            last = self._add(
                name(getattr(rig, part)), last, rest[place], body.frames[f"{side}_{part}"], part=part,
                source=body.sources[f"{side}_{place}"],
                end=rest["toes"] - rest["ankle"] if part == "foot" else None,
            )  # fmt: skip
            self.index[f"{side}_{part}"] = last
        if rig.toes is not None:
            ball = rest["ankle"] + (rest["toes"] - rest["ankle"]) * (1, 1, _TOES)
            self._add(name(rig.toes), last, ball, body.frames[f"{side}_foot"], part="toes", end=rest["toes"] - ball)

    def _points(self) -> None:
        """Add the joints of the poses that only move with a segment."""
        taken = {joint.name for joint in self.joints}
        for source, (segment, rest) in self.body.points.items():
            parent, name = self.index[segment], source
            while name in taken:
                name += "_"
            taken.add(name)
            carrier, place = self.joints[parent], rest + self.lift
            self._add(
                name, parent, place, carrier.world, part="point", end=_little(place - carrier.rest), source=source
            )

    def _name(self, side: str) -> Any:
        word = self.rig.sides[list(SIDES).index(side)]
        return lambda pattern: pattern.format(word)


def _named(name: str, source: str | None, rig: Rig) -> str:
    """Return a trunk joint's name: in our own rig, that of the joint of the poses that it stands for."""
    return source if rig.points and source is not None else name


def _little(offset: np.ndarray) -> np.ndarray:
    """Return an end of 2 cm for a point, away from what carries it."""
    length = float(np.linalg.norm(offset))
    return np.asarray(0.02 * (offset / length if length > 0 else UP))


def _down(sign: float, degrees: float) -> np.ndarray:
    """Return the rotation (3, 3) that brings an arm from straight out to `degrees` down."""
    angle = -sign * np.radians(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])


def _between(first: np.ndarray, last: np.ndarray, steps: int) -> list[np.ndarray]:
    """Return `steps` rotations (T, 3, 3) that lead evenly from the first (not included) to the last (included)."""
    from scipy.spatial.transform import Rotation  # takes 0.1 s to import

    turn = Rotation.from_matrix(np.swapaxes(first, -1, -2) @ last).as_rotvec()
    return [
        first @ Rotation.from_rotvec(turn * (step / steps)).as_matrix() if step < steps else last
        for step in range(1, steps + 1)
    ]
