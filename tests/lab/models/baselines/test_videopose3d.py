import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.export.cost import count_parameters
from poselift.lab.export.forms import example
from poselift.lab.models import build


@pytest.mark.parametrize(("levels", "millions"), [(5, 16.95), (3, 8.56)])
def test_counts_are_the_papers(levels, millions):
    """Table 4; the paper counts batch normalization's weights too."""
    model = build("videopose3d", in_frames=3**levels, num_levels=levels)
    assert count_parameters(model) / 1e6 == pytest.approx(millions, abs=0.005)


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
