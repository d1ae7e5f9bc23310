"""Who is wanted among the people of a source, and who only passed by."""

import json

import numpy as np
import pytest

import poselift as pl
from poselift.detect.detections import Detections
from poselift.errors import FormatError
from poselift.people import check_choice, choose_people, numbered, only, sighting, who_lasts, without_passers_by
from poselift.sequence import Keypoints2D
from poselift.skeleton import COCO_17

SHAPE = np.random.default_rng(0).uniform(-0.5, 0.5, (17, 2))
SHAPE -= (SHAPE.min(0) + SHAPE.max(0)) / 2
SHAPE /= np.ptp(SHAPE, axis=0).max()


def person(frames, shown, x, y=500.0, size=100.0, **fields):
    """Somebody of a size in pixels whose middle is at x, y in the frames shown."""
    xy = np.full((frames, 17, 2), np.nan)
    xy[list(shown)] = SHAPE * size + (x, y)
    return Keypoints2D(xy, None, COCO_17, 10.0, (2000, 1000), **fields)


@pytest.fixture
def people():
    """Three: a small one in all frames, a large one in the second half, a middle one in the first half."""
    return numbered(
        [
            person(40, range(40), 200, size=50),
            person(40, range(20, 40), 1000, size=400),
            person(40, range(20), 1500, size=100),
        ]
    )


def test_people_are_numbered_and_somebody_alone_is_not(people):
    assert [one.person for one in people] == [1, 2, 3]
    assert numbered(people[1:])[0].person == 2, "numbers are kept"
    assert numbered([person(4, range(4), 0)])[0].person is None


@pytest.mark.parametrize(
    ("which", "numbers"),
    [
        ("all", [1, 2, 3]),
        ("largest", [2]),
        ("1", [1]),
        (3, [3]),
        ("1500,500", [3]),
        ("1300, 480", [3]),
        ("240,500", [1]),
        ("-100,-100", [1]),
        ("1190,620@3", [2]),
        ("1500,500@2.0", [2]),
    ],
)
def test_people_are_chosen(people, which, numbers):
    assert [one.person for one in choose_people(people, which)] == numbers


def test_a_small_person_before_a_large_one_is_chosen_by_their_middle():
    two = numbered([person(5, range(5), 500, size=400), person(5, range(5), 600, size=60)])
    assert choose_people(two, "600,500")[0].person == 2
    assert choose_people(two, "480,500")[0].person == 1


def test_the_clock_is_that_of_the_source():
    late = [person(40, range(40), 200, start_s=60.0, person=1), person(40, range(20, 40), 900, start_s=60.0, person=2)]
    assert choose_people(late, "900,500@63")[0].person == 2
    with pytest.raises(FormatError, match="nobody is seen 3.00 s after the beginning"):
        choose_people(late, "900,500@3")


@pytest.mark.parametrize("which", ["", "everyone", "1,", "1,2,3", "1,2@", "-1", "x,y", "1.5", ",", "1,2@-3", "--1,2"])
def test_what_is_no_choice_is_refused(people, which):
    for refuse in (lambda: check_choice(which), lambda: choose_people(people, which)):
        with pytest.raises(FormatError, match="as all, largest, the number of a person, x,y or x,y@SECONDS; got"):
            refuse()


def test_a_number_that_nobody_has_names_who_is_there(people):
    with pytest.raises(
        FormatError, match=r"a\.mp4: there is no person 4 .*1: 4\.00 s from 0\.00 s on.*2: 2\.00 s from 2"
    ):
        choose_people(people, 4, "a.mp4")
    (alone,) = numbered([person(4, range(4), 0)])
    assert choose_people([alone], 1) == (alone,)
    with pytest.raises(FormatError, match="there is no person 2"):
        choose_people([alone], 2)


def test_a_choice_among_several_is_logged(people, caplog):
    with caplog.at_level("INFO"):
        choose_people(people, "largest", "a.mp4")
    assert "a.mp4: of 3 people, person 2 was chosen: 2.00 s from 2.00 s on, first at pixel 1000,500" in caplog.text


def test_who_lasts():
    assert who_lasts([10, 0.9, 1.0], 10) == [True, False, True]
    assert who_lasts([0.5, 0.3, 0.2], 0.5) == [True, True, False], "half of a short clip is enough"
    assert who_lasts([0.3, 0.2, 0.1], 5) == [True, False, False], "somebody is left"
    assert who_lasts([10, 0.1], 10, shortest_s=0) == [True, True]


