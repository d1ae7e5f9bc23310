"""Read and write C3D, the format of motion capture laboratories, by ezc3d (extra `c3d`).

========== ===========================================================================================================
points     the joints by name, in millimetres, z up, at their place in space where `path` is known
residuals  spread in millimetres, rounded; 0 where it is not known; -1, C3D's mark of a point that is not there, in gaps
analogs    <joint>_observed, left_heel_contact and the like (0 to 1), up_x, up_y, up_z in the axes of the points
EVENT      Foot Strike and Foot Off of each side, from the contacts, in seconds from the first frame
POSELIFT   NOTES: JSON with the skeleton's name, frame, start, person, camera, weights and version, cut into pieces
========== ===========================================================================================================

ezc3d never ends on some damaged files; it reads in a process of its own (`c3d_content.py`), which ends in time.

Source: the C3D user guide (c3d.org) for groups, units and limits.
"""

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import FormatError, PoseliftError, ShapeError
from poselift.files import opened, parse_json, reason_of
from poselift.files.limits import ARRAY
from poselift.formats.about import parse_about, written_by
from poselift.formats.c3d_content import Content, content_of
from poselift.formats.events import foot_events
from poselift.formats.fields import named_skeleton
from poselift.formats.joint_names import joint_name
from poselift.formats.markers import poses_of_markers
from poselift.geometry.camera import Camera
from poselift.sequence import CONTACTS, WORLD, Poses3D, from_y_up

_MM_PER_M = 1000.0
_MOST_FRAMES = 65_535
"""Frames are numbered by 16 bits."""
_LARGEST_RESIDUAL = 127
"""Residuals are whole multiples of the scale in 7 bits."""
_PIECE = 120
_MOST_EVENTS = 255
"""Entries of a parameter; more events go into LABELS2, TIMES2 and so on."""
_INTEL = b"T"
"""Kind of processor whose order of bytes the file has: all but very old files."""
_UNITS = {"mm": 1 / _MM_PER_M, "cm": 0.01, "m": 1.0}
_CHANNELS = tuple(f"{name}_contact" for name in CONTACTS)
_UP = ("up_x", "up_y", "up_z")


def write_c3d(poses: Poses3D, path: Path) -> None:
    """Write poses as the module says.

    Raises:
        FormatError: There are more frames than C3D can number, or all of them are gaps.
    """
    import ezc3d

    if len(poses) > _MOST_FRAMES:
        raise FormatError(f"C3D holds up to {_MOST_FRAMES:,} frames, got {len(poses):,}; write .parquet, or parts")
    gap = np.zeros(len(poses), bool) if poses.gap is None else poses.gap
    if gap.all():
        raise FormatError("all frames are gaps, which C3D marks as not there; write another format")
    world = poses.xyz if poses.path is None else poses.xyz + poses.path[:, None]
    points = np.ones((4, len(poses.skeleton), len(poses)))
    points[:3] = (_MM_PER_M * _z_up(poses, world)).transpose(2, 1, 0)
    residuals = np.zeros((1, *points.shape[1:]))
    scale = 1
    if poses.spread is not None:
        spread_mm = _MM_PER_M * poses.spread
        scale = max(1, int(np.ceil(spread_mm.max() / _LARGEST_RESIDUAL)))
        residuals[0] = np.rint(spread_mm.T / scale) * scale
    residuals[:, :, gap] = -1
    file = ezc3d.c3d()
    groups = file["parameters"]
    for name, value in (
        ("RATE", [poses.fps]), ("LABELS", list(poses.skeleton.joints)), ("UNITS", ["mm"]), ("SCALE", [-float(scale)]),
        ("DESCRIPTIONS", [_words(joint) for joint in poses.skeleton.joints]),
    ):  # fmt: skip
        groups["POINT"][name]["value"] = value
    file.add_parameter("POINT", "X_SCREEN", ["+X"])
    file.add_parameter("POINT", "Y_SCREEN", ["+Z"])
    file["data"]["points"] = points
    file["data"]["meta_points"]["residuals"] = residuals
    file["data"]["meta_points"]["camera_masks"] = np.zeros((7, *points.shape[1:]), bool)
    if channels := _channels(poses):
        groups["ANALOG"]["RATE"]["value"] = [poses.fps]
        groups["ANALOG"]["LABELS"]["value"] = list(channels)
        groups["ANALOG"]["UNITS"]["value"] = [""] * len(channels)
        file["data"]["analogs"] = np.stack(list(channels.values()))[None].astype(np.float64)
    _add_events(file, poses)
    _add_notes(file, poses)
    file.write(str(path))


