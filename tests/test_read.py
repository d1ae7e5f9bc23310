import re
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest

from poselift.errors import FormatError, MissingExtraError, SkeletonError, install_hint
from poselift.formats import write_keypoints
from poselift.read import is_video, read_keypoints
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, H36M_17, MEDIAPIPE_33

DEMO = Path(str(resources.files("poselift") / "data" / "demo.npz"))


@pytest.mark.parametrize("name", ["a.mp4", "a.MOV", "dir.npz/a.webm", "a.b.mkv"])
def test_videos_are_told_by_their_ending(name):
    assert is_video(name)
    assert is_video(Path(name))


@pytest.mark.parametrize("name", ["a.npz", "a.json", "a", "mp4", "a.mp4.json", "folder.d"])
def test_other_paths_are_no_videos(name):
    assert not is_video(name)


def test_the_bundled_clip_is_read():
    (person,) = read_keypoints(DEMO)
    assert person.skeleton is MEDIAPIPE_33
    assert len(person) == 58
    assert person.seen.mean() > 0.9


def test_skeleton_and_rate_are_passed_on(tmp_path):
    xy = np.random.default_rng(0).uniform(10, 500, (4, 17, 2)).astype(np.float32)
    np.savez(tmp_path / "clip.npz", xy=xy)
    (person,) = read_keypoints(str(tmp_path / "clip.npz"), skeleton="coco-17", fps=12)
    assert (person.skeleton, person.fps) == (COCO_17, 12)
    (person,) = read_keypoints(tmp_path / "clip.npz", skeleton=H36M_17, fps=12)
    assert person.skeleton is H36M_17
    np.testing.assert_array_equal(person.xy, xy)
    with pytest.raises(SkeletonError, match="unknown skeleton"):
        read_keypoints(tmp_path / "clip.npz", skeleton="dog", fps=12)


def test_what_was_written_is_read(tmp_path):
    xy = np.random.default_rng(0).uniform(10, 500, (4, 17, 2)).astype(np.float32)
    keypoints = Keypoints2D(xy, np.full((4, 17), 0.5), COCO_17, 30.0)
    for name in ("clip.npz", "clip.json", "clip.csv"):
        write_keypoints(keypoints, tmp_path / name)
        (person,) = read_keypoints(tmp_path / name, skeleton=COCO_17)
        np.testing.assert_allclose(person.xy, xy, rtol=1e-5)


@pytest.mark.parametrize("name", ["nothing.npz", "nothing.json", "nothing.xyz", "nothing"])
def test_what_is_not_there_or_unknown_is_told(tmp_path, name):
    with pytest.raises(FormatError, match=name):
        read_keypoints(tmp_path / name)


@pytest.mark.parametrize("given", [{"skeleton": COCO_17}, {"fps": 25}, {"image_size": (9, 9)}, {"frame_step": 2}])
def test_what_a_video_holds_is_not_to_be_given(given):
    flag = next(iter(given)).replace("_", "-")
    with pytest.raises(
        FormatError, match=f"is a video: its skeleton, frame rate and size are known; leave out --{flag}"
    ):
        read_keypoints("clip.mp4", **given)


@pytest.mark.parametrize(
    ("given", "flag"), [({"start_s": 1}, "start"), ({"stop_s": 2}, "stop"), ({"raw": "rgb24"}, "raw")]
)
def test_what_only_videos_have_is_refused_for_keypoint_files(given, flag):
    with pytest.raises(FormatError, match=f"is no video; leave out --{flag}"):
        read_keypoints(DEMO, **given)


def test_a_video_without_the_extra_says_how_to_get_it(monkeypatch, tmp_path):
    (tmp_path / "clip.mp4").touch()
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=re.escape(install_hint("video"))):
        read_keypoints(tmp_path / "clip.mp4")
