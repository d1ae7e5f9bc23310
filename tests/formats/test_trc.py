"""TRC files: 2D markers that are lifted, and markers in space that are written for OpenSim."""

import json
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file, read_poses, save_poses
from poselift.formats.trc import marker_name
from poselift.prepare.convert import convert_poses
from poselift.sequence import Poses3D
from poselift.skeleton import BODY_27, H36M_17, HALPE_26

NAMES = "RHip RKnee RAnkle LHip LKnee LAnkle Neck RShoulder RElbow RWrist LShoulder LElbow LWrist".split()
Y = (500, 600, 700, 500, 600, 700, 300, 300, 400, 480, 300, 400, 480)


def write(file: Path, *, up: bool = False, depth: float = 0.0) -> Path:
    cells = "\t".join(f"{100 + 10 * n}\t{-y if up else y}\t{depth}" for n, y in enumerate(Y))
    file.write_text(
        "PathFileType\t4\t(X/Y/Z)\ta.trc\nDataRate\tCameraRate\tNumFrames\n60\t60\t2\n"
        "Frame#\tTime\t" + "\t\t\t".join(NAMES) + f"\n\t\tX1\tY1\tZ1\n\n1\t0\t{cells}\n2\t0.0167\t{cells}\n"
    )
    return file


@pytest.mark.parametrize("up", [False, True])
def test_markers_in_the_picture_stand_on_their_feet(tmp_path: Path, up: bool) -> None:
    (clip,) = read_keypoints_file(write(tmp_path / "a.trc", up=up))
    assert clip.fps == 60
    knees = clip.xy[:, clip.skeleton.indices(["left_knee", "right_knee"])]
    np.testing.assert_array_equal(knees, [[[140, 600], [110, 600]]] * 2)


def test_markers_in_space_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="markers in space, which need no lifting.*own_data.md"):
        read_keypoints_file(write(tmp_path / "a.trc", depth=0.4))


@pytest.mark.parametrize("cut", [0, 3, 40, -30])
def test_a_broken_file_is_named(tmp_path: Path, cut: int) -> None:
    file = write(tmp_path / "a.trc")
    text = file.read_text()
    file.write_text(text[:cut] if cut < 0 or cut > 10 else text.replace("DataRate", "Rate") if cut else "")
    with pytest.raises(FormatError, match="a.trc"):
        read_keypoints_file(file)


@pytest.fixture
def moving(person27: np.ndarray) -> Poses3D:
    """A person of 27 joints who goes along +x of a world with z up, and is not seen well."""
    path = np.stack([np.arange(8) / 10, np.zeros(8), np.full(8, 0.95)], -1)
    xyz = np.repeat(person27[None], 8, 0) - person27[0]
    observed = np.ones((8, 27))
    observed[2:4, BODY_27.index("left_heel")] = 0
    return Poses3D(xyz, BODY_27, 30.0, "world", path=path, observed=observed, gap=np.arange(8) == 6, start_s=2.0)


def test_markers_are_those_of_pose2sim(tmp_path: Path, moving: Poses3D) -> None:
    """Read by hand: names as in Pose2Sim's model of HALPE_26, y up, metres, time from the start of the source."""
    save_poses(moving, tmp_path / "a.trc")
    lines = [line.split("\t") for line in (tmp_path / "a.trc").read_text().splitlines()]
    assert lines[0][:3] == ["PathFileType", "4", "(X/Y/Z)"]
    assert dict(zip(lines[1], lines[2], strict=True)) == {
        "DataRate": "30", "CameraRate": "30", "NumFrames": "8", "NumMarkers": "26", "Units": "m",
        "OrigDataRate": "30", "OrigDataStartFrame": "1", "OrigNumFrames": "8",
    }  # fmt: skip
    names = [cell for cell in lines[3] if cell]
    pose2sim = (
        "Hip RHip RKnee RAnkle RBigToe RSmallToe RHeel LHip LKnee LAnkle LBigToe LSmallToe LHeel Neck Head Nose "
        "RShoulder RElbow RWrist LShoulder LElbow LWrist"
    ).split()
    assert set(names) - {"Frame#", "Time"} == {*pose2sim, "LEye", "REye", "LEar", "REar"}
    assert len(lines) == 5 + 8 and {len(line) for line in lines[5:]} == {2 + 78}
    row = [float(cell) for cell in lines[7]]
    place = {name: row[lines[3].index(name) :][:3] for name in names[2:]}
    assert row[:2] == [3, pytest.approx(2 + 2 / 30)]
    assert place["Hip"] == pytest.approx([0.2, 0.95, 0], abs=1e-4)
    assert place["Head"][1] > place["Nose"][1] > place["Hip"][1] > place["RHeel"][1] >= 0
    # who looks along the world's y looks along -z here, with the right side at +x
    assert place["RBigToe"][2] < place["RHeel"][2]
    assert place["RHip"][0] > place["LHip"][0]


