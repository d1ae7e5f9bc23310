"""What a step of refinement says it changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """What one step changed in one person's poses, or in the scene."""

    name: str
    """The step: the name of its module, such as ``"bones"``."""
    says: str
    """One sentence for the user: what was changed, and by how much."""
    values: Mapping[str, float] = field(default_factory=dict)
    """The numbers behind the sentence; each name ends in its unit, such as ``moved_mm``, or is a share or a count."""
    warnings: tuple[str, ...] = ()
    """Sentences on what was guessed or is doubtful, each with the argument and flag that decides it."""

    def __str__(self) -> str:
        """Return the sentence, with the warnings after it."""
        return " ".join((f"{self.name}: {self.says}", *self.warnings))
