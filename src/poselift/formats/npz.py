"""Read and write NumPy archives of keypoints and poses. Pickles are never opened."""

import io
import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import DatasetError, FormatError, ShapeError, UntrustedPickle
from poselift.files import parse_json
from poselift.files.arrays import read_arrays
from poselift.formats.about import parse_about, written_by
from poselift.formats.archive import read_archive
from poselift.formats.arrays import name_keypoints
from poselift.formats.axes import people_are_first
from poselift.formats.clip import Override, Source, finish
from poselift.formats.detections import follow
from poselift.formats.detectron import is_detectron, is_videopose, read_detectron, read_videopose
from poselift.formats.fields import named_skeleton
from poselift.formats.people import is_people, people_fields, read_people
from poselift.geometry.camera import Camera
from poselift.sequence import EXTRAS, Keypoints2D, Poses3D

_POSES = (
    "xyz",
    "skeleton",
    "joints",
    "parents",
    "fps",
    "unit",
    "frame",
    "start_s",
    "camera",
    "person",
    "may_continue",
    "about",
)
"""Arrays of poses, besides those of `EXTRAS`."""
_SCORES = ("conf", "score")
"""Parts of the names of arrays that hold scores: confidence, conf, scores, keypoint_scores, ..."""
_COMPRESSION = 1
_FIELDS = ("skeleton", "joints", "parents", "fps", "image_size")
_log = logging.getLogger("poselift")


