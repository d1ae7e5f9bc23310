"""Release an int8 form of weights that ship: calibrated on what they were trained on, with a card measured on it."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import torch

from poselift.errors import CheckpointError
from poselift.lab.export.int8 import CALIBRATION_WINDOWS, Plan, choose_plan, in_full, store_int8
from poselift.lab.export.release import ship
from poselift.lab.windows.mocap import DataConfig, MocapWindows
from poselift.lab.windows.sources import load_sources
from poselift.lifters.card import INT8, Card
from poselift.lifters.onnx import OnnxLifter
from poselift.measure.claims import Sources
from poselift.records import record


def training_windows(lifter: OnnxLifter, archive: Path, count: int, seed: int = 0) -> np.ndarray:
    """Draw windows (N, T, J, C) float32 as the training of weights drew them.

    Args:
        lifter: The weights, whose card holds the recipe.
        archive: The motion capture that they were trained on, with the other sources beside it.
        count: Number of windows (N).
        seed: Seed of the draw.

    Raises:
        CheckpointError: The weights were not trained here.
        MissingData: An archive is not there.
    """
    training = lifter.card.training
    if training is None:
        raise CheckpointError(f"{lifter.path} was not trained here; what to calibrate it on is not known")
    config = record(DataConfig, training.recipe["data"], "the recipe on a card")
    clips = [clip.in_joints(lifter.skeleton) for clip in load_sources(config.sources, archive, "train")]
    source = MocapWindows(
        clips, in_frames=lifter.in_frames, out_frames=lifter.out_frames, in_channels=lifter.in_channels,
        fps=lifter.fps, config=config,
    )  # fmt: skip
    return source.batch(count, torch.Generator().manual_seed(seed)).inputs.numpy()


def release_int8(
    weights: Path, out: Path, sources: Sources, windows: np.ndarray, *, plan: Plan | None = None, smaller: float = 4.0
) -> Card:
    """Write `NAME-int8.onnx` and its card, with every score measured on that file.

    Args:
        weights: An `.onnx` file of ours, in half or in full precision, with its card beside it.
        out: Folder for the results; existing ones are replaced.
        sources: Paths of the motion capture and the recordings to measure on.
        windows: (N, T, J, C) float32 windows as `training_windows` draws them; `CALIBRATION_WINDOWS` of them calibrate,
            the others choose the plan.
        plan: What stays in float32 and what takes 4 bits; chosen by measuring each product when None.
        smaller: How many times smaller than the float32 file the result must be, where the plan is chosen.

    Returns:
        The new card.

    Raises:
        CheckpointError: The card is broken, or says that the weights were not trained here.
        OutputError: Int8 moves the joints too far, or a file cannot be written.
        MissingData: There is no motion capture or recording at the sources' paths.
    """
    card = Card.read(weights.with_suffix(".json"))
    if card.training is None:
        raise CheckpointError(f"{weights} was not trained here, so its licence may not allow a release")
    calibration, checked = windows[:CALIBRATION_WINDOWS], windows[CALIBRATION_WINDOWS:]
    if plan is None:
        plan = choose_plan(in_full(onnx.load(weights)), calibration[:32], checked[:64], smaller=smaller)
    name = f"{card.name}{INT8}"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / f"{name}.onnx"
        moved = store_int8(weights, made, calibration, plan)
        note = (
            f"{card.name} in int8 (poselift.lab.export.int8): {len(plan.floats)} products stay in float32, the weights "
            f"of {len(plan.nibbles)} take 4 bits; joints move by {1000 * moved:.1f} mm on windows of training"
        )
        training = replace(card.training, note="; ".join(filter(None, (card.training.note, note))))
        return ship(made, replace(card, name=name, training=training), out, sources)
