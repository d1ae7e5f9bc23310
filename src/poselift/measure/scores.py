"""The result of an evaluation: one type for all data, which is stored, read back, compared and printed."""

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
"""Units by metric, for results that do not say otherwise."""

_DEEPEST = 6
"""Largest depth of nested containers in a choice; ours are less deep."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The numbers of an evaluation, and all that is needed to compare them.

    A metric for which no clip is long enough is absent. Each number in a table is the protocol's average over one part
    of the data; a table is empty where the data has no such parts.
    """

    lifter: str
    """Name of the lifter."""
    dataset: str
    """Name of the data set."""
    choices: dict[str, Any]
    """Everything that changes the numbers: the protocol's fields, the data set's notes ("data: ..."), how the keypoints
    were prepared, and which joints were compared where not all were. Results that differ in these are not
    comparable."""
    counts: dict[str, int]
    """Numbers of frames scored ("frames", over all cameras), of clips, sequences, subjects and other things."""
    remarks: tuple[str, ...] = ()
    """Notes for the reader."""
    mean: dict[str, float]
    """By metric: the result."""
    per_joint: dict[str, dict[str, float]]
    """By metric and joint (a bone has the name of its outer end): average over frames."""
    per_action: dict[str, dict[str, float]]
    """By metric and action: average over frames and joints."""
    per_subject: dict[str, dict[str, float]]
    """By metric and subject: average over frames and joints."""
    per_sequence: dict[str, dict[str, float]]
    """By metric and "subject sequence": average over frames, cameras and joints."""
    per_cell: dict[str, dict[str, float]]
    """By metric and "subject action": average over frames and joints."""
    units: dict[str, str] = field(default_factory=lambda: dict(UNITS))
    """Units by metric."""

    def __post_init__(self) -> None:
        """Store the choices as JSON returns them, so that results from files compare with new ones."""
        object.__setattr__(self, "choices", _plain(self.choices, _DEEPEST))

    def as_json(self) -> dict[str, Any]:
        """Return plain containers for a JSON file; `from_json` reads them back."""
        return asdict(self) | {"remarks": list(self.remarks)}

    @staticmethod
    def from_json(content: Any) -> "Scores":
        """Make the scores from what `as_json` returned.

        Raises:
            DatasetError: The content is something else.
        """
        before = {"units": UNITS}  # results that are older than this field
        try:
            return record(Scores, before | content if isinstance(content, dict) else content, "scores")
        except FormatError as error:
            raise DatasetError(f"these are no scores ({error}); measure the lifter again") from error


def lifter_name(lifter: Lifter) -> str:
    """Return a lifter's name for a result: the one on its card, or that of its class."""
    card = getattr(lifter, "card", None)
    return card.name if card else type(lifter).__name__


def _plain(value: Any, levels: int) -> Any:
    """Return a value with lists for tuples, as it comes back from JSON."""
    if levels < 0:
        raise DatasetError("these are no scores (choices are nested too deeply); measure the lifter again")
    if isinstance(value, dict):
        return {key: _plain(part, levels - 1) for key, part in value.items()}
    return [_plain(part, levels - 1) for part in value] if isinstance(value, list | tuple) else value