def read_keypoints_npz(path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Read the keypoints of each person in an archive.

    ========== ===================================================================================
    xy         (T, J, 2), or (P, T, J, 2) for several people, NaN for joints that were not seen; may be
               called `keypoints`; a third number for each joint is its confidence
    confidence (T, J) or (P, T, J), if not in `xy`; may have any name with "score" or "conf" in it
    skeleton   name of the joint order; identified from the data when absent
    fps        frames per second; when absent, the user must give it
    image_size (width, height), may be absent
    ========== ===================================================================================

    Arrays (T, P, J, 2) of the people of each frame are distinguished from (P, T, J, 2) by how the joints move, and the
    people are tracked. Arrays that are not read are named in a warning.

    Raises:
        UntrustedPickle: The archive holds Python objects.
        FormatError: The archive is broken, holds no keypoints or people that cannot be distinguished from frames, or
            there is no frame rate.
        SkeletonError: The joints fit no skeleton, or not the one that the archive names.
    """
    try:
        return read_keypoint_arrays(read_arrays(path), path, override)
    except UntrustedPickle as refused:
        return _read_pickled(path, override, refused)


def _read_pickled(path: Path, override: Override, refused: UntrustedPickle) -> tuple[Keypoints2D, ...]:
    """Read the archives of VideoPose3D and Detectron, and refuse others; errors as `read_keypoints_npz`."""
    try:
        content = read_archive(path)
    except UntrustedPickle:
        raise
    except DatasetError as error:
        raise refused from error
    if is_videopose(content):
        return read_videopose(content, str(path), override)
    if is_detectron(content):
        return read_detectron(content, str(path), override)
    known = "VideoPose3D ('positions_2d') and Detectron ('boxes', 'keypoints')"
    raise UntrustedPickle(f"{refused}; of archives with objects, only those of {known} are read, as arrays")


def read_keypoint_arrays(content: Mapping[str, np.ndarray], path: Path, override: Override) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person in arrays that are called as `read_keypoints_npz` says, with its errors.

    An array that is the only one that can be keypoints need not have a name.
    """
    if is_people(content):
        return read_people(content, path, _source(path, content), override)
    arrays = name_keypoints(content, str(path))
    key = next((key for key in ("xy", "keypoints") if key in arrays), None)
    if key is None:
        advice = "it holds 3D poses" if "xyz" in arrays else f"it holds {', '.join(arrays) or 'nothing'}"
        raise FormatError(f"{path}: wanted an array 'xy' (frames, joints, 2); {advice}")
    array = _real(arrays[key], f"{path}: '{key}'")
    if array.ndim not in (3, 4) or array.shape[-1] not in (2, 3) or 0 in array.shape:
        raise FormatError(
            f"{path}: wanted '{key}' (frames, joints, 2 or 3) or (people, frames, joints, 2 or 3), got {array.shape}"
        )
    score_key = next((name for name in arrays if _holds_scores(name, arrays, array.shape[:-1], path)), None)
    if score_key is not None:
        scores = _real(arrays[score_key], f"{path}: '{score_key}'").reshape(array.shape[:-1])
        array = np.concatenate([array[..., :2], scores[..., None]], axis=-1)
        if score_key != "confidence":
            _log.info("%s: the scores are those of the array '%s'", path, score_key)
    if unread := [name for name in arrays if name not in (key, score_key, *_FIELDS)]:
        _log.warning("%s: arrays that were not read: %s", path, ", ".join(unread))
    return _people(array, f"{path}, '{key}'", _source(path, arrays), override)


def _holds_scores(name: str, arrays: Mapping[str, np.ndarray], shape: tuple[int, ...], path: Path) -> bool:
    """Return whether an array of this name has a score for each joint.

    Raises:
        FormatError: It is called `confidence` and has another shape.
    """
    if not any(word in name.lower() for word in _SCORES):
        return False
    got = arrays[name].shape
    if name == "confidence" and got not in (shape, (*shape, 1)):
        raise FormatError(f"{path}: wanted 'confidence' of shape {shape}, got {got}")
    return got in (shape, (*shape, 1))


def _people(array: np.ndarray, name: str, source: Source, override: Override) -> tuple[Keypoints2D, ...]:
    """Return clips from (T, J, C) keypoints of one person, or from those of several (P, T, J, C) or (T, P, J, C)."""
    if array.ndim == 3:
        return finish([array], source, override)
    seen = (
        np.isfinite(array).all(-1)
        & (array[..., :2] != 0).any(-1)
        & (array[..., -1] > 0 if array.shape[-1] == 3 else True)
    )
    if people_are_first(np.where(seen[..., None], array[..., :2], np.nan), name):
        return finish(list(array), source, override)
    _log.info("%s: its %d x %d are taken as frames x people", name, *array.shape[:2])
    if array.shape[1] == 1:
        return finish([array[:, 0]], source, override)
    return follow(dict(enumerate(array)), None, source, override)


def write_keypoints_npz(keypoints: Keypoints2D, path: Path) -> None:
    """Write the layout that `read_keypoints_npz` reads."""
    if keypoints.person is not None or keypoints.may_continue or keypoints.start_s or keypoints.footage:
        write_people_npz([keypoints], path)
        return
    fields = {"xy": keypoints.xy, "fps": np.array(keypoints.fps)} | _skeleton_fields(keypoints)
    if keypoints.confidence is not None:
        fields["confidence"] = keypoints.confidence
    if keypoints.image_size is not None:
        fields["image_size"] = np.array(keypoints.image_size)
    _write(fields, path)


def write_people_npz(people: Sequence[Keypoints2D], path: Path, *, complete: bool = True) -> None:
    """Write the layout of `poselift.formats.people`, which keeps everything; raises what `people_fields` raises."""
    _write(people_fields(people, complete=complete) | _skeleton_fields(people[0]), path)


def write_poses_npz(poses: Poses3D, path: Path) -> None:
    """Write `xyz` (T, J, 3) with `joints`, `parents`, `skeleton`, `fps`, `unit`, `frame`, `start_s`.

    Where they are known, it also holds `observed` and `spread` (T, J), `gap` (T,), `path` and `up` (T, 3), `contact`
    (T, 4), `camera` and `about` as JSON, `person` and `may_continue`. `written_by` names our version.
    """
    fields = {"xyz": poses.xyz, "fps": np.array(poses.fps), "start_s": np.array(poses.start_s)}
    fields |= _skeleton_fields(poses) | {"unit": np.array(poses.unit), "frame": np.array(poses.frame)}
    fields |= {name: array for name in EXTRAS if (array := getattr(poses, name)) is not None}
    if poses.person is not None:
        fields |= {"person": np.array(poses.person), "may_continue": np.array(poses.may_continue, np.int64)}
    if poses.camera is not None:
        fields["camera"] = np.array(json.dumps(poses.camera.as_json()))
    _write(fields | {"about": np.array(json.dumps(poses.about)), "written_by": np.array(written_by())}, path)


def read_poses_npz(path: Path) -> Poses3D:
    """Read poses from an archive that `write_poses_npz` wrote.

    Raises:
        UntrustedPickle: The archive holds Python objects.
        FormatError: The archive is broken, or has another layout.
    """
    archive = read_arrays(path)
    arrays = {name: archive[name] for name in (*_POSES, *EXTRAS) if name in archive}
    missing = {"xyz", "skeleton", "fps", "unit", "frame"} - arrays.keys()
    if missing:
        if {"xy", "keypoints"} & set(archive) and "xyz" not in archive:
            raise FormatError(f"{path} holds 2D keypoints, no poses; lift it with poselift lift")
        raise FormatError(f"{path} holds no poses: {', '.join(sorted(missing))} missing")
    source = _source(path, arrays)
    if source.skeleton is None or source.fps is None:
        raise FormatError(f"{path} names no skeleton or no frame rate")
    if str(arrays["unit"]) != "m":
        raise FormatError(f"{path}: wanted metres, got {arrays['unit']}")
    extras: dict[str, Any] = {name: arrays[name] for name in EXTRAS if name in arrays}
    try:
        if "camera" in arrays:
            extras["camera"] = Camera.from_json(parse_json(str(arrays["camera"]), f"{path}, camera"))
        if "about" in arrays:
            extras["about"] = parse_about(parse_json(str(arrays["about"]), f"{path}, about"), str(path))
        start_s = float(np.asarray(arrays.get("start_s", 0.0)).item())  # ValueError where it is several numbers
        frame = str(arrays["frame"])
        if "person" in arrays:
            extras["person"] = int(arrays["person"].item())
            extras["may_continue"] = tuple(arrays.get("may_continue", np.array([], int)).tolist())
        return Poses3D(arrays["xyz"], source.skeleton, source.fps, frame, start_s=start_s, **extras)
    except (ShapeError, TypeError, ValueError) as error:
        raise FormatError(f"{path}: {error}") from error


def _write(fields: dict[str, np.ndarray], path: Path) -> None:
    # NumPy would compress four times as slowly for files that are as small, add ".npz" to a name ending in ".NPZ", and
    # raise twice on a full disk.
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=_COMPRESSION) as members:
        for name, array in fields.items():
            with members.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
    path.write_bytes(archive.getvalue())


