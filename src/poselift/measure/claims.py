"""Measure again what a card claims: each score by the protocol that the card itself holds.

The tolerance allows for the last digits, in which machines and versions of numpy, torch and ONNX Runtime differ.
Simulated detector errors are drawn by torch's generator on the CPU, which for one version of torch gives the same
numbers on any machine, to rounding.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from poselift.datasets.clip import MocapClip
from poselift.datasets.mocap import load_mocap
from poselift.errors import DatasetError, MissingData, MissingExtraError, install_hint
from poselift.files import sha256_of
from poselift.lifters.card import MOCAP, RECORDING, Card, Score
from poselift.lifters.contract import Lifter
from poselift.lifters.onnx import OnnxLifter
from poselift.measure.comparison import CHOICES
from poselift.measure.mocap import MocapProtocol, Observer, evaluate_mocap
from poselift.measure.recording import Recording

TOLERANCE = 0.05
"""Largest difference allowed between a claim and its measurement, in the unit of the score (millimetres)."""
QUICK_FRAMES = 5000
"""Largest number of frames of a score that a quick check measures."""

MEASURES: dict[str, tuple[MocapProtocol, bool]] = {
    "exact 2D": (MocapProtocol(), False),
    "exact 2D, flip averaged": (MocapProtocol(flip_average=True), False),
    "detector errors": (MocapProtocol(), True),
    "quick, exact 2D": (MocapProtocol(cameras=1, every=7), False),
    "quick, detector errors": (MocapProtocol(cameras=1, every=7), True),
}
"""By name, the protocols of a card's scores on motion capture, and whether detector errors are simulated. The tests
measure the quick ones again."""
BY_DETECTOR = MocapProtocol(cameras=1)
"""The protocol of the scores by kind of detector, which shipped weights have as well; their names are those of
`by_detector`."""


def by_detector(kind: str) -> str:
    """Return the name of a card's score with the errors of a kind of detector."""
    return f"detector errors, {kind}"


@dataclass(frozen=True)
class Check:
    """A claim of a card and its measurement."""

    name: str
    """Name of the score and metric, or of another claim."""
    claimed: float | str
    """Value on the card."""
    measured: float | str | None
    """Measured value; None when it was not measured."""
    tolerance: float = 0.0
    """Largest difference allowed."""
    note: str = ""
    """Reason why it was not measured."""

    @property
    def holds(self) -> bool:
        """Whether the measurement agrees with the claim; True when there is none."""
        if self.measured is None:
            return True
        if isinstance(self.claimed, str) or isinstance(self.measured, str):
            return self.claimed == self.measured
        return abs(self.measured - self.claimed) <= self.tolerance


class Sources:
    """The data that scores are measured on."""

    def __init__(
        self,
        mocap: Path | None = None,
        recordings: Sequence[Path] = (),
        detector: Callable[[dict[str, Any]], Observer] | None = None,
    ) -> None:
        """Store the paths; files are read when they are needed.

        Args:
            mocap: Archive of motion capture.
            recordings: Real recordings (`poselift.measure.recording.Recording`).
            detector: Function that makes the lab's simulated detector from its errors; None without torch.
        """
        self.mocap, self._recordings, self.detector = mocap, tuple(recordings), detector
        self._clips: dict[str, list[MocapClip]] = {}

    @cached_property
    def recordings(self) -> dict[str, Recording]:
        """The real recordings by the names of their files.

        Raises:
            MissingData: A file is missing.
        """
        return {path.name: Recording(path) for path in self._recordings}

    def clips(self, split: str) -> list[MocapClip]:
        """Return the clips of one split of the motion capture.

        Raises:
            MissingData: No archive was named.
        """
        if self.mocap is None:
            raise MissingData("name the motion capture (--data)")
        if split not in self._clips:
            self._clips[split] = load_mocap(self.mocap, split=split)
        return self._clips[split]

    def measure(self, lifter: Lifter, score: Score) -> Score:
        """Measure a score again by its own protocol.

        Raises:
            MissingData: The data is not available.
            DatasetError: The protocol is of another version of poselift.
        """
        if score.kind == RECORDING:
            camera, flip = str(score.protocol.get("camera")), bool(score.protocol.get("flip_average"))
            if score.data not in self.recordings:
                raise MissingData(f"name the recording {score.data} (--recording)")
            return self.recordings[score.data].score(lifter, camera, flip_average=flip)
        if score.kind != MOCAP:
            raise MissingData(f"{score.data} is not motion capture: use poselift evaluate --data")
        protocol = dict(score.protocol)
        split, errors = protocol.pop("split", None), protocol.pop("errors", None)
        for name in ("keypoints", *CHOICES):  # they follow from the rest
            protocol.pop(name, None)
        if split is None or set(protocol) != {f.name for f in fields(MocapProtocol)}:
            raise DatasetError(f"its protocol is of another version of poselift: {', '.join(sorted(protocol))}")
        choices: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in protocol.items()}
        how = MocapProtocol(**choices)
        if errors is not None and self.detector is None:
            raise MissingData(f"simulated detector errors need torch; run: {install_hint('lab')}")
        observe = self.detector(errors) if errors is not None and self.detector else None
        return mocap_score(lifter, self.clips(split), score.data, split, how, observe)


def mocap_score(
    lifter: Lifter, clips: list[MocapClip], data: str, split: str, protocol: MocapProtocol, observe: Observer | None
) -> Score:
    """Measure a score on motion capture, in the form that cards hold.

    Args:
        lifter: The lifter.
        clips: Clips of one split.
        data: Name of the archive.
        split: Name of the split.
        protocol: Cameras and options.
        observe: Simulated detector; exact 2D when None.
    """
    scores = evaluate_mocap(lifter, clips, protocol, observe=observe)
    mean = {name: round(value, 3) for name, value in scores.mean.items()}
    return Score(
        kind=MOCAP, data=data, protocol={"split": split} | scores.choices, frames=scores.counts["frames"], mean=mean
    )


def check_scores(lifter: Lifter, card: Card, sources: Sources, *, quick: bool = False) -> Iterator[Check]:
    """Measure the scores of a card again, one after the other.

    Args:
        lifter: The lifter that the card describes.
        card: The card.
        sources: Data to measure on.
        quick: Leave out scores over more than `QUICK_FRAMES` frames.
    """
    for name, score in card.scores.items():
        if quick and score.frames > QUICK_FRAMES:
            continue
        try:
            measured = sources.measure(lifter, score)
        except (MissingData, MissingExtraError) as error:
            for metric, value in score.mean.items():
                yield Check(f"{name}: {metric}", value, None, TOLERANCE, str(error))
            continue
        yield Check(f"{name}: frames", score.frames, measured.frames)
        for metric, value in score.mean.items():
            yield Check(f"{name}: {metric}", value, measured.mean.get(metric, "no such metric"), TOLERANCE)


def check_file(lifter: OnnxLifter) -> Iterator[Check]:
    """Check that the hash of the file is the one on the card."""
    if lifter.card.sha256 is not None:
        yield Check("sha256", lifter.card.sha256, sha256_of(lifter.path))
