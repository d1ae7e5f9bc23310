"""Recipes: one function for each result, returning everything a training needs."""

from collections.abc import Callable

from poselift.errors import RecipeError, did_you_mean
from poselift.lab.recipes.mocap import mocap, nanohtnet_mocap
from poselift.lab.train import TrainRecipe

RECIPES: dict[str, Callable[[], TrainRecipe]] = {"mocap": mocap, "nanohtnet_mocap": nanohtnet_mocap}
"""Every recipe by name."""


def get_recipe(name: str) -> TrainRecipe:
    """The recipe of this name.

    Raises:
        RecipeError: There is none.
    """
    if name not in RECIPES:
        raise RecipeError(f"unknown recipe '{name}'; {did_you_mean(name, RECIPES)}")
    return RECIPES[name]()