def _skeleton_fields(sequence: Keypoints2D | Poses3D) -> dict[str, np.ndarray]:
    skeleton = sequence.skeleton
    return {
        "skeleton": np.array(skeleton.name),
        "joints": np.array(skeleton.joints),
        "parents": np.array(skeleton.parents, np.int64),
    }


def _source(path: Path, arrays: Mapping[str, np.ndarray]) -> Source:
    name, joints, parents = arrays.get("skeleton"), arrays.get("joints"), arrays.get("parents")
    skeleton = None
    if name is not None and str(name):
        listed = [None if field is None else field.tolist() for field in (joints, parents)]
        skeleton = named_skeleton(name, listed[0], listed[1], str(path))
    fps, size = arrays.get("fps"), arrays.get("image_size")
    if fps is not None and _real(fps, f"{path}: 'fps'").size != 1:
        raise FormatError(f"{path}: wanted one number 'fps', got {fps.shape}")
    if size is not None and (size.shape != (2,) or not np.isfinite(_real(size, f"{path}: 'image_size'")).all()):
        raise FormatError(f"{path}: wanted 'image_size' (width, height), got {size}")
    width_height = None if size is None else (int(size[0]), int(size[1]))
    return Source(str(path), skeleton, None if fps is None else float(fps.item()), width_height)


def _real(array: np.ndarray, what: str) -> np.ndarray:
    if array.dtype.kind not in "iuf":
        raise FormatError(f"{what}: wanted numbers, got dtype {array.dtype}")
    return array
