"""Read and write Biovision hierarchy (BVH) files: a tree of joints and their rotations over time, for animation."""

import json
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
from scipy.spatial.transform import Rotation

from poselift.formats.lines import Lines
from poselift.formats.motion import MOST_JOINTS, Motion, check_size
from poselift.geometry.kinematics import FittedRotations, fit_rotations, forward_kinematics
from poselift.geometry.rotation import unwrap_euler
from poselift.sequence import Poses3D, spans
from poselift.skeleton import Skeleton

_CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "xyz")
_CM_PER_M = 100.0
_SHORTEST_S = 1e-6
_COLLAPSED = 0.5
"""A bone this much shorter than its constant length, as a share of it, has collapsed."""
_log = logging.getLogger("poselift")
_FOOT = np.array([0.0, 0.0, 1.0])
_IN_NAMES = "".join(char for char in map(chr, range(ord("!"), ord("~") + 1)) if char not in "{}%")
"""Characters that stand in a BVH file as they are in names of joints; others are written as in a URL, such as %20."""


def read_bvh(path: str | Path, *, scale: float = 1.0) -> Motion:
    """Read a BVH file.

    Keywords may be in any case, channels in any order and number, and position channels on any joint (they replace its
    offset, as in Blender). End Sites may have names. Comments (`#`) are skipped, the second joint of one name is called
    `Arm.001`, and a remark is made if the number of complete frames is not the one that the file says. Names are
    decoded as those in a URL (`left%20knee`), which is how `write_bvh` writes characters that BVH has no place for.

    Args:
        path: Path of the file.
        scale: Factor on all lengths: 0.01 for metres from a file in centimetres (the format does not name its unit).

    Returns:
        The joints and their motion; lengths are in the file's unit times `scale`.

    Raises:
        FormatError: The file cannot be read, or is broken; the message names the line.
    """
    return _Parser(Lines(Path(path))).motion(scale)


