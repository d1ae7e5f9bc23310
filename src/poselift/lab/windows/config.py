"""How windows are drawn from motion capture and observed: the options of a recipe's `data`."""

from dataclasses import dataclass, field

from poselift.errors import RecipeError, did_you_mean
from poselift.lab.observe.cameras import CameraConfig
from poselift.lab.observe.noise import NoiseConfig
from poselift.lab.windows.sources import SOURCES


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """How windows are drawn from clips, and how they are observed."""

    camera: CameraConfig = field(default_factory=CameraConfig)
    """Positions of the cameras."""
    noise: NoiseConfig = field(default_factory=NoiseConfig)
    """Errors of the detector."""
    exact: float = 0.3
    """Share of windows with exact 2D joints of the lifter's own skeleton and full confidence."""
    own_joints: float = 0.2
    """Share of windows with detector errors on the lifter's own joints; the rest have converted detector joints."""
    bodies_alone: float = 0.3
    """Share of the windows of both kinds whose joints besides the body's 17 are not shown, for lifters that have
    more."""
    short: float = 0.35
    """Share of windows in which the clip begins or ends."""
    bone_scale: float = 0.1
    """Standard deviation of the logarithm of each bone's length factor, equal on both sides."""
    speed: tuple[float, float] = (0.7, 1.4)
    """Least and greatest speed of the motion."""
    mirror: bool = True
    """Show half of the windows mirrored."""
    mix: float = 0.5
    """Share of windows with one or both legs of another window; the share with arms of another is the same."""
    turn: float = 0.5
    """Share of windows in which arms and legs are turned, by one angle for the whole window."""
    turn_rad: float = 0.3
    """Standard deviation of the turns of upper arms and forearms about each axis; thighs and shins have half."""
    bend: float = 0.4
    """Share of windows in which the trunk is bent, by one angle for the whole window."""
    bend_rad: float = 0.3
    """Standard deviation of that angle."""
    balance: float = 0.5
    """0 draws subjects by their recorded time; 1 gives every subject the same share."""
    rare: float = 0.5
    """0 draws poses as often as they were recorded; 1 gives every kind of pose the same share."""
    sources: dict[str, float] = field(default_factory=dict)
    """Shares of the windows that are drawn from each collection of motion, by the names in
    `poselift.lab.windows.sources.SOURCES`; 0 leaves one out. Empty for the archive that is named, all of it."""
    fraction: float = 1.0
    """Share of the recorded time that is trained on, spread over the subjects; see `poselift.lab.windows.fraction`."""
    fraction_seed: int = 0
    """Seed of the choice of these clips."""

    def __post_init__(self) -> None:
        """Check the shares and the speeds.

        Raises:
            RecipeError: A value is out of range; the message names it.
        """
        for name in ("exact", "own_joints", "bodies_alone", "short", "mix", "turn", "bend"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"data.{name}: wanted a share in [0, 1], got {getattr(self, name)}")
        if self.exact + self.own_joints > 1:
            raise RecipeError(f"data.own_joints: wanted at most 1 - data.exact, got {self.own_joints} and {self.exact}")
        if not 0 < self.speed[0] <= self.speed[1]:
            raise RecipeError(f"data.speed: wanted two positive speeds, the lower one first, got {self.speed}")
        for name, share in self.sources.items():
            if name not in SOURCES:
                raise RecipeError(f"data.sources: unknown source '{name}'; {did_you_mean(name, SOURCES)}")
            if not 0 <= share < float("inf"):
                raise RecipeError(f"data.sources: wanted a share of 0 or more for {name}, got {share}")
        if self.sources and not sum(self.sources.values()):
            raise RecipeError("data.sources: wanted a source with a share above 0; all are 0")
        if not 0 < self.fraction <= 1:
            raise RecipeError(f"data.fraction: wanted a share above 0 and up to 1, got {self.fraction}")
