"""A person's segments: where they are, and how each is turned against a T pose that faces +z.

Joints show the direction of every bone, but not how it twists. Anatomy decides that here, once for every file format
that holds rotations: the hips turn the pelvis, the shoulders the chest, eyes, ears and nose the head, heels and toes
the feet; elbows and knees are hinges, whose axis fixes the twist of the bone above (`poselift.geometry.hinges`).
"""

from dataclasses import dataclass

import numpy as np

from poselift.errors import SkeletonError
from poselift.geometry.hinges import hinge_twist, seen_twist
from poselift.geometry.rotation import frame_from_axes, shortest_arc
from poselift.skeleton import Skeleton

SIDES = {"left": 1.0, "right": -1.0}
"""The sides of the body, and the sign of x there in the T pose."""
LEFT, UP, FORWARD = np.eye(3)
_LIMBS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
_NECK_BASES = ("thorax", "neck", "upper_neck")
_TOES = (("big_toe", "small_toe"), ("foot_index",), ("foot",))
_TOE_BY_SHIN, _HEEL_BY_SHIN = np.array([0.0, -0.18, 0.42]), np.array([0.0, -0.18, -0.12])
"""Toes and heel of a foot that was not seen, from the ankle, for a shin of length 1: proportions of an adult."""
_NOSE_TO_HEAD_TOP = np.array([0.0, 0.96, -0.28])  # of length 1
"""Direction from Human3.6M's "Neck/Nose" to the top of a level head, which leans back by 16 degrees: the median of CMU
motion capture, in the axes of the head."""
_NOSE_FORWARD_M = 0.036
"""How far that joint is in front of the line from the thorax to the top of the head, in the same data."""
_NOSE = 0.1
"""Weight of the direction that it shows: the head's turn follows it within about 3 frames."""
_ROLL, _TOES_APART = 0.5, 0.12
"""Weight of the line from toe to toe, which shows how a foot rolls, and its length for a shin of length 1. It is short:
where joints are a centimetre off, it leans by 15 degrees. The foot's roll follows it within 1 or 2 frames."""
_HEAD_ABOVE_EARS_M = -0.02
"""Height of the joint between neck and skull against the ears."""


@dataclass(frozen=True, eq=False)
class Body:
    """One person's segments over time.

    Segments are `pelvis`, `chest`, `head`, and for each side `upper_arm`, `lower_arm`, `upper_leg`, `lower_leg`,
    `foot` and `hand` (`left_foot`). A hand goes on as its forearm does.
    """

    frames: dict[str, np.ndarray]
    """World rotation (T, 3, 3) of each segment; the identity is the T pose."""
    places: dict[str, np.ndarray]
    """(T, 3) where the joints of arms and legs are, and `pelvis`, `spine`, `thorax`, `skull`, `toes` and `heel`."""
    rest: dict[str, np.ndarray]
    """(3,) the same places in the T pose with bones of constant length; the pelvis is at the origin."""
    points: dict[str, tuple[str, np.ndarray]]
    """Joints that move with a segment: its name, and the (3,) place in the T pose. For face, feet and hands."""
    sources: dict[str, str]
    """Joint of the skeleton that a place is taken from; computed places are not in here."""
    assumed: tuple[str, ...]
    """Segments that no joint shows: how they turn is a guess."""


def body_of(xyz: np.ndarray, skeleton: Skeleton) -> Body:
    """Find the segments of a person.

    Args:
        xyz: (T, J, 3) joints in metres, y up, right-handed.
        skeleton: Joint order, with all joints of arms and legs. A pelvis that it lacks is taken between the hips, a
            thorax between the shoulders, a spine between these two.

    Raises:
        SkeletonError: A limb lacks a joint.
    """
    _check(skeleton)
    return _Finder(np.asarray(xyz, float), skeleton).body()


def _check(skeleton: Skeleton) -> None:
    missing = [joint for joint in _limb_joints() if joint not in skeleton]
    if missing:
        raise SkeletonError(
            f"{skeleton.name} has no joint {', '.join(missing)}, so that arms and legs cannot be turned; "
            "convert to H36M_17 first"
        )


def _limb_joints() -> list[str]:
    return [f"{side}_{part}" for side in SIDES for part in _LIMBS]


