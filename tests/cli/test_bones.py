import json

import pytest

from poselift.cli.bones import Bones
from poselift.errors import FormatError, ShapeError
from tests.refine.stage import camera_at, seen, walking

POSES = seen(*walking(seconds=0.2), camera_at()).poses


def test_words_and_files_say_the_same(tmp_path):
    (tmp_path / "a.json").write_text('{"thigh": 0.43, "left_shank": 0.40, "right_shank": 0.42}')
    (tmp_path / "a.toml").write_text("thigh = 0.43\nshank = 0.41\n")
    for words in (["thigh=0.43", "shank=0.41"], [str(tmp_path / "a.json")], [str(tmp_path / "a.toml")]):
        assert Bones(words).of([POSES]) == pytest.approx({"thigh": 0.43, "shank": 0.41})
    assert Bones(()).of([POSES]) is None


def test_a_file_may_have_a_table_for_each_person(tmp_path):
    file = tmp_path / "people.json"
    file.write_text(json.dumps({"1": {"thigh": 0.43}}))
    assert Bones([str(file)]).of([POSES]) == [{"thigh": 0.43}]
    file.write_text(json.dumps({"3": {"thigh": 0.43}}))
    with pytest.raises(FormatError, match="person 3"):
        Bones([str(file)]).of([POSES])


@pytest.mark.parametrize(
    "words", [["thigh"], ["thigh=long"], ["thigh=0.4", "0.3"], ["=0.4", "x.json"], ["thigh=0.4", "thigh=0.4"]]
)
def test_words_that_say_nothing_are_refused(words):
    with pytest.raises((FormatError, ShapeError), match="--bones"):
        Bones(words)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "[0.4]"),
        ("a.json", "{"),
        ("a.json", '{"left": {"thigh": 0.4}}'),
        ("a.toml", "thigh: 0.4"),
        ("a.json", "{}"),
    ],
)
def test_files_in_another_form_are_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(FormatError):
        Bones([str(tmp_path / name)])
    with pytest.raises(FormatError):
        Bones([str(tmp_path / "missing.json")])
