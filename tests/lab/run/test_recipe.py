import dataclasses

import pytest

torch = pytest.importorskip("torch")

from poselift.errors import RecipeError
from poselift.lab.run.recipe import TrainRecipe, is_recipe, recipe_json, shortened
from poselift.lab.windows.benchmark import BenchmarkConfig
from poselift.measure.protocols import posessm, videopose3d

RECIPE = TrainRecipe(name="htnet.tiny", lifter="htnet", log_every=10, evaluate_every=100, checkpoint_every=50)
BENCHMARK = dataclasses.replace(RECIPE, data=BenchmarkConfig(), epochs=29, evaluate_every=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: wanted 1 or more, got 0"),
        ({"epochs": -1}, "epochs: wanted 0 or more, got -1"),
        ({"batch_size": -1}, "batch_size"),
        ({"log_every": 0}, "log_every"),
        ({"accumulate": 0}, "accumulate: wanted 1 or more, got 0"),
        ({"checkpoint_every": 0}, "checkpoint_every"),
        ({"data": BenchmarkConfig(as_published=True), "evaluate_every": 0}, "evaluate_every: wanted 1 or more"),
        ({"keep_init": 0.5}, "keep_init: .* 0 without init, got 0.5 with init=''"),
        ({"data": BenchmarkConfig(as_published=True), "keep_init": 0.5, "init": "a"}, "keep_init: wanted 0 with data"),
        ({"keep_init": 1.0, "init": "a.safetensors"}, "keep_init: wanted a share"),
        ({"keep_init": -0.1, "init": "a.safetensors"}, "keep_init: wanted a share"),
    ],
)
def test_recipes_are_checked(options, message):
    with pytest.raises(RecipeError, match=message):
        dataclasses.replace(RECIPE, **options)


def test_recipes_by_epochs_may_evaluate_at_any_of_them():
    assert dataclasses.replace(BENCHMARK, evaluate_every=1).evaluate_every == 1


def test_a_protocol_that_is_not_there():
    with pytest.raises(RecipeError, match="data.protocol: .* did you mean 'posessm'"):
        BenchmarkConfig(protocol="posesm")


def test_what_papers_do_quietly_is_off_unless_asked_for():
    assert BenchmarkConfig(protocol="posessm").choices() == posessm()
    assert BenchmarkConfig(protocol="posessm", as_published=True).choices() == posessm(as_published=True)
    quiet = BenchmarkConfig(protocol="videopose3d", as_published=True).choices()
    assert quiet == dataclasses.replace(videopose3d(), checkpoint="best on test")


@pytest.mark.parametrize("recipe", [RECIPE, BENCHMARK])
def test_a_recipe_is_known_again(recipe):
    stored = recipe_json(recipe)
    assert is_recipe(stored, recipe)
    for key in ("epochs", "evaluate_every"):  # what an older version did not know
        assert is_recipe({k: v for k, v in stored.items() if k != key}, recipe) == (
            stored[key] == recipe_json(TrainRecipe(name="", lifter=""))[key]
        )
    old = stored | {"optim": {k: v for k, v in stored["optim"].items() if k not in ("method", "halve_every")}}
    assert is_recipe(old, recipe)
    assert not is_recipe(stored | {"seed": 7}, recipe)
    assert not is_recipe(stored | {"optim": stored["optim"] | {"lr": 7}}, recipe)
    assert is_recipe(stored | {"data": {k: v for k, v in stored["data"].items() if "fraction" not in k}}, recipe)
    assert not is_recipe(stored | {"data": stored["data"] | {"mirror": False}}, recipe)
    assert not is_recipe(0, recipe)


def test_shortened():
    short = shortened(BENCHMARK, steps=25)
    assert (short.steps, short.epochs, short.log_every, short.checkpoint_every) == (25, 0, 10, 50)
    assert (short.evaluate_every, short.optim, short.data) == (0, BENCHMARK.optim, BENCHMARK.data)
    assert shortened(BENCHMARK, steps=3).log_every == 3
    evaluated = dataclasses.replace(BENCHMARK, evaluate_every=1)
    assert shortened(evaluated, steps=25).evaluate_every >= 25
    assert shortened(BENCHMARK, epochs=2) == dataclasses.replace(BENCHMARK, epochs=2)
    assert shortened(BENCHMARK) is BENCHMARK
    for wrong in ({"steps": 0}, {"epochs": 0}, {"steps": 1, "epochs": 1}):
        with pytest.raises(RecipeError, match="wanted"):
            shortened(BENCHMARK, **wrong)