class _Finder:
    """Finds places first, then the frames of the segments from the pelvis outwards, then the T pose."""

    def __init__(self, xyz: np.ndarray, skeleton: Skeleton) -> None:
        self.xyz, self.skeleton = xyz, skeleton
        self.assumed: list[str] = []
        self.places: dict[str, np.ndarray] = {}
        self.sources: dict[str, str] = {}
        self.frames: dict[str, np.ndarray] = {}
        for joint in _limb_joints():
            self._take(joint, joint)
        base = next((name for name in _NECK_BASES if name in skeleton), "thorax")
        self._take_or_halve("pelvis", "pelvis", "left_hip", "right_hip")
        self._take_or_halve("thorax", base, "left_shoulder", "right_shoulder")
        self._take_or_halve("spine", "spine", "pelvis", "thorax")

    def body(self) -> Body:
        """Return the whole body."""
        self._trunk()
        self._head()
        for side in SIDES:
            self._arm(side)
            self._leg(side)
        points = self._points()
        return Body(self.frames, self.places, self._rest(), points, self.sources, tuple(self.assumed))

    def _take(self, place: str, joint: str) -> None:
        self.places[place], self.sources[place] = self.at(joint), joint

    def _take_or_halve(self, place: str, joint: str, first: str, second: str) -> None:
        """Take a place from a joint, or from half-way between two places when there is no such joint."""
        if joint in self.skeleton:
            self._take(place, joint)
        else:
            self.places[place] = (self.places[first] + self.places[second]) / 2

    def at(self, joint: str) -> np.ndarray:
        return self.xyz[:, self.skeleton.index(joint)]

    def _bone(self, start: str, end: str) -> np.ndarray:
        return self.places[end] - self.places[start]

    def _trunk(self) -> None:
        hips, shoulders = (self._bone(f"right_{part}", f"left_{part}") for part in ("hip", "shoulder"))
        self.frames["pelvis"] = _carried(*frame_from_axes(hips, self._bone("pelvis", "spine")))
        # y is exactly along the trunk, and x as near as possible to the shoulders
        upper = self._bone("spine", "thorax")
        across, exists = frame_from_axes(upper, -shoulders)
        chest = np.stack([-across[:, :, 1], across[:, :, 0], across[:, :, 2]], axis=-1)
        self.frames["chest"] = _carried(chest, exists)

    def _head(self) -> None:
        """Turn the head by eyes, ears and nose; without these by its top, and by the chest about that."""
        chest = self.frames["chest"]
        pairs = [part for part in ("eye", "ear") if all(f"{side}_{part}" in self.skeleton for side in SIDES)]
        fronts = [f"{side}_eye" for side in SIDES if "eye" in pairs]
        if "nose" in self.skeleton and "ear" in pairs:
            sideways = sum(self.at(f"left_{part}") - self.at(f"right_{part}") for part in pairs)
            ears = (self.at("left_ear") + self.at("right_ear")) / 2
            # the eyes are as far above the ears as the nose is below them: midway, a level head looks straight ahead
            eyes = (self.at(fronts[0]) + self.at(fronts[1])) / 2 if fronts else self.at("nose")
            forward = (self.at("nose") + eyes) / 2 - ears
            across, exists = frame_from_axes(np.asarray(sideways), np.cross(forward, sideways))
            self.frames["head"] = _carried(across, exists)
        elif "nose" in self.skeleton and "head_top" in self.skeleton:
            up, line = self.at("head_top") - self.at("nose"), self.at("head_top") - self.places["thorax"]
            nose, length = self.at("nose") - self.places["thorax"], np.linalg.norm(line, axis=-1, keepdims=True)
            line = line / np.maximum(length, 1e-9)
            forward = nose - (nose * line).sum(-1, keepdims=True) * line
            weight = _NOSE * np.minimum(np.linalg.norm(forward, axis=-1) / _NOSE_FORWARD_M, 1) ** 2
            both = np.stack([up, forward], axis=1)
            self.frames["head"] = seen_twist(chest, _NOSE_TO_HEAD_TOP, LEFT, both, weight)
            self.assumed.append("head")
        else:
            top = next((name for name in ("head_top", "head", "nose") if name in self.skeleton), None)
            up = chest @ UP if top is None else self.at(top) - self.places["thorax"]
            self.frames["head"] = shortest_arc(chest @ UP, up) @ chest
            self.assumed.append("head")
        self._skull(pairs)

    def _skull(self, pairs: list[str]) -> None:
        """Place the joint between neck and head: above the base of the neck when the head is level, near the ears."""
        head, neck = self.frames["head"], self.places["thorax"]
        marks = [name for name in ("nose", "head", "head_top") if name in self.skeleton]
        if "ear" in pairs:
            origin, height = (self.at("left_ear") + self.at("right_ear")) / 2, _HEAD_ABOVE_EARS_M
        elif marks:
            share = 0.6 if marks[0] == "head_top" else 1.0
            origin, height = neck + share * (self.at(marks[0]) - neck), 0.0
        else:
            shoulders = np.linalg.norm(self._bone("right_shoulder", "left_shoulder"), axis=-1)
            origin, height = neck + 0.3 * np.median(shoulders) * head[:, :, 1], 0.0
        backward = np.median(_local(head, neck - origin)[:, 2])
        self.places["skull"] = origin + head @ np.array([0.0, height, backward])

    def _arm(self, side: str) -> None:
        out = SIDES[side] * LEFT
        bones = np.stack(
            [self._bone(f"{side}_shoulder", f"{side}_elbow"), self._bone(f"{side}_elbow", f"{side}_wrist")]
        )
        upper = hinge_twist(self.frames["chest"], out, -SIDES[side] * UP, bones.swapaxes(0, 1))
        self.frames[f"{side}_upper_arm"] = upper
        self.frames[f"{side}_lower_arm"] = shortest_arc(upper @ out, bones[1]) @ upper
        self.frames[f"{side}_hand"] = self.frames[f"{side}_lower_arm"]

    def _leg(self, side: str) -> None:
        bones = np.stack([self._bone(f"{side}_hip", f"{side}_knee"), self._bone(f"{side}_knee", f"{side}_ankle")])
        upper = hinge_twist(self.frames["pelvis"], -UP, LEFT, bones.swapaxes(0, 1))
        self.frames[f"{side}_upper_leg"] = upper
        lower = self.frames[f"{side}_lower_leg"] = shortest_arc(upper @ -UP, bones[1]) @ upper
        ankle, shin = self.places[f"{side}_ankle"], np.median(np.linalg.norm(bones[1], axis=-1))
        toes = next((group for group in _TOES if all(f"{side}_{part}" in self.skeleton for part in group)), None)
        if toes is None:
            self.frames[f"{side}_foot"] = lower
            self.assumed.append(f"{side}_foot")
            self.places[f"{side}_toes"] = ankle + lower @ (shin * _TOE_BY_SHIN)
            self.places[f"{side}_heel"] = ankle + lower @ (shin * _HEEL_BY_SHIN)
            return
        tips = [self.at(f"{side}_{part}") for part in toes]
        self.places[f"{side}_toes"] = sum(tips) / len(tips)  # type: ignore[assignment]
        if f"{side}_heel" in self.skeleton:
            self._take(f"{side}_heel", f"{side}_heel")
            across = SIDES[side] * (tips[-1] - tips[0]) if len(tips) == 2 else lower @ LEFT
            weight = _ROLL * np.minimum(np.linalg.norm(across, axis=-1) / (_TOES_APART * shin + 1e-9), 1) ** 2
            both = np.stack([self._bone(f"{side}_heel", f"{side}_toes"), across], axis=1)
            self.frames[f"{side}_foot"] = seen_twist(lower, FORWARD, UP, both, weight)
        else:
            rest = _TOE_BY_SHIN / np.linalg.norm(_TOE_BY_SHIN)
            foot = shortest_arc(lower @ rest, self._bone(f"{side}_ankle", f"{side}_toes")) @ lower
            self.frames[f"{side}_foot"] = foot
            self.places[f"{side}_heel"] = ankle + foot @ (shin * _HEEL_BY_SHIN)

    def _length(self, start: str, end: str) -> float:
        """Return the median length of a bone, that of left and right averaged."""
        sides = [(start, end)]
        if end.startswith(("left_", "right_")):
            sides = [(_on(side, start), _on(side, end)) for side in SIDES]
        return float(np.mean([np.median(np.linalg.norm(self._bone(*bone), axis=-1)) for bone in sides]))

    def _rest(self) -> dict[str, np.ndarray]:
        rest = {"pelvis": np.zeros(3), "spine": self._length("pelvis", "spine") * UP}
        rest["thorax"] = rest["spine"] + self._length("spine", "thorax") * UP
        rest["skull"] = rest["thorax"] + self._length("thorax", "skull") * UP
        hips, toes, heels = (
            self._mirrored(start, end, frame)
            for start, end, frame in (("pelvis", "hip", "pelvis"), ("ankle", "toes", "foot"), ("ankle", "heel", "foot"))
        )
        for side, sign in SIDES.items():
            out, mirror = sign * LEFT, np.array([sign, 1, 1])
            rest[f"{side}_hip"] = hips * mirror
            rest[f"{side}_shoulder"] = rest["thorax"] + self._length("thorax", f"{side}_shoulder") * out
            for start, end, way in (
                ("shoulder", "elbow", out), ("elbow", "wrist", out), ("hip", "knee", -UP), ("knee", "ankle", -UP),
            ):  # fmt: skip
                length = self._length(f"{side}_{start}", f"{side}_{end}")
                rest[f"{side}_{end}"] = rest[f"{side}_{start}"] + length * way
            rest[f"{side}_toes"] = rest[f"{side}_ankle"] + toes * mirror
            rest[f"{side}_heel"] = rest[f"{side}_ankle"] + heels * mirror
        return rest

    def _mirrored(self, start: str, end: str, segment: str) -> np.ndarray:
        """Return where the left `end` is against `start`, in the axes of a segment; left and right are averaged."""
        found = np.zeros(3)
        for side, sign in SIDES.items():
            own = segment if segment in self.frames else f"{side}_{segment}"
            bone = self._bone(start if start in self.places else f"{side}_{start}", f"{side}_{end}")
            found += np.median(_local(self.frames[own], bone), axis=0) * (sign, 1, 1) / 2
        return found

    def _points(self) -> dict[str, tuple[str, np.ndarray]]:
        """Return the joints that are not among the places, each with the segment that carries it, and where."""
        rest, skeleton = self._rest(), self.skeleton
        taken = {skeleton.index(joint): place for place, joint in self.sources.items() if not place.endswith("heel")}
        carriers: dict[int, tuple[str, str]] = {}
        for index in skeleton.topological:
            name, parent = skeleton.joints[index], skeleton.parents[index]
            if index in taken:
                carriers[index] = (_segment_at(taken[index]), taken[index])
            else:
                carriers[index] = carriers.get(parent, ("pelvis", "pelvis"))
                if _is_of_head(name) or (taken.get(parent) == "thorax"):
                    carriers[index] = ("head", "skull")
        found: dict[str, np.ndarray] = {}
        for index, name in enumerate(skeleton.joints):
            if index not in taken:
                segment, place = carriers[index]
                local = _local(self.frames[segment], self.at(name) - self.places[place])
                found[name] = np.median(local, axis=0)
        points = {}
        for name, own in found.items():
            other = skeleton.joints[skeleton.flipped[skeleton.index(name)]]
            if other == name and carriers[skeleton.index(name)][0] in ("head", "chest", "pelvis"):
                own = own * (0, 1, 1)
            elif other in found:
                own = (own + found[other] * (-1, 1, 1)) / 2
            segment, place = carriers[skeleton.index(name)]
            points[name] = (segment, rest[place] + own)
        return points


