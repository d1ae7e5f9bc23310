"""The result of an evaluation, whatever it was measured on: stored, read back, compared and printed in one way."""

from dataclasses import asdict, dataclass, field
from typing import Any

from poselift.errors import DatasetError, FormatError
from poselift.lifters.contract import Lifter
from poselift.records import record

UNITS = {
    "mpjpe": "mm",
    "p_mpjpe": "mm",
    "n_mpjpe": "mm",
    "mpjve": "mm/frame",
    "acceleration": "mm/frame²",
    "bone_length": "mm",
    "pck": "%",
    "auc": "%",
}
"""Every metric, and the unit that it has unless a result says otherwise."""

_DEEPEST = 6
"""Containers within containers in a choice; none of ours has so many."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What came out of an evaluation.

    A metric for which no clip is long enough is absent. Every number of a table is the protocol's average over the part
    that it is about; a table is empty where the data has no such parts.
    """

    lifter: str
    """Name of the lifter."""
    dataset: str
    """Name of the data set."""
    choices: dict[str, Any]
    """Everything that moves the numbers: the protocol's fields, the data set's notes ("data: ..."), how the keypoints
    came to the lifter, and which joints were compared where not all were. Results that differ in these are not
    comparable."""
    counts: dict[str, int]
    """Numbers of frames scored ("frames", over all cameras), clips, sequences, subjects, and what else was counted."""
    remarks: tuple[str, ...] = ()
    """What a reader should know besides."""
    mean: dict[str, float]
    """Metric: the result."""
    per_joint: dict[str, dict[str, float]]
    """Metric: joint (a bone by its outer end): average over frames."""
    per_action: dict[str, dict[str, float]]
    """Metric: action: average over frames and joints."""
    per_subject: dict[str, dict[str, float]]
    """Metric: subject: average over frames and joints."""
    per_sequence: dict[str, dict[str, float]]
    """Metric: "subject sequence": average over frames, cameras and joints."""
    per_cell: dict[str, dict[str, float]]
    """Metric: "subject action": average over frames and joints."""
    units: dict[str, str] = field(default_factory=lambda: dict(UNITS))
    """Metric: its unit."""

    def __post_init__(self) -> None:
        """Hold the choices as JSON gives them back, so that those of results from files compare with fresh ones."""
        object.__setattr__(self, "choices", _plain(self.choices, _DEEPEST))

    def as_json(self) -> dict[str, Any]:
        """Plain containers for a JSON file; `from_json` reads them back."""
        return asdict(self) | {"remarks": list(self.remarks)}

    @staticmethod
    def from_json(content: Any) -> "Scores":
        """The scores that `as_json` gave.

        Raises:
            DatasetError: Something else.
        """
        before = {"units": UNITS}  # results that are older than this field
        try:
            return record(Scores, before | content if isinstance(content, dict) else content, "scores")
        except FormatError as error:
            raise DatasetError(f"these are no scores ({error}); measure the lifter again") from error


def lifter_name(lifter: Lifter) -> str:
    """What a lifter is called in a result: the name on its card, or that of its class."""
    card = getattr(lifter, "card", None)
    return card.name if card else type(lifter).__name__


def _plain(value: Any, levels: int) -> Any:
    """The same for what came from JSON and what did not: lists for tuples."""
    if levels < 0:
        raise DatasetError("these are no scores (choices are nested too deeply); measure the lifter again")
    if isinstance(value, dict):
        return {key: _plain(part, levels - 1) for key, part in value.items()}
    return [_plain(part, levels - 1) for part in value] if isinstance(value, list | tuple) else value
