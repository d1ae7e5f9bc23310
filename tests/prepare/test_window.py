import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poselift.errors import ShapeError
from poselift.prepare.window import blend_seams, block_delay, cut, follow_on, frames_after, stream_delay

lengths = st.integers(1, 200)
contracts = st.integers(1, 60).flatmap(
    lambda size: st.tuples(st.integers(0, size - 1), st.integers(1, size)).map(
        lambda pair: (size, tuple(range(pair[0], min(pair[0] + pair[1], size))))
    )
)


@given(lengths, contracts)
def test_cut_then_stitch_is_the_identity(length, contract):
    in_frames, out_frames = contract
    clip = np.random.default_rng(0).normal(size=(length, 3))
    windows = cut(length, in_frames, out_frames)
    yielded = clip[windows.index][:, list(out_frames)]
    assert windows.index.shape == windows.inside.shape == (len(windows.index), in_frames)
    np.testing.assert_array_equal(windows.stitch(yielded), clip)


@given(lengths, contracts)
def test_every_frame_is_yielded_once_and_no_window_is_superfluous(length, contract):
    in_frames, out_frames = contract
    windows = cut(length, in_frames, out_frames)
    kept = windows.index[:, list(out_frames)][windows.inside[:, list(out_frames)]]
    assert kept.tolist() == list(range(length))
    assert len(windows.index) == -(-length // len(out_frames))


@given(lengths, contracts)
def test_places_run_through_the_clip_and_are_held_outside(length, contract):
    windows = cut(length, *contract)
    for index, inside in zip(windows.index, windows.inside, strict=True):
        within = index[inside]
        assert (np.diff(within) == 1).all()
        assert set(index[~inside]) <= {0, length - 1}
        if not inside.all():
            assert within[0] == 0 or within[-1] == length - 1


def test_a_short_clip_by_hand():
    windows = cut(2, 5, (2,))
    assert windows.index.tolist() == [[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]]
    assert windows.inside.astype(int).tolist() == [[0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
    assert cut(5, 2, (0, 1)).index.tolist() == [[0, 1], [2, 3], [4, 4]]


@pytest.mark.parametrize(
    ("length", "out_frames", "message"),
    [(0, (1,), "at least one frame"), (5, (0, 2), "consecutive"), (5, (1, 0), "consecutive"), (5, (), "consecutive")],
)
def test_wrong_cuts_are_refused(length, out_frames, message):
    with pytest.raises(ShapeError, match=message):
        cut(length, 3, out_frames)


@given(st.integers(1, 60), st.sampled_from([1, 2, 3, 9]))
def test_motion_without_jumps_passes_seams_unchanged(frames, yielded):
    windows = cut(frames, yielded, tuple(range(yielded)))
    count = len(windows.index)
    outputs = (np.arange(count * yielded, dtype=np.float64) * 0.5 + 3).reshape(count, yielded, 1)
    np.testing.assert_allclose(blend_seams(outputs, frames), outputs)


def test_a_jump_at_a_seam_is_shared_by_both_sides_and_the_middles_stay():
    outputs = np.zeros((2, 5, 1))
    outputs[1] = 8.0
    blended = blend_seams(outputs, 10)[..., 0]
    np.testing.assert_allclose(blended, [[0, 0, 0, 2, 4], [4, 6, 8, 8, 8]])
    assert (outputs[0] == 0).all()  # the input is kept


def test_what_lies_beyond_the_clip_is_not_looked_at():
    outputs = np.arange(6, dtype=np.float64).reshape(2, 3, 1)
    outputs[1, 1:] = 1e6
    np.testing.assert_allclose(blend_seams(outputs, 4)[:, :, 0].ravel()[:4], [0, 1, 2, 3])


def test_windows_of_one_or_two_frames_are_left_alone():
    outputs = np.random.default_rng(0).normal(size=(4, 2, 3))
    assert np.array_equal(blend_seams(outputs, 8), outputs)
    assert np.array_equal(blend_seams(outputs[:1], 2), outputs[:1])


def test_a_window_that_follows_on_leaves_no_jump():
    motion = np.arange(11.0)[None, :, None] * np.array([2.0, -1.0])
    np.testing.assert_allclose(follow_on(motion), motion[:, 2:])  # none where there was none
    jumping = motion.copy()
    jumping[:, 2:] += 30
    found = follow_on(jumping)
    np.testing.assert_allclose(found[:, 0], motion[:, 2])
    np.testing.assert_allclose(found[:, 6:], jumping[:, 8:])
    assert np.abs(np.diff(found, 2, axis=1)).max() < 30
    np.testing.assert_array_equal(follow_on(jumping[:, :4]), jumping[:, 2:4])  # two frames have no speed to speak of


@pytest.mark.parametrize(
    ("window", "delays"),
    [((81, tuple(range(72, 81))), (0, 8, 12)), ((81, tuple(range(36, 45))), (36, 44, 48)), ((1, (0,)), (0, 0, 0)),
     ((9, (4, 5)), (3, 4, 4)), ((9, (3, 4, 5, 6)), (2, 5, 7))],
)  # fmt: skip
def test_how_late_a_stream_is(window, delays):
    assert (frames_after(*window), block_delay(*window), stream_delay(*window)) == delays
