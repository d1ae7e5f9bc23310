import copy
import json

import pytest

from poselift.errors import DatasetError
from poselift.measure.scores import UNITS, Scores

SCORES = Scores(
    lifter="one",
    dataset="made up",
    choices={"drop": (("S9", "Greeting"),), "errors": {"levels": (0.1, 0.2)}, "scale": None},
    counts={"frames": 900},
    remarks=("nothing was resampled",),
    mean={"mpjpe": 40.0},
    per_joint={"mpjpe": {"nose": 40.0}},
    per_action={},
    per_subject={"mpjpe": {"S9": 40.0}},
    per_sequence={},
    per_cell={},
)


def stored() -> dict:
    return json.loads(json.dumps(SCORES.as_json(), allow_nan=False))


def test_scores_come_back_as_they_were_stored():
    assert Scores.from_json(stored()) == SCORES
    assert SCORES.choices["drop"] == [["S9", "Greeting"]] and SCORES.choices["errors"] == {"levels": [0.1, 0.2]}
    older = stored()
    del older["units"]
    assert Scores.from_json(older).units == UNITS


def nested(levels: int) -> list:
    return [nested(levels - 1)] if levels else []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"extra": 1}, "unknown fields extra"),
        ({"mean": []}, "wanted mean as dict"),
        ({"mean": {"mpjpe": {}}}, "wanted mean.mpjpe as float, got {}"),
        ({"mean": {"mpjpe": None}}, "wanted mean.mpjpe as float, got None"),
        ({"counts": {"frames": -1.5}}, "wanted counts.frames as int, got -1.5"),
        ({"per_joint": {"mpjpe": 1}}, "wanted per_joint.mpjpe as dict"),
        ({"lifter": 3}, "wanted lifter as str"),
        ({"remarks": "none"}, "wanted remarks as tuple"),
        ({"units": {"mpjpe": 3}}, "wanted units.mpjpe as str"),
        ({"choices": {"root": nested(200)}}, "choices are nested too deeply"),
    ],
)
def test_what_are_no_scores_is_refused(changes, message):
    with pytest.raises(DatasetError, match=f"no scores .*{message}"):
        Scores.from_json(copy.deepcopy(stored()) | changes)


@pytest.mark.parametrize("content", [{}, [], None, "scores", 3])
def test_other_json_is_refused(content):
    with pytest.raises(DatasetError, match="these are no scores"):
        Scores.from_json(content)
