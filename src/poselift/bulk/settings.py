"""What a run does with every clip: it is the same for all workers, and for all runs that write into one folder."""

from dataclasses import asdict, dataclass
from typing import Any

from poselift.files import sha256_of
from poselift.lifters.load import AUTO, load_lifter, shipped_cards
from poselift.people import PASSING_S
from poselift.skeleton import Skeleton, get_skeleton


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How clips are read and lifted."""

    lifter: str = AUTO
    """Name of shipped weights, path of an .onnx file, or module:Class; "auto" chooses shipped weights for each clip."""
    flip: bool = False
    """Average with the mirror image."""
    repair: bool = True
    """Mend what detectors do for a moment (`poselift.prepare.repair`)."""
    check: bool = True
    """Check keypoints first; a clip with errors counts as broken."""
    skeleton: str | None = None
    """Skeleton of the keypoints; found from the file when None."""
    fps: float | None = None
    """Frame rate; the file's own when None."""
    image_size: tuple[int, int] | None = None
    """Width and height of the picture in pixels; the file's own when None."""
    shortest_s: float = PASSING_S
    """People who are seen for less have passed by and are left out."""
    skeleton_out: str | None = None
    """Joints of the results; those of the weights when None."""
    world: bool = False
    """Place the people of each clip in one world."""

    def __post_init__(self) -> None:
        """Raise an error for skeletons that are not known."""
        for name in (self.skeleton, self.skeleton_out):
            if name is not None:
                get_skeleton(name)

    @property
    def wanted(self) -> Skeleton | None:
        """Joints that the weights must give; None for as many as there are."""
        return None if self.skeleton_out is None else get_skeleton(self.skeleton_out)

    def identity(self) -> dict[str, Any]:
        """Return what results depend on, as JSON holds it: the fields, and a hash of the weights' file.

        Raises:
            CheckpointError: The weights are not there, or broken.
        """
        said = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        if self.lifter == AUTO:
            return said | {"weights": sorted(card.name for card in shipped_cards())}
        path = getattr(load_lifter(self.lifter, threads=1), "path", None)
        return said | {"weights": None if path is None else sha256_of(path)}
