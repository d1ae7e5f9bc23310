"""Every recipe: that it builds, and that its docstring tells what a reader needs."""

import re

import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.models import LIFTERS, build
from poselift.lab.recipes import RECIPES, get_recipe
from poselift.lab.windows.benchmark import BenchmarkConfig
from poselift.skeleton import BODY_27, H36M_17, HUMANEVA_15

BENCHMARKS = [name for name in RECIPES if isinstance(get_recipe(name).data, BenchmarkConfig)]
FAMILIES = {
    "posessm_h36m": ("posessm", 29, 512, 5e-4, 0.95, 5),
    "posessm_3dhp": ("posessm_3dhp", 29, 512, 5e-4, 0.95, 5),
    "convformer_h36m": ("convformer", 60, 1024, 1e-3, 0.95, 0),
    "convformer_humaneva": ("humaneva", 60, 1024, 1e-3, 0.95, 0),
    "convformer_3dhp": ("p_stmo_3dhp", 60, 1024, 1e-3, 0.95, 0),
    "convformer_kernels": ("convformer", 60, 1024, 1e-3, 0.95, 0),
    "convformer_depth": ("convformer", 60, 1024, 1e-3, 0.95, 0),
    "convformer_heads": ("convformer", 60, 1024, 1e-3, 0.95, 0),
    "htnet_h36m": ("htnet", 15, 512, 5e-4, 0.95, 5),
    "nanohtnet_h36m": ("nanohtnet", 49, 256, 5e-4, 1.0, 5),
}
"""First two words of a name: protocol, epochs, batch, rate, factor, halving."""


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_called_as_it_is_found_and_builds(name):
    recipe = get_recipe(name)
    assert RECIPES[name].__name__ == name
    assert recipe == get_recipe(name)
    with torch.device("meta"):
        model = build(recipe.lifter, **recipe.model)
    assert model.skeleton == (HUMANEVA_15 if "humaneva" in name else BODY_27 if "mocap27" in name else H36M_17)
    assert model.fps == (60 if "humaneva" in name else 50)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_its_docstring_tells_what_a_reader_needs(name):
    text = RECIPES[name].__doc__
    assert f"Command: `poselift train {name} --data DIR --out DIR`.\n" in text
    assert re.search(r"^Cost: [\d.]+ million windows, \d+ epochs; the paper", text, re.M)
    assert re.search(r"^Paper: .+\.$", text, re.M)
    assert re.search(r"^Ours: .+\.$", text, re.M)
    assert text.splitlines()[0].endswith(".") and len(text.splitlines()[0]) <= 110


@pytest.mark.parametrize("name", BENCHMARKS)
def test_it_trains_as_the_specification_says(name):
    recipe = get_recipe(name)
    protocol, epochs, batch_size, lr, factor, halving = FAMILIES["_".join(name.split("_")[:2])]
    assert (recipe.data.protocol, recipe.epochs, recipe.batch_size) == (protocol, epochs, batch_size)
    optim = recipe.optim
    assert (optim.lr, optim.epoch_factor, optim.halve_every) == (lr, factor, halving)
    assert (optim.method, optim.schedule, optim.halving) == ("adam", "epochs", "instead")
    assert (optim.warmup_steps, optim.clip_norm, optim.ema, optim.weight_decay) == (0, 0, 0, 0)
    assert (recipe.precision, recipe.evaluate_every, recipe.data.mirror) == ("fp32", 0, True)
    assert recipe.loss.joint_weights == name.startswith("posessm")
    assert not recipe.data.as_published
    assert recipe.data.choices().flip_average
    assert recipe.data.choices().checkpoint == "not on test"


def test_the_rows_that_there_must_be():
    assert {f"posessm_{row}" for row in ("h36m_cpn", "h36m_gt", "3dhp")} <= set(RECIPES)
    assert {f"convformer_h36m_{k}_{t}" for k in ("cpn", "gt") for t in (9, 27, 81, 143, 243)} <= set(RECIPES)
    assert {f"convformer_humaneva_{t}" for t in (9, 27, 43)} | {"convformer_3dhp_9"} <= set(RECIPES)
    assert {f"htnet_h36m_{k}" for k in ("cpn", "gt")} <= set(RECIPES)
    assert {f"nanohtnet_h36m_cpn_{t}_{k}" for t in (81, 243) for k in (9, 27)} <= set(RECIPES)
    baselines = {"simplebaseline", "videopose3d", "mixste", "motionagformer", "poseformerv2"}
    assert {get_recipe(name).lifter for name in BENCHMARKS} == set(LIFTERS) - baselines


def test_names_that_are_not_there():
    with pytest.raises(RecipeError, match="did you mean 'posessm_h36m_cpn'"):
        get_recipe("posessm_h36_cpn")


def test_shapes_by_name():
    assert get_recipe("convformer_kernels_3_5_7").model == {"in_frames": 9, "kernels": (3, 5, 7)}
    depth = {"in_frames": 9, "width": 16, "num_spatial_blocks": 2, "num_temporal_blocks": 4}
    assert get_recipe("convformer_depth_16_2_4").model == depth
    assert get_recipe("convformer_heads_2").model == {"in_frames": 9, "heads": 2}
    assert get_recipe("nanohtnet_h36m_gt_81_27").model == {"in_frames": 81, "keep_frames": 27}
    assert get_recipe("nanohtnet_h36m_gt_81_27").data.keypoints == "gt"
    assert get_recipe("posessm_h36m_cpn").data.keypoints == "cpn_ft_h36m_dbb"
