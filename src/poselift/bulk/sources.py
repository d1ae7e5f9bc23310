"""The clips of a folder, a list or Parquet files: names and places, found without reading a keypoint."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from poselift.errors import FormatError, SkeletonError
from poselift.files import FILE, FOLDER, found_at, read_text, reason_of
from poselift.formats import KEYPOINT_READERS
from poselift.formats.keypoint_parquet import ClipRows, KeypointParquet

PARQUET = ".parquet"
"""Ending of files that hold many clips."""
LISTS = (".txt", ".lst", ".list")
"""Endings of files that hold the path of a clip in each line."""
_FRAME_ENDING = "_keypoints.json"
"""Ending of the files of a folder of which each holds one frame, as OpenPose writes them."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of a corpus: a file, a folder with a file for each frame, or rows of a Parquet file."""

    name: str
    """Name in the results: the value of the column `clip`, or the path below the folder, or as the list says it."""
    path: str
    """The file or folder."""
    rows: tuple[int, int] | None = None
    """First row, and the one after the last, of a Parquet file."""
    size: int = 0
    """Size of a file in bytes, and number of files of a folder; 0 for what is not there."""
    changed_ns: int = 0
    """When the file was changed last, in nanoseconds."""


@dataclass(frozen=True)
class Found:
    """What was found."""

    clips: tuple[Clip, ...]
    """In the order in which they are lifted."""
    others: dict[str, int]
    """By ending, the number of files that were left out because keypoints have other endings."""


def find_clips(inputs: Sequence[Path], *, leave: Path | None = None) -> Found:
    """Return the clips of folders, lists, Parquet files and keypoint files.

    Args:
        inputs: Paths. A folder is searched with the folders in it; one of OpenPose's files, a frame each, is one clip.
            A text file lists paths, relative to its folder; empty lines and those that begin with # are left out.
        leave: A folder that is not searched: the one for the results.

    Raises:
        FormatError: An input is not there, there is no clip at all, a name comes twice, or a Parquet file is broken.
    """
    others: Counter[str] = Counter()
    clips: list[Clip] = []
    for path in inputs:
        at = found_at(path)
        if not at:
            raise FormatError(f"{path} is not there; check the name")
        if at == FOLDER:
            clips += _in_folder(path, leave, others)
        elif path.suffix.lower() in LISTS:
            clips += _in_list(path)
        elif path.suffix.lower() == PARQUET:
            clips += _in_parquet(path, path.stem)
        else:
            clips.append(_clip(path, path.name))
    if not clips:
        endings = ", ".join((*KEYPOINT_READERS, PARQUET))
        raise FormatError(f"{', '.join(map(str, inputs))}: no keypoint files are there; wanted the endings {endings}")
    if twice := [name for name, count in Counter(clip.name for clip in clips).items() if count > 1]:
        places = [clip.path for clip in clips if clip.name == twice[0]][:2]
        raise FormatError(
            f"{len(twice)} names of clips come twice, the first is {twice[0]!r} ({' and '.join(places)}): every clip "
            "needs a name of its own; give the folder above, or rename"
        )
    return Found(tuple(clips), dict(others))


def fingerprint(clips: Sequence[Clip], *, contents: bool = True) -> str:
    """Return a hash of the names of clips and, with `contents`, of the sizes and times of their files."""
    digest = hashlib.sha256()
    for clip in clips:
        parts = (clip.name, clip.rows, *((clip.size, clip.changed_ns) if contents else ()))
        digest.update(json.dumps(parts).encode() + b"\n")
    return digest.hexdigest()


def _in_folder(folder: Path, leave: Path | None, others: Counter[str]) -> Iterator[Clip]:
    """Yield the clips below a folder, in the order of their names."""
    left = None if leave is None else leave.resolve()

    def refuse(error: OSError) -> None:
        raise FormatError(f"cannot look into {error.filename}: {reason_of(error)}; check its permissions") from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and (here / name).resolve() != left)
        names = sorted(name for name in names if not name.startswith("."))
        if frames := [name for name in names if name.endswith(_FRAME_ENDING)]:
            name = here.relative_to(folder).as_posix()
            yield _clip(here, here.resolve().name if name == "." else name, count=len(frames))
            names = [name for name in names if name not in set(frames)]
        for name in names:
            file = here / name
            if file.suffix.lower() == PARQUET:
                yield from _in_parquet_or_broken(file, file.relative_to(folder).as_posix())
            elif file.suffix.lower() in KEYPOINT_READERS:
                yield _clip(file, file.relative_to(folder).as_posix())
            else:
                others[file.suffix.lower() or "no ending"] += 1


def _in_list(path: Path) -> Iterator[Clip]:
    for line in read_text(path).splitlines():
        if (said := line.strip()) and not said.startswith("#"):
            file = path.parent / said
            if file.suffix.lower() == PARQUET and found_at(file) == FILE:
                yield from _in_parquet_or_broken(file, said)
            else:
                yield _clip(file, said)


def _in_parquet(path: Path, name: str) -> Iterator[Clip]:
    status = path.stat()
    for rows in KeypointParquet(path).clips():
        yield Clip(rows.clip or name, str(path), (rows.first, rows.after), status.st_size, status.st_mtime_ns)


def _in_parquet_or_broken(path: Path, name: str) -> Sequence[Clip]:
    """Return the clips of one Parquet file of many; a broken one is a clip that fails when it is read."""
    try:
        return tuple(_in_parquet(path, name))
    except (FormatError, SkeletonError):
        return (_clip(path, name),)


def _clip(path: Path, name: str, *, count: int | None = None) -> Clip:
    try:
        status = path.stat()
    except (OSError, ValueError):  # whoever reads it says why
        return Clip(name, str(path))
    return Clip(name, str(path), None, status.st_size if count is None else count, status.st_mtime_ns)


def rows_of(clip: Clip) -> ClipRows:
    """Return the rows of a clip of a Parquet file."""
    assert clip.rows is not None
    return ClipRows(clip.name, *clip.rows)
