import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.windows.fraction import part_of
from poselift.lab.windows.mocap import DataConfig, MocapWindows


@pytest.fixture
def clips(walk):
    """Four subjects with 10, 20, 40 and 130 frames."""
    sizes = {"a": [10], "b": [10, 10], "c": [20, 5, 15], "d": [50, 30, 10, 10, 10, 20]}
    return [
        walk(frames, name=f"{subject}{number}", subject=subject)
        for subject, lengths in sizes.items()
        for number, frames in enumerate(lengths)
    ]


def frames_by_subject(clips):
    found = {}
    for clip in clips:
        found[clip.subject] = found.get(clip.subject, 0) + len(clip)
    return found


@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_frames_add_up(clips, fraction, seed):
    part = part_of(clips, fraction, seed)
    assert sum(map(len, part)) == max(round(200 * fraction), 2)
    names = [clip.name for clip in part]
    assert names == [clip.name for clip in clips if clip.name in names]
    whole = {clip.name: clip for clip in clips}
    for clip in part:
        assert (clip.xyz == whole[clip.name].xyz[: len(clip)]).all()
        assert clip.subject == whole[clip.name].subject


def test_all_of_it_is_untouched(clips):
    assert part_of(clips, 1.0, 3) == clips


def test_nobody_gives_twice_before_all_have_given(clips):
    part = part_of(clips, 0.2)
    assert set(frames_by_subject(part)) == {"a", "b", "c", "d"}
    small = part_of(clips, 0.06)
    assert len({clip.subject for clip in small}) == len(small) == 4  # at most a quarter from one clip


def test_shares_of_the_subjects_even_out(clips):
    part, whole = frames_by_subject(part_of(clips, 0.75)), frames_by_subject(clips)
    for subject in whole:
        assert part[subject] / whole[subject] >= 0.5


def test_the_seed_decides_and_the_order_does_not(clips):
    names = [{clip.name for clip in part_of(clips, 0.3, seed)} for seed in (0, 0, 1, 2, 3)]
    assert names[0] == names[1]
    assert any(other != names[0] for other in names[2:])
    backwards = part_of(clips[::-1], 0.3)
    assert {(clip.name, len(clip)) for clip in backwards} == {(clip.name, len(clip)) for clip in part_of(clips, 0.3)}


def test_a_single_clip_can_be_cut(walk):
    assert [len(clip) for clip in part_of([walk(100)], 0.5)] == [50]


def test_training_sees_that_part_alone(clips):
    def windows(config):
        return MocapWindows(clips, in_frames=3, out_frames=(1,), in_channels=2, fps=50.0, config=config)

    assert windows(DataConfig(fraction=0.1, rare=0)).windows == 20
    assert windows(DataConfig(rare=0)).windows == 200
    for wrong in (0.0, 1.5, -0.1):
        with pytest.raises(RecipeError, match="data.fraction: wanted a share above 0 and up to 1"):
            DataConfig(fraction=wrong)
