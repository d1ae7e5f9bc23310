import pytest

torch = pytest.importorskip("torch")

from torch import nn

from poselift.lab.export.forms import fold, published
from poselift.lab.models import layers


class Doubled(nn.Module):
    """A layer with both other forms."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))
        self.inside = layers.Dropout(0.5)

    def forward(self, x):
        return self.inside(x) * self.weight + x * self.weight

    def folded(self):
        return Once(2 * self.weight.detach())

    def published(self):
        return Once(self.weight + self.weight)


class Once(nn.Module):
    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return x * self.weight


def network():
    return nn.Sequential(nn.Linear(3, 3), nn.Sequential(Doubled(), nn.Dropout(0.1), layers.DropPath(0.1)), Doubled())


@pytest.mark.parametrize("form", [fold, published])
def test_a_form_is_a_copy_with_every_layer_turned(form):
    model = network()
    turned = form(model)
    assert model.training and all(parameter.requires_grad for parameter in model.parameters())
    assert not turned.training and not any(parameter.requires_grad for parameter in turned.parameters())
    assert sum(isinstance(module, Once) for module in turned.modules()) == 2
    assert sum(isinstance(module, Doubled) for module in turned.modules()) == 0
    assert sum(isinstance(module, Doubled) for module in model.modules()) == 2
    x = torch.randn(4, 3)
    torch.testing.assert_close(turned(x), model.eval()(x))


def test_folding_leaves_nothing_that_is_for_training_only():
    kinds = {type(module) for module in fold(network()).modules()}
    assert not kinds & {nn.Dropout, layers.Dropout, layers.DropPath}


def test_a_model_may_turn_itself_whole():
    assert isinstance(fold(Doubled()), Once)