def _z_up(poses: Poses3D, vectors: np.ndarray) -> np.ndarray:
    """Return points or directions (*, 3) of the poses in right-handed axes with z up."""
    return poses.y_up(vectors)[..., [0, 2, 1]] * (1, -1, 1)


def _words(joint: str) -> str:
    return joint.replace("_", " ")


def _channels(poses: Poses3D) -> dict[str, np.ndarray]:
    """Return the analog channels (T,) by name."""
    found: dict[str, np.ndarray] = {}
    if poses.observed is not None:
        found |= {f"{joint}_observed": poses.observed[:, number] for number, joint in enumerate(poses.skeleton.joints)}
    if poses.contact is not None:
        found |= dict(zip(_CHANNELS, poses.contact.T, strict=True))
    if poses.up is not None:
        found |= dict(zip(_UP, _z_up(poses, poses.up).T, strict=True))
    return found


def _add_events(file: Any, poses: Poses3D) -> None:
    """Add the group EVENT, in pieces of 255 events; TIMES are minutes and seconds."""
    events = foot_events(poses)
    file.add_parameter("EVENT", "USED", len(events))
    for piece, first in enumerate(range(0, len(events), _MOST_EVENTS), 1):
        part, number = events[first : first + _MOST_EVENTS], "" if piece == 1 else str(piece)
        times = np.array([divmod(event.time_s, 60.0) for event in part]).T
        who = "" if poses.person is None else f"person {poses.person}"
        for name, value in (
            ("CONTEXTS", [event.side.title() for event in part]),
            ("LABELS", [f"Foot {event.kind.title()}" for event in part]),
            ("DESCRIPTIONS", ["heel or big toe stands still" if event.kind == "strike" else "" for event in part]),
            ("SUBJECTS", [who] * len(part)),
            ("TIMES", times),
            ("ICON_IDS", [1 if event.kind == "strike" else 2 for event in part]),
            ("GENERIC_FLAGS", [0] * len(part)),
        ):
            file.add_parameter("EVENT", f"{name}{number}", value)


def _add_notes(file: Any, poses: Poses3D) -> None:
    """Add what made the file, and what C3D has no place for."""
    skeleton = poses.skeleton
    notes = {
        "written_by": written_by(), "about": dict(poses.about), "skeleton": skeleton.name,
        "parents": list(skeleton.parents), "frame": poses.frame, "start_s": poses.start_s, "fps": poses.fps,
        "person": poses.person, "may_continue": list(poses.may_continue), "at_its_place": poses.path is not None,
        "spread": poses.spread is not None, "gap": poses.gap is not None,
        "camera": None if poses.camera is None else poses.camera.as_json(),
    }  # fmt: skip
    text = json.dumps(notes, separators=(",", ":")).replace(" ", "\\u0020")  # blanks at the ends of texts are dropped
    file.add_parameter("POSELIFT", "NOTES", [text[at : at + _PIECE] for at in range(0, len(text), _PIECE)])
    program, version = written_by().split(" ")
    file.add_parameter("MANUFACTURER", "COMPANY", [program])
    file.add_parameter("MANUFACTURER", "SOFTWARE", [program])
    file.add_parameter("MANUFACTURER", "VERSION_LABEL", [version])


