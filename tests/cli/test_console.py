"""Where results are written, and the lines that a long job prints into a log."""

import importlib
import json

import pytest
from rich.console import Console

from poselift.cli.console import ProgressLines, ResultFile, progress, progress_watched
from poselift.errors import OutputExistsError


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_every_half_a_minute_and_one_at_the_end(capsys):
    clock = Clock()
    with progress("training a [net]", clock) as tick:
        for step in range(1, 101):  # a second each
            clock.now += 1
            tick(step, 100, f"loss {1000 - step} mm")
        clock.now += 5
    assert capsys.readouterr().err.splitlines() == [
        "training a [net]: 30 of 100, loss 970 mm, 0:01:10 left",
        "training a [net]: 60 of 100, loss 940 mm, 0:00:40 left",
        "training a [net]: 90 of 100, loss 910 mm, 0:00:10 left",
        "training a [net]: 100 of 100, loss 900 mm, after 0:01:45",
    ]


def test_calls_without_end_print_no_flood(capsys):
    clock = Clock()
    with progress("evaluating", clock) as tick:
        for clip in range(100_000):
            clock.now += 0.001
            tick(clip)
    assert capsys.readouterr().err.splitlines() == [
        "evaluating: 29,999", "evaluating: 59,999", "evaluating: 89,999", "evaluating: 99,999, after 0:01:40",
    ]  # fmt: skip


def test_the_pace_is_that_of_this_run_and_of_this_part_of_the_job(capsys):
    clock = Clock()
    with progress("row", clock) as tick:
        tick(20_000, 20_100)  # where a stopped run goes on
        clock.now += 40
        tick(20_020, 20_100)
        tick(1, 9, "measuring")
        clock.now += 30
        tick(3, 9, "measuring")
    assert capsys.readouterr().err.splitlines() == [
        "row: 20,020 of 20,100, 0:02:40 left",
        "row: 3 of 9, measuring, 0:01:30 left",
        "row: 3 of 9, measuring, after 0:01:10",
    ]


def test_short_jobs_and_jobs_that_fail_leave_no_last_line(capsys):
    clock = Clock()
    with progress("short", clock) as tick:
        tick(1, 2)
        clock.now += ProgressLines.EVERY_S - 1
    with pytest.raises(ValueError, match="broken"), progress("long", clock) as tick:
        tick(1, 2)
        clock.now += 100
        raise ValueError("broken")
    with progress("nothing to count", clock):
        clock.now += 100
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar_and_no_lines(monkeypatch, capsys):
    module = importlib.import_module("poselift.cli.console")
    terminal = Console(stderr=True, force_terminal=True, width=80, _environ={"TERM": "xterm"})
    monkeypatch.setattr(module, "err", terminal)
    clock = Clock()
    with progress("training", clock) as tick:
        clock.now += 100
        tick(1, 2, "loss 3 mm")
    shown = capsys.readouterr().err
    assert "1/2" in shown and "left" not in shown


def test_a_result_is_written_once(tmp_path):
    result = ResultFile(out=tmp_path / "scores.json")
    result.check()
    result.write({"mean": [1]})
    assert json.loads((tmp_path / "scores.json").read_text()) == {"mean": [1]}
    with pytest.raises(OutputExistsError):
        result.check()
    again = ResultFile(out=result.out, force=True)
    again.check()
    again.write([])
    assert json.loads((tmp_path / "scores.json").read_text()) == []
    ResultFile().write({})
    assert [path.name for path in tmp_path.iterdir()] == ["scores.json"]


def test_progress_goes_to_a_watcher_while_there_is_one(capsys):
    clock, told = Clock(), []
    with progress_watched(lambda *said: told.append(said)), progress("reading", clock) as tick:
        for done in range(5):
            clock.now += 0.04
            tick(done, 100)
        tick(100, 100)
    assert told == [("reading", 0, None), ("reading", 2, 100), ("reading", 100, 100)]
    with progress("lifting", clock) as tick:
        tick(1, 2)
    assert len(told) == 3 and capsys.readouterr().err == ""
