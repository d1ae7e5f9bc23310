"""Read keypoint files and write pose files: one module for each format, chosen by the ending of the path."""

from collections.abc import Callable
from pathlib import Path

from poselift.errors import FormatError
from poselift.files import check_free, read_json, written_whole
from poselift.formats.clip import Override
from poselift.formats.coco import read_detections
from poselift.formats.csv import read_keypoints_csv, read_poses_csv, write_keypoints_csv, write_poses_csv
from poselift.formats.json_file import read_keypoints_json, read_poses_json, write_keypoints_json, write_poses_json
from poselift.formats.npz import read_keypoints_npz, read_poses_npz, write_keypoints_npz, write_poses_npz
from poselift.formats.openpose import read_openpose, read_openpose_frame
from poselift.sequence import Keypoints2D, Poses3D, expect_keypoints, expect_poses
from poselift.skeleton import Skeleton, get_skeleton

KEYPOINT_ENDINGS = (".npz", ".csv", ".json")
"""Endings of the keypoint files that are read and written, beside a folder of OpenPose JSON."""
POSE_ENDINGS = (".npz", ".csv", ".json", ".bvh", ".html")
"""Endings of the files that poses are saved as. Those of `KEYPOINT_ENDINGS` can be read back."""


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
        path: A folder of OpenPose JSON, or an .npz, .csv or .json file (poselift's layouts, one frame of OpenPose, or a
            list of detections by AlphaPose or for COCO); the modules of `poselift.formats` describe each.
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
    if path.is_dir():
        return read_openpose(path, override)
    readers = {".npz": read_keypoints_npz, ".csv": read_keypoints_csv, ".json": _read_json}
    return readers[_ending(path, KEYPOINT_ENDINGS)](path, override)


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


def save_poses(poses: Poses3D, path: str | Path, *, overwrite: bool = False) -> None:
    """Write poses in the format of the ending: .npz, .csv, .json, .bvh (animation) or .html (viewer).

    Lengths are metres in the axes of `poses.frame`, except where a format has its own conventions, which its module
    names. Each format holds how far each joint was observed and which frames are gaps; BVH has no place for these, so
    they are in a file beside it called `<name>.bvh.json`.

    Raises:
        KindError: `poses` is no `Poses3D`.
        FormatError: `path` has another ending.
        OutputExistsError: `path` exists and `overwrite` is off.
        OutputError: The file cannot be written; no part of it is left.
    """
    expect_poses(poses)
    path = Path(path)
    ending = _known(path, POSE_ENDINGS)
    if ending == ".html":
        from poselift.viewer import write_viewer  # only imported when needed, as BVH is

        write_viewer(poses, path, overwrite=overwrite)  # guards the file itself, and titles the page by its name
        return
    write = _pose_writer(ending)
    for file in files_of(path):
        check_free(file, overwrite=overwrite)
    with written_whole(path, overwrite=overwrite) as file:
        write(poses, file)
    for beside in files_of(path)[1:]:
        from poselift.formats.bvh import write_bvh_notes  # only imported when needed

        with written_whole(beside, overwrite=overwrite) as file:
            write_bvh_notes(poses, file)


def files_of(path: str | Path) -> tuple[Path, ...]:
    """Return the files that `save_poses` writes for this path: the file itself, and the notes beside a BVH file."""
    path = Path(path)
    return (path, path.with_name(f"{path.name}.json")) if path.suffix.lower() == ".bvh" else (path,)


def read_poses(path: str | Path) -> Poses3D:
    """Read poses from a file that `save_poses` wrote: .npz, .csv or .json.

    Raises:
        FormatError: The file is missing, broken, or in another format.
        UntrustedPickle: An npz file holds Python objects.
        SkeletonError: The file's skeleton is unknown.
    """
    path = Path(path)
    readers = {".npz": read_poses_npz, ".csv": read_poses_csv, ".json": read_poses_json}
    return readers[_ending(path, KEYPOINT_ENDINGS)](path)


def _pose_writer(ending: str) -> Callable[[Poses3D, Path], None]:
    """Return the writer of a format; the BVH writer is only imported when needed."""
    if ending == ".bvh":
        from poselift.formats.bvh import write_bvh

        return write_bvh
    return {".npz": write_poses_npz, ".csv": write_poses_csv, ".json": write_poses_json}[ending]


def _read_json(path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Read one of the layouts that share the ending .json."""
    content = read_json(path)
    if isinstance(content, list):
        return read_detections(content, str(path), override)
    if isinstance(content, dict) and "people" in content:
        return read_openpose_frame(content, str(path), override)
    if isinstance(content, dict) and "frames" in content:
        return read_keypoints_json(content, str(path), override)
    raise FormatError(
        f"{path}: wanted JSON with 'frames' (own layout), 'people' (OpenPose) or a list of detections (AlphaPose, COCO)"
    )


def _ending(path: Path, endings: tuple[str, ...]) -> str:
    """Return the ending of a file that exists."""
    ending = _known(path, endings)
    if not path.exists():
        raise FormatError(f"{path} is not there; check the name")
    return ending


def _known(path: Path, endings: tuple[str, ...]) -> str:
    ending = path.suffix.lower()
    if ending not in endings:
        raise FormatError(f"{path}: unknown ending '{path.suffix}'; known: {', '.join(endings)}")
    return ending
