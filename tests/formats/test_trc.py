"""TRC files."""

from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError
from poselift.formats import read_keypoints_file

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
