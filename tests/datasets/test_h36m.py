import numpy as np
import pytest

from poselift.datasets.h36m import ACTIONS, JOINTS_32, KEPT, load_h36m, project_h36m
from poselift.errors import DatasetError, MissingData, UntrustedPickle
from poselift.formats.archive import read_archive
from poselift.geometry.studio import studio_cameras
from poselift.skeleton import COCO_17, H36M_17

CPN = "cpn_ft_h36m_dbb"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("h36m")


@pytest.fixture(scope="module")
def world(folder, archives):
    return archives.write_h36m(folder)


def rewrite(folder, archives, name, change):
    """The archive `name` with its content changed in place."""
    content = read_archive(folder / name)
    change(content)
    archives.save(folder / name, **content)


def clip_of(clips, subject, sequence, camera):
    (found,) = [c for c in clips if (c.subject, c.sequence, c.camera) == (subject, sequence, camera)]
    return found


def test_the_32_joints():
    """Their places in the public archive, and the seventeen that are used."""
    assert KEPT == (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
    assert len(JOINTS_32) == len(set(JOINTS_32)) == 32


def test_the_fifteen_actions_in_the_order_of_the_tables():
    assert ACTIONS == (
        "Directions", "Discussion", "Eating", "Greeting", "Phoning", "Photo", "Posing", "Purchases", "Sitting",
        "SittingDown", "Smoking", "Waiting", "WalkDog", "Walking", "WalkTogether",
    )  # fmt: skip


def test_joints_are_in_camera_axes_and_back_in_the_world_where_they_were(folder, world):
    clips = load_h36m(folder, subjects="test").clips
    cameras = studio_cameras("h36m")
    assert len(clips) == 2 * 4 * 4
    for clip in clips:
        (camera,) = [camera for camera in cameras[clip.subject] if camera.name == clip.camera]
        assert clip.xyz.dtype == np.float32 and clip.skeleton == H36M_17 and clip.valid.all()
        np.testing.assert_allclose(camera.to_world(clip.xyz), world[clip.subject][clip.sequence], atol=1e-5)
        assert (clip.keypoints.image_size, clip.keypoints.fps) == (camera.image_size, 50)


def test_exact_keypoints_are_the_projection(folder, world):
    cameras = studio_cameras("h36m")
    for clip in load_h36m(folder, subjects=["S11"]).clips:
        (camera,) = [camera for camera in cameras["S11"] if camera.name == clip.camera]
        pixels = project_h36m(clip.xyz.astype(float), camera)
        np.testing.assert_allclose(clip.keypoints.xy, pixels, atol=2e-3)


def test_a_camera_of_another_studio_is_refused():
    with pytest.raises(DatasetError, match="C1 has no lens of the studio; wanted one of studio_cameras"):
        project_h36m(np.ones(3), studio_cameras("humaneva")["S1"][0])


@pytest.mark.parametrize("atol", [0, 1e-9])
def test_a_detectors_keypoints_are_read_as_they_are(folder, world, atol):
    clips = load_h36m(folder, keypoints=CPN, subjects="S9").clips
    found = read_archive(folder / f"data_2d_h36m_{CPN}.npz")["positions_2d"]
    for number, camera in enumerate(studio_cameras("h36m")["S9"]):
        clip = clip_of(clips, "S9", "Walking 1", camera.name)
        np.testing.assert_allclose(clip.keypoints.xy, found["S9"]["Walking 1"][number][: len(clip)], atol=atol)
        assert clip.keypoints.confidence is None


def test_labels_order_and_notes(folder, world):
    data = load_h36m(folder, keypoints=CPN, subjects="train")
    assert data.name == "Human3.6M" and len(data) == 5 * 4 * 4
    assert [c.subject for c in data.clips[::16]] == ["S1", "S5", "S6", "S7", "S8"]
    assert [c.camera for c in data.clips[:4]] == ["54138969", "55011271", "58860488", "60457274"]
    labels = [(c.sequence, c.action) for c in data.clips[:16:4]]
    assert labels == [
        ("Walking", "Walking"),
        ("Walking 1", "Walking"),
        ("Photo", "Photo"),
        ("SittingDown 2", "SittingDown"),
    ]
    assert data.notes["keypoints"] == CPN and data.notes["split"] == "train"
    assert data.notes["actions"] == "3 of 15: Photo, SittingDown, Walking"


def test_recordings_come_in_the_order_of_the_2d_archive(tmp_path, archives):
    archives.write_h36m(tmp_path, people={"S9": {"Walking": 3, "Eating": 4, "Photo": 5}})

    def reverse(content):
        people = content["positions_2d"]
        people["S9"] = dict(reversed(people["S9"].items()))

    rewrite(tmp_path, archives, "data_2d_h36m_gt.npz", reverse)
    assert [c.sequence for c in load_h36m(tmp_path, subjects="S9").clips[::4]] == ["Photo", "Eating", "Walking"]


def test_actions_are_chosen_by_their_whole_name(folder, world):
    def sequences(actions):
        return {clip.sequence for clip in load_h36m(folder, subjects=["S9"], actions=actions).clips}

    assert sequences("Walking") == {"Walking", "Walking 1"}
    assert sequences(["Photo", "SittingDown"]) == {"Photo", "SittingDown 2"}
    for unknown, advice in (
        ("Walk", "did you mean"),
        ("Walking 1", "did you mean 'Walking'"),
        ("TakingPhoto", "Photo"),
    ):
        with pytest.raises(DatasetError, match=f"unknown action of Human3.6M '{unknown}'; .*{advice}"):
            sequences(unknown)
    with pytest.raises(DatasetError, match="no action"):
        sequences([])
    with pytest.raises(DatasetError, match="holds nothing of what was asked for"):
        sequences("Sitting")  # is not the beginning of SittingDown


def test_unknown_and_2d_only_subjects(folder, world):
    with pytest.raises(DatasetError, match="unknown subject of Human3.6M with 3D 'S2'"):
        load_h36m(folder, keypoints=CPN, subjects=["S2"])
    assert len(load_h36m(folder, keypoints=CPN, subjects=["S9", "S9"])) == 16
    assert {clip.subject for clip in load_h36m(folder, keypoints=CPN).clips} == {
        "S1",
        "S5",
        "S6",
        "S7",
        "S8",
        "S9",
        "S11",
    }


def test_videos_that_run_on_are_cut_and_short_ones_refused(tmp_path, archives):
    world = archives.write_h36m(tmp_path, people={"S9": {"Waiting 1": 6}})
    views = read_archive(tmp_path / "data_2d_h36m_gt.npz")["positions_2d"]["S9"]["Waiting 1"]
    assert [len(view) for view in views] == [6, 7, 8, 6]
    clips = load_h36m(tmp_path, subjects="S9").clips
    assert [len(clip) for clip in clips] == [6] * 4
    for clip, view in zip(clips, views, strict=True):
        np.testing.assert_array_equal(clip.keypoints.xy, view[: len(world["S9"]["Waiting 1"])])

    def shorten(content):
        content["positions_2d"]["S9"]["Waiting 1"][2] = views[2][:5]

    rewrite(tmp_path, archives, "data_2d_h36m_gt.npz", shorten)
    with pytest.raises(DatasetError, match=r"S9 'Waiting 1' .*camera 58860488: 5 frames of 2D keypoints for 6 frames"):
        load_h36m(tmp_path, subjects="S9")


def test_confidence_is_a_third_number(tmp_path, archives):
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 6}})
    score = np.linspace(0, 1, 17, dtype=np.float32)

    def add(content):
        views = content["positions_2d"]["S9"]["Eating"]
        views[:] = [np.concatenate([view, np.tile(score[:, None], (len(view), 1, 1))], -1) for view in views]

    rewrite(tmp_path, archives, "data_2d_h36m_gt.npz", add)
    for clip in load_h36m(tmp_path, subjects="S9").clips:
        assert clip.keypoints.xy.shape == (6, 17, 2)
        np.testing.assert_array_equal(clip.keypoints.confidence, np.tile(score, (6, 1)))


