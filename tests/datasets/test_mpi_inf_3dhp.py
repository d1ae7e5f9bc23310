import numpy as np
import pytest

from poselift.datasets.mpi_inf_3dhp import image_size, joint_order, load_mpi_inf_3dhp
from poselift.errors import DatasetError, MissingData, SkeletonError, UntrustedPickle
from poselift.formats.archive import read_archive
from poselift.skeleton import COCO_17, H36M_17, MPI_INF_3DHP_17

TO_H36M = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
FROM_H36M = [10, 8, 14, 15, 16, 11, 12, 13, 1, 2, 3, 4, 5, 6, 0, 7, 9]


@pytest.fixture(scope="module")
def p_stmo(tmp_path_factory):
    return tmp_path_factory.mktemp("p_stmo")


@pytest.fixture(scope="module")
def data(p_stmo, archives):
    return archives.write_3dhp_p_stmo(p_stmo)


@pytest.fixture(scope="module")
def posessm(tmp_path_factory):
    return tmp_path_factory.mktemp("posessm")


@pytest.fixture(scope="module")
def truth(posessm, archives):
    return archives.write_3dhp_posessm(posessm)


def test_joint_orders_are_those_of_the_field():
    assert joint_order(MPI_INF_3DHP_17, H36M_17) == TO_H36M
    assert joint_order(H36M_17, MPI_INF_3DHP_17) == FROM_H36M
    assert joint_order(H36M_17, H36M_17) == list(range(17))


def test_picture_sizes():
    assert [image_size(f"TS{k}") for k in (1, 4, 5, 6)] == [(2048, 2048)] * 2 + [(1920, 1080)] * 2
    assert image_size("S1") == (2048, 2048)


@pytest.mark.parametrize(("skeleton", "order"), [(H36M_17, TO_H36M), (MPI_INF_3DHP_17, list(range(17)))])
def test_p_stmo_test_sequences(p_stmo, data, skeleton, order):
    found = load_mpi_inf_3dhp(p_stmo, skeleton=skeleton)
    assert found.name == "MPI-INF-3DHP" and [clip.subject for clip in found.clips] == [f"TS{k}" for k in range(1, 7)]
    for clip in found.clips:
        raw = data["test"][clip.subject]
        assert (clip.sequence, clip.action, clip.camera) == ("Seq1", "Seq1", "0")
        assert clip.skeleton == clip.keypoints.skeleton == skeleton
        np.testing.assert_allclose(clip.xyz, raw["data_3d"][:, order] / 1000, rtol=1e-6)
        np.testing.assert_allclose(clip.keypoints.xy, raw["data_2d"][:, order], rtol=1e-6)
        np.testing.assert_array_equal(clip.valid, raw["valid"] == 1)
        assert clip.keypoints.image_size == image_size(clip.subject)
        assert not clip.valid[[0, 4, -1]].any() and clip.valid.sum() == len(clip) - 3
    assert sum(clip.valid.sum() for clip in found.clips) == sum(raw["valid"].sum() for raw in data["test"].values())
    assert found.notes["ground truth"] == "univ_annot3" and found.notes["form"] == "p_stmo"


def test_p_stmo_training_sequences(p_stmo, data):
    clips = load_mpi_inf_3dhp(p_stmo, subjects=["S1", "S2"]).clips
    assert len(clips) == 3 * 8
    assert [(c.subject, c.sequence, c.camera, c.keypoints.fps) for c in clips[::8]] == [
        ("S1", "Seq1", "0", 25), ("S1", "Seq2", "0", 50), ("S2", "Seq1", "0", 25),
    ]  # fmt: skip
    assert [c.camera for c in clips[:8]] == list("01245678")
    raw = data["train"]["S1 Seq2"][0]["7"]
    (clip,) = [c for c in clips if (c.subject, c.sequence, c.camera) == ("S1", "Seq2", "7")]
    np.testing.assert_allclose(clip.xyz, raw["data_3d"][:, TO_H36M] / 1000, rtol=1e-6)
    assert clip.valid.all() and clip.keypoints.image_size == (2048, 2048)
    with pytest.raises(MissingData, match=r"data_train_3dhp\.npz has no subject S3"):
        load_mpi_inf_3dhp(p_stmo, subjects="train")


