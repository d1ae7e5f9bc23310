"""Everybody in real videos, by the networks of the package: who is found when, and how near to MediaPipe's."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from poselift.detect.network import shipped_network
from poselift.detect.people import PeopleDetector, open_detector
from poselift.detect.video import read_frames
from poselift.errors import DetectionError
from poselift.skeleton import H36M_17, MEDIAPIPE_33

LIMBS = [
    f"{side}_{joint}" for side in ("left", "right") for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
]
MEDIAPIPE = Path(__file__).parent / "mediapipe_landmarks.npz"
"""What mediapipe 0.10.21 found in the sample videos; its `note` says how."""


@pytest.fixture
def frames(shared):
    """Read the pictures and times of a sample video."""
    pytest.importorskip("av", reason="needs the video extra")

    def read(name, *part):
        return list(islice(read_frames(shared / "data" / "video" / f"{name}.mp4", longest_side=1920), *part))

    return read


@pytest.fixture
def person(frames):
    """(540, 304, 3) picture of one large person."""
    ((_, rgb),) = frames("pose2sim_single_cam03", 1)
    return np.ascontiguousarray(rgb[::3, ::3])


def middles(people):
    return np.sort(people[:, MEDIAPIPE_33.indices(LIMBS), 0].mean(1))


def apart_px(found, landmarks):
    """Distances (33,) of MediaPipe's landmarks (33, 3) from those of the person nearest to them."""
    away_px = np.linalg.norm(found[..., :2] - landmarks[:, :2], axis=-1)
    return away_px[np.median(away_px, axis=1).argmin()]


@pytest.mark.parametrize(
    ("name", "count"), [("mmpose_demo", 5), ("pose2sim_single_cam01", 40), ("pose2sim_single_cam03", 40)]
)
def test_landmarks_are_where_mediapipe_finds_them(name, count, frames):
    """In the median over landmarks and frames, of the person whom MediaPipe follows.

    Either follows crops of its own, and a crop that is turned or shifted by 1 % moves landmarks by 2 to 5 pixels.
    """
    theirs, detector = np.load(MEDIAPIPE)[name][:count], PeopleDetector()
    found = [detector(rgb, time_s) for time_s, rgb in frames(name, count)]
    apart = [apart_px(people, landmarks) for people, landmarks in zip(found, theirs, strict=True)]
    assert np.isfinite(apart).all()
    assert np.median(apart) < 2.5


def test_the_person_in_a_real_video(frames, shared):
    """Arms and legs lie where OpenPose, another detector, saw them in the same frame; left is left."""
    openpose = np.load(shared / "data/pose2sim_cams_1_3.npz")["kp2d17"][1, :3, H36M_17.indices(LIMBS)]
    detector = PeopleDetector()
    found = [detector(rgb, time_s) for time_s, rgb in frames("pose2sim_single_cam03", 3)]
    assert [people.shape for people in found] == [(1, 33, 3)] * 3
    assert all(people.dtype == np.float32 for people in found)
    marks = np.concatenate(found)[:, MEDIAPIPE_33.indices(LIMBS)]
    openpose = np.swapaxes(openpose, 0, 1)
    distance_px = np.linalg.norm(marks[..., :2] - openpose[..., :2], axis=-1)
    assert np.median(distance_px) < 20 and distance_px.max() < 80  # of a body 800 pixels high
    other_side = np.roll(marks, len(LIMBS) // 2, axis=1)
    assert np.median(np.linalg.norm(other_side[..., :2] - openpose[..., :2], axis=-1)) > 60
    visibility = np.concatenate(found)[..., 2]
    assert ((visibility >= 0) & (visibility <= 1)).all()
    assert np.median(marks[..., 2]) > 0.9


@pytest.mark.parametrize("shape", [(90, 160), (1080, 1920), (7, 5), (1, 1), (2, 900)])
def test_nobody_in_pictures_of_nothing(shape):
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, shape[1]).astype(np.uint8)[None, :, None].repeat(shape[0], 0).repeat(3, 2)
    pictures = [np.zeros((*shape, 3), np.uint8), rng.integers(0, 256, (*shape, 3), np.uint8), ramp]
    for picture in pictures:
        detector = PeopleDetector()
        for frame in range(3):  # searched in all sizes
            found = detector(picture, frame * 0.2)
            assert found.shape == (0, 33, 3) and found.dtype == np.float32


def test_nobody_in_a_real_picture_without_people(frames):
    detector = PeopleDetector()
    for time_s, rgb in frames("sports2d_demo", 227, 230):
        assert detector(rgb, time_s).shape == (0, 33, 3)


def test_five_people_of_a_street_in_every_frame(frames):
    detector = PeopleDetector()
    counts = [len(detector(rgb, time_s)) for time_s, rgb in frames("mmpose_demo", None)]
    assert len(counts) == 5 and min(counts) >= 5