def test_coco_detections_are_told_by_their_symmetry(tmp_path, archives):
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 6}}, detector="detectron_pt_coco")

    def coco(content):
        content["metadata"] = {
            "layout_name": "coco",
            "num_joints": 17,
            "keypoints_symmetry": archives.symmetry(COCO_17),
        }

    rewrite(tmp_path, archives, "data_2d_h36m_detectron_pt_coco.npz", coco)
    clip = load_h36m(tmp_path, keypoints="detectron_pt_coco", subjects="S9").clips[0]
    assert (clip.keypoints.skeleton, clip.skeleton) == (COCO_17, H36M_17)


def metadata(**changes):
    def change(content):
        content["metadata"] = content["metadata"] | changes

    return change


def without(content):
    del content["metadata"]


MPII = {"num_joints": 16, "keypoints_symmetry": [[3, 4, 5, 13, 14, 15], [0, 1, 2, 10, 11, 12]]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, "wanted 'metadata' with num_joints and keypoints_symmetry, got None"),
        (metadata(keypoints_symmetry=None), "two lists"),
        (metadata(num_joints=float("inf")), "wanted a number of joints and two lists"),
        (metadata(keypoints_symmetry=[[1, 2, 3, 14, 15, 16], [4, 5, 6, 11, 12, 13]]), "in no order we read"),
        (metadata(layout_name="coco"), "calls itself coco and has the left and right of h36m"),
        (metadata(**MPII), "16 joints of MPII"),
    ],
)
def test_metadata_that_do_not_fit(tmp_path, archives, change, message):
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 3}})
    rewrite(tmp_path, archives, "data_2d_h36m_gt.npz", change)
    with pytest.raises(DatasetError, match=message):
        load_h36m(tmp_path, subjects="S9")


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        ([[1.0], [1.0, 2.0]], "wanted an array, got lists that make none"),
        (np.full((3, 32, 3), 1e300), "infinite or too large"),
        (np.full((3, 32, 3), 1e30, np.float32), "thighs of S9"),
    ],
)
def test_joints_that_make_no_sense(tmp_path, archives, joints, message):
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 3}})
    archives.save(tmp_path / "data_3d_h36m.npz", positions_3d={"S9": {"Eating": joints}})
    with pytest.raises(DatasetError, match=message):
        load_h36m(tmp_path, subjects="S9")


