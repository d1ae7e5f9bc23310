"""What a video says of the camera that took it, besides the size of its pictures."""

from dataclasses import dataclass

MOVED = 0.03
"""Share of the picture's longer side from which the background is said to have moved: about 2 degrees of a phone's
camera. Trembling hands and a table that is knocked stay below it."""


@dataclass(frozen=True)
class Footage:
    """What is known of the camera of a clip from its video; what is not known is None."""

    focal_px: float | None = None
    """Focal length in pixels of the upright picture, from the file's metadata."""
    focal_source: str = ""
    """What the metadata say, in words: name and value."""
    moved: float | None = None
    """How far the background went from its first place, at most, as a share of the picture's longer side; None where
    too little of it is seen."""

    @property
    def moves(self) -> bool | None:
        """Whether the camera moves; None where the background does not tell."""
        return None if self.moved is None else self.moved > MOVED
