"""Turn a finished run into weights that ship: in half precision, with a card of scores measured on that very file."""

import shutil
import tempfile
from collections.abc import Container, Sequence
from dataclasses import replace
from pathlib import Path

from poselift.errors import CheckpointError
from poselift.files import sha256_of, written_whole
from poselift.lab.export.calibrate import calibrate_spread
from poselift.lab.export.card import sizes_of
from poselift.lab.export.half import store_half
from poselift.lab.export.onnx import export_onnx
from poselift.lab.export.weights import halve_weights, load_weights, save_weights
from poselift.lab.observe.detector import SimulatedDetector
from poselift.lab.observe.landmarks import DETECTORS
from poselift.lab.observe.noise import NoiseConfig
from poselift.lifters.card import Card, Score
from poselift.lifters.onnx import OnnxLifter
from poselift.measure.claims import BY_DETECTOR, MEASURES, Sources, by_detector, mocap_score
from poselift.measure.speed import measure_speed
from poselift.skeleton import BODY_27

SPLIT = "dev"
"""Split of the motion capture that scores are measured on."""


def release(run: Path, out: Path, training_out: Path, sources: Sources) -> Card:
    """Make weights ready to ship.

    Args:
        run: Path of the `NAME.onnx` of a finished run, in full precision, with its card beside it.
        out: Folder for the ONNX file in half precision and its card; existing ones are replaced.
        training_out: Folder for the torch weights in half precision, if the run has any.
        sources: Paths of the motion capture and the recordings to measure on; the first is the one of the tables.

    Returns:
        The new card.

    Raises:
        CheckpointError: The run's card is broken, or says that the weights were not trained here.
        OutputError: Half precision changes the joints too much, or a file cannot be written.
        MissingData: There is no motion capture or recording at the sources' paths.
    """
    card = Card.read(run.with_suffix(".json"))
    training = card.training
    if training is None:
        raise CheckpointError(f"{run} was not trained here, so its licence may not allow a release; release own runs")
    training = replace(training, recipe=training.recipe | {"init": training.init or ""})  # drops this machine's paths
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / run.name
        store_half(run, made)
        card = ship(made, replace(card, training=training, **sizes_of(training.recipe)), out, sources)
    weights = run.with_suffix(".safetensors")
    if weights.exists():
        halve_weights(weights, training_out / weights.name, overwrite=True)
    return card


def recalibrate(path: Path, training_out: Path, sources: Sources) -> Card:
    """Fit the spread of shipped weights anew, because what they are fed with has changed; joints stay as they are.

    Args:
        path: The card; its ONNX file lies beside it. Both are replaced.
        training_out: Folder of the torch weights; those of this name are replaced.
        sources: Paths of the motion capture and the recordings to fit to, and to measure everything on the card on.

    Returns:
        The new card.

    Raises:
        CheckpointError: The card or the weights are broken, were not trained here, or give no spread.
        MissingData: There is no motion capture or recording at the sources' paths.
        OutputError: Half precision changes the joints too much, or a file cannot be written.
    """
    card = Card.read(path)
    if card.training is None:
        raise CheckpointError(f"{path} is of weights that were not trained here; calibrate your own")
    weights = training_out / f"{card.name}.safetensors"
    model, recipe = load_weights(weights), card.training.recipe
    detector = SimulatedDetector(NoiseConfig(**recipe["data"]["noise"]))
    lifter = OnnxLifter(path.with_suffix(".onnx"), threads=1)
    if not calibrate_spread(model, lifter, sources.clips(SPLIT), (detector,)):
        raise CheckpointError(f"{path}: these weights do not say how far off a joint may be; calibrate others")
    with tempfile.TemporaryDirectory() as folder:
        whole, made = Path(folder) / "whole.onnx", Path(folder) / f"{card.name}.onnx"
        export_onnx(model, whole)
        store_half(whole, made)
        card = ship(made, card, path.parent, sources)
        trained = Path(folder) / weights.name
        save_weights(model, trained, lifter=recipe["lifter"], config=recipe["model"], overwrite=False)
        halve_weights(trained, weights, overwrite=True)
    return card


def ship(made: Path, card: Card, out: Path, sources: Sources) -> Card:
    """Measure everything on a card on the very file that ships, and write both.

    Args:
        made: Path of the ONNX file.
        card: Its card but for hash, scores and speed, with the training's recipe.
        out: Folder for the file and its card; existing ones are replaced.
        sources: Paths of the motion capture and the recordings to measure on.

    Returns:
        The whole card.

    Raises:
        MissingData: There is no motion capture or recording at the sources' paths.
        OutputError: A file cannot be written.
    """
    assert card.training is not None
    noise = NoiseConfig(**card.training.recipe["data"]["noise"])
    card = replace(card, sha256=sha256_of(made))
    card.write(made.with_suffix(".json"))
    lifter = OnnxLifter(made, threads=1)
    card = replace(card, scores=measure_all(lifter, sources, noise), speed=measure_speed(lifter))
    with written_whole(out / made.name, overwrite=True) as path:
        shutil.copyfile(made, path)
    card.write(out / f"{made.stem}.json", overwrite=True)
    return card


def measure_missing(path: Path, sources: Sources, anew: Sequence[str] = ()) -> list[str]:
    """Measure the scores that a shipped card does not have, and write them into it.

    Args:
        path: The card; its ONNX file lies beside it.
        sources: Paths of the motion capture and the recordings.
        anew: Words; scores whose names hold one of them are measured again.

    Returns:
        The names of the scores that were measured.

    Raises:
        CheckpointError: The card is broken, or says that the weights were not trained here.
        MissingData: There is no motion capture or recording at the sources' paths.
    """
    card = Card.read(path)
    if card.training is None:
        raise CheckpointError(f"{path} is of weights that were not trained here; measure them by poselift evaluate")
    noise = NoiseConfig(**card.training.recipe["data"]["noise"])
    lifter = OnnxLifter(path.with_suffix(".onnx"), threads=1)
    known = [name for name in card.scores if not any(word in name for word in anew)]
    scores = measure_all(lifter, sources, noise, but=known)
    replace(card, scores=card.scores | scores).write(path, overwrite=True)
    return list(scores)


def measure_all(
    lifter: OnnxLifter, sources: Sources, noise: NoiseConfig, *, but: Container[str] = ()
) -> dict[str, Score]:
    """Measure every score of a card.

    These are motion capture by each protocol of `MEASURES` and, for clips with feet and face, as each kind of detector
    sees it (`BY_DETECTOR`), and each view of the recordings.

    Args:
        lifter: The lifter.
        sources: Paths of the motion capture and the recordings.
        noise: Errors of the simulated detector.
        but: Names of scores to leave out.

    Raises:
        MissingData: A path is not given, or there is no file.
    """
    clips, detector = sources.clips(SPLIT), SimulatedDetector(noise)
    wanted = {name: (protocol, detector if noisy else None) for name, (protocol, noisy) in MEASURES.items()}
    if clips[0].skeleton == BODY_27:
        wanted |= {by_detector(kind): (BY_DETECTOR, SimulatedDetector(noise, kind)) for kind in DETECTORS}
    assert sources.mocap is not None  # `clips` has checked it
    scores = {
        name: mocap_score(lifter, clips, sources.mocap.name, SPLIT, protocol, observe)
        for name, (protocol, observe) in wanted.items()
        if name not in but
    }
    for number, recording in enumerate(sources.recordings.values()):
        source = Path(recording.name).stem if number else "real recording"
        for view in recording.people:
            if (name := f"{source}, camera {view}") not in but:
                scores[name] = recording.score(lifter, view)
    return scores
