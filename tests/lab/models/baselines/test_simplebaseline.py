import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, published
from poselift.lab.models import build
from poselift.skeleton import H36M_17, Skeleton

SIXTEEN = Skeleton("SIXTEEN", H36M_17.joints[:16], H36M_17.parents[:16])


@pytest.mark.parametrize(("skeleton", "count"), [(SIXTEEN, 4_291_632), (H36M_17, 4_296_755)])
def test_the_count_follows_from_the_layers(skeleton, count):
    """The paper says "4 to 5 million"; 4.29 M is what its layers of 1024 come to for its 16 joints."""
    assert count_parameters(build("simplebaseline", skeleton=skeleton)) == count


def test_a_frame_costs_its_weights():
    model = build("simplebaseline")
    assert count_macs(published(model), example(model, 1)) == 34 * 1024 + 4 * 1024**2 + 51 * 1024


def test_it_is_the_papers_figure():
    """The figure of the network in plain sums: twice two layers with a residual around them, and a linear layer."""
    torch.manual_seed(0)
    model = build("simplebaseline", width=40).requires_grad_(False)
    model.train()(example(model, 64))  # moves the running statistics
    weights = model.eval().state_dict()

    def layer(x, name):
        at = f"{name}.norm."
        x = x @ weights[f"{name}.linear.weight"].T + weights[f"{name}.linear.bias"]
        x = (x - weights[at + "running_mean"]) / (weights[at + "running_var"] + 1e-5).sqrt()
        return (x * weights[at + "weight"] + weights[at + "bias"]).clamp(min=0)

    x = example(model, 3)
    found = layer(x.flatten(1), "expand")
    for block in ("blocks.0", "blocks.1"):
        found = found + layer(layer(found, f"{block}.first"), f"{block}.second")
    found = found @ weights["head.linear.weight"].T + weights["head.linear.bias"]
    torch.testing.assert_close(model(x), found.reshape(3, 1, 17, 3), rtol=0, atol=1e-5)


def test_frames_of_a_longer_window_stand_alone():
    torch.manual_seed(0)
    model = build("simplebaseline", width=40).eval().requires_grad_(False)
    x = example(model, 6)
    assert torch.equal(model(x.reshape(2, 3, 17, 2)), model(x))


@pytest.mark.parametrize("config", [{"width": 0}, {"num_blocks": 0}, {"dropout": 1.0}])
def test_a_bad_config_is_refused(config):
    with pytest.raises(RecipeError, match="width|num_blocks|dropout"):
        build("simplebaseline", **config)
