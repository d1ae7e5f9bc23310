"""Keypoints and poses as lines of JSON."""

import json

import numpy as np
import pytest

import poselift as pl
from poselift.errors import FormatError, SkeletonError
from poselift.live.lines import parse_people, poses_line

PERSON = [[1.0, 2.0, 0.5]] * 16 + [None]


def test_a_line_holds_everybody():
    line = json.dumps({"time_s": 0.5, "skeleton": "COCO_17", "people": [PERSON, PERSON]})
    people = parse_people(line, 1, None)
    assert people.time_s == 0.5
    assert people.skeleton == pl.COCO_17
    assert people.keypoints.shape == (2, 17, 3)
    assert np.isnan(people.keypoints[:, 16]).all()
    assert parse_people('{"time_s": 1, "people": []}', 2, pl.COCO_17).keypoints.shape == (0, 17, 3)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ("[1]", "no object with time_s and people"),
        ('{"people": []}', "no object with time_s and people"),
        ('{"time_s": "now", "people": []}', "time_s is 'now'"),
        ('{"time_s": NaN, "people": []}', "time_s is nan"),
        ('{"time_s": true, "people": []}', "time_s is True"),
        ('{"time_s": 0, "people": []}', "names no skeleton"),
        ('{"time_s": 0, "skeleton": "COCO_17", "people": 3}', "people is no list"),
        ('{"time_s": 0, "skeleton": "COCO_17", "people": [[[1, 2, 3]]]}', "17 joints"),
        ('{"time_s": 0, "skeleton": "COCO_17", "people": [7]}', "17 joints"),
        ('{"time_s": 0, "skeleton": "COCO_17", "people": [' + json.dumps([[1, 2, 0.5]] * 34) + "]}", "17 joints"),
    ],
)
def test_what_is_wrong_is_said_with_the_line(line, why):
    with pytest.raises(FormatError, match=f"line 7 of the keypoints: .*{why}.*wanted"):
        parse_people(line, 7, None)


def test_a_skeleton_that_is_not_known():
    with pytest.raises(SkeletonError, match="unknown skeleton"):
        parse_people('{"time_s": 0, "skeleton": "COCO_99", "people": []}', 1, None)


def test_a_line_says_everything_of_the_poses():
    xyz = np.random.default_rng(0).normal(size=(1, 17, 3)).astype(np.float32)
    pose = pl.Poses3D(
        xyz, "H36M_17", 50.0, "turned_camera", observed=np.full((1, 17), 0.5), gap=np.array([True]), start_s=1.25,
        spread=np.full((1, 17), 0.04), up=np.array([[0, -1, 0]]), contact=np.full((1, 4), 0.25), person=3,
        may_continue=(1,),
    )  # fmt: skip
    line = json.loads(poses_line([pose], 1.5))
    (person,) = line.pop("people")
    assert line == {"time_s": 1.5, "skeleton": "H36M_17", "frame": "turned_camera"}
    np.testing.assert_allclose(person.pop("xyz_m"), xyz[0], atol=6e-5)
    assert person.pop("observed") == [0.5] * 17
    assert person.pop("spread_m") == [0.04] * 17
    assert person == {
        "person": 3, "may_continue": [1], "time_s": 1.25, "up": [0.0, -1.0, 0.0], "contact": [0.25] * 4, "gap": True,
    }  # fmt: skip
    assert json.loads(poses_line([], 2.0)) == {"time_s": 2.0, "people": []}
