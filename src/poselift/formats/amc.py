"""Read Acclaim motion capture: a skeleton file (ASF) and a motion of it (AMC), as in the CMU database.

A bone of the skeleton is a segment. Here a joint has the name of the segment whose near end it is: it turns this
segment, and BVH files use these names. `lfemur` is the left hip, `lhand` the left wrist. The far end of a last segment
is a joint too: `head_end`.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from poselift.errors import did_you_mean
from poselift.formats.lines import Lines
from poselift.formats.motion import MOST_JOINTS, Motion, check_size
from poselift.geometry.kinematics import forward_kinematics

_METRES_PER_INCH = 0.0254
_ROOT = "root"
_CHANNELS = ("tx", "ty", "tz", "rx", "ry", "rz")
_FRAME = re.compile(r"[0-9]{1,18}")


@dataclass
class _Bone:
    """A bone of the skeleton file, filled in while the file is read."""

    name: str = ""
    direction: np.ndarray = field(default_factory=lambda: np.zeros(3))  # near to far end
    length: float = 0.0  # in the file's unit
    axis: Rotation = field(default_factory=Rotation.identity)
    channels: list[str] = field(default_factory=list)  # in the order of the motion file's numbers
    parent: str = ""

    @property
    def offset(self) -> np.ndarray:
        """(3,) position of the far end relative to the near end at rest."""
        return self.direction * self.length


def read_amc(asf_path: str | Path, amc_path: str | Path) -> Motion:
    """Read a motion and its skeleton.

    Args:
        asf_path: Path of the skeleton.
        amc_path: Path of the motion.

    Returns:
        The joints' motion in the skeleton file's unit, right-handed, usually with y up. `unit_m` follows the file:
        `length 0.45` means that a length of 0.45 is one inch. The frame rate is known only where the motion file has a
        line `:SAMPLES-PER-SECOND`.

    Raises:
        FormatError: A file cannot be read or is broken, or the two do not belong together; the message names the line.
    """
    bones, unit_m = _read_skeleton(Lines(Path(asf_path)))
    values, fps = _read_frames(Lines(Path(amc_path)), bones)
    joints = list(bones)
    leaves = [name for name in joints if name not in {bone.parent for bone in bones.values()}]
    parents = [joints.index(bone.parent) if bone.parent else -1 for bone in bones.values()]
    parents += [joints.index(name) for name in leaves]
    offsets = [bones[bone.parent].offset if bone.parent else np.zeros(3) for bone in bones.values()]
    offsets += [bones[name].offset for name in leaves]
    frames = len(values[_ROOT])
    check_size(str(amc_path), frames, len(parents), sum(len(bone.channels) for bone in bones.values()))
    translations = np.repeat(np.array(offsets)[None], frames, axis=0)
    rotations = np.broadcast_to(np.eye(3), (frames, len(parents), 3, 3)).copy()
    for joint, (name, bone) in enumerate(bones.items()):
        _move(bone, values[name], translations[:, joint], rotations[:, joint])
    xyz, world = forward_kinematics(tuple(parents), translations, rotations)
    names = (*joints, *(f"{name}_end" for name in leaves))
    return Motion(names, tuple(parents), np.array(offsets), xyz, world, fps, unit_m)


def _move(bone: _Bone, values: np.ndarray, translation: np.ndarray, rotation: np.ndarray) -> None:
    """Fill in one bone's translation (T, 3) and rotation (T, 3, 3) from its channels (T, channels)."""
    turns = [i for i, channel in enumerate(bone.channels) if channel[0] == "r"]
    if turns:
        turned = Rotation.from_euler("".join(bone.channels[i][1] for i in turns), values[:, turns], degrees=True)
        rotation[...] = (bone.axis * turned * bone.axis.inv()).as_matrix()
    for i, channel in enumerate(bone.channels):
        if channel[0] == "t":
            translation[:, "xyz".index(channel[1])] = values[:, i]


def _read_skeleton(lines: Lines) -> tuple[dict[str, _Bone], float | None]:
    """Return bones by name, each parent before its children, and metres per unit of length where the file says."""
    bones, section, length = {_ROOT: _Bone(_ROOT)}, "", None
    bone = bones[_ROOT]
    for word, *rest in lines.words():
        if word.startswith(":"):
            section = word.lower()
        elif section == ":units" and word == "length":
            length = float(lines.numbers(rest, 1, "the unit of length")[0])
        elif section == ":units" and word == "angle" and rest != ["deg"]:
            raise lines.error("angles in degrees (angle deg)", f"'{' '.join(rest)}'")
        elif section == ":root":
            _read_root(lines, bone, word, rest)
        elif section == ":bonedata" and word == "begin":
            bone = _Bone()
        elif section == ":bonedata":
            _read_bone(lines, bone, word, rest)
            if word == "end":
                if not bone.name or bone.name in bones:
                    raise lines.error("a bone with a name of its own", f"'{bone.name}'")
                bones[bone.name] = bone
                if len(bones) > MOST_JOINTS:
                    raise lines.error(f"up to {MOST_JOINTS} bones", "more")
        elif section == ":hierarchy" and word not in ("begin", "end"):
            _read_children(lines, bones, word, rest)
    if len(bones) == 1 or (length is not None and length <= 0):
        raise lines.error("bones, and a positive unit of length", f"{len(bones) - 1} bones, length {length}")
    return _ordered(lines, bones), None if length is None else _METRES_PER_INCH / length


