import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, published
from poselift.lab.models import build


@pytest.mark.parametrize(("frames", "millions", "mega_macs"), [(27, 33.67, 15_568), (81, 33.70, 47_314)])
def test_counts_are_those_of_the_authors_network(frames, millions, mega_macs):
    """Measured on the authors' network; the paper prints 33.6 M, and does not say for how many frames."""
    with torch.device("meta"):
        model = build("mixste", in_frames=frames)
        assert round(count_parameters(model) / 1e6, 2) == millions
        found = count_macs(published(model), example(model, 1).to("meta"))
    assert found / 1e6 == pytest.approx(mega_macs, abs=1)


def test_frames_and_joints_all_see_each_other():
    torch.manual_seed(0)
    model = build("mixste", in_frames=5, width=16, num_blocks=1, heads=2).eval().requires_grad_(False)
    x = example(model, 1)
    changed = x.clone()
    changed[:, 4, 3] += 1
    assert (model(x) != model(changed)).any(-1).all()


def test_joints_and_frames_are_told_apart():
    """Without their positions, exchanged joints or frames give exchanged results; trained positions forbid that."""
    torch.manual_seed(0)
    model = build("mixste", in_frames=5, width=16, num_blocks=2, heads=2).eval().requires_grad_(False)
    x = example(model, 2)
    torch.testing.assert_close(model(x.flip(1)), model(x).flip(1), rtol=0, atol=1e-5)
    torch.testing.assert_close(model(x.flip(2)), model(x).flip(2), rtol=0, atol=1e-5)
    for position, axis in ((model.joint_position, 2), (model.frame_position, 1)):
        torch.nn.init.normal_(position)
        assert not torch.allclose(model(x.flip(axis)), model(x).flip(axis), atol=1e-2)
        torch.nn.init.zeros_(position)


@pytest.mark.parametrize("config", [{"in_frames": 0}, {"width": 60}])
def test_a_bad_config_is_refused(config):
    with pytest.raises(RecipeError, match="in_frames|width"):
        build("mixste", **config)
