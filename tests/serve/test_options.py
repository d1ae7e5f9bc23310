from pathlib import Path

import pytest

import poselift
from poselift.cli import main
from poselift.serve.options import OPTIONS, arguments, parse_options
from poselift.serve.refusal import Refusal


def test_options_become_the_arguments_of_lift():
    given = [
        ("people", "640,360@1.5"), ("height", "1.8 1.65"), ("fov", "60"), ("treadmill", "true"), ("rig", "mixamo"),
        ("image_size", "1920x1080"), ("flip", "false"), ("height", "1.7"),
    ]  # fmt: skip
    options = parse_options(given)
    assert options == {
        "people": "640,360@1.5", "height": [1.8, 1.65, 1.7], "fov": 60, "treadmill": True, "rig": "mixamo",
        "image_size": [1920, 1080],
    }  # fmt: skip
    assert arguments(options) == [
        "--people=640,360@1.5", "--height", "1.8", "1.65", "1.7", "--fov=60", "--no-contacts", "--rig=mixamo",
        "--image-size", "1920", "1080",
    ]  # fmt: skip
    assert arguments(parse_options([])) == ["--people=all"]


@pytest.mark.parametrize("name", OPTIONS)
def test_lift_takes_every_option(name, tmp_path, capsys):
    """It gets as far as reading the input, or says that options contradict each other."""
    option = OPTIONS[name]
    texts = {"people": "-5,3", "number": "1.5", "numbers": "1.7", "size": "640x480", "yes": "true"}
    text = option.choices[-1] if option.kind == "choice" else texts[option.kind]
    words = arguments(parse_options([(name, text)]))
    assert main(["lift", str(tmp_path / "clip.npz"), "-o", str(tmp_path), *words]) == 1
    said = capsys.readouterr().err.replace("\n", " ")
    assert "clip.npz is not there" in said or f"leave out --{name}" in said, said


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("out", "/etc", "unknown option 'out'"),
        ("keypoints_out", "/etc/passwd", "unknown option"),
        ("detector_model", "x.onnx", "unknown option"),
        ("x" * 5000, "1", "unknown option 'xxx"),
        ("lifter", "os:system", "wanted lifter as one of auto"),
        ("lifter", "/tmp/evil.onnx", "wanted lifter as one of auto"),
        ("lifter", "../weights.onnx", "wanted lifter as one of auto"),
        ("people", "somebody", "wanted --people"),
        ("people", "--force", "wanted --people"),
        ("people", "1" * 1000, "something short"),
        ("height", "tall", "numbers with a decimal point"),
        ("height", "nan", "not negative"),
        ("height", "inf", "not negative"),
        ("height", "-1", "not negative"),
        ("height", "", "1 to 100 numbers"),
        ("height", "1 " * 101, "1 to 100 numbers"),
        ("height", "1" * 20000, "something short"),
        ("fps", "25 30", "one number"),
        ("image_size", "640", "width and height"),
        ("image_size", "0x0", "width and height"),
        ("image_size", "640.5x480", "width and height"),
        ("flip", "yes", "true or false"),
        ("rig", "rigs", "one of poselift, mixamo"),
    ],
)
def test_what_is_no_option_is_refused(name, text, said):
    with pytest.raises(Refusal, match=said) as told:
        parse_options([(name, text)])
    assert told.value.status == 400
    assert len(told.value.message) < 800


def test_the_docs_list_every_option():
    docs = Path(poselift.__file__).parents[2] / "docs" / "serve.md"
    if not docs.is_file():
        pytest.skip("not a checkout")
    table = docs.read_text("utf-8").partition("<!-- options -->\n")[2].partition("<!-- /options -->")[0]
    rows = [
        f"| `{option.name}` | {option.what} | `{option.flag or '--' + option.name.replace('_', '-')}` |"
        for option in OPTIONS.values()
    ]
    assert table.splitlines()[2:] == rows