def test_symmetry_may_be_numpy_numbers(tmp_path, archives):
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 3}})
    sides = [[np.int64(joint) for joint in side] for side in archives.symmetry(H36M_17)]
    rewrite(tmp_path, archives, "data_2d_h36m_gt.npz", metadata(keypoints_symmetry=sides))
    assert len(load_h36m(tmp_path, subjects="S9")) == 4
    rewrite(tmp_path, archives, "data_2d_h36m_gt.npz", metadata(keypoints_symmetry=np.array(sides)))
    assert len(load_h36m(tmp_path, subjects="S9")) == 4


def drop_subject(content):
    del content["positions_2d"]["S9"]


def drop_recording(content):
    del content["positions_2d"]["S9"]["Eating"]


def drop_camera(content):
    content["positions_2d"]["S9"]["Eating"].pop()


def one_array(content):
    content["positions_2d"]["S9"]["Eating"] = 3


def empty_camera(content):
    content["positions_2d"]["S9"]["Eating"][1] = None


def set_camera(value):
    def change(content):
        content["positions_2d"]["S9"]["Eating"][1] = value

    return change


INFINITE = np.full((3, 17, 2), np.inf, np.float32)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (drop_subject, MissingData, r"data_2d_h36m_gt\.npz has no subject S9"),
        (drop_recording, MissingData, "has no recording 'Eating' of S9"),
        (drop_camera, DatasetError, "S9 'Eating' .*: wanted one array for each of 4 cameras, got 3"),
        (one_array, DatasetError, "each of 4 cameras, got something of type int"),
        (empty_camera, DatasetError, "S9 'Eating' .*has nothing from camera 55011271"),
        (set_camera(np.zeros((3, 16, 2))), DatasetError, r"camera 55011271: wanted .*\(frames, 17, 2 or 3\).*16"),
        (set_camera(np.zeros((3, 17, 2), int)), DatasetError, "floating point numbers, got int64"),
        (set_camera("text"), DatasetError, "camera 55011271: wanted"),
        (set_camera(INFINITE), DatasetError, "camera 55011271: .*infinite"),
        (lambda c: c.update(positions_2d=[1]), DatasetError, "wanted 'positions_2d' as a dict"),
    ],
)
def test_what_is_missing_or_wrong_is_named(tmp_path, archives, change, error, message):
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 3}})
    rewrite(tmp_path, archives, "data_2d_h36m_gt.npz", change)
    with pytest.raises(error, match=message):
        load_h36m(tmp_path, subjects="S9")