class _Parser:
    """Parser that goes over the lines of a file once."""

    def __init__(self, lines: Lines) -> None:
        self.lines = lines
        self._rows = self._words()
        self.joints: list[str] = []
        self._names: set[str] = set()
        self._same: dict[str, int] = {}  # by a joint's name, the last number that was given to another one of that name
        self.parents: list[int] = []
        self.offsets: list[np.ndarray] = []
        self.channels: list[tuple[str, ...]] = []  # of each joint, in file order, lower case

    def _words(self) -> Iterator[list[str]]:
        """Yield the words of each line, as if every brace were on a line of its own."""
        for words in self.lines.words():
            for part in " ".join(words).replace("{", "\n{\n").replace("}", "\n}\n").split("\n"):
                if part.strip():
                    yield part.split()

    def next(self, wanted: str) -> list[str]:
        """Return the words of the next line."""
        words = next(self._rows, None)
        if words is None:
            raise self.lines.error(wanted, "the end of the file")
        return words

    def expect(self, keyword: str) -> list[str]:
        """Return the words after a keyword that must come next."""
        word, *rest = self.next(keyword)
        if word.lower() != keyword.lower():
            raise self.lines.error(keyword, f"'{' '.join([word, *rest])[:60]}'")
        return rest

    def labelled(self, label: str) -> float:
        """Return the number after a label and a colon, with or without spaces between them."""
        line = " ".join(self.next(f"{label}:"))
        name, colon, value = line.partition(":")
        if name.strip().lower() != label.lower() or not colon:
            raise self.lines.error(f"{label}:", f"'{line[:60]}'")
        return float(self.lines.numbers(value.split(), 1, f"{label}:")[0])

    def motion(self, scale: float) -> Motion:
        """Return the motion of the whole file, with lengths scaled."""
        self.expect("HIERARCHY")
        self._hierarchy()
        said, frame_time = self.labelled("Frames"), self.labelled("Frame Time")
        if frame_time < _SHORTEST_S or said < 0 or said != int(said):
            raise self.lines.error("a positive frame time and number of frames", f"{said:g} of {frame_time:g} s")
        columns = sum(len(channels) for channels in self.channels)
        what = f"the {columns} channels of a frame"
        rows = [self.lines.numbers(words, columns, what) for words in self._rows]
        if not rows:
            raise self.lines.error("at least one frame", "none")
        check_size(str(self.lines.path), len(rows), len(self.joints), columns)
        remarks = [f"Frames: says {said:.0f}, and there are {len(rows)}; all are read"] if said != len(rows) else []
        xyz, rotations = self._move(np.array(rows), scale)
        offsets = np.array(self.offsets) * scale
        joints, parents = tuple(self.joints), tuple(self.parents)
        return Motion(joints, parents, offsets, xyz, rotations, _fps(frame_time), remarks=tuple(remarks))

    def _move(self, values: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
        """Return world positions (T, J, 3) and rotations (T, J, 3, 3) for the channels' values (T, channels)."""
        translations = np.repeat(np.array(self.offsets)[None] * scale, len(values), axis=0)
        rotations = np.broadcast_to(np.eye(3), (*translations.shape, 3)).copy()
        columns = iter(values.T)
        for joint, channels in enumerate(self.channels):
            angles = {}
            for name in channels:
                if name.endswith("position"):
                    translations[:, joint, "xyz".index(name[0])] = next(columns) * scale
                else:
                    angles[name[0].upper()] = next(columns)
            if angles:
                turned = Rotation.from_euler("".join(angles), np.stack(list(angles.values()), axis=-1), degrees=True)
                rotations[:, joint] = turned.as_matrix()
        return forward_kinematics(tuple(self.parents), translations, rotations)

    def _hierarchy(self) -> None:
        """Read everything from ROOT to MOTION."""
        self._joint(self.expect("ROOT"), -1)
        open_joints = [0]
        while open_joints:
            words = self.next("JOINT, End Site or }")
            keyword = words[0].lower()
            if keyword == "}":
                open_joints.pop()
            elif keyword == "joint":
                self._joint(words[1:], open_joints[-1])
                open_joints.append(len(self.joints) - 1)
            elif [word.lower() for word in words[:2]] == ["end", "site"]:
                self._end_site(open_joints[-1])
            else:
                raise self.lines.error("JOINT, End Site or }", f"'{' '.join(words)[:60]}'")
        self.expect("MOTION")

    def _joint(self, name: list[str], parent: int) -> None:
        joint = unquote(" ".join(name))
        if not joint:
            raise self.lines.error("a joint with a name", "none")
        self.expect("{")
        offset = self.lines.numbers(self.expect("OFFSET"), 3, "OFFSET")
        count, *channels = self.expect("CHANNELS") or [""]
        channels = [channel.lower() for channel in channels]
        if count != str(len(channels)) or len(set(channels)) != len(channels):
            raise self.lines.error("CHANNELS, their number and their names", f"'{' '.join([count, *channels])}'")
        for channel in channels:
            if channel not in _CHANNELS:
                raise self.lines.error("channels such as Xposition or Zrotation", f"'{channel}'")
        self._add(joint, parent, offset, tuple(channels))

    def _end_site(self, parent: int) -> None:
        self.expect("{")
        offset = self.lines.numbers(self.expect("OFFSET"), 3, "OFFSET")
        self.expect("}")
        self._add(f"{self.joints[parent]}_end", parent, offset, ())

    def _add(self, joint: str, parent: int, offset: np.ndarray, channels: tuple[str, ...]) -> None:
        name, number = joint, self._same.get(joint, 0)
        while name in self._names:
            number += 1
            name = f"{joint}.{number:03}"
        self._same[joint] = number
        self._names.add(name)
        if len(self.joints) == MOST_JOINTS:
            raise self.lines.error(f"up to {MOST_JOINTS} joints", "more")
        self.joints.append(name)
        self.parents.append(parent)
        self.offsets.append(offset)
        self.channels.append(channels)


def _fps(frame_time: float) -> float:
    """Return frames per second: a whole number if `frame_time` in seconds is that number's inverse to six decimals."""
    whole = round(1 / frame_time)
    return float(whole) if whole and abs(1 / whole - frame_time) < 1e-6 else 1 / frame_time


def write_bvh(poses: Poses3D, path: Path) -> None:
    """Write poses as a BVH figure in centimetres with y up; the figure faces +z when the person faces the camera.

    BVH has no place for how far joints were observed: `write_bvh_notes` writes that into a file beside it.

    The rest pose is a T pose with constant bones (median lengths, left and right averaged); `fit_rotations` describes
    how joints twist. Where several bones leave a joint, each hangs from a joint at the same place (`thorax_to_nose`)
    that holds its direction, so that joint positions are kept and only changes of bone length are lost. Euler angles do
    not jump, and the axis that turns least is the middle one, away from gimbal lock: legs ZYX, arms ZXY, root, trunk
    and head YZX.

    Args:
        poses: Joints of a skeleton whose hips hang from its only root.
        path: Path of the file; an existing file is overwritten.

    Raises:
        SkeletonError: The skeleton has no single root that both hips hang from.
        OSError: The file cannot be written.
    """
    xyz_cm = _CM_PER_M * poses.y_up()
    root = poses.skeleton.root
    figure = _figure(poses.skeleton, fit_rotations(xyz_cm, poses.skeleton), root)
    angles = unwrap_euler(np.stack(list(_angles(figure, np.eye(3))), axis=1)).reshape(len(poses), -1)
    lines = ["HIERARCHY", *_hierarchy(figure, 0)]
    lines += ["MOTION", f"Frames: {len(poses)}", f"Frame Time: {1 / poses.fps:.8f}"]
    lines += [_numbers(frame) for frame in np.concatenate([xyz_cm[:, root], angles], axis=-1)]
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def write_bvh_notes(poses: Poses3D, path: Path) -> None:
    """Write what a BVH file cannot hold, as JSON: unit, frame, rate, gaps, and frames in which joints were not seen.

    Frames count from 0, and a span includes both its ends. `unseen` holds, for each joint that was not seen in some
    frames, the spans of these; it is null where this is unknown. `constant_bones` says what the constant bones of the
    BVH figure cost: how far its joints are from the poses, in millimetres, and the spans of frames in which a bone of
    the poses is shorter than half its length in the figure. The distances are logged, too.
    """
    notes = {
        "format": "poselift-bvh-notes", "unit": "cm", "frame": poses.frame,
        "axes": "y up; who faces +z faces the camera", "fps": poses.fps, "frames": len(poses),
        "start_s": poses.start_s, "person": poses.person, "may_continue": poses.may_continue,
        "gaps": poses.gaps, "unseen": None,
    }  # fmt: skip
    if poses.observed is not None:
        joints = {name: spans(poses.observed[:, joint] <= 0) for joint, name in enumerate(poses.skeleton.joints)}
        notes["unseen"] = {name: found for name, found in joints.items() if found}
    notes["constant_bones"] = cost = _cost_of_constant_bones(poses)
    _log.info(
        "the bones of the BVH figure are of constant length: its joints are %.0f mm off on average, %.0f mm at most "
        "(%s in frame %d)",
        *(cost["mean_mm"], cost["max_mm"], cost["joint"], cost["frame"]),
    )
    path.write_text(json.dumps(notes, indent=1) + "\n", encoding="utf-8")


def _cost_of_constant_bones(poses: Poses3D) -> dict[str, Any]:
    """Return how far the figure's joints are from those of the poses, and in which frames bones collapse."""
    xyz, skeleton = poses.y_up(), poses.skeleton
    fitted = fit_rotations(xyz, skeleton)
    off_mm = 1000 * np.linalg.norm(fitted.positions(xyz[:, skeleton.root], skeleton) - xyz, axis=-1)
    frame, joint = np.unravel_index(off_mm.argmax(), off_mm.shape)
    parents, children = np.array(skeleton.bones).T
    short = np.linalg.norm(xyz[:, children] - xyz[:, parents], axis=-1) < _COLLAPSED * fitted.lengths[children]
    return {
        "mean_mm": round(float(off_mm.mean()), 1), "max_mm": round(float(off_mm.max()), 1),
        "joint": skeleton.joints[joint], "frame": int(frame), "collapsed": spans(short.any(-1)),
    }  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Node:
    name: str
    offset: np.ndarray  # (3,) from the parent, at rest
    world: np.ndarray  # (T, 3, 3) rotation
    order: str  # of its Euler angles
    end: np.ndarray  # (3,) offset of the End Site of a leaf
    children: "list[_Node]"


def _figure(skeleton: Skeleton, fitted: FittedRotations, joint: int) -> _Node:
    """Return a joint with all joints below it."""
    offsets = fitted.rest * fitted.lengths[:, None]
    children = [child for parent, child in skeleton.bones if parent == joint]
    nodes = [_figure(skeleton, fitted, child) for child in children]
    name, offset, end = skeleton.joints[joint], offsets[joint], np.zeros(3)
    if len(children) == 1:
        (child,) = children
        return _Node(name, offset, fitted.bone[:, child], _euler_order(fitted.rest[child]), end, nodes)
    if not children:
        end = (_FOOT if name.endswith("ankle") else fitted.rest[joint]) * max(fitted.lengths[joint] / 4, 1.0)
    nodes = [
        _Node(
            _free_name(f"{name}_to_{node.name}", skeleton),
            end,
            fitted.bone[:, child],
            _euler_order(fitted.rest[child]),
            end,
            [node],
        )
        for child, node in zip(children, nodes, strict=True)
    ]
    return _Node(name, offset, fitted.joint[:, joint], _euler_order(fitted.rest[joint]), end, nodes)


def _free_name(name: str, skeleton: Skeleton) -> str:
    """Return a name that no joint of the skeleton has: the given one, or with underscores after it."""
    while name in skeleton:
        name += "_"
    return name


def _euler_order(rest: np.ndarray) -> str:
    """Return the order of Euler angles in which the middle axis is the one that a bone turns least about."""
    sideways, up, _ = rest
    if sideways:
        return "ZXY"
    return "ZYX" if up < 0 else "YZX"


def _hierarchy(node: _Node, depth: int) -> Iterator[str]:
    """Yield the lines of the HIERARCHY section."""
    indent, rotations = "\t" * depth, " ".join(f"{axis}rotation" for axis in node.order)
    channels = f"3 {rotations}" if depth else f"6 Xposition Yposition Zposition {rotations}"
    yield f"{indent}{'JOINT' if depth else 'ROOT'} {quote(node.name, _IN_NAMES, errors='backslashreplace') or '_'}"
    yield f"{indent}{{"
    yield f"{indent}\tOFFSET {_numbers(node.offset)}"
    yield f"{indent}\tCHANNELS {channels}"
    for child in node.children:
        yield from _hierarchy(child, depth + 1)
    if not node.children:
        yield from (f"{indent}\tEnd Site", f"{indent}\t{{", f"{indent}\t\tOFFSET {_numbers(node.end)}", f"{indent}\t}}")
    yield f"{indent}}}"


def _angles(node: _Node, parent: np.ndarray) -> Iterator[np.ndarray]:
    """Yield (T, 3) Euler angles in degrees of each joint relative to its parent, in the order of the hierarchy."""
    turned = Rotation.from_matrix(np.swapaxes(parent, -1, -2) @ node.world)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Gimbal lock")  # any of the equal angles will do
        yield turned.as_euler(node.order, degrees=True)
    for child in node.children:
        yield from _angles(child, node.world)


def _numbers(values: np.ndarray) -> str:
    return " ".join([f"{value:.6f}" for value in (values.round(6) + 0.0).tolist()])  # + 0.0: -0.0 becomes 0.0
