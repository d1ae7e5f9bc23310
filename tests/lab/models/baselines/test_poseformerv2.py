import numpy as np
import pytest
import scipy.fft

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, published
from poselift.lab.models import build
from poselift.lab.models.baselines.poseformerv2 import CosineTransform, FrequencyMlp

SMALL = {"in_frames": 9, "keep_frames": 3, "keep_frequencies": 2, "width": 8, "num_blocks": 2, "heads": 4}


def small(**changes):
    torch.manual_seed(0)
    return build("poseformerv2", **SMALL | changes).eval().requires_grad_(False)


@pytest.mark.parametrize(
    ("frames", "kept", "millions", "mega_flops"),
    [(27, (1, 3), 14.36, 77.2), (81, (3, 3), 14.36, 117.3), (81, (9, 9), 14.36, 351.7), (243, (27, 27), 14.38, 1054.8)],
)
def test_counts_are_the_published_ones(frames, kept, millions, mega_flops):
    """Operations are twice the multiply-accumulates, without the products in attention and the cosine transforms."""
    model = build("poseformerv2", in_frames=frames, keep_frames=kept[0], keep_frequencies=kept[1])
    assert count_parameters(model) / 1e6 == pytest.approx(millions, abs=0.005)
    tokens, width = sum(kept), 17 * 32
    attention = 4 * 2 * (kept[0] * 17**2 * 32 + tokens**2 * width)
    transforms = kept[1] * frames * 34 + (4 * 2 * kept[0] ** 2 * width if kept[0] > 1 else 0)
    macs = count_macs(published(model), example(model, 1)) - attention - transforms
    assert 2 * macs / 1e6 == pytest.approx(mega_flops, rel=2e-3)


def test_the_transform_is_the_orthonormal_one():
    x = np.random.default_rng(0).normal(size=(2, 9, 5)).astype(np.float32)
    wanted = scipy.fft.dct(x, axis=1, norm="ortho")
    transform = CosineTransform(9, 9)
    found = transform(torch.tensor(x))
    np.testing.assert_allclose(found.numpy(), wanted, atol=1e-5)
    np.testing.assert_allclose(transform.back(found).numpy(), x, atol=1e-5)
    np.testing.assert_allclose(CosineTransform(9, 4)(torch.tensor(x)).numpy(), wanted[:, :4], atol=1e-5)


def test_the_frequency_mlp_works_on_frequencies():
    torch.manual_seed(0)
    layer = FrequencyMlp(5, 6, 12, 0.0).requires_grad_(False)
    x = torch.randn(2, 5, 6)
    coefficients = torch.tensor(scipy.fft.dct(x.numpy(), axis=1, norm="ortho"))
    wanted = scipy.fft.idct(layer.mlp(coefficients).numpy(), axis=1, norm="ortho")
    np.testing.assert_allclose(layer(x).numpy(), wanted, atol=1e-5)
    single = FrequencyMlp(1, 6, 12, 0.0)
    assert torch.equal(single(x[:, :1]), single.mlp(x[:, :1]))


def test_far_frames_are_seen_through_their_low_frequencies_alone():
    model = small()
    assert model.out_frames == (4,)
    x = example(model, 1)
    transform = CosineTransform(9, 9).matrix
    for order, seen in ((1, True), (2, False), (8, False)):
        wave = transform[order].clone()
        changed = x + wave[None, :, None, None]
        changed[:, 3:6] = x[:, 3:6]  # the frames that are seen one by one
        low = transform[:2] @ (changed - x).flatten(2)
        if not seen:  # what the exchange of the central frames put into the low frequencies is taken out again
            outside = transform[:2, [0, 1, 2, 6, 7, 8]]
            fix = torch.linalg.pinv(outside) @ low
            changed[:, [0, 1, 2, 6, 7, 8]] -= fix.unflatten(2, (17, 2))
        assert not torch.allclose(changed, x, atol=1e-2)
        assert torch.allclose(model(changed), model(x), rtol=0, atol=1e-5) is not seen


def test_central_frames_are_seen_one_by_one():
    model = small()
    x = example(model, 1)
    high = CosineTransform(9, 9).matrix[2:]  # paths without low frequencies
    inside = torch.zeros(9)
    inside[3:6] = 1.0
    changed = x + (high.T @ (high @ inside))[None, :, None, None]
    assert not torch.allclose(model(changed), model(x), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "config",
    [{"keep_frames": 0}, {"keep_frames": 2}, {"keep_frames": 11}, {"keep_frequencies": 0}, {"keep_frequencies": 10}],
)
def test_a_bad_config_is_refused(config):
    with pytest.raises(RecipeError, match=f"^{next(iter(config))}: wanted"):
        build("poseformerv2", **SMALL | config)
