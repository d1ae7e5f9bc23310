"""What every lifter promises. Each registered one is here, small; and one from elsewhere."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")

from poselift.errors import RecipeError, ShapeError, SkeletonError
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, fold, published
from poselift.lab.export.onnx import export_onnx
from poselift.lab.export.weights import load_weights, save_weights
from poselift.lab.models import LIFTERS, baselines, build, options
from poselift.skeleton import HALPE_26, HUMANEVA_15, Skeleton

MIXER = {"mlp_width": 32, "gcn_width": 24, "num_blocks": 2}
SMALL = {
    "nanohtnet": MIXER | {"in_frames": 9, "keep_frames": 3, "width": 48},
    "htnet": MIXER | {"width": 48},
    "convformer": {"in_frames": 9, "width": 8, "heads": 4, "kernels": (3, 5)},
    "posessm": {"width": 24, "num_blocks": 2},
    "simplebaseline": {"width": 40},
    "videopose3d": {"in_frames": 11, "num_levels": 2, "width": 40},
    "mixste": {"in_frames": 7, "width": 24, "num_blocks": 2, "heads": 4},
    "poseformerv2": {
        "in_frames": 9,
        "keep_frames": 3,
        "width": 8,
        "num_blocks": 1,
        "drop_path": (0.3, 0.3),
        "heads": 4,
    },
    "motionagformer": {
        "in_frames": 6,
        "width": 16,
        "num_blocks": 1,
        "heads": 4,
        "motion_width": 24,
        "drop_path": (0.3, 0.3),
    },
}
CASES = [
    *((name, config) for name, config in SMALL.items()),
    (
        "nanohtnet",
        SMALL["nanohtnet"] | {"in_channels": 3, "dct": "ortho", "inverse_dct": True, "skip": True, "live": True},
    ),
    ("posessm", SMALL["posessm"] | {"in_channels": 3, "step_size": "joint"}),
    ("videopose3d", SMALL["videopose3d"] | {"in_frames": 6, "in_channels": 3, "same_frames": True}),
    ("videopose3d", SMALL["videopose3d"] | {"in_frames": 9, "fps": 50.0}),  # one frame, by jumps
    *((name, config | {"spread": True, "up": True, "contact": True}) for name, config in SMALL.items()),
    *((name, config | {"in_channels": 3, "skeleton": "BODY_27"}) for name, config in SMALL.items()),
]
BATCH = 4


def test_every_lifter_is_here():
    assert set(SMALL) == set(LIFTERS)


def test_baselines_are_short():
    folder = Path(baselines.__file__).parent
    long = {path.name: lines for path in folder.glob("*.py") if (lines := len(path.read_text().splitlines())) >= 250}
    assert long == {}
    assert len(list(folder.glob("*.py"))) >= 7


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{len(case[1])}")
def case(request):
    return request.param


@pytest.fixture
def model(case):
    """A lifter whose weights and running statistics are all away from where they start."""
    torch.manual_seed(0)
    model = build(case[0], **case[1])
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.add_(0.3 * torch.rand_like(buffer))
    return model


@pytest.fixture
def trained(model):
    return model.eval().requires_grad_(False)


def test_joints_come_out_for_the_frames_announced(trained):
    joints = len(trained.skeleton)
    assert trained.out_frames == tuple(range(trained.out_frames[0], trained.out_frames[-1] + 1))
    assert 0 <= trained.out_frames[0] and trained.out_frames[-1] < trained.in_frames
    assert trained.in_channels in (2, 3) and trained.fps == 50
    x = example(trained, BATCH)
    features = trained.encode(x)
    assert features.shape[:3] == (BATCH, len(trained.out_frames), joints)
    assert torch.equal(trained.head(features), trained(x))
    assert trained(x).shape == (BATCH, len(trained.out_frames), joints, 3)
    assert trained(x).dtype == torch.float32


def test_evaluation_repeats_and_windows_are_independent(trained):
    x = example(trained, BATCH)
    whole = trained(x)
    assert torch.equal(trained(x), whole)
    for one in range(BATCH):
        torch.testing.assert_close(trained(x[one : one + 1]), whole[one : one + 1], rtol=0, atol=5e-6)
    torch.testing.assert_close(trained(x.flip(0)), whole.flip(0), rtol=0, atol=5e-6)


def test_training_is_random_and_repeats_with_its_seed(model):
    x = example(model, BATCH)
    torch.manual_seed(1)
    first = model(x)
    assert not torch.equal(model(x), first)
    torch.manual_seed(1)
    assert torch.equal(model(x), first)


def test_every_parameter_has_a_gradient(model):
    model.eval()
    sum(found[..., :2].square().sum() for found in model.answer(example(model, BATCH)).values()).backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert dead == []


def test_double_precision_agrees(trained):
    x = example(trained, BATCH)
    single = trained(x)
    torch.testing.assert_close(trained.double()(x.double()).float(), single, rtol=0, atol=5e-6)


@pytest.mark.parametrize("form", [fold, published])
def test_the_other_forms_compute_the_same(trained, form):
    x = example(trained, BATCH)
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    turned = form(trained)
    torch.testing.assert_close(turned(x), trained(x), rtol=0, atol=1e-5)
    torch.testing.assert_close(turned.answer(x), trained.answer(x), rtol=0, atol=1e-5)
    trained.double()
    torch.testing.assert_close(form(trained)(x.double()), trained(x.double()), rtol=0, atol=1e-6)
    trained.float()
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())


def test_onnx_computes_the_same_at_any_batch(trained, tmp_path):
    export_onnx(trained, tmp_path / "lifter.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "lifter.onnx")
    for batch in (1, 3):
        x = example(trained, batch)
        wanted = trained.answer(x)
        assert [output.name for output in session.get_outputs()] == list(wanted)
        for name, found in zip(wanted, session.run(None, {"keypoints": x.numpy()}), strict=True):
            np.testing.assert_allclose(found, wanted[name].numpy(), rtol=0, atol=1e-5, err_msg=name)
    about = session.get_modelmeta().custom_metadata_map
    assert json.loads(about["out_frames"]) == list(trained.out_frames)


def test_weights_come_back(trained, case, tmp_path):
    save_weights(trained, tmp_path / "w.safetensors", lifter=case[0], config=case[1], overwrite=False)
    again = load_weights(tmp_path / "w.safetensors")
    assert again.config == trained.config
    assert again.state_dict().keys() == trained.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in trained.state_dict().items())
    x = example(trained, 2)
    assert torch.equal(again.requires_grad_(False)(x), trained(x))


def test_costs_are_counted(trained):
    assert count_parameters(trained) == sum(p.numel() for p in trained.parameters()) > 1000
    window = example(trained, 1)
    authors, folded = (count_macs(form(trained), window) for form in (published, fold))
    assert count_macs(published(trained), example(trained, 3)) == 3 * authors
    assert 0 < folded <= 1.1 * authors


def test_wrong_shapes_are_errors(trained):
    x = example(trained, 2)
    wanted = rf"wanted keypoints \(batch, {trained.in_frames}, {len(trained.skeleton)}, {trained.in_channels}\)"
    for wrong in (x[..., :1], x[:, :, :-1], x[0], torch.cat((x, x), 3)):
        with pytest.raises(ShapeError, match=wanted):
            trained(wrong)


@pytest.mark.parametrize("skeleton", [HUMANEVA_15, HALPE_26], ids=lambda s: s.name)
def test_other_skeletons_work(case, skeleton):
    other = build(case[0], **case[1] | {"skeleton": skeleton.name}).eval()
    assert other.skeleton == skeleton
    assert other(example(other, 2)).shape == (2, len(other.out_frames), len(skeleton), 3)


def test_a_skeleton_lacking_joints_is_an_error_or_works(case):
    stick = Skeleton("STICK", ("pelvis", "neck", "head"), (-1, 0, 1))
    try:
        lifter = build(case[0], **case[1] | {"skeleton": stick}).eval()
    except SkeletonError as error:
        assert "STICK" in str(error) and ("limb" in str(error) or "lacks" in str(error) or "no joint" in str(error))
    else:
        assert lifter(example(lifter, 1)).shape[2:] == (3, 3)


def test_options_out_of_range_are_errors(case):
    known = options(case[0])
    assert {"width", "in_channels", "fps", "skeleton"} <= set(known)
    wrongs = ({"width": 47} if "heads" in known else {"width": 0}, {"in_channels": 4}, {"fps": 0}, {"heads": 0})
    for wrong in (wrong for wrong in wrongs if set(wrong) <= set(known)):
        with pytest.raises(RecipeError, match=f"^{next(iter(wrong))}: wanted"):
            build(case[0], **case[1] | wrong)
    with pytest.raises(RecipeError, match="has no option 'widht'; did you mean 'width'"):
        build(case[0], widht=3)


def test_autocast_stays_close(trained):
    x = example(trained, BATCH)
    with torch.autocast("cpu", torch.bfloat16):
        rough = trained.head(trained.encode(x).float())
    scale = trained(x).abs().max().item()
    torch.testing.assert_close(rough.float(), trained(x), rtol=0, atol=0.05 * max(scale, 1))
