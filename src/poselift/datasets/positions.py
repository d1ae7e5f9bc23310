"""Read what archives in VideoPose3D's form share: nested dicts of positions, and detections with their metadata."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from poselift.datasets.clip import BenchmarkClip, as_single
from poselift.errors import DatasetError, MissingData, ShapeError, did_you_mean
from poselift.files import files_in, found_at
from poselift.formats.archive import read_archive
from poselift.geometry.camera import Camera
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17, HUMANEVA_15, Skeleton

_LAYOUTS = {"h36m": H36M_17, "coco": COCO_17, "humaneva15": HUMANEVA_15}
_THIGH_M = (0.15, 0.9)
"""Shortest and longest mean length of a person's thighs; in a wrong unit they are far outside."""

Recordings = dict[str, dict[str, Any]]
"""Subject to recording to the archive's content."""


def read_positions(path: Path, key: str, owner: str) -> tuple[Recordings, dict[str, Any]]:
    """Read the positions in an archive, and everything else that it holds.

    Raises:
        MissingData: The file does not exist.
        UntrustedPickle: The archive holds more than arrays and plain containers.
        DatasetError: The archive is broken, or holds no such positions.
    """
    content = read_archive(path, owner=owner)
    found = content.pop(key, None)
    if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
        got = ", ".join(content) or "nothing else"
        raise DatasetError(f"{path}: wanted '{key}' as a dict of subjects of recordings; the archive holds {got}")
    return found, content


@dataclass(frozen=True, eq=False)
class Detections:
    """An archive of 2D keypoints."""

    positions: Recordings
    """Pixels: subject to recording to one array for each camera."""
    path: Path
    """Path of the archive."""
    skeleton: Skeleton
    """Joint order of the keypoints."""

    def recordings(self, subject: str) -> list[str]:
        """Return the names of a subject's recordings, in the archive's order.

        Raises:
            MissingData: The archive has no such subject.
        """
        return list(entry(self.positions, subject, None, self.path))

    def views(
        self, subject: str, recording: str, frames: int, cameras: Sequence[Camera], fps: float
    ) -> list[Keypoints2D | None]:
        """Return the first `frames` frames of a recording from each camera; None where a camera has an empty entry.

        Videos go on after the motion capture has stopped, so the archive may hold more frames.

        Raises:
            MissingData: The recording is missing.
            DatasetError: Cameras or frames are missing, or there are no such keypoints.
        """
        content = entry(self.positions, subject, recording, self.path)
        where = f"{subject} '{recording}' in {self.path}"
        found: list[Keypoints2D | None] = []
        for camera, array in zip(cameras, each_camera(content, len(cameras), where), strict=True):
            place = f"{where}, camera {camera.name}"
            xy = None if array is None else numbers(array, len(self.skeleton), (2, 3), place)
            found.append(
                None if xy is None else make_keypoints(xy, frames, self.skeleton, fps, camera.image_size, place)
            )
        return found


def read_detections(folder: Path, prefix: str, keypoints: str, owner: str) -> Detections:
    """Read the 2D keypoints in `<prefix><keypoints>.npz`.

    Raises:
        MissingData: The file does not exist; the message names the keypoints that do.
        UntrustedPickle: The archive holds more than arrays and plain containers.
        DatasetError: The archive is broken, or its joints are in no known order.
    """
    path = folder / f"{prefix}{keypoints}.npz"
    if not found_at(path, MissingData):
        there = [file.stem.removeprefix(prefix) for file in files_in(folder, f"{prefix}*.npz", refuse=MissingData)]
        raise MissingData(
            f"no file {path}; keypoints that are there: {', '.join(there) or 'none'}; get it from {owner}"
        )
    positions, content = read_positions(path, "positions_2d", owner)
    return Detections(positions, path, detections_skeleton(content, path))


def detections_skeleton(content: dict[str, Any], path: Path) -> Skeleton:
    """Return the joint order that an archive's metadata describes.

    Raises:
        DatasetError: The metadata are missing or contradict themselves, or the order is not known.
    """
    metadata = content.get("metadata")
    if not isinstance(metadata, dict) or not {"num_joints", "keypoints_symmetry"} <= metadata.keys():
        raise DatasetError(f"{path}: wanted 'metadata' with num_joints and keypoints_symmetry, got {metadata!r:.100}")
    try:
        joints = int(metadata["num_joints"])
        left, right = ({int(joint) for joint in side} for side in metadata["keypoints_symmetry"])
    except (TypeError, ValueError, OverflowError) as error:
        raise DatasetError(f"{path}: wanted a number of joints and two lists of them, got {metadata!r:.200}") from error
    for name, skeleton in _LAYOUTS.items():
        sides = tuple(map(set, zip(*skeleton.pairs, strict=True)))
        if len(skeleton) == joints and sides == (left, right):
            if metadata.get("layout_name", name) != name:
                raise DatasetError(
                    f"{path} calls itself {metadata['layout_name']} and has the left and right of {name}"
                )
            return skeleton
    raise DatasetError(
        f"{path}: {joints} joints with the left side {sorted(left)} are in no order we read ({', '.join(_LAYOUTS)}); "
        "the 16 joints of MPII have no spine and no nose: use other detections"
    )


