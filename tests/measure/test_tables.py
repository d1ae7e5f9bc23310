import dataclasses
import io
import json

import pytest
from rich.console import Console

from poselift.errors import DatasetError
from poselift.measure.scores import UNITS, Scores
from poselift.measure.tables import ACTIONS, action_table, compare, scores_view, table


def scores(lifter: str = "one", mean: float = 40.0, **choices) -> Scores:
    actions = {"Walking": mean - 10, "Directions": mean, "WalkDog": mean + 10}
    return Scores(
        lifter=lifter,
        dataset="Human3.6M",
        choices={"root": "zeroed", "flip_average": True, "drop": []} | choices,
        counts={"clips": 8, "sequences": 2, "subjects": 1, "actions": 3, "frames": 900, "filled_keypoints": 0},
        remarks=("the lifter is for 25 fps",),
        mean={"mpjpe": mean, "pck": 90.0},
        per_joint={"mpjpe": {"pelvis": 0.0, "nose": mean}, "pck": {"nose": 90.0}},
        per_action={"mpjpe": actions, "pck": dict.fromkeys(actions, 90.0)},
        per_subject={"mpjpe": {"S9": mean}, "pck": {"S9": 90.0}},
        per_sequence={"mpjpe": {"S9 Walking [1]": mean}, "pck": {"S9 Walking [1]": 90.0}},
        per_cell={"mpjpe": {"S9 Walking": mean}, "pck": {"S9 Walking": 90.0}},
    )


def printed(renderable) -> str:
    console = Console(width=240, record=True, file=io.StringIO())
    console.print(renderable)
    return console.export_text()


def test_results_of_the_same_choices_compare():
    assert compare([scores(), scores("two", 50)]) == {}
    said = printed(table([scores(), scores("two", 50)]))
    assert "NOT COMPARABLE" not in said
    assert "40.00" in said and "50.00" in said and "two" in said
    assert "900 frames, 2 sequences, 3 actions, root zeroed, flip_average yes" in " ".join(said.split())


@pytest.mark.parametrize("make", [table, action_table])
def test_results_of_different_choices_say_so_in_each_row(make):
    said = printed(make([scores(), scores("two", 50, root="moved", scale="oracle", drop=[["S9", "Greeting"]])]))
    assert "NOT COMPARABLE" in said
    for word in ("root", "zeroed", "moved", "scale", "oracle", "drop", "Greeting"):
        assert word in said
    assert "root zeroed" not in said  # not among what they share
    assert "flip_average yes" in said


def test_many_differing_choices_stand_below_the_table():
    other = dataclasses.replace(scores("two", 50), dataset="HumanEva-I", choices={f"new {n}": n for n in range(5)})
    said = printed(table([scores(), other]))
    lines = [line.split() for line in said.splitlines()]
    assert ["one", "Human3.6M", "40.00", "90.00"] in lines and ["two", "HumanEva-I", "50.00", "90.00"] in lines
    assert "differs: root: zeroed; -" in " ".join(said.split()) and "differs: new 4: -; 4" in " ".join(said.split())


def test_other_data_or_other_frames_are_other_choices():
    other = dataclasses.replace(scores(), dataset="HumanEva-I")
    assert compare([scores(), other]) == {"data set": ["Human3.6M", "HumanEva-I"]}
    fewer = dataclasses.replace(scores(), counts=scores().counts | {"frames": 800})
    assert list(compare([scores(), fewer])) == ["scored"]
    assert compare([scores(), scores(scale="none")]) == {"scale": [None, "none"]}


def test_results_from_json_compare_with_those_just_made():
    made = scores(drop=(("S9", "Greeting"),))
    again = Scores.from_json(json.loads(json.dumps(made.as_json())))
    assert compare([made, again]) == {}


def test_actions_stand_in_the_papers_order():
    said = printed(action_table([scores()])).splitlines()
    header = next(line for line in said if "Directions" in line)
    assert header.index("Directions") < header.index("WalkDog") < header.index("Walking") < header.index("result")
    assert len(ACTIONS[:15]) == 15 and ACTIONS[:15] == tuple(sorted(ACTIONS[:15], key=str.casefold))


def test_everything_about_one_result():
    said = printed(scores_view(scores()))
    for word in ("pelvis", "Directions", "S9 Walking [1]", "900 frames", "note: the lifter is for 25 fps"):
        assert word in said
    assert said.index("S9 Walking [1]") < said.index("pelvis") < said.index("Human3.6M") < said.index("note:")


def test_a_table_has_no_columns_and_no_parts_that_a_result_lacks():
    lacking = dataclasses.replace(scores(), per_action={}, per_sequence={})
    said = printed(scores_view(lacking))
    assert "pelvis" in said and "auc" not in said
    assert not any(word in said for word in ("Directions", "sequence ", "action "))
    with pytest.raises(DatasetError, match="no mpjpe by action"):
        action_table([lacking])


def test_a_metric_in_two_units_has_two_columns():
    other = dataclasses.replace(scores("two", 50), units=UNITS | {"mpjpe": "cm"})
    rows = [line.split() for line in printed(table([scores(), other])).splitlines()]
    assert ["mpjpe", "mpjpe", "pck"] in rows and ["lifter", "mm", "cm", "%"] in rows
    assert ["one", "40.00", "-", "90.00"] in rows and ["two", "-", "50.00", "90.00"] in rows


def test_long_choices_stand_below_the_table():
    made = [scores(errors=None), scores(errors={"level": 0.01, "spikes": list(range(30))})]
    lines = [line.split() for line in printed(table(made)).splitlines()]
    assert ["one", "-", "40.00", "90.00"] in lines and ["one", "(1)", "40.00", "90.00"] in lines
    assert any(line[:5] == ["(1)", "(level", "0.01,", "spikes", "[0,"] for line in lines)
    compared = "pelvis, " * 12
    lines = printed(table([scores(compared=compared)])).splitlines()
    assert any(line.startswith("compared pelvis") for line in lines)  # on a line of its own


def test_what_cannot_be_shown_is_refused():
    with pytest.raises(DatasetError, match="no results"):
        table([])
    with pytest.raises(DatasetError, match="no metric speed"):
        table([scores()], ["speed"])
    with pytest.raises(DatasetError, match="no metric speed"):
        action_table([scores()], "speed")
