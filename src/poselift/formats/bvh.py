"""Read and write Biovision hierarchy (BVH) files: a tree of joints and their rotations over time, for animation."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import numpy as np
from scipy.spatial.transform import Rotation

from poselift.formats.beside import write_notes
from poselift.formats.digits import decimal_rows
from poselift.formats.lines import Lines
from poselift.formats.motion import MOST_JOINTS, Motion, check_size
from poselift.formats.options import FileOptions
from poselift.formats.rigs import get_rig
from poselift.formats.rigs.figure import Figure, pose_rig
from poselift.formats.rigs.notes import knowledge_of
from poselift.geometry.kinematics import forward_kinematics
from poselift.geometry.rotation import euler_degrees, unwrap_euler
from poselift.sequence import Poses3D

_CHANNELS = tuple(f"{axis}{kind}" for kind in ("position", "rotation") for axis in "xyz")
_SHORTEST_S = 1e-6
_ANGLE_DECIMALS = 4
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


def write_bvh(poses: Poses3D, path: Path, *, rig: str = "poselift", unit: str = "cm") -> Figure:
    """Write poses as a BVH figure with y up; the figure faces +z when the person faces the camera.

    The figure is a rig with bones of constant length (`poselift.formats.rigs.figure.pose_rig`); its root goes
    along `poses.path` where that is known, and else is where the poses have it. Euler angles do not jump, and the axis
    that turns least is the middle one, away from gimbal lock: legs ZYX, arms ZXY, the others YZX. BVH has no place for
    how far joints were observed: `write_bvh_notes` writes that into a file beside it.

    Args:
        poses: Joints of a skeleton with all joints of arms and legs.
        path: Path of the file; an existing file is overwritten.
        rig: Name of the figure, one of `poselift.formats.rigs.RIGS`.
        unit: Unit of length: cm, m, mm or in. Blender takes the numbers for metres.

    Returns:
        The figure that was written.

    Raises:
        FormatError: There is no such rig or unit.
        SkeletonError: A limb of the skeleton lacks a joint.
        OSError: The file cannot be written.
    """
    options = FileOptions(rig=rig, unit=unit)
    figure = pose_rig(poses, get_rig(rig))
    write_figure(figure, path, options)
    return figure


def write_bvh_notes(poses: Poses3D, path: Path, *, made: Figure, rig: str = "poselift", unit: str = "cm") -> None:
    """Write what a BVH file cannot hold: its unit, and `poselift.formats.rigs.notes.knowledge_of` its figure.

    Args:
        poses: The poses.
        path: Path of the notes.
        made: The figure that `write_bvh` returned for these poses and options.
        rig: Name of the figure.
        unit: Unit of length in the BVH file.
    """
    write_notes(path, kind="bvh", unit=unit, known=knowledge_of(made))


def write_figure(figure: Figure, path: Path, options: FileOptions) -> None:
    """Write a rig in motion; `write_bvh` says how."""
    scale, decimals = options.units_per_m, options.decimals
    angles = np.empty((len(figure.poses), len(figure.joints), 3))
    for column, index in enumerate(_depth_first(figure, 0)):
        angles[:, column] = unwrap_euler(euler_degrees(figure.local(index), _euler_order(figure.joints[index].part)))
    lines = ["HIERARCHY", *_hierarchy(figure, 0, 0, scale, decimals)]
    lines += ["MOTION", f"Frames: {len(angles)}", f"Frame Time: {1 / figure.poses.fps:.8f}", ""]
    # positions need more decimals in metres than in centimetres, angles always the same
    root = _rows(figure.joints[0].place * scale, decimals)
    turns = _rows(angles.reshape(len(angles), -1), _ANGLE_DECIMALS)
    rows = [f"{place} {turned}\n" for place, turned in zip(root, turns, strict=True)]
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(lines))
        file.writelines(rows)


def _depth_first(figure: Figure, index: int) -> Iterator[int]:
    """Yield the indices of a joint and all below it, in the order of the hierarchy."""
    yield index
    for child in figure.joints[index].children:
        yield from _depth_first(figure, child)


def _euler_order(part: str) -> str:
    """Return the order of Euler angles in which the middle axis is the one that a bone turns least about."""
    if part in ("clavicle", "upper_arm", "lower_arm", "hand"):
        return "ZXY"
    return "ZYX" if part in ("upper_leg", "lower_leg", "foot", "toes") else "YZX"


def _hierarchy(figure: Figure, index: int, depth: int, scale: float, decimals: int) -> Iterator[str]:
    """Yield the lines of the HIERARCHY section."""
    joint, indent = figure.joints[index], "\t" * depth
    rotations = " ".join(f"{axis}rotation" for axis in _euler_order(joint.part))
    channels = f"3 {rotations}" if depth else f"6 Xposition Yposition Zposition {rotations}"
    yield f"{indent}{'JOINT' if depth else 'ROOT'} {quote(joint.name, _IN_NAMES, errors='backslashreplace') or '_'}"
    yield f"{indent}{{"
    yield f"{indent}\tOFFSET {_numbers(figure.offset[index] * scale, decimals)}"
    yield f"{indent}\tCHANNELS {channels}"
    for child in joint.children:
        yield from _hierarchy(figure, child, depth + 1, scale, decimals)
    if not joint.children:
        end = _numbers(joint.end * scale, decimals)
        yield from (f"{indent}\tEnd Site", f"{indent}\t{{", f"{indent}\t\tOFFSET {end}", f"{indent}\t}}")
    yield f"{indent}}}"


def _numbers(values: np.ndarray, decimals: int) -> str:
    (row,) = _rows(values[None], decimals)
    return row


def _rows(values: np.ndarray, decimals: int) -> list[str]:
    """Return rows of numbers (N, M) as text with spaces between two numbers."""
    ends = [*[" "] * (values.shape[1] - 1), "\n"]
    return "".join(decimal_rows(values, decimals, ends)).splitlines()