@pytest.mark.slow
def test_two_people_until_one_jumps(frames):
    """The man is there from the start, the woman from frame 45; he turns a somersault from frame 169; they leave."""
    detector = PeopleDetector()
    found = [detector(rgb, time_s) for time_s, rgb in frames("sports2d_demo", None)]
    counts = np.array([len(people) for people in found])
    assert (counts[:35] == 1).all()
    assert (counts[45:169] == 2).all()
    assert (counts[169:200] >= 1).all() and (counts[169:200] <= 2).all()
    assert (counts[227:] == 0).all()
    theirs = np.load(MEDIAPIPE)["sports2d_demo"]
    seen = np.isfinite(theirs).all((1, 2)) & (counts > 0)
    assert seen.sum() > 200
    assert np.median([apart_px(found[frame], theirs[frame]) for frame in np.flatnonzero(seen)]) < 2.5


def test_more_than_six_people(person):
    """MoveNet's own last part stops at six."""
    row = np.concatenate([person] * 4, axis=1)
    crowd = np.concatenate([row, row])
    found = PeopleDetector()(crowd, 0.0)
    assert len(found) == 8
    assert len(PeopleDetector(most=3)(crowd, 0.0)) == 3


def test_somebody_who_leaves_and_returns(person):
    """Nobody is made up where a person was; who returns is found within 0.2 s although searches are rare."""
    alone = np.concatenate([person, np.full_like(person, 128)], axis=1)
    both = np.concatenate([person, person], axis=1)
    detector = PeopleDetector()
    shown = [both] * 3 + [alone] * 6 + [both] * 6
    counts = [len(detector(picture, frame / 30)) for frame, picture in enumerate(shown)]
    assert counts[:3] == [2, 2, 2] and counts[3:9] == [1] * 6
    assert counts[-1] == 2


def test_a_newcomer_is_found_within_half_a_second(person):
    alone = np.concatenate([person, np.full_like(person, 128)], axis=1)
    both = np.concatenate([person, person], axis=1)
    detector = PeopleDetector()
    counts = [len(detector(both if frame else alone, frame / 30)) for frame in range(17)]
    assert counts[0] == 1 and counts[-1] == 2


def test_a_cut_to_another_place(person):
    """The scene changes from one frame to the next, and so does the place of the person, who is found at once."""
    width = person.shape[1]
    wide = np.full((person.shape[0], 4 * width, 3), 128, np.uint8)
    left, right = wide.copy(), wide.copy()
    left[:, :width], right[:, 3 * width :] = person, person
    detector = PeopleDetector()
    places = [middles(detector(picture, frame / 30)) for frame, picture in enumerate([left, left, right, right])]
    assert [len(found) for found in places] == [1, 1, 1, 1]
    assert places[2][0] - places[1][0] == pytest.approx(3 * width, abs=10)


def test_two_crops_of_one_person_become_one(person):
    """One of two people is replaced by empty floor while the other stands where both crops reach."""
    near = np.full((person.shape[0], 3 * person.shape[1] // 2, 3), 128, np.uint8)
    detector = PeopleDetector()
    for frame in range(12):
        picture = near.copy()
        shift = frame * person.shape[1] // 24
        picture[:, shift : shift + person.shape[1]] = person
        assert len(detector(picture, frame / 30)) == 1


def test_an_earlier_frame_starts_anew(person):
    detector = PeopleDetector()
    first = detector(person, 5.0)
    detector(person, 5.1)
    assert (detector(person, 0.0) == first).all()


def test_a_call_does_not_change_the_picture(person):
    before = person.copy()
    PeopleDetector()(person, 0.0)
    assert (person == before).all()


def test_a_model_that_is_none(tmp_path):
    with pytest.raises(DetectionError, match=r"none\.onnx is not a file; python scripts/build_detector\.py makes one"):
        open_detector(tmp_path / "none.onnx")
    with pytest.raises(DetectionError, match="is not a file"):
        open_detector(tmp_path)
    path = tmp_path / "wrong.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(DetectionError, match=r"wrong\.onnx is no network that ONNX Runtime can open"):
        open_detector(path)
    path.write_bytes(shipped_network("blazepose_full").read_bytes()[:100_000])
    with pytest.raises(DetectionError, match="is no network"):
        open_detector(path)


def test_a_model_of_another_kind():
    for other in [
        shipped_network("movenet_multipose"),
        *Path(shipped_network("").parents[2] / "weights").glob("*.onnx"),
    ]:
        with pytest.raises(DetectionError, match="is another network than BlazePose's landmarks: it has .*makes"):
            open_detector(other)


def test_a_model_above_the_limit(monkeypatch):
    monkeypatch.setenv("POSELIFT_LIMITS", "0.001")
    with pytest.raises(DetectionError, match="POSELIFT_LIMITS"):
        open_detector(shipped_network("blazepose_full"))


def test_a_model_that_the_user_names(tmp_path, person):
    """The same file from another place gives the same landmarks."""
    copy = tmp_path / "mine.onnx"
    copy.write_bytes(shipped_network("blazepose_full").read_bytes())
    assert (open_detector(copy)(person, 0.0) == open_detector()(person, 0.0)).all()
