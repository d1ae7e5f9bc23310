"""Recipes: one function for each result, which returns everything that a training needs."""

from poselift.errors import RecipeError, did_you_mean
from poselift.lab.recipes import convformer, mocap, nanohtnet, posessm
from poselift.lab.recipes.rows import Recipe
from poselift.lab.run.recipe import TrainRecipe

RECIPES: dict[str, Recipe] = {
    made.__name__: made for made in (*mocap.ROWS, *posessm.ROWS, *convformer.ROWS, *nanohtnet.ROWS)
}
"""Every recipe by name."""


def get_recipe(name: str) -> TrainRecipe:
    """Return the recipe of this name.

    Raises:
        RecipeError: There is no such recipe.
    """
    if name not in RECIPES:
        raise RecipeError(f"unknown recipe '{name}'; {did_you_mean(name, RECIPES)}")
    return RECIPES[name]()
