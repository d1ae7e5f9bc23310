"""Acclaim motion capture: a skeleton file (ASF) and the motion of it (AMC), as the CMU data base has them.

A bone of the skeleton is a segment. The joint that carries its name here is the segment's near end, which is what turns
it and what BVH files call so: `lfemur` is the left hip, `lhand` the left wrist. The far end of a segment without others
beyond it is a joint too: `head_end`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from poselift.errors import FormatError, did_you_mean
from poselift.geometry.kinematics import forward_kinematics

_METRES_PER_INCH = 0.0254
_ROOT = "root"
_CHANNELS = ("tx", "ty", "tz", "rx", "ry", "rz")


@dataclass(frozen=True, eq=False)
class AmcMotion:
    """Joints of one recording: metres, right-handed, y up."""

    joints: tuple[str, ...]
    """`root`, then the bones, then the far ends of the last ones (`head_end`)."""
    parents: tuple[int, ...]
    """Index of each joint's parent; -1 for the root."""
    offsets: np.ndarray
    """(J, 3) position against the parent at rest."""
    xyz: np.ndarray
    """(T, J, 3) float64 world positions."""
    rotations: np.ndarray
    """(T, J, 3, 3) float64 world rotations; the identity is the rest pose."""
    fps: float
    """Frames per second, as the caller said: the format does not hold it."""


@dataclass
class _Bone:
    """What the skeleton file says of a bone, filled in as it is read."""

    name: str = ""
    direction: np.ndarray = field(default_factory=lambda: np.zeros(3))  # near to far end
    length: float = 0.0  # in the file's unit
    axis: Rotation = field(default_factory=Rotation.identity)
    channels: list[str] = field(default_factory=list)  # in the order of the motion file's numbers
    parent: str = ""

    @property
    def offset(self) -> np.ndarray:
        """(3,) of its far end from its near end at rest."""
        return self.direction * self.length


class _Reader:
    """Lines of a file as words, and errors that know where they are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line = 0
        try:
            self.text = path.read_text(encoding="utf-8-sig", errors="replace")
        except OSError as error:
            raise FormatError(f"cannot read {path}: {error.strerror}") from error

    def words(self) -> Iterator[list[str]]:
        """Words of each line that has any and is no comment."""
        for number, line in enumerate(self.text.splitlines(), start=1):
            self.line = number
            if (words := line.split()) and not line.lstrip().startswith("#"):
                yield words

    def error(self, wanted: str, got: str) -> FormatError:
        """The error that names file and line."""
        return FormatError(
            f"{self.path}:{self.line}: wanted {wanted}, got {got}; the file is broken or not what its name says"
        )

    def numbers(self, words: list[str], count: int, what: str) -> np.ndarray:
        """`count` finite numbers (count,), or an error that says for what they were wanted."""
        try:
            found = np.array(words, dtype=float)
        except ValueError:
            found = np.array([])
        if len(words) != count or len(found) != count or not np.isfinite(found).all():
            raise self.error(f"{count} finite numbers for {what}", f"'{' '.join(words)[:60]}'")
        return found


def read_amc(asf_path: str | Path, amc_path: str | Path, *, fps: float = 120.0) -> AmcMotion:
    """Read a motion and the skeleton it is of.

    Args:
        asf_path: The skeleton.
        amc_path: The motion.
        fps: Frames per second; 120 for nearly all of CMU.

    Returns:
        The joints' motion in metres (a length unit of 0.45 in the skeleton file means 1/0.45 inch).

    Raises:
        FormatError: A file cannot be read or is broken, or the two do not belong together; the message names the line.
    """
    bones, metres = _read_skeleton(_Reader(Path(asf_path)))
    values = _read_frames(_Reader(Path(amc_path)), bones)
    joints = list(bones)
    leaves = [name for name in joints if name not in {bone.parent for bone in bones.values()}]
    parents = [joints.index(bone.parent) if bone.parent else -1 for bone in bones.values()]
    parents += [joints.index(name) for name in leaves]
    offsets = [bones[bone.parent].offset if bone.parent else np.zeros(3) for bone in bones.values()]
    offsets += [bones[name].offset for name in leaves]
    frames = len(values[_ROOT])
    translations = np.repeat(np.array(offsets)[None] * metres, frames, axis=0)
    rotations = np.broadcast_to(np.eye(3), (frames, len(parents), 3, 3)).copy()
    for joint, (name, bone) in enumerate(bones.items()):
        _move(bone, values[name], translations[:, joint], rotations[:, joint], metres)
    xyz, world = forward_kinematics(tuple(parents), translations, rotations)
    names = (*joints, *(f"{name}_end" for name in leaves))
    return AmcMotion(names, tuple(parents), np.array(offsets) * metres, xyz, world, fps)


def _move(bone: _Bone, values: np.ndarray, translation: np.ndarray, rotation: np.ndarray, metres: float) -> None:
    """Fill in one bone's translation (T, 3) and rotation (T, 3, 3) from its channels (T, channels)."""
    turns = [i for i, channel in enumerate(bone.channels) if channel[0] == "r"]
    if turns:
        turned = Rotation.from_euler("".join(bone.channels[i][1] for i in turns), values[:, turns], degrees=True)
        rotation[...] = (bone.axis * turned * bone.axis.inv()).as_matrix()
    for i, channel in enumerate(bone.channels):
        if channel[0] == "t":
            translation[:, "xyz".index(channel[1])] = values[:, i] * metres