def among(wanted: str | Sequence[str] | None, known: Iterable[str], what: str) -> tuple[str, ...]:
    """Return the wanted names; for None, all known names.

    Raises:
        DatasetError: A name is not known, or none is wanted.
    """
    known = tuple(known)
    names = known if wanted is None else (wanted,) if isinstance(wanted, str) else tuple(dict.fromkeys(wanted))
    for name in names:
        if name not in known:
            raise DatasetError(f"unknown {what} '{name}'; {did_you_mean(name, known)}")
    if not names:
        raise DatasetError(f"no {what} is wanted; known: {', '.join(known)}")
    return names


def among_subjects(
    wanted: str | Sequence[str] | None, train: tuple[str, ...], test: tuple[str, ...], what: str
) -> tuple[tuple[str, ...], str]:
    """Return the wanted subjects and a name for the selection; ``"train"`` and ``"test"`` select those of a split.

    Raises:
        DatasetError: A subject is not known, or none is wanted.
    """
    if isinstance(wanted, str) and wanted in ("train", "test"):
        return (train if wanted == "train" else test), wanted
    return among(wanted, train + test, what), "all" if wanted is None else "chosen subjects"


def entry(positions: Recordings, subject: str, recording: str | None, path: Path) -> Any:
    """Return the archive's content for a subject, or for one of the subject's recordings.

    Raises:
        MissingData: The archive has no such subject or recording.
    """
    if subject not in positions:
        raise MissingData(f"{path} has no subject {subject}; it has {', '.join(positions)}; is it the whole archive?")
    if recording is None:
        return positions[subject]
    if recording not in positions[subject]:
        raise MissingData(f"{path} has no recording '{recording}' of {subject}; is it of the same release?")
    return positions[subject][recording]


def each_camera(content: Any, count: int, where: str) -> list[Any]:
    """Return the content of one recording, checked to have one entry for each of `count` cameras.

    Raises:
        DatasetError: The number of entries is another one.
    """
    if not isinstance(content, list | tuple | np.ndarray) or len(content) != count:
        got = (
            len(content)
            if isinstance(content, list | tuple | np.ndarray)
            else f"something of type {type(content).__name__}"
        )
        raise DatasetError(f"{where}: wanted one array for each of {count} cameras, got {got}")
    return list(content)


def numbers(content: Any, joints: int, channels: tuple[int, ...], where: str) -> np.ndarray:
    """Return an array of positions (T, joints, one of `channels`), checked but not changed.

    Raises:
        DatasetError: The array has another shape, no frames, or no floating point numbers.
    """
    try:
        array = np.asarray(content)
    except ValueError as error:  # lists of different lengths
        raise DatasetError(f"{where}: wanted an array, got lists that make none ({error})") from error
    if array.dtype.kind != "f" or array.ndim != 3 or array.shape[1] != joints or array.shape[2] not in channels:
        wanted = f"(frames, {joints}, {' or '.join(map(str, channels))}) floating point numbers"
        raise DatasetError(f"{where}: wanted {wanted}, got {array.dtype} {array.shape}")
    if len(array) == 0:
        raise DatasetError(f"{where}: no frames")
    return array


def make_keypoints(
    xy: np.ndarray, frames: int, skeleton: Skeleton, fps: float, image_size: tuple[int, int] | None, where: str
) -> Keypoints2D:
    """Return keypoints of the first frames of (T, J, 2) pixels, or (T, J, 3) with confidence, in new arrays.

    Raises:
        DatasetError: There are fewer frames than `frames`, a coordinate is infinite, or a confidence negative.
    """
    if len(xy) < frames:
        raise DatasetError(
            f"{where}: {len(xy)} frames of 2D keypoints for {frames} frames of 3D; wanted at least as many"
        )
    confidence = None if xy.shape[2] == 2 else as_single(xy[:frames, :, 2]).copy()
    try:
        return Keypoints2D(as_single(xy[:frames, :, :2]).copy(), confidence, skeleton, fps, image_size)
    except ShapeError as error:
        raise DatasetError(f"{where}: {error}") from error


def check_metres(clips: Sequence[BenchmarkClip], path: Path) -> None:
    """Check that joints are known and that people have the size of people.

    Raises:
        DatasetError: There are no clips, joints are not finite, or thighs are too long or too short on average.
    """
    if not clips:
        raise DatasetError(f"{path} holds nothing of what was asked for")
    for clip in clips:
        if not np.isfinite(clip.xyz).all():
            raise DatasetError(f"{path}: joints of {clip.subject} in '{clip.sequence}' are NaN, infinite or too large")
        thighs = [
            np.linalg.norm(clip.xyz[clip.valid, hip].astype(float) - clip.xyz[clip.valid, knee], axis=-1)
            for hip, knee, _ in clip.skeleton.limbs
            if "hip" in clip.skeleton.joints[hip]
        ]
        length = float(np.mean(thighs)) if clip.valid.any() else np.mean(_THIGH_M)
        if not _THIGH_M[0] < length < _THIGH_M[1]:
            raise DatasetError(
                f"{path}: the thighs of {clip.subject} in '{clip.sequence}' are {length:.3g} m long; "
                "the unit or the joint order is not what the archive's form has"
            )
