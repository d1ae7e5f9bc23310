"""Read a motion capture file (BVH, or ASF and AMC) as a clip; guess what it does not say, and report the guess."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from poselift.datasets.clip import MocapClip, Reading
from poselift.datasets.mocap_joints import h36m_joints
from poselift.datasets.stature import (
    POSSIBLE_LEGS_M,
    UNITS_M,
    USUAL_LEGS_M,
    guess_unit,
    leg_length,
    stature,
    unit_metres,
)
from poselift.datasets.upright import guess_up, z_up_from
from poselift.errors import FormatError, MissingData, SkeletonError
from poselift.formats.amc import read_amc
from poselift.formats.bvh import read_bvh
from poselift.formats.motion import Motion
from poselift.sequence import check_fps
from poselift.skeleton import H36M_17

MOTION_ENDINGS = (".bvh", ".amc")
"""Endings of the motion files that are read, in lower case."""
_AMC_FPS = 120.0
_USUAL_FPS = (5.0, 1000.0)


@dataclass(frozen=True)
class MotionOptions:
    """What the caller states about motion files; what is None is read from the file or guessed."""

    unit: str | float | None = None
    """Name of the unit of length, of `UNITS_M`, or the metres in it."""
    up: str | None = None
    """The axis that points up: x, y, z, -x, -y or -z."""
    fps: float | None = None
    """Frames per second."""
    joint_map: Mapping[str, str] | None = None
    """poselift's name of a joint to the file's name, as from `joint_names.read_joint_map`."""

    def __post_init__(self) -> None:
        """Check what was given before any file is read."""
        if self.unit is not None:
            unit_metres(self.unit)
        if self.up is not None:
            z_up_from(np.zeros(3), self.up)
        if self.fps is not None:
            check_fps(self.fps, "--fps (fps=...)", error=FormatError)


def load_motion_file(path: Path, name: str, subject: str, options: MotionOptions) -> MocapClip:
    """Read one motion capture file.

    Args:
        path: A BVH or AMC file. The skeleton of `02_01.amc` is `02.asf`, or the only ASF file beside it.
        name: Name of the clip.
        subject: Name of the person.
        options: What the caller states about the file.

    Returns:
        The clip of `H36M_17`, with its `reading`.

    Raises:
        MissingData: An AMC file has no skeleton.
        FormatError: The file is broken, or the length of the legs fits no unit.
        SkeletonError: Joints are missing.
    """
    motion = _read(path)
    try:
        body = h36m_joints(motion, options.joint_map)
        unit, unit_m, unit_from, notes = _unit(motion, leg_length(body.xyz), options)
    except (SkeletonError, FormatError) as error:
        raise type(error)(f"{path}: {error}") from error
    up, up_from, certain = (options.up, "given", True) if options.up else guess_up(body.xyz, body.rest, motion.xyz)
    if not certain:
        notes.append(f"up is {up} by {up_from}, which is not certain; say if it is another (up, --up)")
    if body.estimated:
        notes.append(f"{body.estimated}; name it if there is one (joints, --joints)")
    fps = options.fps or motion.fps or _AMC_FPS
    fps_from = "given" if options.fps else "file" if motion.fps else "assumed"
    check_fps(fps, str(path), advice="pass --fps (fps=...)", error=FormatError)
    if not _USUAL_FPS[0] <= fps <= _USUAL_FPS[1]:
        notes.append(f"{fps:.3g} frames a second are unusual; say how many there are (fps, --fps)")
    world = (z_up_from(body.xyz, up) * unit_m).astype(np.float32)
    reading = Reading(
        unit=unit, unit_from=unit_from, up=up, up_from=up_from, fps_from=fps_from, joints=body.convention,
        height_m=round(stature(world), 2), notes=(*motion.remarks, *notes),
    )  # fmt: skip
    return MocapClip(name, subject, world, H36M_17, fps, reading)


def _read(path: Path) -> Motion:
    """Read the motion in a file of either format."""
    if path.suffix.lower() == ".amc":
        return read_amc(_skeleton_file(path), path)
    if path.suffix.lower() == ".bvh":
        return read_bvh(path)
    raise FormatError(f"wanted mocap17.npz, BVH or AMC, got {path}; for motion in ASF and AMC name the AMC file")


def _skeleton_file(path: Path) -> Path:
    """Return the ASF file that belongs to an AMC file."""
    found = [file for file in path.parent.iterdir() if file.suffix.lower() == ".asf"]
    named = [file for file in found if file.stem in (path.stem, path.stem.rpartition("_")[0])] or found
    if len(named) != 1:
        got = ", ".join(sorted(file.name for file in found)) or "no ASF file"
        raise MissingData(f"wanted one skeleton beside {path}, such as 02.asf for 02_01.amc, got {got}")
    return named[0]


def _unit(motion: Motion, leg: float, options: MotionOptions) -> tuple[str, float, str, list[str]]:
    """Return the name of the file's unit, the metres in it, where it is known from, and notes."""
    notes = []
    if options.unit is not None:
        (unit, unit_m), unit_from = unit_metres(options.unit), "given"
    elif motion.unit_m is not None and POSSIBLE_LEGS_M[0] <= leg * motion.unit_m <= POSSIBLE_LEGS_M[1]:
        names = [name for name, metres in UNITS_M.items() if abs(metres - motion.unit_m) < 1e-9]
        (unit, unit_m), unit_from = unit_metres(names[0] if names else motion.unit_m), "file"
    else:
        unit = guess_unit(leg)
        unit_m, unit_from = UNITS_M[unit], "guessed from the legs"
        if motion.unit_m is not None:
            wrong = f"the file's unit of {motion.unit_m:.4g} m would make legs of {leg * motion.unit_m:.2f} m"
            notes.append(f"{wrong}: read in {unit} instead; say if it is another (unit, --unit)")
    if not USUAL_LEGS_M[0] <= leg * unit_m <= USUAL_LEGS_M[1]:
        whose = "a small child's" if leg * unit_m < USUAL_LEGS_M[0] else "a giant's"
        notes.append(f"legs of {leg * unit_m:.2f} m in {unit} are {whose}; say if it is another unit (unit, --unit)")
    return unit, unit_m, unit_from, notes
