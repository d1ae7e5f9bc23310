"""Read keypoint files and write pose files: one module for each format, chosen by the ending of the path."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from poselift.errors import FormatError, did_you_mean
from poselift.files import FOLDER, check_free, files_in, found_at, read_text, written_whole
from poselift.files.arrays import read_npy
from poselift.formats.clip import Override
from poselift.formats.csv import read_keypoints_csv, write_keypoints_csv
from poselift.formats.deeplabcut import refuse_h5
from poselift.formats.json_file import write_keypoints_json
from poselift.formats.json_lines import LINES, read_json_or_lines
from poselift.formats.layouts import read_layout
from poselift.formats.npz import read_keypoint_arrays, read_keypoints_npz, write_keypoints_npz, write_people_npz
from poselift.formats.openpose import read_openpose
from poselift.formats.table import POSE_FORMATS, files_of, for_format, pose_format, read_file
from poselift.formats.trc import read_trc
from poselift.formats.ultralytics import is_label, label_files, read_labels
from poselift.sequence import Keypoints2D, Poses3D, expect_keypoints, expect_poses
from poselift.skeleton import Skeleton, get_skeleton

KEYPOINT_ENDINGS = (".npz", ".csv", ".json")
"""Endings of the keypoint files that are written, and read again. Many others are read: docs/keypoint_files.md."""
PEOPLE_ENDINGS = (".npz",)
"""Endings of the files that hold the keypoints of several people."""
POSE_ENDINGS = tuple(POSE_FORMATS)
"""Endings of the files that poses are saved as."""


def read_keypoints_file(
    path: str | Path,
    *,
    skeleton: Skeleton | str | None = None,
    fps: float | None = None,
    image_size: tuple[int, int] | None = None,
    frame_step: float | None = None,
) -> tuple[Keypoints2D, ...]:
    """Read the keypoints of each person in a file or folder; where people had to be tracked, the longest seen is first.

    Args:
        path: A keypoint file, or a folder with one for each frame; docs/keypoint_files.md shows every layout. Files of
            one ending are distinguished by their content.
        skeleton: Joint order of the keypoints. When None, the order that the file names, else the order that the places
            of the joints show.
        fps: Frames per second; needed where the file does not say.
        image_size: (width, height) of the picture in pixels. When None, the file's own; needed for coordinates from 0
            to 1.
        frame_step: By how much the frame numbers in a table, file names or image ids grow from one frame to the next,
            such as 5 where they are those of every fifth frame of a video. When None, they grow by 1, and those that
            all grow by more are refused.

    Raises:
        FormatError: The file is missing, broken, empty, in no known format, or without frame rate.
        UntrustedPickle: An npz file holds Python objects.
        SkeletonError: The joints fit no skeleton, could be of several, or contradict the skeleton that the file names.
        ShapeError: `fps`, `image_size` or `frame_step` is out of range.
    """
    path = Path(path)
    override = Override(None if skeleton is None else get_skeleton(skeleton), fps, image_size, frame_step)
    if found_at(path) == FOLDER:
        return _read_folder(path, override)
    if path.suffix.lower() in (".h5", ".hdf5"):
        raise refuse_h5(path)
    return KEYPOINT_READERS[_ending(path, tuple(KEYPOINT_READERS))](path, override)


def write_keypoints(keypoints: Keypoints2D, path: str | Path, *, overwrite: bool = False) -> None:
    """Write one person's keypoints as .npz, .csv or .json, which `read_keypoints_file` reads.

    Raises:
        KindError: `keypoints` is no `Keypoints2D`.
        FormatError: `path` has another ending.
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written; no part of it is left.
    """
    expect_keypoints(keypoints)
    path = Path(path)
    writers = {".npz": write_keypoints_npz, ".csv": write_keypoints_csv, ".json": write_keypoints_json}
    write = writers[_known(path, KEYPOINT_ENDINGS)]
    with written_whole(path, overwrite=overwrite) as file:
        write(keypoints, file)


def write_people(
    people: Sequence[Keypoints2D], path: str | Path, *, complete: bool = True, overwrite: bool = False
) -> None:
    """Write the keypoints of everyone in a source as .npz, which `read_keypoints_file` reads back exactly.

    Args:
        people: Everyone, over the same frames, with their numbers.
        path: The file.
        complete: Whether the source was read to its end.
        overwrite: Replace an existing file.

    Raises:
        KindError: Somebody is no `Keypoints2D`.
        ShapeError: There is nobody, or they are not of one source.
        FormatError: `path` has another ending.
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written; no part of it is left.
    """
    for person in people:
        expect_keypoints(person)
    path = Path(path)
    _known(path, PEOPLE_ENDINGS)
    with written_whole(path, overwrite=overwrite) as file:
        write_people_npz(people, file, complete=complete)


def save_poses(
    poses: Poses3D | Sequence[Poses3D], path: str | Path, *, overwrite: bool = False, **options: Any
) -> None:
    """Write poses in the format of the ending, one of `poselift.formats.table.POSE_FORMATS`.

    Lengths are metres in the axes of `poses.frame`, except where a format has its own conventions, which its module
    and docs/formats.md name. What the file itself has no place for, such as gaps in BVH, is in a file beside it called
    `<name>.bvh.json`.

    Args:
        poses: One person, or several where the format holds several.
        path: The file.
        overwrite: Replace an existing file.
        **options: What the format's writer takes besides, such as `rig` for BVH.

    Raises:
        KindError: `poses` is no `Poses3D`.
        FormatError: `path` has another ending, or the format takes no such option, or not several people.
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written; no part of it is left.
    """
    people = tuple(poses) if isinstance(poses, list | tuple) and poses else (poses,)
    for person in people:
        expect_poses(person)
    path = Path(path)
    row = pose_format(path, to="write")
    if unknown := sorted(set(options) - set(row.options)):
        raise FormatError(
            f"{path}: {row.ending} takes no {', '.join(unknown)}; {did_you_mean(unknown[0], row.options)}"
        )
    content = for_format(row, people, path)
    assert row.write is not None
    if row.guards:
        row.write(content, path, overwrite=overwrite, **options)
        return
    for file in files_of(path):
        check_free(file, overwrite=overwrite)
    with written_whole(path, overwrite=overwrite) as file:
        made = row.write(content, file, **options)
    for beside in files_of(path)[1:]:
        assert row.notes is not None
        with written_whole(beside, overwrite=overwrite) as file:
            row.notes(content, file, made=made, **options)


def read_poses(path: str | Path, *, person: int | None = None) -> Poses3D:
    """Read one person's poses from a file that `save_poses` wrote, of a format that can be read back.

    Args:
        path: The file.
        person: Number of the person wanted (`Poses3D.person`), where the file holds several.

    Raises:
        FormatError: The file is missing, broken, in another format, or holds several people or not the one wanted.
        UntrustedPickle: An npz file holds Python objects.
        SkeletonError: The file's skeleton is unknown.
    """
    people = read_all_poses(path)
    chosen = people if person is None else tuple(poses for poses in people if poses.person == person)
    if len(chosen) != 1:
        numbers = ", ".join(str(poses.person) for poses in people)
        raise FormatError(
            f"{path} holds {len(people)} people, with the numbers {numbers}; name one of them (person=), or read all "
            "of them with read_all_poses"
        )
    return chosen[0]


def read_all_poses(path: str | Path) -> tuple[Poses3D, ...]:
    """Read the poses of everyone in a file that `save_poses` wrote; the errors are those of `read_poses`."""
    path = Path(path)
    row = pose_format(path, to="read")
    if not found_at(path):
        raise FormatError(f"{path} is not there; check the name")
    return read_file(row, path)


def _read_json(path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    return read_layout(read_json_or_lines(path), str(path), override)


def _read_npy(path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    return read_keypoint_arrays({path.name: read_npy(path)}, path, override)


def _read_text(path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Read one label file of Ultralytics, or a table."""
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    return (
        read_labels([path], str(path), override) if lines and is_label(lines[0]) else read_keypoints_csv(path, override)
    )


