import pytest

from poselift.datasets.load import DATASETS, MOCAP, PROTOCOL, load_benchmark, which_benchmark, which_data
from poselift.errors import DatasetError, MissingData
from poselift.measure.protocols import PROTOCOLS
from poselift.skeleton import COCO_17


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


def test_parts_and_keypoints_go_by_the_same_names_everywhere(archives, tmp_path):
    archives.write_humaneva(tmp_path)
    train, test, both = (load_benchmark(tmp_path, split=split) for split in ("train", "test", "all"))
    assert (len(train) + len(test), both.notes["split"]) == (len(both), "all")
    assert {clip.subject for clip in train.clips} == {"Train/S1", "Train/S2", "Train/S3"}
    assert test.notes["keypoints"] == "gt"
    seen = load_benchmark(tmp_path, keypoints="detectron_pt_coco").clips[0].keypoints
    assert seen.skeleton == COCO_17
    with pytest.raises(DatasetError, match="unknown split 'tset'; did you mean 'test'"):
        load_benchmark(tmp_path, split="tset")


@pytest.mark.parametrize(
    ("dataset", "choices", "message"),
    [
        ("h36m", {"truth": "annot3"}, "truth: not for h36m"),
        ("own", {"truth": "annot3", "keypoints": "gt", "split": "test"}, "keypoints, split, truth: not for own"),
        ("3dhp", {"keypoints": "cpn"}, "keypoints: 3dhp has exact ones alone, got 'cpn'"),
    ],
)
def test_choices_that_a_data_set_does_not_have_are_refused(tmp_path, dataset, choices, message):
    with pytest.raises(DatasetError, match=message):
        load_benchmark(tmp_path, dataset=dataset, **choices)


def test_motion_files_are_told_from_benchmarks(archives, tmp_path):
    archives.write_h36m(tmp_path)
    assert which_data(tmp_path) == "h36m"
    assert which_data(tmp_path / "data_3d_h36m.npz") == which_data(tmp_path / "not there") == MOCAP
    (tmp_path / "below").mkdir()
    assert which_data(tmp_path / "below") == "own"
    (tmp_path / "below" / "walk.BVH").touch()
    assert which_data(tmp_path) == MOCAP


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