def _read_root(lines: Lines, root: _Bone, word: str, rest: list[str]) -> None:
    if word == "order":
        root.channels = _channels(lines, rest)
    elif word in ("position", "orientation") and lines.numbers(rest, 3, f"the root's {word}").any():
        raise lines.error(f"a root of zero {word}", f"'{' '.join(rest)}'")


def _read_bone(lines: Lines, bone: _Bone, word: str, rest: list[str]) -> None:
    if word == "name":
        bone.name = " ".join(rest)
    elif word == "direction":
        bone.direction = lines.numbers(rest, 3, "direction")
    elif word == "length":
        bone.length = float(lines.numbers(rest, 1, "length")[0])
    elif word == "axis":
        order = rest[-1].lower() if rest else ""
        if sorted(order) != ["x", "y", "z"]:
            raise lines.error(
                "an axis of three angles and their order, such as 'axis 0 0 20 XYZ'", f"'{' '.join(rest)}'"
            )
        bone.axis = Rotation.from_euler(order, lines.numbers(rest[:-1], 3, "axis"), degrees=True)
    elif word == "dof":
        bone.channels = _channels(lines, rest)


def _channels(lines: Lines, words: list[str]) -> list[str]:
    channels = [word.lower() for word in words]
    for channel in channels:
        if channel not in _CHANNELS or channels.count(channel) > 1:
            raise lines.error(f"degrees of freedom among {', '.join(_CHANNELS)}, each once", f"'{' '.join(words)}'")
    return channels


def _read_children(lines: Lines, bones: dict[str, _Bone], parent: str, children: list[str]) -> None:
    for name in (parent, *children):
        if name not in bones:
            raise lines.error("the name of a bone", f"'{name}'; {did_you_mean(name, bones)}")
    for name in children:
        if bones[name].parent or name == _ROOT:
            raise lines.error("one parent for each bone", f"another for '{name}'")
        bones[name].parent = parent


def _ordered(lines: Lines, bones: dict[str, _Bone]) -> dict[str, _Bone]:
    """Return the bones with every parent before its children."""
    ordered = {_ROOT: bones[_ROOT]}
    while more := {n: bone for n, bone in bones.items() if n not in ordered and bone.parent in ordered}:
        ordered |= more
    if loose := [name for name in bones if name not in ordered]:
        raise lines.error("every bone in the :hierarchy, below the root", f"none for {', '.join(loose)}")
    return ordered


def _read_frames(lines: Lines, bones: dict[str, _Bone]) -> tuple[dict[str, np.ndarray], float | None]:
    """Return values (T, channels) of every bone, no channels for a fixed one, and frames per second where given."""
    moving = {name: len(bone.channels) for name, bone in bones.items() if bone.channels}
    rows: dict[str, list[np.ndarray]] = {name: [] for name in moving}
    frames = first = 0
    fps = None
    for name, *rest in lines.words():
        if name.startswith(":"):
            if name.upper() == ":RADIANS":
                raise lines.error("angles in degrees (:DEGREES)", "radians")
            if name.upper() == ":SAMPLES-PER-SECOND":
                fps = float(lines.numbers(rest, 1, "the samples a second")[0])
        elif not rest and _FRAME.fullmatch(name):
            _check_complete(lines, rows, frames)
            first = first or int(name) - frames
            if int(name) != first + frames:
                raise lines.error(f"frame {first + frames}", f"frame {name}")
            frames += 1
        elif name not in moving or len(rows[name]) != frames - 1:
            raise lines.error("each moving bone of the skeleton once a frame", f"'{name}'")
        else:
            rows[name].append(lines.numbers(rest, moving[name], f"bone {name}"))
    _check_complete(lines, rows, frames)
    if not frames:
        raise lines.error("at least one frame", "none")
    if fps is not None and fps <= 0:
        raise lines.error("a positive number of samples a second", f"{fps:g}")
    return {name: np.array(rows[name]) if name in rows else np.empty((frames, 0)) for name in bones}, fps


def _check_complete(lines: Lines, rows: dict[str, list[np.ndarray]], frames: int) -> None:
    if missing := [name for name, values in rows.items() if len(values) < frames]:
        raise lines.error(f"all moving bones in frame {frames}", f"none for {', '.join(missing)}")