def test_poses_come_back_from_markers(tmp_path: Path, moving: Poses3D) -> None:
    save_poses(moving, tmp_path / "a.trc")
    got, wanted = read_poses(tmp_path / "a.trc"), convert_poses(moving, HALPE_26)
    assert (got.skeleton, got.frame, got.fps, got.start_s) == (HALPE_26, "world", 30, 2.0)
    np.testing.assert_allclose(got.xyz + got.path[:, None], wanted.xyz + wanted.path[:, None], atol=1e-4)
    notes = json.loads((tmp_path / "a.trc.json").read_text())
    assert (notes["gaps"], notes["unseen"]) == ([[7, 7]], {"left_heel": [[3, 4]]})  # numbered as in the file, from 1
    assert (notes["unit"], notes["first_frame"], notes["at_its_place"]) == ("m", 1, True)


def test_without_feet_it_says_what_is_lacking(tmp_path: Path, poses: Poses3D, caplog: pytest.LogCaptureFixture) -> None:
    save_poses(poses, tmp_path / "a.trc")
    assert "lacks the markers LBigToe, LHeel, RBigToe, RHeel: OpenSim cannot turn the feet" in caplog.text
    got = read_poses(tmp_path / "a.trc")
    assert got.skeleton.name == "H36M_17"
    rotated = np.stack([poses.xyz[..., 0], poses.xyz[..., 2], -poses.xyz[..., 1]], -1)  # camera axes to z up
    np.testing.assert_allclose(got.xyz + got.path[:, None], rotated, atol=1e-4)
    save_poses(Poses3D(poses.xyz - poses.xyz[:, :1], H36M_17, 30), tmp_path / "b.trc")
    assert read_poses(tmp_path / "b.trc").path is None  # nothing is known of it


def test_missing_markers_are_filled_and_marked(
    tmp_path: Path, moving: Poses3D, caplog: pytest.LogCaptureFixture
) -> None:
    save_poses(moving, tmp_path / "a.trc")
    lines = [line.split("\t") for line in (tmp_path / "a.trc").read_text().splitlines()]
    at = lines[3].index("RHeel")
    for line in lines[7:9]:
        line[at : at + 3] = [""] * 3
    lines[2][4] = "mm"
    (tmp_path / "b.trc").write_text("\n".join("\t".join(line) for line in lines))
    got = read_poses(tmp_path / "b.trc")
    heel = HALPE_26.index("right_heel")
    assert np.argwhere(got.observed == 0).tolist() == [[2, heel], [3, heel]]
    assert "markers are missing 2 times" in caplog.text
    whole = read_poses(tmp_path / "a.trc")
    np.testing.assert_allclose(got.path, whole.path / 1000, atol=1e-6)
    np.testing.assert_allclose(got.xyz[2:4, heel], whole.xyz[2:4, heel] / 1000, atol=1e-6)


def test_a_file_of_pose2sim_without_eyes_and_ears_is_read(tmp_path: Path, moving: Poses3D) -> None:
    save_poses(moving, tmp_path / "a.trc")
    lines = [line.split("\t") for line in (tmp_path / "a.trc").read_text().splitlines()]
    gone = [at + n for at, name in enumerate(lines[3]) if name.endswith(("Eye", "Ear")) for n in range(3)]
    (tmp_path / "b.trc").write_text(
        "\n".join(
            "\t".join(line if n < 3 else [cell for at, cell in enumerate(line) if at not in gone])
            for n, line in enumerate(lines)
        )
    )
    got = read_poses(tmp_path / "b.trc")
    assert got.skeleton.name == "JOINTS_22"
    assert got.skeleton.joints[got.skeleton.parents[got.skeleton.index("left_heel")]] == "left_ankle"
    assert sum(parent < 0 for parent in got.skeleton.parents) == 1


def test_markers_in_the_picture_are_no_poses(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="holds 2D keypoints .*lift it"):
        read_poses(write(tmp_path / "a.trc"))


def test_pandas_reads_it(tmp_path: Path, moving: Poses3D) -> None:
    pandas = pytest.importorskip("pandas")
    save_poses(moving, tmp_path / "a.trc")
    names = [
        name for name in pandas.read_csv(tmp_path / "a.trc", sep="\t", skiprows=3, nrows=0) if "Unnamed" not in name
    ]
    table = pandas.read_csv(tmp_path / "a.trc", sep="\t", skiprows=5, header=None)
    wanted = convert_poses(moving, HALPE_26)
    places = moving.y_up(wanted.xyz + wanted.path[:, None]).reshape(8, -1)
    np.testing.assert_allclose(table.to_numpy()[:, 2:], places, atol=5.1e-5)
    assert names[2:] == [marker_name(joint) for joint in HALPE_26.joints]
