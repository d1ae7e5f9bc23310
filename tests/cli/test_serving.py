# ruff: noqa: ISC004

import json

from poselift.cli.serving import read_answer

PRINTED = """INFO     fake.mp4: person 1 is found in 30 of 30 frames
INFO     the bones of the poselift figure are of constant length: its joints are
         9 mm off on average, 144 mm at most (left_big_toe in frame 7)
"""


def test_what_was_printed_is_said_line_by_line():
    said = read_answer(0, "clip.mp4: lifted\n\n-> ../results/clip.npz\n", PRINTED)
    assert said == {
        "errors": [],
        "messages": [
            "fake.mp4: person 1 is found in 30 of 30 frames",
            "the bones of the poselift figure are of constant length: its joints are 9 mm off on average, "
            "144 mm at most (left_big_toe in frame 7)",
            "clip.mp4: lifted",
        ],
        "result": {},
    }  # fmt: skip


def test_an_error_is_said_with_what_to_do():
    said = read_answer(1, "", f"{PRINTED}error: clip.json does not say its rate; give --fps\n")
    (error,) = said["errors"]
    assert error["message"] == "clip.json does not say its rate; give --fps"
    assert (error["what_to_do"], error["flags"]) == ("give --fps", ["--fps"])
    assert len(said["messages"]) == 2


def test_what_ended_without_a_word_is_said_too():
    assert read_answer(3, "", "")["errors"][0]["message"] == "ended with status 3"
    assert read_answer(2, "", "unknown\nflag")["errors"][0]["message"] == "unknown flag"


def test_an_answer_for_programs_is_taken_as_it_is():
    """As `--json` prints it; what was printed for people is in it."""
    finding = {"check": "units", "wrong": "too small", "effect": "nothing is right", "advice": "scale it"}
    error = {"kind": "FormatError", "message": "not lifted", "what_to_do": "", "flags": ["--force"], "input": "a.npz"}
    answer = {
        "poselift": "1", "verb": "lift", "status": 1, "errors": [error], "messages": ["read", "-> ../results/a.npz"],
        "result": {"people": [{"files": ["../results/a.npz"]}], "pages": [], "keypoints": None, "findings": [finding]},
    }  # fmt: skip
    said = read_answer(1, json.dumps(answer) + "\n", "error: not lifted\nINFO     read\n")
    assert said["errors"] == [error]
    assert said["messages"] == ["units: too small; then: nothing is right; advice: scale it", "read"]
    assert said["result"] == answer["result"] | {"people": [{"files": ["a.npz"]}]}
    assert read_answer(0, "{}", "")["messages"] == ["{}"]