def test_posessm_form(posessm, truth):
    found = load_mpi_inf_3dhp(posessm, truth="annot3")
    assert [(c.subject, c.sequence, c.camera, len(c)) for c in found.clips] == [
        (f"TS{k}", "Seq1", "0", 12 + k) for k in range(1, 7)
    ]
    pixels = read_archive(posessm / "data_2d_3dhp.npz")["positions_2d"]
    for clip in found.clips:
        np.testing.assert_array_equal(clip.xyz, truth[clip.subject]["Seq1"][0])
        np.testing.assert_array_equal(clip.keypoints.xy, pixels[clip.subject]["Seq1"][0][:-1])
        assert clip.valid.all() and clip.keypoints.image_size == image_size(clip.subject)
    assert found.notes["ground truth"] == "annot3"
    train = load_mpi_inf_3dhp(posessm, truth="univ_annot3", subjects="train", skeleton=MPI_INF_3DHP_17)
    assert len(train) == 8 * 2 * 8 and train.clips[-1].camera == "7"
    np.testing.assert_array_equal(train.clips[-1].xyz, truth["S8"]["Seq2"][7][:, FROM_H36M])
    rates = {(c.subject, c.sequence): c.keypoints.fps for c in train.clips}
    assert [name for name, fps in rates.items() if fps == 50] == [
        ("S1", "Seq2"), ("S3", "Seq1"), ("S3", "Seq2"), ("S5", "Seq1"), ("S5", "Seq2"),
    ]  # fmt: skip


def test_both_forms_give_the_same_person(p_stmo, data, posessm, truth):
    """Whatever the form, the thighs are where they belong."""
    for clip in load_mpi_inf_3dhp(p_stmo).clips + load_mpi_inf_3dhp(posessm, truth="annot3").clips:
        hip, knee = (clip.xyz[:, H36M_17.index(f"left_{joint}")] for joint in ("hip", "knee"))
        np.testing.assert_allclose(np.linalg.norm(hip - knee, axis=-1), 0.4212, atol=1e-3)


def test_the_ground_truth_must_be_told_where_no_script_tells(posessm, truth, p_stmo, data):
    with pytest.raises(DatasetError, match="name the ground truth"):
        load_mpi_inf_3dhp(posessm)
    with pytest.raises(DatasetError, match="got 'annot'"):
        load_mpi_inf_3dhp(p_stmo, truth="annot")
    assert load_mpi_inf_3dhp(p_stmo, truth="annot3").notes["ground truth"] == "annot3"


def test_the_form_is_told_by_the_files(tmp_path, archives):
    with pytest.raises(MissingData, match=r"data_test_3dhp\.npz or data_3d_3dhp\.npz.*vcai\.mpi-inf\.mpg\.de"):
        load_mpi_inf_3dhp(tmp_path)
    archives.write_3dhp_p_stmo(tmp_path)
    archives.write_3dhp_posessm(tmp_path)
    with pytest.raises(DatasetError, match="forms p_stmo and posessm; name one"):
        load_mpi_inf_3dhp(tmp_path)
    assert load_mpi_inf_3dhp(tmp_path, form="p_stmo").notes["form"] == "p_stmo"
    with pytest.raises(DatasetError, match="unknown form"):
        load_mpi_inf_3dhp(tmp_path, form="mat")
    (tmp_path / "data_test_3dhp.npz").rename(tmp_path / "data_test_3dhp_ori.npz")
    assert len(load_mpi_inf_3dhp(tmp_path, form="p_stmo")) == 6


def test_other_skeletons_and_subjects(p_stmo, data):
    with pytest.raises(SkeletonError, match="got COCO_17"):
        load_mpi_inf_3dhp(p_stmo, skeleton=COCO_17)
    with pytest.raises(DatasetError, match="unknown subject of MPI-INF-3DHP 'TS7'"):
        load_mpi_inf_3dhp(p_stmo, subjects=["TS7"])