def frame_files(folder: Path) -> list[Path]:
    """Return the files of a folder that may hold keypoints of one frame each: JSON files, or else label files."""
    return files_in(folder, "*.json") or label_files(folder)


def _read_folder(folder: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Read a folder of JSON files, or of label files, one for each frame."""
    files = frame_files(folder)
    if files and files[0].suffix == ".txt":
        return read_labels(files, str(folder), override)
    return read_openpose(folder, override)


KEYPOINT_READERS: dict[str, Callable[[Path, Override], tuple[Keypoints2D, ...]]] = {
    ".npz": read_keypoints_npz,
    ".npy": _read_npy,
    **dict.fromkeys((".csv", ".tsv"), read_keypoints_csv),
    ".txt": _read_text,
    **dict.fromkeys((".json", *LINES), _read_json),
    ".trc": read_trc,
}
"""By ending, what reads keypoints."""


def _ending(path: Path, endings: tuple[str, ...]) -> str:
    """Return the ending of a file that exists."""
    ending = _known(path, endings)
    if not found_at(path):
        raise FormatError(f"{path} is not there; check the name")
    return ending


def _known(path: Path, endings: tuple[str, ...]) -> str:
    ending = path.suffix.lower()
    if ending not in endings:
        raise FormatError(f"{path}: unknown ending '{path.suffix}'; known: {', '.join(endings)}")
    return ending
