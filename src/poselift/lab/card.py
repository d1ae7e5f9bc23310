"""From a finished run to weights that can be used: an ONNX file and its card."""

import dataclasses
import json
import platform
from pathlib import Path

import numpy as np

from poselift.lab.export import export_onnx
from poselift.lab.train import Run, recipe_json
from poselift.lifter import Card
from poselift.output import written_whole

CMU_LICENSE = "MIT; trained on the CMU motion capture data (see NOTICE)"
"""Licence of weights trained on the CMU Graphics Lab Motion Capture Database."""
OTHER_LICENSE = "not stated: it follows from the training data"
"""What stands on a card when the data does not say that it is CMU's."""


def license_of(data: Path) -> str:
    """Licence of weights trained on an archive: MIT where its `notice` names CMU's database, else not stated."""
    with np.load(data, allow_pickle=False) as archive:
        notice = str(archive["notice"]) if "notice" in archive else ""
    return CMU_LICENSE if "mocap.cs.cmu.edu" in notice else OTHER_LICENSE


def write_weights(run: Run, *, data: Path, commit: str, date: str) -> Path:
    """Measure a finished run on dev and write `NAME.onnx` and `NAME.json` into its folder.

    Args:
        run: A run at its last step.
        data: The archive it was trained on.
        commit: Commit of the code.
        date: Day of the export.

    Returns:
        Path of the ONNX file; files of an earlier export are replaced.

    Raises:
        OutputError: ONNX Runtime does not agree with torch, or a file cannot be written.
    """
    scores = {
        "exact 2D": run.evaluate(),
        "exact 2D, flip averaged": run.evaluate(flip_average=True),
        "detector errors": run.evaluate(noisy=True),
    }
    model, recipe = run.average, run.recipe
    card = Card(
        name=recipe.name,
        skeleton=model.skeleton.name,
        in_frames=model.in_frames,
        out_frames=model.out_frames,
        fps=model.fps,
        in_channels=model.in_channels,
        parameters=sum(p.numel() for p in model.parameters()),
        data=f"{data.name}, split train; scores on split dev",
        license=license_of(data),
        scores={name: {"protocol": s.protocol, "frames": s.frames, "mean_mm": s.mean} for name, s in scores.items()},
        training={
            "recipe": recipe_json(recipe),
            "hours": round(run.seconds / 3600, 2),
            "machine": f"{platform.machine()}, {run.device}",
            "commit": commit,
            "date": date,
        },
    )
    path = run.out / f"{recipe.name}.onnx"
    export_onnx(model, path, overwrite=True)
    with written_whole(path.with_suffix(".json"), overwrite=True) as temporary:
        temporary.write_text(json.dumps(dataclasses.asdict(card), indent=2) + "\n", encoding="utf-8")
    return path
