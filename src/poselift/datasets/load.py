"""Recognise and load the benchmark in a folder."""

from pathlib import Path

from poselift.datasets.clip import BenchmarkSet
from poselift.datasets.h36m import load_h36m
from poselift.datasets.humaneva import load_humaneva
from poselift.datasets.mocap import motion_files
from poselift.datasets.mpi_inf_3dhp import load_mpi_inf_3dhp
from poselift.datasets.own import load_own
from poselift.errors import DatasetError, MissingData, did_you_mean
from poselift.files import FOLDER, files_in, found_at

FILES = {
    "h36m": ("data_3d_h36m.npz",),
    "3dhp": ("data_3d_3dhp.npz", "data_test_3dhp*.npz", "data_train_3dhp*.npz"),
    "humaneva": ("data_3d_humaneva15.npz",),
}
"""Data set to the files that identify it; any of them is enough. A folder without them holds your own recordings."""

DATASETS = (*FILES, "own")
"""Every data set by name."""

PROTOCOL = {"h36m": "videopose3d", "3dhp": "p_stmo_3dhp", "humaneva": "humaneva", "own": "videopose3d"}
"""Data set to the name of its default protocol (`poselift.measure.protocols`)."""

SPLITS = ("train", "test", "all")
"""Parts of a benchmark."""

MOCAP = "mocap"
"""Name for motion capture, which `poselift.datasets.mocap` reads; it is not one of `DATASETS`."""


def which_data(path: str | Path) -> str:
    """Return what a path holds: one of `DATASETS`, or `MOCAP` for a file and for a folder with BVH or AMC files.

    Raises:
        DatasetError: The folder holds several data sets.
    """
    path = Path(path)
    if found_at(path, MissingData) != FOLDER or motion_files(path):
        return MOCAP
    return which_benchmark(path)


def which_benchmark(folder: str | Path) -> str:
    """Return the data set, one of `DATASETS`, that a folder holds, identified by its files.

    Raises:
        MissingData: The folder does not exist.
        DatasetError: The folder holds several data sets.
    """
    folder = Path(folder)
    if found_at(folder, MissingData) != FOLDER:
        raise MissingData(f"no folder at {folder}; name the one that holds the data set's archives")
    there = [name for name, files in FILES.items() if files_in(folder, *files, refuse=MissingData)]
    if len(there) > 1:
        raise DatasetError(f"{folder} holds {' and '.join(there)}; say which one is meant (dataset)")
    return there[0] if there else "own"


def load_benchmark(
    folder: str | Path,
    *,
    dataset: str | None = None,
    keypoints: str | None = None,
    split: str | None = None,
    truth: str | None = None,
) -> BenchmarkSet:
    """Load a benchmark, or your own recordings in the form of `poselift.datasets.own`.

    Args:
        folder: Path of the folder with the archives.
        dataset: One of `DATASETS`; identified by the files when None.
        keypoints: The 2D keypoints of Human3.6M or HumanEva: ``"gt"`` (also when None), ``"cpn_ft_h36m_dbb"``, ...
        split: One of `SPLITS`; ``"test"`` when None. Your own recordings have no parts.
        truth: The ground truth that a 3DHP archive was made from; see `load_mpi_inf_3dhp`.

    Raises:
        DatasetError: A name is unknown, the data set has no such choice, or the loader refuses an archive.
        MissingData: A folder, a file or a part of an archive is missing.
        UntrustedPickle: A file holds more than arrays and plain containers.
    """
    dataset = dataset or which_benchmark(folder)
    if dataset not in DATASETS:
        raise DatasetError(f"unknown data set '{dataset}'; {did_you_mean(dataset, DATASETS)}")
    if split is not None and split not in SPLITS:
        raise DatasetError(f"unknown split '{split}'; {did_you_mean(split, SPLITS)}")
    _refuse(
        dataset,
        keypoints=dataset == "own" and keypoints,
        split=dataset == "own" and split != "all" and split,
        truth=dataset != "3dhp" and truth,
    )
    if dataset == "3dhp" and keypoints not in (None, "gt"):
        raise DatasetError(f"keypoints: 3dhp has exact ones alone, got '{keypoints}'; leave it out, or name gt")
    if dataset == "own":
        return load_own(folder)
    subjects = None if split == "all" else split or "test"
    if dataset == "3dhp":
        return load_mpi_inf_3dhp(folder, subjects=subjects, truth=truth)
    load = load_h36m if dataset == "h36m" else load_humaneva
    return load(folder, keypoints=keypoints or "gt", subjects=subjects)


def _refuse(dataset: str, **choices: str | bool | None) -> None:
    """Refuse choices that the data set does not have, so that none is silently ignored."""
    if given := [name for name, value in choices.items() if value]:
        raise DatasetError(f"{', '.join(given)}: not for {dataset}, which has no such choice; leave it out")
