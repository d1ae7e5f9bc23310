"""Cards of weights: JSON beside the ONNX file, with everything that a user must know of them.

A card is read strictly: it must have every field and no unknown ones. A value that was never measured or written down
is null.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from poselift.errors import CheckpointError, FormatError, SkeletonError
from poselift.files import found_at, read_json, written_whole
from poselift.prepare.normalize import PERSON_SCALE
from poselift.records import record
from poselift.sequence import check_fps
from poselift.skeleton import get_skeleton

MOCAP, RECORDING, BENCHMARK = "motion capture", "recording", "benchmark"
"""Kinds of data that a score is measured on."""
INT8 = "-int8"
"""End of the names of weights in int8 (docs/onnx.md), which are only used where they are named."""
MOST_FRAMES = 10_000
"""Most frames in a window; the longest window of a paper has 351."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One measurement, with all that is needed to repeat it."""

    kind: str
    """`MOCAP`, `RECORDING` or `BENCHMARK`."""
    data: str
    """Name of the file or data set."""
    protocol: dict[str, Any]
    """Every choice that changes the numbers."""
    frames: int
    """Number of frames compared."""
    mean: dict[str, float]
    """Mean by metric, distances in millimetres."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """How weights were trained with poselift."""

    recipe: dict[str, Any]
    """The whole recipe of the training."""
    init: str | None
    """Weights that the training started from; None for a fresh start."""
    commit: str
    """Commit of the code."""
    date: str
    """Day of the export."""
    steps: int | None
    """Number of training steps."""
    windows: int | None
    """Number of windows seen, repetitions included."""
    hours: float | None
    """Duration in hours."""
    machine: str
    """Machine that the training ran on."""
    threads: int | None
    """Number of threads used."""
    note: str
    """Anything else that a user must know; mostly empty."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Where weights of a paper's authors come from."""

    file: str
    """Name of the authors' file."""
    sha256: str
    """Hash of that file."""
    code: str
    """Where the authors' code is."""
    date: str
    """Day of the import."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast the network alone runs in ONNX Runtime, counted in the processor's time."""

    frames_per_s: float
    """Output frames per second, in bulk."""
    window_ms: float
    """Milliseconds for a single window."""
    batch: int
    """Number of windows at a time, in bulk."""
    threads: int
    """Number of threads."""
    machine: str
    """Machine that the network ran on."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """Everything that is known of weights."""

    name: str
    """Name of the weights, `lifter.tag`."""
    skeleton: str
    """Name of the skeleton in and out."""
    in_frames: int
    """Frames in a window."""
    out_frames: tuple[int, ...]
    """Places in the window that are yielded."""
    fps: float
    """Frame rate of the windows."""
    in_channels: int
    """2 (x, y), or 3 with confidence."""
    normalization: str = PERSON_SCALE
    """How windows are normalised."""
    parameters: int | None = None
    """Number of parameters as trained."""
    macs: int | None = None
    """Multiply-accumulates of a window, in the steps of the authors' code."""
    sha256: str | None = None
    """Hash of the ONNX file."""
    data: str = ""
    """What the weights were trained on."""
    license: str = ""
    """Licence of the weights."""
    scores: dict[str, Score] = field(default_factory=dict)
    """Measured errors by name."""
    speed: Speed | None = None
    """Speed of the network."""
    training: Training | None = None
    """How the weights were trained; None for imported weights."""
    imported: Imported | None = None
    """Where the authors' weights come from; None for our own."""

    @property
    def delay(self) -> int:
        """Frames between the newest one that goes in and the newest one that comes out."""
        return self.in_frames - 1 - max(self.out_frames)

    @staticmethod
    def read(path: Path) -> "Card":
        """Read a card.

        Raises:
            CheckpointError: There is no card, it is no JSON, fields are missing or unknown, or values are wrong.
        """
        try:
            if not found_at(path):
                raise CheckpointError(f"no card at {path}; the weights' JSON must lie beside them")
            card = record(Card, read_json(path), "a card")
            get_skeleton(card.skeleton)
        except (FormatError, SkeletonError) as error:
            raise CheckpointError(f"{path} is not a card: {error}") from error
        places = card.out_frames
        if not (1 <= card.in_frames <= MOST_FRAMES and places and 0 <= min(places) <= max(places) < card.in_frames):
            raise CheckpointError(
                f"{path}: wanted out_frames within the window, and a window of 1 to {MOST_FRAMES} frames, "
                f"got {card.in_frames} and {str(places)[:100]}"
            )
        check_fps(card.fps, str(path), error=CheckpointError)
        return card

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the card.

        Raises:
            OutputExistsError: `path` exists and `overwrite` is off.
            OutputError: The file cannot be written.
        """
        with written_whole(path, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
