"""Read MPI-INF-3DHP in the two forms that lifting repositories share.

* ``"p_stmo"``: `data_train_3dhp.npz` and `data_test_3dhp.npz` (P-STMO, PoseFormerV2, MotionAGFormer): the data set's
  own 17 joints in millimetres, invalid test frames kept and marked.
* ``"posessm"``: `data_3d_3dhp.npz` and `data_2d_3dhp.npz` (DC-GCT, PoseSSM): joints in Human3.6M's order, metres.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from poselift.datasets.clip import BenchmarkClip, BenchmarkSet
from poselift.datasets.positions import (
    among_subjects,
    check_metres,
    each_camera,
    entry,
    make_keypoints,
    numbers,
    read_positions,
)
from poselift.errors import DatasetError, MissingData, SkeletonError
from poselift.formats.archive import read_archive
from poselift.sequence import Keypoints2D
from poselift.skeleton import H36M_17, MPI_INF_3DHP_17, Skeleton

OWNER = (
    "the owners of MPI-INF-3DHP, https://vcai.mpi-inf.mpg.de/3dhp-dataset, converted by the scripts of P-STMO or DC-GCT"
)
TRAIN = ("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8")
TEST = ("TS1", "TS2", "TS3", "TS4", "TS5", "TS6")
TRUTHS = ("annot3", "univ_annot3")
"""The owner's two ground truths: metric, and scaled to the height of one universal person."""
_OUTDOOR = ("TS5", "TS6")
_FPS_50 = ("S1 Seq2", "S3 Seq1", "S3 Seq2", "S5 Seq1", "S5 Seq2")
_TEST_FPS = 25.0
_FILES = {"p_stmo": ("data_train_3dhp", "data_test_3dhp"), "posessm": ("data_3d_3dhp", "data_2d_3dhp")}
_AS_H36M = {"thorax": "neck", "nose": "head"}
"""The two joints of `H36M_17` that have other names in `MPI_INF_3DHP_17`."""


def load_mpi_inf_3dhp(
    folder: str | Path,
    *,
    subjects: str | Sequence[str] | None = "test",
    form: str | None = None,
    truth: str | None = None,
    skeleton: Skeleton = H36M_17,
) -> BenchmarkSet:
    """Read MPI-INF-3DHP, or a part of it.

    Every clip's action is the sequence ("Seq1"), so that means over the test subjects are means over TS1 to TS6.

    Args:
        folder: Path of the folder with the archives.
        subjects: ``"test"`` (TS1 to TS6), ``"train"`` (S1 to S8), names, or None for all.
        form: ``"p_stmo"`` or ``"posessm"``; identified by the files when None.
        truth: The owner's ground truth that the archive was made from, ``"annot3"`` (metric) or ``"univ_annot3"``
            (scaled to one height). No archive says. When None, that of the published scripts is taken for
            ``"p_stmo"`` (``"univ_annot3"``); for ``"posessm"`` it must be given.
        skeleton: `H36M_17` renames and reorders the joints (neck for thorax, head for nose) in 2D and 3D, so that one
            lifter fits all benchmarks; `MPI_INF_3DHP_17` keeps the data set's own.

    Returns:
        Clips by subject, sequence and camera: pixels, and metres in camera axes. Test frames that the owner marks as
        invalid are not scored. The ground truth is in the notes.

    Raises:
        MissingData: A file, a subject, or a sequence is missing.
        UntrustedPickle: A file holds more than arrays and plain containers.
        DatasetError: A file is damaged or not what it claims, a name is unknown, or `form` or `truth` must be given.
        SkeletonError: The skeleton is neither of the two.
    """
    folder = Path(folder)
    people, split = among_subjects(subjects, TRAIN, TEST, "subject of MPI-INF-3DHP")
    form = _form(folder, form)
    truth = _truth(truth, form)
    if skeleton not in (H36M_17, MPI_INF_3DHP_17):
        raise SkeletonError(f"wanted H36M_17 or MPI_INF_3DHP_17 for MPI-INF-3DHP, got {skeleton.name}")
    clips = (_p_stmo if form == "p_stmo" else _posessm)(folder, people, skeleton)
    check_metres(clips, folder)
    notes = {
        "ground truth": truth,
        "form": form,
        "split": split,
        "subjects": ", ".join(people),
        "joints": f"{skeleton.name}" + (" (neck for thorax, head for nose)" if skeleton == H36M_17 else ""),
        "test frames a second": f"{_TEST_FPS:g}, assumed: the archives do not say",
    }
    return BenchmarkSet("MPI-INF-3DHP", clips, notes)


