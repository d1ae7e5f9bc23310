import pytest

from poselift.datasets.load import DATASETS, PROTOCOL, load_benchmark, which_benchmark
from poselift.errors import DatasetError, MissingData
from poselift.measure.protocols import PROTOCOLS


def test_every_data_set_has_a_protocol():
    assert set(PROTOCOL) == set(DATASETS)
    assert set(PROTOCOL.values()) <= set(PROTOCOLS)


@pytest.mark.parametrize(
    ("write", "dataset", "name"),
    [
        ("write_h36m", "h36m", "Human3.6M"),
        ("write_humaneva", "humaneva", "HumanEva-I"),
        ("write_3dhp_p_stmo", "3dhp", "MPI-INF-3DHP"),
    ],
)
def test_a_benchmark_is_told_by_its_files(archives, tmp_path, write, dataset, name):
    getattr(archives, write)(tmp_path)
    assert which_benchmark(tmp_path) == dataset
    loaded = load_benchmark(tmp_path)
    assert loaded.name == name and len(loaded) > 0 and loaded.notes["split"] == "test"
    assert load_benchmark(tmp_path, dataset=dataset, split="test").notes == loaded.notes


def test_the_posessm_form_of_3dhp_asks_for_its_truth(archives, tmp_path):
    archives.write_3dhp_posessm(tmp_path)
    with pytest.raises(DatasetError, match="annot3"):
        load_benchmark(tmp_path)
    assert load_benchmark(tmp_path, truth="annot3").notes["ground truth"] == "annot3"


def test_folders_that_do_not_tell_are_errors(tmp_path):
    with pytest.raises(MissingData, match="no folder at"):
        which_benchmark(tmp_path / "nowhere")
    assert which_benchmark(tmp_path) == "own"
    for name in ("data_3d_h36m.npz", "data_3d_3dhp.npz"):
        (tmp_path / name).touch()
    with pytest.raises(DatasetError, match="holds h36m and 3dhp; say which"):
        load_benchmark(tmp_path)
    with pytest.raises(DatasetError, match="unknown data set 'h36'; did you mean 'h36m'"):
        load_benchmark(tmp_path, dataset="h36")