def _read_skeleton(reader: _Reader) -> tuple[dict[str, _Bone], float]:
    """Bones by name, each parent before its children, and metres in a unit of length."""
    bones, section, length = {_ROOT: _Bone(_ROOT)}, "", 1.0
    bone = bones[_ROOT]
    for word, *rest in reader.words():
        if word.startswith(":"):
            section = word.lower()
        elif section == ":units" and word == "length":
            length = float(reader.numbers(rest, 1, "the unit of length")[0])
        elif section == ":units" and word == "angle" and rest != ["deg"]:
            raise reader.error("angles in degrees (angle deg)", f"'{' '.join(rest)}'")
        elif section == ":root":
            _read_root(reader, bone, word, rest)
        elif section == ":bonedata" and word == "begin":
            bone = _Bone()
        elif section == ":bonedata":
            _read_bone(reader, bone, word, rest)
            bones |= {bone.name: bone} if word == "end" else {}
        elif section == ":hierarchy" and word not in ("begin", "end"):
            _read_children(reader, bones, word, rest)
    if len(bones) == 1 or length <= 0:
        raise reader.error("bones, and a positive unit of length", f"{len(bones) - 1} bones, length {length:g}")
    return _ordered(reader, bones), _METRES_PER_INCH / length


def _read_root(reader: _Reader, root: _Bone, word: str, rest: list[str]) -> None:
    if word == "order":
        root.channels = _channels(reader, rest)
    elif word in ("position", "orientation") and reader.numbers(rest, 3, f"the root's {word}").any():
        raise reader.error(f"a root of zero {word}", f"'{' '.join(rest)}'")


def _read_bone(reader: _Reader, bone: _Bone, word: str, rest: list[str]) -> None:
    if word == "name":
        bone.name = " ".join(rest)
    elif word == "direction":
        bone.direction = reader.numbers(rest, 3, "direction")
    elif word == "length":
        bone.length = float(reader.numbers(rest, 1, "length")[0])
    elif word == "axis":
        order = rest[-1].lower() if rest else ""
        if sorted(order) != ["x", "y", "z"]:
            raise reader.error(
                "an axis of three angles and their order, such as 'axis 0 0 20 XYZ'", f"'{' '.join(rest)}'"
            )
        bone.axis = Rotation.from_euler(order, reader.numbers(rest[:-1], 3, "axis"), degrees=True)
    elif word == "dof":
        bone.channels = _channels(reader, rest)
    elif word == "end" and not bone.name:
        raise reader.error("a bone with a name", "one without")


def _channels(reader: _Reader, words: list[str]) -> list[str]:
    channels = [word.lower() for word in words]
    for channel in channels:
        if channel not in _CHANNELS or channels.count(channel) > 1:
            raise reader.error(f"degrees of freedom among {', '.join(_CHANNELS)}, each once", f"'{' '.join(words)}'")
    return channels


def _read_children(reader: _Reader, bones: dict[str, _Bone], parent: str, children: list[str]) -> None:
    for name in (parent, *children):
        if name not in bones:
            raise reader.error("the name of a bone", f"'{name}'; {did_you_mean(name, bones)}")
    for name in children:
        if bones[name].parent or name == _ROOT:
            raise reader.error("one parent for each bone", f"another for '{name}'")
        bones[name].parent = parent


def _ordered(reader: _Reader, bones: dict[str, _Bone]) -> dict[str, _Bone]:
    """The bones with every parent before its children."""
    ordered = {_ROOT: bones[_ROOT]}
    while more := {n: bone for n, bone in bones.items() if n not in ordered and bone.parent in ordered}:
        ordered |= more
    if loose := [name for name in bones if name not in ordered]:
        raise reader.error("every bone in the :hierarchy, below the root", f"none for {', '.join(loose)}")
    return ordered


def _read_frames(reader: _Reader, bones: dict[str, _Bone]) -> dict[str, np.ndarray]:
    """(T, channels) values of every bone; none for one that has no degrees of freedom."""
    moving = {name: len(bone.channels) for name, bone in bones.items() if bone.channels}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in moving}
    frames = first = 0
    for name, *rest in reader.words():
        if name.startswith(":"):
            if name.upper() == ":RADIANS":
                raise reader.error("angles in degrees (:DEGREES)", "radians")
        elif not rest and name.isdigit():
            _check_complete(reader, rows, frames)
            first = first or int(name) - frames
            if int(name) != first + frames:
                raise reader.error(f"frame {first + frames}", f"frame {name}")
            frames += 1
        elif name not in moving or len(rows[name]) != frames - 1:
            raise reader.error("each moving bone of the skeleton once a frame", f"'{name}'")
        else:
            rows[name].append(reader.numbers(rest, moving[name], f"bone {name}"))
    _check_complete(reader, rows, frames)
    if not frames:
        raise reader.error("at least one frame", "none")
    return {name: np.array(rows[name]) if name in rows else np.empty((frames, 0)) for name in bones}


def _check_complete(reader: _Reader, rows: dict[str, list[np.ndarray]], frames: int) -> None:
    if missing := [name for name, values in rows.items() if len(values) < frames]:
        raise reader.error(f"all moving bones in frame {frames}", f"none for {', '.join(missing)}")
