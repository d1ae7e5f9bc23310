"""The MediaPipe detector on real pictures, and its errors when a part is missing."""

import re
import sys
from itertools import islice
from types import ModuleType

import numpy as np
import pytest

from poselift.detect.mediapipe import MediaPipeDetector, MediaPipeTasksDetector, open_detector
from poselift.detect.video import read_frames
from poselift.errors import DetectionError, MissingExtraError, install_hint
from poselift.skeleton import H36M_17, MEDIAPIPE_33

LIMB_JOINTS = ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")


@pytest.fixture
def mediapipe():
    pytest.importorskip("av", reason="needs the video extra")
    return pytest.importorskip("mediapipe", reason="needs the video extra", exc_type=ImportError)


@pytest.fixture
def solutions(mediapipe):
    if not hasattr(mediapipe, "solutions"):
        pytest.skip(f"mediapipe {mediapipe.__version__} has no model inside")
    return mediapipe.solutions


def test_joint_order_is_mediapipes(solutions):
    names = [mark.name.lower() for mark in solutions.pose.PoseLandmark]
    ours = [f"mouth_{name[:-6]}" if name.endswith("_mouth") else name for name in MEDIAPIPE_33.joints]
    assert ours == names


def test_the_person_in_a_real_video(solutions, shared, capfd):
    """Arms and legs lie where OpenPose, another detector, saw them in the same frame; left is left."""
    limbs = [f"{side}_{joint}" for side in ("left", "right") for joint in LIMB_JOINTS]
    openpose = np.load(shared / "data/pose2sim_cams_1_3.npz")["kp2d17"][0, 0, H36M_17.indices(limbs)]
    with MediaPipeDetector() as detector:
        frames = islice(read_frames(shared / "data/video/pose2sim_single_cam01.mp4"), 3)
        found = [detector(rgb, time_s) for time_s, rgb in frames]
    assert [people.shape for people in found] == [(1, 33, 3)] * 3
    assert capfd.readouterr().err == ""
    marks = found[0][0, MEDIAPIPE_33.indices(limbs)]
    distance_px = np.linalg.norm(marks[:, :2] - openpose[:, :2], axis=-1)
    assert np.median(distance_px) < 20 and distance_px.max() < 60  # of a body 750 pixels high
    swapped_px = np.linalg.norm(np.roll(marks, len(LIMB_JOINTS), axis=0)[:, :2] - openpose[:, :2], axis=-1)
    assert np.median(swapped_px) > 60
    assert ((found[0][..., 2] >= 0) & (found[0][..., 2] <= 1)).all()
    assert np.median(marks[:, 2]) > 0.9


def test_nobody_in_an_empty_picture(solutions):
    with MediaPipeDetector() as detector:
        assert detector(np.zeros((90, 160, 3), np.uint8), 0.0).shape == (0, 33, 3)


def test_a_model_that_is_none(mediapipe, tmp_path):
    with pytest.raises(DetectionError, match="is not a file"):
        open_detector(tmp_path / "none.task")
    path = tmp_path / "wrong.task"
    path.write_bytes(b"not a model")
    with pytest.raises(DetectionError, match="is no pose_landmarker model"):
        open_detector(path)


def test_mediapipe_without_a_model_says_what_to_do(monkeypatch):
    empty = ModuleType("mediapipe")
    empty.__version__ = "1.2.2"
    monkeypatch.setitem(sys.modules, "mediapipe", empty)
    with pytest.raises(DetectionError, match=r"1\.2\.2 holds no pose model; download a pose_landmarker \.task"):
        open_detector()


@pytest.mark.parametrize("start", [MediaPipeDetector, lambda: MediaPipeTasksDetector("pose.task")])
def test_missing_mediapipe_names_the_command(monkeypatch, start):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    with pytest.raises(MissingExtraError, match=re.escape(install_hint("video"))):
        start()


def test_tasks_interface_with_a_stand_in(monkeypatch, tmp_path):
    """The call that every mediapipe since 0.10 offers; the model file is the user's, so the package is stood in for."""
    calls = []

    class Landmarker:
        @classmethod
        def create_from_options(cls, options):
            calls.append(options)
            return cls()

        def detect_for_video(self, image, timestamp_ms):
            calls.append((image, timestamp_ms))
            mark = type("Mark", (), {"x": 0.25, "y": 1.5, "visibility": 0.5})
            return type("Result", (), {"pose_landmarks": [[mark] * 33]})

        def close(self):
            calls.append("closed")

    _stand_in(monkeypatch, Landmarker)
    model = tmp_path / "pose.task"
    model.touch()
    with open_detector(model) as detector:
        found = [detector(np.zeros((100, 200, 3), np.uint8), time_s) for time_s in (0.0, 0.0001, 0.02)]
    assert found[0].shape == (1, 33, 3)
    assert found[0][0, 0] == pytest.approx([50, 150, 0.5])
    assert [call[1] for call in calls[1:4]] == [0, 1, 20]
    assert calls[0]["base_options"] == {"model_asset_path": str(model)}
    assert calls[-1] == "closed"


def _stand_in(monkeypatch, landmarker):
    package, tasks, python = (ModuleType(name) for name in ("mediapipe", "mediapipe.tasks", "mediapipe.tasks.python"))
    package.__version__ = "0"
    package.Image, package.ImageFormat = dict, type("ImageFormat", (), {"SRGB": 1})
    python.BaseOptions = dict
    python.vision = type(
        "vision",
        (),
        {
            "PoseLandmarkerOptions": dict,
            "PoseLandmarker": landmarker,
            "RunningMode": type("RunningMode", (), {"VIDEO": "VIDEO"}),
        },
    )
    for module in (package, tasks, python):
        monkeypatch.setitem(sys.modules, module.__name__, module)