def _is_of_head(name: str) -> bool:
    return name.removeprefix("left_").removeprefix("right_").split("_")[0] in ("nose", "eye", "ear", "head", "mouth")


def _segment_at(place: str) -> str:
    """Return the segment that begins at a place."""
    side, _, part = place.partition("_")
    begin = {"hip": "upper_leg", "knee": "lower_leg", "ankle": "foot", "shoulder": "upper_arm", "elbow": "lower_arm"}
    if side in SIDES:
        return f"{side}_{begin.get(part, 'hand')}"
    return "pelvis" if place == "pelvis" else "chest"


def _on(side: str, place: str) -> str:
    """Return a place on the other or the same side; one in the middle as it is."""
    first, _, part = place.partition("_")
    return f"{side}_{part}" if first in SIDES else place


def _local(frames: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Return vectors (T, 3) in the axes of frames (T, 3, 3)."""
    return np.asarray(np.einsum("tji,tj->ti", frames, vectors))


def _carried(frames: np.ndarray, exists: np.ndarray) -> np.ndarray:
    """Return frames (T, 3, 3) with those that do not exist replaced by the nearest before, else after; or unturned."""
    known = np.flatnonzero(exists)
    if len(known) == 0:
        return np.broadcast_to(np.eye(3), frames.shape)
    before = np.maximum(np.searchsorted(known, np.arange(len(frames)), side="right") - 1, 0)
    return np.asarray(frames[known[before]])
