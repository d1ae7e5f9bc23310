import sys

import pytest

torch = pytest.importorskip("torch")

from torch import nn

from poselift.errors import CheckpointError, RecipeError, ShapeError
from poselift.lab.models import build, options
from poselift.skeleton import COCO_17, H36M_17

NAME = f"{__name__}:Own"


@pytest.fixture(autouse=True)
def this_module(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or sys)
    monkeypatch.setattr(sys.modules[__name__], "Own", Own, raising=False)


class Own(nn.Module):
    def __init__(self, width=8, skeleton=H36M_17, spoil=None, **_):
        super().__init__()
        self.skeleton, self.fps, self.in_channels = skeleton, 25.0, 2
        self.in_frames, self.out_frames = 5, (1, 2, 3)
        self.body = nn.Sequential(nn.Linear(2, width), nn.Dropout(0.5))
        self.head = nn.Linear(width, 3)
        if spoil:
            spoil(self)

    def encode(self, x):
        return self.body(x[:, 1:4])

    def forward(self, x):
        return self.head(self.encode(x))


def test_a_lifter_from_elsewhere_is_built_by_name():
    model = build(NAME, width=16, skeleton="COCO_17")
    assert type(model).__name__ == "Own" and model.training
    assert (model.skeleton, model.head.in_features) == (COCO_17, 16)
    assert options(NAME) == {"width": 8, "skeleton": "H36M_17", "spoil": None}


def test_names_that_lead_nowhere_are_errors():
    with pytest.raises(CheckpointError, match="no module 'torch.nowhere'"):
        build("torch.nowhere:Own")
    with pytest.raises(RecipeError, match="wanted a torch.nn.Module as the lifter 'collections:OrderedDict'"):
        build("collections:OrderedDict")
    with pytest.raises(RecipeError, match="has no option 'widht'; did you mean 'width'"):
        build(NAME, widht=3)
    with pytest.raises(RecipeError, match="torch.nn:Linear cannot be made with the options {}: .*'in_features'"):
        build("torch.nn:Linear")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: delattr(m, "fps"), r"lacks fps \(frames per second\)"),
        (lambda m: delattr(m, "head"), r"lacks head \(maps features to joints\)"),
        (lambda m: setattr(m, "skeleton", "H36M_17"), "wanted skeleton: a poselift Skeleton, got 'H36M_17'"),
        (lambda m: setattr(m, "in_channels", 4), "wanted in_channels"),
        (lambda m: setattr(m, "in_frames", 0), "wanted in_frames"),
        (lambda m: setattr(m, "fps", 0), "fps: wanted a frame rate"),
        (lambda m: setattr(m, "out_frames", (1, 3)), "wanted out_frames: consecutive"),
        (lambda m: setattr(m, "out_frames", ()), "wanted out_frames"),
        (lambda m: setattr(m, "out_frames", (3, 4, 5)), "wanted out_frames"),
    ],
)
def test_what_is_no_lifter_is_an_error(spoil, message):
    with pytest.raises(RecipeError, match=message):
        build(NAME, spoil=spoil)


def test_shapes_and_the_seam_are_checked():
    with pytest.raises(ShapeError, match=r"wanted joints \(2, 2, 17, 3\) .* got \(2, 3, 17, 3\)"):
        build(NAME, spoil=lambda m: setattr(m, "out_frames", (1, 2)))
    with pytest.raises(ShapeError, match=r"head\(encode\(x\)\)"):
        build(NAME, spoil=lambda m: setattr(m, "forward", lambda x: m.head(m.encode(x)) + 1))
