"""Archives of several people: what is written is read back exactly, and what does not fit is refused."""

from dataclasses import replace

import numpy as np
import pytest

from poselift.errors import FormatError, KindError, OutputExistsError, PoseliftError, ShapeError
from poselift.footage import Footage
from poselift.formats import read_keypoints_file, write_keypoints, write_people
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17, MEDIAPIPE_33


def people(count=3, *, scores=True, skeleton=MEDIAPIPE_33):
    rng = np.random.default_rng(0)
    made = []
    for number in range(1, count + 1):
        xy = rng.uniform(-100, 2000, (20, len(skeleton), 2)).astype(np.float32)
        xy[rng.random((20, len(skeleton))) < 0.2] = np.nan
        confidence = rng.uniform(0, 1, (20, len(skeleton))).astype(np.float32) if scores else None
        before = tuple(range(1, number))
        made.append(Keypoints2D(xy, confidence, skeleton, 29.97, (1920, 1080), 12.5, number, before))
    return tuple(made)


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one.xy, other.xy)
        if one.confidence is None:
            assert other.confidence is None
        else:
            np.testing.assert_array_equal(one.confidence, other.confidence)
        for name in ("skeleton", "fps", "image_size", "start_s", "person", "may_continue", "footage"):
            assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("scores", [True, False])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_what_was_written_is_read_exactly(tmp_path, count, scores):
    """Random places: neither the order of joints nor that of people and frames could be guessed."""
    written = people(count, scores=scores)
    write_people(written, tmp_path / "a.npz")
    assert_same(read_keypoints_file(tmp_path / "a.npz"), written)


@pytest.mark.parametrize("footage", [Footage(1234.5, "26 mm by a tag", 0.01), Footage(moved=0.2), Footage(900.0)])
def test_what_the_video_says_of_its_camera_is_kept(tmp_path, footage):
    """Also of somebody alone, so that a video that was looked at once is placed alike."""
    written = [replace(person, footage=footage) for person in people(2)]
    write_people(written, tmp_path / "a.npz")
    assert_same(read_keypoints_file(tmp_path / "a.npz"), written)
    alone = replace(people(1)[0], person=None, start_s=0.0, footage=footage)
    write_keypoints(alone, tmp_path / "b.npz")
    assert_same(read_keypoints_file(tmp_path / "b.npz"), [alone])


@pytest.mark.parametrize(
    ("name", "value"), [("focal_px", -1.0), ("moved", np.nan), ("moved", "far"), ("focal_px", [1.0])]
)
def test_what_no_camera_has_is_refused(tmp_path, name, value):
    write_people([replace(person, footage=Footage(900.0, "a", 0.1)) for person in people(2)], tmp_path / "a.npz")
    arrays = dict(np.load(tmp_path / "a.npz")) | {name: np.array(value)}
    np.savez(tmp_path / "b.npz", **arrays)
    with pytest.raises(FormatError, match=name):
        read_keypoints_file(tmp_path / "b.npz")


def test_somebody_alone_stays_without_number(tmp_path):
    (alone,) = (replace(person, person=None, start_s=0.0) for person in people(1))
    write_people([alone], tmp_path / "a.npz")
    assert_same(read_keypoints_file(tmp_path / "a.npz"), [alone])


def test_one_of_several_keeps_number_and_start(tmp_path):
    person = people(3, skeleton=COCO_17)[1]
    write_keypoints(person, tmp_path / "a.npz")
    assert_same(read_keypoints_file(tmp_path / "a.npz"), [person])


def test_what_the_user_states_counts_more(tmp_path):
    write_people(people(2), tmp_path / "a.npz")
    (one, _) = read_keypoints_file(tmp_path / "a.npz", fps=50, image_size=(100, 200))
    assert (one.fps, one.image_size) == (50, (100, 200))


def test_a_part_says_that_it_is_one(tmp_path, caplog):
    write_people(people(2), tmp_path / "a.npz", complete=False)
    read_keypoints_file(tmp_path / "a.npz")
    assert "a.npz: the video was not seen to its end, and holds its first 20 frames" in caplog.text


def test_people_of_different_sources_are_refused(tmp_path):
    first, second = people(2)
    for other in (replace(second, fps=25.0), replace(second, confidence=None), replace(second, start_s=0.0)):
        with pytest.raises(ShapeError, match="wanted people of one source"):
            write_people([first, other], tmp_path / "a.npz")
    with pytest.raises(ShapeError, match="at least one person"):
        write_people([], tmp_path / "a.npz")
    with pytest.raises(KindError, match="wanted Keypoints2D, got ndarray"):
        write_people([first.xy], tmp_path / "a.npz")
    with pytest.raises(FormatError, match=r"unknown ending '\.json'"):
        write_people([first], tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_never_overwritten_unasked(tmp_path):
    write_people(people(2), tmp_path / "a.npz")
    before = (tmp_path / "a.npz").read_bytes()
    with pytest.raises(OutputExistsError):
        write_people(people(3), tmp_path / "a.npz")
    assert (tmp_path / "a.npz").read_bytes() == before
    write_people(people(3), tmp_path / "a.npz", overwrite=True)
    assert len(read_keypoints_file(tmp_path / "a.npz")) == 3


@pytest.mark.parametrize(
    "broken",
    [
        {"person": np.array([1])},
        {"person": np.array([1.0, 2.0])},
        {"person": np.array([1, -2])},
        {"may_continue": np.array([[1]])},
        {"may_continue": np.array([1, 2])},
        {"start_s": np.array([0.0, 1.0])},
        {"start_s": np.array("now")},
        {"start_s": np.array(np.nan)},
        {"confidence": np.zeros((2, 20, 3))},
        {"confidence": np.full((2, 20, 33), -1.0)},
        {"xy": np.zeros((2, 20, 32, 2))},
        {"xy": np.zeros((2, 0, 33, 2))},
        {"xy": np.full((2, 20, 33, 2), np.inf)},
        {"xy": np.array("none")},
        {"xy": np.full((2, 20, 33, 2), "a")},
        {"fps": np.array(0.0)},
        {"image_size": np.array([0, 5])},
        {"skeleton": np.array("")},
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, broken):
    write_people(people(2), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as archive:
        arrays = dict(archive)
    np.savez(tmp_path / "b.npz", **(arrays | broken))
    with pytest.raises(PoseliftError, match=r"b\.npz|joints"):
        read_keypoints_file(tmp_path / "b.npz")
