"""THE table of the formats that poses are saved in and read from: a new format is one row here and one file.

Modules that import heavy libraries are named by `in_module`, which imports them when they are first used.
"""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from poselift.errors import FormatError, MissingExtraError, install_hint
from poselift.formats.csv import read_poses_csv, write_poses_csv
from poselift.formats.json_file import read_poses_json, write_poses_json
from poselift.formats.npz import read_poses_npz, write_poses_npz
from poselift.sequence import EXTRAS, Poses3D

_NOTED = ("observed", "gap", "frame", "start_s", "person", "may_continue")
_EVERYTHING = (*EXTRAS, "frame", "camera", "start_s", "person", "may_continue", "about")


@dataclass(frozen=True, kw_only=True)
class PoseFormat:
    """One format of poses."""

    ending: str
    """Ending of its files, such as ".npz"."""
    what: str
    """What it is for, in a few words."""
    write: Callable[..., Any] | None = None
    """Writes poses to a path, which is a temporary one unless `guards` is set; takes `options` as keywords."""
    read: Callable[[Path], Any] | None = None
    """Reads what `write` wrote."""
    several: bool = False
    """Whether a file holds several people: `write` takes, and `read` returns, a sequence of poses instead of poses."""
    holds: tuple[str, ...] = ()
    """Fields of `Poses3D` besides joints and frame rate that come back from a file."""
    options: tuple[str, ...] = ()
    """Keywords of `write`, which `save_poses` passes on."""
    notes: Callable[..., None] | None = None
    """Writes what the file itself has no place for to a file beside it, called `<name><ending>.json`; it takes what
    `write` takes, and as `made` what `write` returned."""
    noted: tuple[str, ...] = ()
    """Fields of `Poses3D` that are in that file, in which frames joints were not seen as those of `observed`."""
    extra: tuple[str, str] | None = None
    """Optional part of poselift that it needs, and the library in it."""
    guards: bool = False
    """Whether `write` takes the final path, and `overwrite`, and guards the file itself."""

    def lost(self, poses: Poses3D) -> tuple[str, ...]:
        """Return the fields of poses that are filled in, and are neither in a file of this format nor beside it."""
        unset = {"start_s": 0.0, "may_continue": (), "about": {}}
        return tuple(
            name
            for name in _EVERYTHING
            if name not in (*self.holds, *self.noted) and (value := getattr(poses, name)) is not None
            if name not in unset or value != unset[name]
        )


def in_module(module: str, function: str) -> Callable[..., Any]:
    """Return a function that imports `poselift.<module>` and calls a function of it when it is called itself."""

    def call(*arguments: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(f"poselift.{module}"), function)(*arguments, **options)

    call.__name__, call.__qualname__ = function, f"{module}.{function}"
    return call


POSE_FORMATS: dict[str, PoseFormat] = {
    row.ending: row
    for row in (
        PoseFormat(
            ending=".npz", what="everything, as NumPy arrays",
            write=write_poses_npz, read=read_poses_npz, holds=_EVERYTHING,
        ),
        PoseFormat(
            ending=".csv", what="a row for each frame and person, for spreadsheets and pandas",
            write=write_poses_csv, read=read_poses_csv, several=True, options=("columns",),
            holds=("observed", "gap", "path", "spread", "up", "contact", "frame", "start_s", "person"),
        ),
        PoseFormat(
            ending=".json", what="everything, as text",
            write=write_poses_json, read=read_poses_json, holds=_EVERYTHING,
        ),
        PoseFormat(
            ending=".parquet", what="the same rows for pandas, polars and DuckDB",
            write=in_module("formats.parquet", "write_poses_parquet"),
            read=in_module("formats.parquet", "read_poses_parquet"),
            several=True, options=("columns",), holds=_EVERYTHING, extra=("parquet", "pyarrow"),
        ),
        PoseFormat(
            ending=".bvh", what="animation",
            write=in_module("formats.bvh", "write_bvh"), notes=in_module("formats.bvh", "write_bvh_notes"),
            noted=(*_NOTED, "camera", "about"), options=("rig", "unit"),
        ),
        PoseFormat(
            ending=".glb", what="animation with a body to look at, for Blender, three.js and engines",
            write=in_module("formats.glb", "write_glb"), options=("rig",),
        ),
        PoseFormat(
            ending=".vrma", what="animation for VRM figures", write=in_module("formats.glb", "write_vrma")
        ),
        PoseFormat(
            ending=".trc", what="markers for OpenSim",
            write=in_module("formats.trc", "write_trc"), read=in_module("formats.trc", "read_poses_trc"),
            notes=in_module("formats.trc", "write_trc_notes"), noted=(*_NOTED, "camera", "about"),
            holds=("path", "start_s"),
        ),
        PoseFormat(
            ending=".mot", what="joint angles for OpenSim", write=in_module("formats.mot", "write_mot")
        ),
        PoseFormat(
            ending=".c3d", what="points with residuals and events, for motion capture laboratories",
            write=in_module("formats.c3d", "write_c3d"), read=in_module("formats.c3d", "read_c3d"),
            holds=_EVERYTHING, extra=("c3d", "ezc3d"),
        ),
        PoseFormat(
            ending=".html", what="a page that shows them, several in one room", several=True,
            write=in_module("viewer", "write_viewer"), options=("keypoints", "video", "title"), guards=True,
        ),
    )
}  # fmt: skip
"""By ending, in the order in which messages name them."""


def pose_format(path: Path, *, to: str) -> PoseFormat:
    """Return the format of a path that is to be read or written.

    Args:
        path: The path; upper and lower case of its ending are alike.
        to: "read" or "write".

    Raises:
        FormatError: No format has this ending, or this one is only written.
        MissingExtraError: The library that it needs is not installed.
    """
    known = [row.ending for row in POSE_FORMATS.values() if getattr(row, to) is not None]
    if (ending := path.suffix.lower()) not in known:
        only = "; this format is only written" if ending in POSE_FORMATS else ""
        raise FormatError(f"{path}: unknown ending '{path.suffix}'{only}; known: {', '.join(known)}")
    row = POSE_FORMATS[ending]
    if row.extra is not None and importlib.util.find_spec(row.extra[1]) is None:
        raise MissingExtraError(f"{row.ending} files need {row.extra[1]}; run: {install_hint(row.extra[0])}")
    return row


def files_of(path: str | Path) -> tuple[Path, ...]:
    """Return the files that `save_poses` writes for this path: the file itself, and notes beside it if it has any."""
    path = Path(path)
    row = POSE_FORMATS.get(path.suffix.lower())
    return (path, path.with_name(f"{path.name}.json")) if row is not None and row.notes is not None else (path,)


def read_file(row: PoseFormat, path: Path) -> tuple[Poses3D, ...]:
    """Return the poses of everyone in a file of a format that can be read."""
    assert row.read is not None
    found = row.read(path)
    return tuple(found) if row.several else (found,)


def for_format(row: PoseFormat, people: Sequence[Poses3D], path: Path) -> Poses3D | Sequence[Poses3D]:
    """Return what the writer of a format takes: everyone, or the one person whom a file holds.

    Raises:
        FormatError: There are several, and a file holds one.
    """
    if row.several:
        return people
    if len(people) > 1:
        many = [other.ending for other in POSE_FORMATS.values() if other.several]
        raise FormatError(
            f"{path}: a {row.ending} file holds one person, got {len(people)}; write a file for each"
            + (f", or one of {', '.join(many)}" if many else "")
        )
    return people[0]
