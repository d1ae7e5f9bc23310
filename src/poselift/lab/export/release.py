"""From a finished run to weights that ship: half precision, and a card with what was measured on that very file."""

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from poselift.errors import CheckpointError
from poselift.files import sha256_of, written_whole
from poselift.lab.export.card import sizes_of
from poselift.lab.export.half import store_half
from poselift.lab.export.weights import halve_weights
from poselift.lab.observe.detector import SimulatedDetector
from poselift.lab.observe.noise import NoiseConfig
from poselift.lifters.card import Card, Score
from poselift.lifters.onnx import OnnxLifter
from poselift.measure.claims import MEASURES, Sources, mocap_score
from poselift.measure.speed import measure_speed

SPLIT = "dev"
"""Part of the motion capture that is measured on."""


def release(run: Path, out: Path, training_out: Path, sources: Sources) -> Card:
    """Make weights ready to ship.

    Args:
        run: `NAME.onnx` of a finished run, its weights exact, with its card beside it.
        out: Folder for the ONNX file in half precision and its card; what is there is replaced.
        training_out: Folder for the weights to train on from, in half precision, where the run has them.
        sources: What to measure on.

    Returns:
        The new card.

    Raises:
        CheckpointError: The run's card is broken.
        OutputError: Half precision does not do, or a file cannot be written.
        MissingData: There is no motion capture or recording at the sources' paths.
    """
    card = Card.read(run.with_suffix(".json"))
    training = card.training
    if training is None:
        raise CheckpointError(f"{run} was not trained here, and may not be ours to ship")
    training = replace(training, recipe=training.recipe | {"init": training.init or ""})  # no paths of this machine
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / run.name
        store_half(run, made)
        card = replace(card, training=training, sha256=sha256_of(made), **sizes_of(training.recipe))
        card.write(made.with_suffix(".json"))
        lifter = OnnxLifter(made, threads=1)
        scores = measure_all(lifter, sources, NoiseConfig(**training.recipe["data"]["noise"]))
        card = replace(card, scores=scores, speed=measure_speed(lifter))
        with written_whole(out / run.name, overwrite=True) as path:
            shutil.copyfile(made, path)
    card.write(out / f"{run.stem}.json", overwrite=True)
    weights = run.with_suffix(".safetensors")
    if weights.exists():
        halve_weights(weights, training_out / weights.name, overwrite=True)
    return card


def measure_all(lifter: OnnxLifter, sources: Sources, noise: NoiseConfig) -> dict[str, Score]:
    """Every score of a card: motion capture five ways, and each camera of the real recording.

    Raises:
        MissingData: One of the two is not named, or not there.
    """
    clips, detector = sources.clips(SPLIT), SimulatedDetector(noise)
    assert sources.mocap is not None  # clips has looked
    scores = {
        name: mocap_score(lifter, clips, sources.mocap.name, SPLIT, protocol, detector if noisy else None)
        for name, (protocol, noisy) in MEASURES.items()
    }
    for camera in sources.recording.people:
        scores[f"real recording, camera {camera}"] = sources.recording.score(lifter, camera)
    return scores
