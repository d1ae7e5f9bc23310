"""Any benchmark by the folder that holds it."""

from pathlib import Path

from poselift.datasets.clip import BenchmarkSet
from poselift.datasets.h36m import load_h36m
from poselift.datasets.humaneva import load_humaneva
from poselift.datasets.mpi_inf_3dhp import load_mpi_inf_3dhp
from poselift.datasets.own import load_own
from poselift.errors import DatasetError, MissingData, did_you_mean

FILES = {
    "h36m": ("data_3d_h36m.npz",),
    "3dhp": ("data_3d_3dhp.npz", "data_test_3dhp*.npz", "data_train_3dhp*.npz"),
    "humaneva": ("data_3d_humaneva15.npz",),
}
"""Data set: files that tell it, any of which is enough. A folder without them holds recordings of one's own."""

DATASETS = (*FILES, "own")
"""Every data set by name."""

PROTOCOL = {"h36m": "videopose3d", "3dhp": "p_stmo_3dhp", "humaneva": "humaneva", "own": "videopose3d"}
"""Data set: name of the protocol it is evaluated by when none is asked for (`poselift.measure.protocols`)."""


def which_benchmark(folder: str | Path) -> str:
    """The data set that a folder holds, one of `DATASETS`, told by its files.

    Raises:
        MissingData: There is no such folder.
        DatasetError: It holds several.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MissingData(f"no folder at {folder}; name the one that holds the data set's archives")
    there = [name for name, files in FILES.items() if any(list(folder.glob(file)) for file in files)]
    if len(there) > 1:
        raise DatasetError(f"{folder} holds {' and '.join(there)}; say which one is meant")
    return there[0] if there else "own"


def load_benchmark(
    folder: str | Path,
    *,
    dataset: str | None = None,
    keypoints: str = "gt",
    split: str | None = "test",
    truth: str | None = None,
) -> BenchmarkSet:
    """Load a benchmark, or recordings of one's own in `poselift.datasets.own`'s form.

    Args:
        folder: Where the archives are.
        dataset: One of `DATASETS`; told by the files when None.
        keypoints: Which 2D of Human3.6M or HumanEva: ``"gt"``, ``"cpn_ft_h36m_dbb"``, ...
        split: ``"train"``, ``"test"`` or None for both; not for recordings of one's own.
        truth: Which ground truth a 3DHP archive was made from; see `load_mpi_inf_3dhp`.

    Raises:
        DatasetError: The name is unknown, or what the loader itself raises.
        MissingData: Something is not there.
        UntrustedPickle: A file holds more than arrays and plain containers.
    """
    dataset = dataset or which_benchmark(folder)
    if dataset == "h36m":
        return load_h36m(folder, keypoints=keypoints, subjects=split)
    if dataset == "humaneva":
        return load_humaneva(folder, keypoints=keypoints, subjects=split)
    if dataset == "3dhp":
        return load_mpi_inf_3dhp(folder, subjects=split, truth=truth)
    if dataset == "own":
        return load_own(folder)
    raise DatasetError(f"unknown data set '{dataset}'; {did_you_mean(dataset, DATASETS)}")