def test_unknown_joints_in_frames_that_do_not_count(tmp_path, archives):
    data = archives.write_3dhp_p_stmo(tmp_path)["test"]
    data["TS3"]["data_3d"][4, 2] = np.nan
    archives.save(tmp_path / "data_test_3dhp.npz", data=data)
    clip = load_mpi_inf_3dhp(tmp_path).clips[2]
    assert np.isfinite(clip.xyz).all() and not clip.xyz[4].any() and clip.xyz[5].any()
    data["TS3"]["data_3d"][5, 2] = np.nan
    archives.save(tmp_path / "data_test_3dhp.npz", data=data)
    with pytest.raises(DatasetError, match="TS3.*in 1 frames that count"):
        load_mpi_inf_3dhp(tmp_path)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda d: d.pop("TS2"), MissingData, "no recording 'TS2'"),
        (lambda d: d["TS2"].pop("valid"), DatasetError, "'TS2': wanted 'valid'"),
        (lambda d: d["TS2"].pop("data_2d"), DatasetError, "'TS2': wanted the arrays data_2d and data_3d"),
        (lambda d: d["TS2"].update(valid=np.ones(3)), DatasetError, "'TS2': .*12, 12, 3"),
        (lambda d: d["TS2"].update(data_2d=np.ones((12, 16, 2))), DatasetError, "'TS2', data_2d: wanted"),
        (lambda d: d["TS2"].update(data_3d=d["TS2"]["data_3d"] / 1000), DatasetError, "thighs of TS2"),
        (lambda d: d.update(TS2=[1]), DatasetError, "'TS2'"),
        (lambda d: d["TS2"].update(data_3d=print), UntrustedPickle, r"builtins\.print"),
    ],
)
def test_p_stmo_archives_that_are_not_what_they_should_be(tmp_path, archives, change, error, message):
    data = archives.write_3dhp_p_stmo(tmp_path)["test"]
    change(data)
    archives.save(tmp_path / "data_test_3dhp.npz", data=data)
    with pytest.raises(error, match=message):
        load_mpi_inf_3dhp(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "wanted a dict of cameras and a frame rate"),
        ([{}, "50"], "wanted a frame rate"),
        ({"0": {}}, "wanted a dict of cameras"),
        ([{"0": {"data_2d": 1}}, 25], "'S1 Seq1', camera 0: wanted the arrays"),
    ],
)
def test_p_stmo_training_archives_that_are_not_what_they_should_be(tmp_path, archives, content, message):
    archives.save(tmp_path / "data_train_3dhp.npz", data={"S1 Seq1": content})
    with pytest.raises(DatasetError, match=message):
        load_mpi_inf_3dhp(tmp_path, subjects="S1")
    archives.save(tmp_path / "data_train_3dhp.npz", data=[content])
    with pytest.raises(DatasetError, match="wanted 'data', a dict"):
        load_mpi_inf_3dhp(tmp_path, subjects="S1")


def edit(archives, folder, name, change):
    content = read_archive(folder / name)
    change(next(iter(content.values())))
    archives.save(folder / name, **content)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("data_2d_3dhp.npz", lambda p: p["TS4"]["Seq1"].append(1), "TS4 'Seq1' .*each of 1 cameras, got 2"),
        ("data_2d_3dhp.npz", lambda p: p["TS4"].pop("Seq1"), "no recording 'Seq1' of TS4"),
        ("data_3d_3dhp.npz", lambda p: p.pop("TS4"), r"data_3d_3dhp\.npz has no subject TS4"),
        ("data_3d_3dhp.npz", lambda p: p["TS4"].update(Seq1=1), "TS4 'Seq1' .*got something of type int"),
    ],
)
def test_posessm_archives_that_are_not_what_they_should_be(tmp_path, archives, name, change, message):
    archives.write_3dhp_posessm(tmp_path)
    edit(archives, tmp_path, name, change)
    with pytest.raises(DatasetError, match=message):
        load_mpi_inf_3dhp(tmp_path, truth="annot3")


def test_posessm_2d_shorter_than_3d_and_millimetres(tmp_path, archives):
    archives.write_3dhp_posessm(tmp_path)
    edit(archives, tmp_path, "data_2d_3dhp.npz", lambda p: p["TS1"].update(Seq1=[p["TS1"]["Seq1"][0][:5]]))
    with pytest.raises(DatasetError, match="TS1 'Seq1', camera 0 .*5 frames of 2D keypoints for 13"):
        load_mpi_inf_3dhp(tmp_path, truth="annot3")
    edit(archives, tmp_path, "data_3d_3dhp.npz", lambda p: p["TS2"].update(Seq1=[p["TS2"]["Seq1"][0] * 1000]))
    with pytest.raises(DatasetError, match="thighs of TS2"):
        load_mpi_inf_3dhp(tmp_path, truth="annot3", subjects=["TS2"])


@pytest.mark.parametrize("form", ["p_stmo", "posessm"])
def test_loading_twice_gives_equal_results_in_arrays_of_ones_own(p_stmo, data, posessm, truth, form):
    folder = p_stmo if form == "p_stmo" else posessm
    first = load_mpi_inf_3dhp(folder, truth="annot3").clips
    kept = [clip.xyz.copy() for clip in first]
    for clip in first:
        clip.xyz[:] = 0
        clip.keypoints.xy[:] = 0
    for xyz, clip in zip(kept, load_mpi_inf_3dhp(folder, truth="annot3").clips, strict=True):
        np.testing.assert_array_equal(clip.xyz, xyz)
        assert clip.keypoints.xy.any()
