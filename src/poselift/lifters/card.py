"""What must be known of weights before they are used: a card, JSON that lies beside the ONNX file.

A card is read strictly: every field must be there, and none that is not known. What was never measured or written down
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
from poselift.skeleton import get_skeleton

MOCAP, RECORDING, BENCHMARK = "motion capture", "recording", "benchmark"
"""What a score is measured on."""
MOST_FRAMES = 10_000
"""Frames in a window; the longest window of a paper has 351."""
MOST_FPS = 1000.0
"""Frames per second of a window; keypoints are brought to this rate, so that it decides how much there is to lift."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """One measurement, with all that is needed to take it again."""

    kind: str
    """`MOCAP`, `RECORDING` or `BENCHMARK`."""
    data: str
    """Name of the file or data set."""
    protocol: dict[str, Any]
    """Every choice that moves the numbers."""
    frames: int
    """Frames compared."""
    mean: dict[str, float]
    """Metric: mean, in millimetres where it is a distance."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """Where weights come from that were trained here."""

    recipe: dict[str, Any]
    """The whole recipe, as the lab has it."""
    init: str | None
    """Weights that the training started from; None for a fresh start."""
    commit: str
    """Commit of the code."""
    date: str
    """Day of the export."""
    steps: int | None
    """Steps of training."""
    windows: int | None
    """Windows seen, counted each time."""
    hours: float | None
    """Hours it took."""
    machine: str
    """What it ran on."""
    threads: int | None
    """Threads it ran on."""
    note: str
    """What else must be known; mostly empty."""


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Where weights come from that are their authors'."""

    file: str
    """Name of the authors' file."""
    sha256: str
    """Its hash."""
    code: str
    """The authors' code."""
    date: str
    """Day of the import."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast the network alone runs in ONNX Runtime, counted in the processor's time."""

    frames_per_s: float
    """Frames that come out in bulk."""
    window_ms: float
    """Milliseconds of a single window."""
    batch: int
    """Windows at a time in bulk."""
    threads: int
    """Threads."""
    machine: str
    """What it ran on."""


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
    """How fast they are."""
    training: Training | None = None
    """How they were trained; None for weights that were not trained here."""
    imported: Imported | None = None
    """Whose they are; None for weights that are ours."""

    @property
    def delay(self) -> int:
        """Frames between the newest one that goes in and the newest one that comes out."""
        return self.in_frames - 1 - max(self.out_frames)

    @staticmethod
    def read(path: Path) -> "Card":
        """Read a card.

        Raises:
            CheckpointError: There is none, it is no JSON, fields are missing or unknown, or their values make no sense.
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
                f"{path}: wanted a window of 1 to {MOST_FRAMES} frames and out_frames within it, "
                f"got {card.in_frames} and {str(places)[:100]}"
            )
        if not 0 < card.fps <= MOST_FPS:
            raise CheckpointError(f"{path}: wanted a frame rate above 0, up to {MOST_FPS:g}, got {card.fps}")
        return card

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the card.

        Raises:
            OutputExistsError: `path` exists and `overwrite` is off.
            OutputError: The file cannot be written.
        """
        with written_whole(path, overwrite=overwrite) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