def test_passers_by_are_left_out_and_named(caplog):
    there = [person(40, range(40), 200), person(40, range(10, 15), 1200, y=300)]
    assert without_passers_by(there, "a.json") == (there[0],)
    assert "a.json: 1 person(s) seen for less than 1 s passed by" in caplog.text
    assert "0.50 s from 1.00 s on, first at pixel 1200,300" in caplog.text
    assert len(without_passers_by(there, "a.json", shortest_s=0.5)) == 2


def test_of_many_passers_by_only_some_are_named(caplog):
    there = [person(200, range(200), 200), *(person(200, range(9 * n, 9 * n + 5), 900) for n in range(20))]
    assert len(without_passers_by(there, "a.json")) == 1
    assert "20 person(s)" in caplog.text and "; and 14 more" in caplog.text


def test_nobody_is_nowhere():
    assert sighting(person(4, [], 0)) is None
    assert str(sighting(person(4, [1, 2], 30, 40, start_s=2.0))) == "0.20 s from 2.10 s on, first at pixel 30,40"


def test_the_public_reading_takes_the_same_choices(tmp_path, people):
    from poselift.formats import write_people

    write_people(people, tmp_path / "a.npz")
    assert [one.person for one in pl.read_keypoints(tmp_path / "a.npz")] == [1, 2, 3]
    assert [one.person for one in pl.read_keypoints(tmp_path / "a.npz", people=2)] == [2]
    assert [one.person for one in pl.read_keypoints(tmp_path / "a.npz", people="1500,500")] == [3]
    with pytest.raises(FormatError, match="got 'bob'"):
        pl.read_keypoints(tmp_path / "none.npz", people="bob")


def test_whom_somebody_may_continue_is_named_by_number_and_followed_through_those_left_out(people):
    """The third of five may continue the second, who may continue the first; the second is left out."""
    chain = [person(40, range(40), 100 * i, may_continue=may) for i, may in enumerate([(), (1,), (2, 4), (), (4,)])]
    left = numbered(only(chain, [True, False, True, True, True]))
    assert [one.may_continue for one in left] == [(), (1, 3), (), (3,)]
    kept = only(numbered(chain), [True, False, True, False, True])
    assert [(one.person, one.may_continue) for one in kept] == [(1, ()), (3, (1,)), (5, ())], "numbers are kept"


STANDING = np.array(
    [
        *((0, -80), (3, -84), (-3, -84), (8, -82), (-8, -82), (18, -60), (-18, -60), (24, -30), (-24, -30)),
        *((26, 0), (-26, 0), (11, 0), (-11, 0), (12, 40), (-12, 40), (12, 80), (-12, 80)),
    ],
    float,
)
"""Somebody 164 pixels high, in the order of COCO_17."""


def lost_together():
    """For each of 150 frames, at 30 a second, (P, 17, 3): two people of one build in one place, lost for a second."""
    apart = np.r_[np.tile([[-5, 0], [5, 0]], (90, 1, 1)), np.tile([[-8, -8], [8, 8]], (60, 1, 1))]
    xy = STANDING + (500, 300) + apart[:, :, None]
    frames = [np.concatenate([pair, np.full((2, 17, 1), 0.9)], -1) for pair in xy]
    frames[60:90] = [np.empty((0, 17, 3))] * 30
    return frames


def assert_in_doubt(people, log):
    assert len(people) == 4
    first = [int(one.seen.any(1).argmax()) for one in people]
    assert sorted(first) == [0, 0, 90, 90]
    early = [one.person for one, frame in zip(people, first, strict=True) if frame == 0]
    for one, frame in zip(people, first, strict=True):
        assert sorted(one.may_continue) == (early if frame else [])
        if frame:
            may = " or ".join(f"person {number}" for number in one.may_continue)
            assert log.count(f"person {one.person} may be {may}, from frame 90 on") == 1
    assert log.count("may be person") == 2


def test_files_and_videos_say_alike_whom_somebody_may_continue(tmp_path, caplog):
    """One road: the tracker's doubts reach the people of a keypoint file as they reach those of a video."""
    found = Detections("video", COCO_17, (1000, 600), 30.0)
    for frame, shown in enumerate(lost_together()):
        found.add(frame / 30, shown, (1000, 600))
    assert_in_doubt(found.follow(), caplog.text)
    caplog.clear()
    listed = [
        {
            "frame_id": frame,
            "instances": [
                {"keypoints": one[:, :2].tolist(), "keypoint_scores": one[:, 2].tolist()} for one in shown
            ],
        }
        for frame, shown in enumerate(lost_together())
    ]  # fmt: skip
    (tmp_path / "mmpose.json").write_text(json.dumps({"instance_info": listed}))
    people = pl.read_keypoints(tmp_path / "mmpose.json", skeleton=COCO_17, fps=30)
    assert_in_doubt(people, caplog.text)
