import dataclasses

import pytest

from poselift.errors import CheckpointError
from poselift.lifters.card import MOCAP, Card, Score
from poselift.lifters.choose import choose, frames_at, least_frames


def card(name, in_frames, out_frames, error=None, **rest):
    score = Score(kind=MOCAP, data="", protocol={}, frames=1, mean={"p_mpjpe": error})
    return Card(
        name=name, skeleton="H36M_17", in_frames=in_frames, out_frames=out_frames, fps=50.0, in_channels=3,
        scores={} if error is None else {"detector errors": score}, **rest,
    )  # fmt: skip


CARDS = [
    card("a.243", 243, tuple(range(117, 126)), 48.0),
    card("a.81", 81, tuple(range(36, 45)), 50.0),
    card("a.live", 81, tuple(range(72, 81)), 53.0),
    card("a.27", 27, tuple(range(9, 18)), 52.0),
    card("b.27", 27, (13,), 51.0),
    card("a.1", 1, (0,), 60.0),
    card("b.1", 1, (0,), 59.0),
    card("picture.1", 1, (0,), 10.0, normalization="screen"),
]


@pytest.mark.parametrize(
    ("fps", "length", "name"),
    [
        (50, 1, "b.1"),  # the better of two
        (240, 1, "b.1"),
        (50, 2, "b.27"),
        (240, 2, "b.27"),  # still motion
        (50, 20, "b.27"),
        (50, 21, "a.81"),
        (50, 60, "a.81"),
        (50, 61, "a.243"),
        (60, 100, "a.243"),  # the real clip of 83 frames
        (25, 31, "a.243"),
        (100, 61, "a.81"),
    ],
)
def test_the_longest_window_that_suits_the_clip(fps, length, name):
    assert choose(CARDS, fps=fps, length=length).card.name == name
    assert choose(CARDS[::-1], fps=fps, length=length).card.name == name


@pytest.mark.parametrize("length", [1, 10, 100, 5000])
def test_what_is_there_is_taken(length):
    """One set of weights serves all clips, and says so where it is longer than suits."""
    choice = choose(CARDS[1:2], fps=50, length=length)
    assert choice.card.name == "a.81"
    assert ("the shortest there is" in choice.reason) == (length < 41)
    assert f"a clip of {length} frames at 50 fps" in choice.reason


def test_live_weights_wait_for_nothing_and_serve_streams_only():
    assert choose(CARDS, live=True).card.name == "a.live"
    assert choose([c for c in CARDS if c.name != "a.live"], live=True).card.name == "b.1"
    assert choose(CARDS[2:3], fps=50, length=100).card.name == "a.live"  # nothing else is there
    with pytest.raises(CheckpointError, match=r"without delay; those with the least are a.27, 0.18 s behind"):
        choose([CARDS[0], CARDS[1], CARDS[3]], live=True)


@pytest.mark.parametrize(
    ("delay_s", "name"),
    [
        (0.0, "a.live"),
        (0.23, "a.live"),
        (0.24, "a.live"),  # blended
        (0.26, "b.27"),  # one frame out, 13 later ones in
        (0.95, "b.27"),
        (0.96, "a.81"),
        (9.0, "a.243"),
    ],
)
def test_a_stream_that_may_wait_gets_the_best_weights_that_come_in_time(delay_s, name):
    choice = choose(CARDS, live=True, delay_s=delay_s)
    assert choice.card.name == name
    assert ("no delay" in choice.reason) == (delay_s < 0.24)


def test_unmeasured_weights_come_last():
    bare = dataclasses.replace(CARDS[3], name="0.27", scores={})
    assert choose([bare, *CARDS], fps=50, length=20).card.name == "b.27"


@pytest.mark.parametrize(("fps", "length"), [(None, 5), (50, None), (50, 0), (0, 5), (float("inf"), 5)])
def test_without_a_clip_there_is_no_choice(fps, length):
    with pytest.raises(CheckpointError, match="wanted fps and length of the clip"):
        choose(CARDS, fps=fps, length=length)


def test_without_weights_there_is_no_choice():
    with pytest.raises(CheckpointError, match="no weights to choose among"):
        choose(CARDS[-1:], fps=50, length=5)


def test_a_clip_in_the_weights_rate():
    assert frames_at(CARDS[0], 60, 100) == 83
    assert (frames_at(CARDS[0], 500, 3), frames_at(CARDS[0], 500, 1)) == (2, 1)
    assert [least_frames(window) for window in (1, 2, 27, 81, 82, 243)] == [1, 2, 2, 21, 21, 61]


BODY = [dataclasses.replace(card("c.81", 81, tuple(range(36, 45)), 49.0), skeleton="BODY_27")]


@pytest.mark.parametrize(
    ("skeleton", "name"), [("H36M_17", "a.243"), ("BODY_27", "c.81"), ("HALPE_26", "c.81"), ("COCO_17", "c.81")]
)
def test_the_joints_asked_for_choose_the_weights(skeleton, name):
    assert choose([*CARDS, *BODY], fps=50, length=500, skeleton=skeleton).card.name == name


def test_weights_without_the_joints_are_refused():
    with pytest.raises(CheckpointError, match="HALPE_26: .*left_heel.* missing"):
        choose(CARDS, fps=50, length=500, skeleton="HALPE_26")


def test_without_joints_asked_for_the_weights_with_the_most_are_taken():
    """Feet come by themselves; joints that are asked for are given without more, and a stream waits for nobody."""
    body = [dataclasses.replace(one, name=f"body.{one.name}", skeleton="BODY_27") for one in CARDS[1:2]]
    assert choose([*CARDS, *body], fps=50, length=5000).card.name == "body.a.81"
    assert choose([*CARDS, *body], fps=50, length=5000, skeleton="H36M_17").card.name == "a.243"
    assert choose([*CARDS, *body], live=True).card.name == "a.live"  # the only weights of more joints look ahead


@pytest.mark.parametrize("how", [{"fps": 50, "length": 500}, {"live": True}, {"live": True, "delay_s": 3.0}])
def test_weights_in_int8_are_only_taken_by_name(how):
    small = [dataclasses.replace(one, name=f"{one.name}-int8", scores=CARDS[-1].scores) for one in CARDS[:-1]]
    assert choose([*small, *CARDS], **how).card == choose(CARDS, **how).card
    with pytest.raises(CheckpointError, match="no weights to choose among"):
        choose(small, **how)