def image_size(subject: str) -> tuple[int, int]:
    """Return (width, height) of a subject's pictures in pixels; they differ for the outdoor test sequences."""
    return (1920, 1080) if subject in _OUTDOOR else (2048, 2048)


def joint_order(source: Skeleton, target: Skeleton) -> list[int]:
    """Return the index in `source` of each joint of `target`; the two are `H36M_17` or `MPI_INF_3DHP_17`."""
    if source == target:
        return list(range(len(source)))
    names = _AS_H36M if target == H36M_17 else {there: here for here, there in _AS_H36M.items()}
    return [source.index(names.get(joint, joint)) for joint in target.joints]


def _form(folder: Path, form: str | None) -> str:
    """Return the form of the archives in a folder."""
    if form is not None:
        if form not in _FILES:
            raise DatasetError(f"unknown form '{form}' of MPI-INF-3DHP; known: {', '.join(_FILES)}")
        return form
    there = [form for form, files in _FILES.items() if any(list(folder.glob(f"{file}*.npz")) for file in files)]
    if not there:
        wanted = " or ".join(f"{first}.npz and {second}.npz" for first, second in _FILES.values())
        raise MissingData(f"no archive of MPI-INF-3DHP in {folder}; wanted {wanted}; get them from {OWNER}")
    if len(there) > 1:
        raise DatasetError(f"{folder} holds MPI-INF-3DHP in the forms {' and '.join(there)}; name one with form=...")
    return there[0]


def _truth(truth: str | None, form: str) -> str:
    if truth is None and form == "p_stmo":
        return "univ_annot3"
    if truth not in TRUTHS:
        raise DatasetError(
            f"name the ground truth that the archive was made from, truth='annot3' (metric) or truth='univ_annot3' "
            f"(scaled to one height), got {truth!r}: the file does not say, and results on the two do not compare"
        )
    return truth


def _p_stmo(folder: Path, people: Sequence[str], skeleton: Skeleton) -> list[BenchmarkClip]:
    clips: list[BenchmarkClip] = []
    for names, file in ((TRAIN, "data_train_3dhp"), (TEST, "data_test_3dhp")):
        wanted = [person for person in people if person in names]
        if not wanted:
            continue
        path = folder / f"{file}_ori.npz"
        path = path if path.is_file() else folder / f"{file}.npz"
        data = read_archive(path, owner=OWNER).get("data")
        if not isinstance(data, dict):
            raise DatasetError(f"{path}: wanted 'data', a dict of sequences, got {type(data).__name__}")
        for person in wanted:
            clips += (_p_stmo_test if names == TEST else _p_stmo_train)(data, person, path, skeleton)
    return clips


def _p_stmo_train(data: dict[str, Any], person: str, path: Path, skeleton: Skeleton) -> list[BenchmarkClip]:
    """Return the clips of the keys "S1 Seq1" and "S1 Seq2", each of which holds a dict of cameras and a frame rate."""
    clips = []
    keys = [key for key in data if key.split(" ")[0] == person]
    if not keys:
        raise MissingData(f"{path} has no subject {person}; it has {', '.join(data)}; is it the whole archive?")
    for key in keys:
        content = data[key]
        if not (isinstance(content, list | tuple) and len(content) == 2 and isinstance(content[0], dict)):
            raise DatasetError(f"{path}, '{key}': wanted a dict of cameras and a frame rate, got {content!r:.80}")
        cameras, fps = content
        if not isinstance(fps, int | float) or fps <= 0:
            raise DatasetError(f"{path}, '{key}': wanted a frame rate, got {fps!r:.80}")
        for camera, arrays in cameras.items():
            where = f"{path}, '{key}', camera {camera}"
            clips.append(
                _p_stmo_clip(arrays, (person, key.partition(" ")[2], str(camera)), float(fps), where, skeleton)
            )
    return clips