def joints(change):
    def changed(content):
        array = content["positions_3d"]["S9"]["Eating"].copy()
        content["positions_3d"]["S9"]["Eating"] = change(array)

    return changed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (joints(lambda xyz: xyz[:, :17]), r"S9 'Eating' in data_3d_h36m.npz: wanted \(frames, 32, 3\)"),
        (joints(lambda xyz: xyz[:0]), "no frames"),
        (joints(lambda xyz: xyz * np.nan), "NaN"),
        (joints(lambda xyz: xyz * 1000), "thighs of S9 in 'Eating' are 4.. m long"),
        (joints(lambda xyz: xyz[:, ::-1]), "thighs"),
        (lambda c: c["positions_3d"].pop("S9"), "has no subject S9"),
        (lambda c: c["positions_3d"]["S9"].update({"TakingPhoto": 1}), "no action of Human3.6M; did you mean"),
    ],
)
def test_3d_that_is_not_what_it_should_be(tmp_path, archives, change, message):
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 3}, "S1": {"Eating": 3}})
    rewrite(tmp_path, archives, "data_3d_h36m.npz", change)
    with pytest.raises(DatasetError, match=message):
        load_h36m(tmp_path, subjects="S9")


def test_missing_files_say_where_they_are_to_be_had(tmp_path, archives):
    with pytest.raises(MissingData, match=r"data_3d_h36m\.npz.*vision\.imar\.ro/human3\.6m.*DATASETS\.md"):
        load_h36m(tmp_path)
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 3}})
    with pytest.raises(MissingData, match=rf"data_2d_h36m_cpn\.npz; keypoints that are there: {CPN}, gt;"):
        load_h36m(tmp_path, keypoints="cpn")


def test_an_archive_cut_short_and_a_hostile_one(tmp_path, archives):
    archives.write_h36m(tmp_path, people={"S9": {"Eating": 30}})
    path = tmp_path / "data_2d_h36m_gt.npz"
    archives.save(path, positions_2d={"S9": {"Eating": [np.zeros((30, 17, 2)), print]}}, metadata={})
    with pytest.raises(UntrustedPickle, match=r"asks for builtins\.print.*vision\.imar\.ro"):
        load_h36m(tmp_path)
    path = tmp_path / "data_3d_h36m.npz"
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DatasetError, match=r"data_3d_h36m\.npz is damaged"):
        load_h36m(tmp_path)


def test_loading_twice_gives_equal_results_in_arrays_of_ones_own(folder, world):
    first = load_h36m(folder, subjects="S9").clips
    kept = [(clip.xyz.copy(), clip.keypoints.xy.copy()) for clip in first]
    for clip in first:
        clip.xyz[:] = 0
        clip.keypoints.xy[:] = 0
    for (xyz, xy), clip in zip(kept, load_h36m(folder, subjects="S9").clips, strict=True):
        np.testing.assert_array_equal(clip.xyz, xyz)
        np.testing.assert_array_equal(clip.keypoints.xy, xy)
