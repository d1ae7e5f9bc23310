"""Threads in a row: what comes too fast is dropped, what goes wrong is raised, and all of them end."""

import threading

import pytest

from poselift.errors import FormatError
from poselift.live.pipeline import Link, Pipeline, paced


def threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("poselift-live")]


def test_every_item_comes_out_in_order_where_none_may_be_dropped():
    pipeline = Pipeline(range(50), [lambda x: x + 1, lambda x: 10 * x], drop=False, leave=lambda: None)
    assert list(pipeline) == [10 * (i + 1) for i in range(50)]
    assert pipeline.dropped == [0, 0, 0]
    assert threads() == []


def test_a_slow_step_gets_the_newest_item():
    sourced, released = threading.Event(), threading.Event()

    def source():
        yield 0
        assert released.wait(10)  # the step has taken the first
        yield from range(1, 100)
        sourced.set()

    def step(item):
        if item == 0:
            released.set()
            assert sourced.wait(10)
        return item

    pipeline = Pipeline(source(), [step], drop=True, leave=lambda: None)
    out = list(pipeline)
    assert out in ([0, 99], [99])  # whoever takes the last items may be slow, too
    assert sum(pipeline.dropped) == 100 - len(out)


def test_what_a_step_raises_is_raised_after_what_was_finished():
    def step(item):
        if item == 3:
            raise FormatError("no three")
        return item

    pipeline, got = Pipeline(iter(range(10)), [step], drop=False, leave=lambda: None), []
    with pytest.raises(FormatError, match="no three"):
        for item in pipeline:
            got.append(item)
    assert got == [0, 1, 2]
    assert threads() == []


def test_leaving_ends_a_source_that_waits():
    ended = threading.Event()

    def source():
        yield 1
        ended.wait()

    items = iter(Pipeline(source(), [], drop=True, leave=ended.set))
    assert next(items) == 1
    items.close()
    assert threads() == []


def test_a_link_keeps_one_item():
    link = Link(drop=True)
    for item in range(5):
        link.put(item)
    link.close()
    assert list(link) == [4]
    assert link.dropped == 4


def test_a_video_is_played_at_its_pace(monkeypatch):
    now = [100.0]

    def sleep(seconds):
        now[0] += seconds

    monkeypatch.setattr("time.sleep", sleep)
    came = []
    for time_s, _ in paced([(5.0, "a"), (5.5, "b"), (5.6, "c"), (7.0, "d")], clock=lambda: now[0]):
        came.append((time_s, round(now[0], 6)))
        now[0] += 0.3 if time_s == 5.5 else 0.0  # slow once: the next comes at once
    assert came == [(5.0, 100.0), (5.5, 100.5), (5.6, 100.8), (7.0, 102.0)]
