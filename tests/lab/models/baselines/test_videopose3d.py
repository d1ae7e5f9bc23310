import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example
from poselift.lab.models import build
from poselift.lab.models.baselines.videopose3d import whole_clip

PUBLISHED = [(3, 8.56, 17.09), (4, 12.75, 25.48), (5, 16.95, 33.87)]
"""Levels; the paper's weights in millions, those of batch normalization too; its MFLOPs a frame."""


@pytest.mark.parametrize(("levels", "millions", "mega_flops"), PUBLISHED)
def test_counts_are_the_papers(levels, millions, mega_flops):
    """The published operations are those of one more frame of a long clip, two for each multiply-accumulate."""
    field = 3**levels
    with torch.device("meta"):
        one, two, many = (build("videopose3d", in_frames=field + n, num_levels=levels) for n in (0, 1, 2))
        assert round(count_parameters(one) / 1e6, 2) == millions
        more = count_macs(many, example(many, 1).to("meta")) - count_macs(two, example(two, 1).to("meta"))
    assert round(2 * more / 1e6, 2) == mega_flops


@pytest.mark.parametrize(("frames", "levels", "mega_macs"), [(28, 3, 86.5 + 8.55), (498, 5, 6927)])
def test_whole_clips_cost_what_the_authors_network_costs(frames, levels, mega_macs):
    """Measured on the authors' dilated network: 86.5 M for a window of 27 frames, 6,927 M for 256 frames of 498."""
    with torch.device("meta"):
        model = build("videopose3d", in_frames=frames, num_levels=levels)
        assert count_macs(model, example(model, 1).to("meta")) / 1e6 == pytest.approx(mega_macs, rel=1e-3)


@pytest.mark.parametrize(("levels", "mega_macs"), [(3, 17.8), (5, 176.3)])
def test_one_frame_skips_what_it_does_not_need(levels, mega_macs):
    """Each level has a third of the one before: 3 ** (n - 1) + ... + 3 + 1 sums of filters over time."""
    with torch.device("meta"):
        model = build("videopose3d", in_frames=3**levels, num_levels=levels).eval()
        found = count_macs(model, example(model, 1).to("meta"))
    sums = sum(3**level for level in range(levels - 1))
    assert found == 3 ** (levels - 1) * 3 * 34 * 1024 + sums * 4 * 1024**2 + 51 * 1024
    assert found / 1e6 == pytest.approx(mega_macs, abs=0.05)


def test_whole_clips_have_the_weights_that_single_frames_trained():
    torch.manual_seed(0)
    single = build("videopose3d", in_frames=27, num_levels=3, width=24)
    for _ in range(2):
        single(example(single, 8))  # moves the running statistics
    single.eval().requires_grad_(False)
    clip = whole_clip(single, 4)
    assert (clip.in_frames, clip.out_frames) == (30, (13, 14, 15, 16))
    x = example(clip, 2)
    for place in range(4):
        torch.testing.assert_close(single(x[:, place : place + 27])[:, 0], clip(x)[:, place], rtol=0, atol=1e-5)
    for wrong, frames in ((single, 0), (build("videopose3d", in_frames=9, num_levels=2, same_frames=True), 4)):
        with pytest.raises(RecipeError, match="without same_frames"):
            whole_clip(wrong, frames)


def test_a_frame_is_lifted_from_its_field_alone():
    torch.manual_seed(0)
    model = build("videopose3d", in_frames=13, num_levels=2, width=34).eval().requires_grad_(False)
    assert model.out_frames == (4, 5, 6, 7, 8)
    x = example(model, 2)
    changed = x.clone()
    changed[:, 9:] += 1
    before, after = model(x), model(changed)
    assert torch.equal(before[:, 0], after[:, 0])  # it sees frames 0 to 8
    assert not torch.allclose(before[:, 1], after[:, 1])


def test_a_long_window_gives_what_short_ones_give():
    torch.manual_seed(0)
    long = build("videopose3d", in_frames=13, num_levels=2, width=40).eval().requires_grad_(False)
    short = build("videopose3d", in_frames=9, num_levels=2, width=40).eval().requires_grad_(False)
    short.load_state_dict(long.state_dict())
    x = example(long, 2)
    for place in range(5):
        torch.testing.assert_close(short(x[:, place : place + 9])[:, 0], long(x)[:, place], rtol=0, atol=1e-6)


def test_same_frames_fill_the_ends_with_copies():
    torch.manual_seed(0)
    same = build("videopose3d", in_frames=6, num_levels=2, width=40, same_frames=True).eval().requires_grad_(False)
    valid = build("videopose3d", in_frames=14, num_levels=2, width=40).eval().requires_grad_(False)
    valid.load_state_dict(same.state_dict())
    x = example(same, 2)
    padded = torch.cat([x[:, :1].expand(-1, 4, -1, -1), x, x[:, -1:].expand(-1, 4, -1, -1)], 1)
    torch.testing.assert_close(same(x), valid(padded), rtol=0, atol=1e-6)


@pytest.mark.parametrize("config", [{"in_frames": 8, "num_levels": 2}, {"num_levels": 0}, {"width": 0}])
def test_a_bad_config_is_refused(config):
    with pytest.raises(RecipeError, match="in_frames|num_levels|width"):
        build("videopose3d", **config)
