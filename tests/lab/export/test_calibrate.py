import numpy as np
import pytest

torch = pytest.importorskip("torch")

from poselift.lab.export.calibrate import calibrate_spread, fit
from poselift.lab.models import build
from poselift.lab.train import TorchLifter
from poselift.measure.certainty import group_of
from poselift.measure.mocap import MocapProtocol, certainty_on
from poselift.sequence import SPREAD_SHAPE, spread_quantile

SMALL = {"width": 24, "mlp_width": 16, "gcn_width": 16, "num_blocks": 1, "in_channels": 3}


@pytest.mark.parametrize(("power", "factor"), [(1.0, 1.0), (0.8, 0.7), (1.3, 2.0)])
def test_what_was_changed_is_changed_back(power, factor):
    rng = np.random.default_rng(0)
    spread = np.exp(rng.normal(np.log(0.06), 0.8, 200_000))
    distances = rng.gamma(SPREAD_SHAPE, spread / SPREAD_SHAPE)
    found = fit(distances, (spread / factor) ** (1 / power))
    assert found == (pytest.approx(power, abs=0.04), pytest.approx(factor, rel=0.12))


def test_radii_hold_also_for_errors_of_another_law():
    rng = np.random.default_rng(0)
    spread = np.exp(rng.normal(np.log(0.06), 0.6, 100_000))
    wide = np.sqrt(5 / rng.chisquare(5, 100_000))  # a Student t distribution in space, of five degrees of freedom
    distances = spread * wide * np.linalg.norm(rng.normal(size=(3, 100_000)), axis=0)
    power, factor = fit(distances, spread)
    for level in (0.5, 0.9):
        inside = distances <= spread_quantile(level) * factor * spread**power
        assert inside.mean() == pytest.approx(level, abs=0.03)


def test_a_lifter_s_radii_hold_after_it(walk):
    torch.manual_seed(0)
    model = build("htnet", **SMALL, spread=True).eval()
    with torch.no_grad():
        model.extras.out.weight.normal_(0, 0.2)
    lifter, clips = TorchLifter(model), [walk(60), walk(60, seed=1)]
    before = certainty_on(lifter, clips, MocapProtocol(cameras=2), None).means()
    fitted = calibrate_spread(model, lifter, clips, (None,))
    after = certainty_on(lifter, clips, MocapProtocol(cameras=2), None).means()
    assert set(fitted) == {group_of(name) for name in model.skeleton.joints}
    for level in (50, 90):
        assert abs(after[f"coverage_{level}"] - level) < 10 < abs(before[f"coverage_{level}"] - level)


def test_a_lifter_without_spread_is_left_alone(walk):
    model = build("htnet", **SMALL, up=True).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert calibrate_spread(model, TorchLifter(model), [walk(20)], (None,)) == {}
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
