"""The example of another detector, with a stand-in for rtmlib of the same interface (rtmlib 0.0.16)."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from poselift.detect import detect_video
from poselift.skeleton import HALPE_26

from .test_video import write_video

EXAMPLE = Path(__file__).parents[2] / "examples" / "rtmlib_detector.py"


class BodyWithFeet:
    """A person in each bright region, as rtmlib's class of this name finds them: boxes first, then 26 keypoints."""

    def __init__(self, mode="balanced", to_openpose=False, backend="onnxruntime", device="cpu"):
        assert (mode, to_openpose, backend, device) == ("balanced", False, "onnxruntime", "cpu")

    def det_model(self, image):
        assert image.flags["C_CONTIGUOUS"] and image.dtype == np.uint8
        bright = np.nonzero(image[..., 2] > 50)  # red is last in OpenCV's order
        if not len(bright[0]):
            return np.array([])
        return np.array([[bright[1].min(), bright[0].min(), bright[1].max(), bright[0].max()]])

    def pose_model(self, image, bboxes=()):
        assert len(bboxes), "rtmlib looks for a person in the whole picture"
        middle = (np.asarray(bboxes)[:, :2] + np.asarray(bboxes)[:, 2:]) / 2
        spread = np.linspace(-5, 5, 26)[:, None]
        return middle[:, None] + spread, np.full((len(bboxes), 26), 1.2)


@pytest.fixture
def example(monkeypatch):
    rtmlib = ModuleType("rtmlib")
    rtmlib.BodyWithFeet = BodyWithFeet
    monkeypatch.setitem(sys.modules, "rtmlib", rtmlib)
    spec = importlib.util.spec_from_file_location("rtmlib_detector", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_fits_in_place_of_the_detector(example, tmp_path):
    pytest.importorskip("av", reason="needs the video extra")
    (person,) = detect_video(write_video(tmp_path / "a.mp4", [0, 40, 80]), detector=example.RtmlibDetector())
    assert person.skeleton is HALPE_26
    assert person.confidence == pytest.approx(1)
    assert np.ptp(person.xy[0], axis=0) == pytest.approx([10, 10], abs=1e-3)


def test_nobody_in_a_dark_picture(example):
    found = example.RtmlibDetector()(np.zeros((40, 60, 3), np.uint8), 0.0)
    assert found.shape == (0, 26, 3) and found.dtype == np.float32