def _p_stmo_test(data: dict[str, Any], person: str, path: Path, skeleton: Skeleton) -> list[BenchmarkClip]:
    """Return the one clip of a key such as "TS1"."""
    arrays = entry({"": data}, "", person, path)
    where = f"{path}, '{person}'"
    if not isinstance(arrays, dict) or "valid" not in arrays:
        raise DatasetError(f"{where}: wanted 'valid', which frames count, beside data_2d and data_3d")
    return [_p_stmo_clip(arrays, (person, "Seq1", "0"), _TEST_FPS, where, skeleton)]


def _p_stmo_clip(arrays: Any, label: tuple[str, str, str], fps: float, where: str, skeleton: Skeleton) -> BenchmarkClip:
    """Return the clip of one dict of arrays; `label` is subject, sequence and camera."""
    if not isinstance(arrays, dict) or not {"data_2d", "data_3d"} <= arrays.keys():
        raise DatasetError(f"{where}: wanted the arrays data_2d and data_3d, got {arrays!r:.80}")
    joints = len(MPI_INF_3DHP_17)
    xyz = numbers(arrays["data_3d"], joints, (3,), f"{where}, data_3d") / 1000
    xy = numbers(arrays["data_2d"], joints, (2, 3), f"{where}, data_2d")
    valid = np.ravel(arrays["valid"]).astype(bool) if "valid" in arrays else np.ones(len(xyz), bool)
    if not len(xy) == len(xyz) == len(valid):
        raise DatasetError(
            f"{where}: wanted as many frames of 2D, 3D and valid, got {len(xy)}, {len(xyz)}, {len(valid)}"
        )
    order = joint_order(MPI_INF_3DHP_17, skeleton)
    keypoints = make_keypoints(xy[:, order], len(xyz), skeleton, fps, image_size(label[0]), where)
    return _clip(label, keypoints, xyz[:, order], skeleton, valid, where)


def _posessm(folder: Path, people: Sequence[str], skeleton: Skeleton) -> list[BenchmarkClip]:
    path_3d, path_2d = folder / "data_3d_3dhp.npz", folder / "data_2d_3dhp.npz"
    camera_joints, _ = read_positions(path_3d, "positions_3d", OWNER)
    pixels, _ = read_positions(path_2d, "positions_2d", OWNER)
    order = joint_order(H36M_17, skeleton)
    clips = []
    for person in people:
        for sequence, content in entry(camera_joints, person, None, path_3d).items():
            where = f"{person} '{sequence}'"
            count = 1 if person in TEST else len(content) if isinstance(content, list | tuple | np.ndarray) else 0
            seen = each_camera(entry(pixels, person, sequence, path_2d), count, f"{where} in {path_2d}")
            truth = each_camera(content, count, f"{where} in {path_3d}")
            fps = 50.0 if f"{person} {sequence}" in _FPS_50 else 25.0
            for camera, (array_2d, array_3d) in enumerate(zip(seen, truth, strict=True)):
                place = f"{where}, camera {camera}"
                xyz = numbers(array_3d, len(H36M_17), (3,), f"{place} in {path_3d}")[:, order]
                xy = numbers(array_2d, len(H36M_17), (2, 3), f"{place} in {path_2d}")[:, order]
                keypoints = make_keypoints(xy, len(xyz), skeleton, fps, image_size(person), f"{place} in {path_2d}")
                valid = np.ones(len(xyz), bool)
                clips.append(_clip((person, sequence, str(camera)), keypoints, xyz, skeleton, valid, place))
    return clips


def _clip(
    label: tuple[str, str, str],
    keypoints: Keypoints2D,
    xyz: np.ndarray,
    skeleton: Skeleton,
    valid: np.ndarray,
    where: str,
) -> BenchmarkClip:
    """Return a clip, checked to know all joints in scored frames; in other frames unknown joints become 0."""
    known = np.isfinite(xyz).all((1, 2))
    if not known[valid].all():
        raise DatasetError(f"{where}: NaN or infinite joints in {int((~known[valid]).sum())} frames that count")
    joints = np.where(known[:, None, None], xyz, 0).astype(np.float32)
    person, sequence, camera = label
    return BenchmarkClip(person, sequence, sequence, camera, keypoints, joints, skeleton, valid)