def read_c3d(path: Path) -> Poses3D:
    """Read poses from a C3D file: of ours everything that the module names; of others the points, in axes with z up.

    Points of others become joints by their usual names, and keep their own name where it is not known.

    Raises:
        FormatError: The file is missing, broken, holds no points, or a point that is never there, or was not read
            within 30 s and a second more for each MiB.
    """
    name = str(path)
    with opened(path, ARRAY) as file:
        start = file.read(10)
        file.seek(512 * (max(start[0], 1) - 1) + 3 if start else 0)
        processor = file.read(1)
        size = file.seek(0, os.SEEK_END)
    if len(start) < 10 or start[1] != 0x50:
        raise FormatError(f"{name} is no C3D file (it starts with {start[:2]!r}); check that it is the right file")
    content = content_of(path, size)
    points, residuals, labels, unit = content.points, content.residuals, content.labels, content.unit
    if not labels or len(labels) != points.shape[1] or not len(points):
        raise FormatError(f"{name}: wanted points with a name each, got {points.shape[1]} points and {len(labels)}")
    if processor == _INTEL and size < (needed := _bytes_needed(content, start)):
        raise FormatError(f"{name} is cut off: its frames take {needed:,} bytes, and it has {size:,}; write it again")
    if unit not in _UNITS:
        raise FormatError(f"{name}: wanted POINT:UNITS mm, cm or m, got '{unit}'")
    points = np.where((residuals < 0)[..., None], np.nan, points * _UNITS[unit])
    try:
        if content.notes:
            notes = parse_json(content.notes, f"{name}, POSELIFT:NOTES")
            return _ours(points, residuals, labels, content.analogs, notes, name)
        joints = [joint_name(label) or label for label in labels]
        if len(set(joints)) < len(joints):
            joints = labels
        return poses_of_markers(points, joints, content.fps, name, frame=WORLD)
    except ShapeError as error:
        raise FormatError(f"{name}: {error}") from error


def _bytes_needed(content: Content, header: bytes) -> int:
    """Return the size of a file at least: the blocks before the data, and the numbers of each frame in the header."""
    first, last = struct.unpack("<2H", header[6:10])
    numbers = 4 * len(content.labels) + len(content.analogs)
    return 512 * (content.data_start - 1) + (4 if content.floats else 2) * numbers * (last - first + 1)


def _ours(
    points: np.ndarray,
    residuals: np.ndarray,
    labels: list[str],
    analogs: dict[str, np.ndarray],
    notes: dict[str, Any],
    name: str,
) -> Poses3D:
    """Return the poses of a file that `write_c3d` wrote, from its points (T, J, 3) in metres."""
    try:
        skeleton = named_skeleton(notes["skeleton"], labels, notes["parents"], name)
        frame = str(notes["frame"])
        more = {
            "start_s": float(notes["start_s"]), "person": notes["person"],
            "may_continue": tuple(notes["may_continue"]), "about": parse_about(notes["about"], name),
            "camera": None if notes["camera"] is None else Camera.from_json(notes["camera"]),
        }  # fmt: skip
        gap = np.isnan(points).all((1, 2))
        if notes["gap"]:
            more["gap"] = gap
        if notes["spread"]:
            more["spread"] = np.where(residuals < 0, 0.0, residuals / _MM_PER_M)
        if all(f"{joint}_observed" in analogs for joint in labels):
            more["observed"] = np.stack([analogs[f"{joint}_observed"] for joint in labels], -1)
        if all(channel in analogs for channel in _CHANNELS):
            more["contact"] = np.stack([analogs[channel] for channel in _CHANNELS], -1)
        if all(channel in analogs for channel in _UP):
            more["up"] = from_y_up(_y_up(np.stack([analogs[channel] for channel in _UP], -1)), frame)
        fps, placed = float(notes["fps"]), bool(notes["at_its_place"])
    except PoseliftError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"{name}, POSELIFT:NOTES: not what we write ({reason_of(error)}); write it again") from error
    xyz = from_y_up(_y_up(_filled(points)), frame)
    root = xyz[:, skeleton.root] if placed else np.zeros((len(xyz), 3))
    return Poses3D(xyz - root[:, None], skeleton, fps, frame, path=root if placed else None, **more)


def _y_up(z_up: np.ndarray) -> np.ndarray:
    return z_up[..., [0, 2, 1]] * (1, 1, -1)


def _filled(points: np.ndarray) -> np.ndarray:
    """Return points (T, J, 3) with those that are not there on a line between the frames around."""
    there = np.isfinite(points).all((1, 2))
    times, flat = np.arange(len(points)), points.reshape(len(points), -1)
    filled = np.stack([np.interp(times, times[there], column[there]) for column in flat.T], -1)
    return filled.reshape(points.shape)
