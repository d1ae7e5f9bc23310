"""Make cards of lifters, and import the authors' weights as an ONNX file, its card, and weights for torch."""

from dataclasses import fields
from pathlib import Path
from typing import Any

from poselift.errors import CheckpointError
from poselift.files import check_free, sha256_of
from poselift.formats.archive import read_archive
from poselift.lab.export.cost import count_macs, count_parameters
from poselift.lab.export.forms import example, published
from poselift.lab.export.onnx import Whole, export_onnx
from poselift.lab.export.weights import read_reference, save_weights
from poselift.lab.models import LIFTERS, build_stored, from_reference
from poselift.lifters.card import Card, Imported
from poselift.lifters.outside import check_typed
from poselift.prepare.normalize import SCREEN

CMU_LICENSE = "MIT; trained on the CMU motion capture data (see NOTICE)"
"""Licence of weights trained on the CMU Graphics Lab Motion Capture Database."""
OTHER_LICENSE = "not stated: it follows from the training data"
"""Licence on a card when the data does not say that it is CMU's."""


FOREIGN_LICENSE = "not stated: that of the imported weights and of the data they were trained on"
"""Licence on the card of weights that are not ours."""


def license_of(data: Path) -> str:
    """Return the licence of weights trained on an archive: MIT if its notice names CMU's database, else not stated."""
    notice = str(read_archive(data, only=("notice",)).get("notice", ""))
    return CMU_LICENSE if "mocap.cs.cmu.edu" in notice else OTHER_LICENSE


def card_of(model: Any, name: str, **rest: Any) -> Card:
    """Return the card of a lifter: fields that the model has, its sizes, and the `rest` of the card's fields."""
    return Card(
        name=name,
        skeleton=model.skeleton.name,
        in_frames=model.in_frames,
        out_frames=tuple(model.out_frames),
        fps=model.fps,
        in_channels=model.in_channels,
        **sizes(model),
        **rest,
    )


def sizes(model: Any) -> dict[str, Any]:
    """Return the number of trained parameters, and the multiply-accumulates of a window in the authors' steps."""
    whole = Whole(published(model))
    return {"parameters": count_parameters(model), "macs": count_macs(whole, example(model, 1))}


def sizes_of(recipe: dict[str, Any], *, lifter: str | None = None) -> dict[str, Any]:
    """Return the `sizes` of the lifter that a card's recipe builds.

    Args:
        recipe: The recipe on the card.
        lifter: The lifter that the user has named; a lifter from elsewhere (`module:Class`) is only built when it is
            this one.

    Raises:
        CheckpointError: The recipe is of another lifter, or of one from elsewhere that was not named.
    """
    name, where = recipe.get("lifter"), "the recipe on the card"
    if not isinstance(name, str):
        raise CheckpointError(f"{where} names no lifter; wanted 'lifter', a text, got {name!r:.100}")
    check_typed(name, lifter, where)
    return sizes(build_stored(name, recipe.get("model"), where))


def import_weights(name: str, path: str | Path, out: str | Path, *, date: str, overwrite: bool = False) -> Path:
    """Import the authors' weights: write `NAME.safetensors`, `NAME.onnx` and the card `NAME.json`.

    Args:
        name: Key of `poselift.lab.models.LIFTERS`.
        path: The authors' file.
        out: Folder for the results, whose NAME is that of the lifter and of the file: `posessm.model_29_4813`.
        date: Day of the import, for the card.
        overwrite: Replace results that exist.

    Returns:
        Path of the ONNX file.

    Raises:
        CheckpointError: The file is broken or does not fit; the message names the weight.
        RecipeError: The lifter is unknown.
        OutputExistsError: A result exists and `overwrite` is off.
        OutputError: ONNX Runtime does not agree with torch, or a file cannot be written.
    """
    path, out = Path(path), Path(out)
    stem = out / f"{name}.{path.stem}"
    targets = {ending: stem.with_name(f"{stem.name}.{ending}") for ending in ("safetensors", "onnx", "json")}
    for target in targets.values():
        check_free(target, overwrite=overwrite)
    model = from_reference(name, read_reference(path))
    config = {field.name: getattr(model.config, field.name) for field in fields(model.config)}
    reference = LIFTERS[name].reference
    assert reference is not None  # `from_reference` has checked it
    save_weights(model, targets["safetensors"], lifter=name, config=config, overwrite=overwrite)
    export_onnx(model, targets["onnx"], overwrite=overwrite)
    card = card_of(
        model,
        stem.name,
        normalization=SCREEN,
        data="not stated by the file; the authors train on Human3.6M",
        license=FOREIGN_LICENSE,
        sha256=sha256_of(targets["onnx"]),
        imported=Imported(file=path.name, sha256=sha256_of(path), code=reference.code, date=date),
    )
    card.write(targets["json"], overwrite=overwrite)
    return targets["onnx"]
