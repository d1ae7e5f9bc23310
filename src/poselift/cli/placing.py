"""The options of `poselift lift` that place people in the world, and what is printed of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from poselift.cli.bones import Bones
from poselift.cli.console import print_plain
from poselift.errors import FormatError, ShapeError
from poselift.geometry.camera import Camera
from poselift.refine import place
from poselift.refine.bones import checked_height
from poselift.refine.focal import camera_of, focal_of_fov, likely_camera
from poselift.sequence import Keypoints2D, Poses3D


@dataclass(frozen=True, kw_only=True)
class WorldOptions:
    """How people are placed in the world."""

    world: bool = True
    """Place everybody in one world: z up, metres, the floor at 0. It needs a camera at rest and the picture's size.
    Without it, or with --frame, results are relative to the pelvis."""
    height: tuple[float, ...] = ()
    """Height of the people in metres, one for all or one for each in the order of their numbers; an adult's mean
    (1.70) when not given."""
    bones: tuple[str, ...] = ()
    """Lengths of bones that were measured between centres of joints, in metres: thigh=0.43 shank=0.41 upper_arm=0.29
    forearm=0.26 hip_width=0.18, also left_thigh and so on; or a .json or .toml file of them. They are kept exactly;
    other bones follow --height, or without it these."""
    fov: float | None = None
    """Horizontal field of view of the camera in degrees, instead of --focal."""
    camera_pitch: float | None = None
    """Degrees by which the camera looks down; found from the clip when not given."""
    camera_roll: float | None = None
    """Degrees by which the camera is turned clockwise; found from the clip when not given."""
    contacts: bool = True
    """Feet that touch the ground are at rest. --no-contacts is for treadmills."""
    camera_is: Literal["found", "still", "moving"] = "found"
    """Whether the camera is still or moving; found by the background of the video, or else by feet that stand. Before
    a camera that moves nobody is placed: results are relative to the pelvis, in the camera's axes."""

    def check(self, focal: float | None, frame: str | None) -> None:
        """Refuse values that contradict each other or cannot be, before anything is read.

        Args:
            focal: Focal length in pixels, or None.
            frame: Axes asked for, or None; with them, nobody is placed.

        Raises:
            FormatError: Both focal length and field of view are given, or what is said is for people who are placed,
                and nobody is.
            ShapeError: The field of view, a height, a bone or an angle is out of range.
        """
        if focal is not None and self.fov is not None:
            raise FormatError("--focal and --fov say the same thing; give one of them")
        said: dict[str, object] = {
            "--height": self.height,
            "--bones": self.bones,
            "--fov": self.fov,
            "--no-contacts": not self.contacts,
        }
        said |= {"--camera-pitch": self.camera_pitch, "--camera-roll": self.camera_roll}
        said |= {"--camera-is": None if self.camera_is == "found" else self.camera_is}
        given = [flag for flag, value in said.items() if not (value is None or value is False or value == ())]
        if given and (frame is not None or not self.world):
            why = "--no-world" if frame is None else f"--frame {frame}"
            raise FormatError(f"{', '.join(given)}: for people who are placed in the world, and {why} places nobody")
        for height in self.height:
            checked_height(height)
        Bones(self.bones)
        if self.fov is not None:
            focal_of_fov(self.fov, (1, 1))
        for name, angle in (("--camera-pitch", self.camera_pitch), ("--camera-roll", self.camera_roll)):
            if angle is not None and not -180 <= angle <= 180:
                raise ShapeError(f"wanted {name} as degrees from -180 to 180, got {angle:g}")

    def camera(self, focal: float | None, people: Sequence[Keypoints2D]) -> Camera | None:
        """Return the camera in whose axes people are lifted to be placed; None where the picture's size is not known.

        Args:
            focal: Focal length in pixels; None where it is not given, and the video's metadata or a usual one
                decide.
            people: Everybody in a file.

        Raises:
            ShapeError: The focal length is out of range.
        """
        size = people[0].image_size
        if size is None:
            return None
        if self.fov is not None:
            focal = focal_of_fov(self.fov, size)
        return likely_camera(people, size) if focal is None else camera_of(focal, size)

    def place(self, title: str, people: Sequence[tuple[Keypoints2D, Poses3D]]) -> tuple[Poses3D, ...]:
        """Place the people of a file, print what was found and assumed, and return their poses in the world.

        Args:
            title: What the file is called.
            people: Keypoints, and poses in the axes of the camera that they have.
        """
        heights = list(self.height) if len(self.height) > 1 else (self.height or (None,))[0]
        scene = place(
            people,
            height_m=heights,
            bone_lengths_m=Bones(self.bones).of([poses for _, poses in people]),
            pitch_deg=self.camera_pitch,
            roll_deg=self.camera_roll,
            contacts=self.contacts,
            still=None if self.camera_is == "found" else self.camera_is == "still",
        )
        for step in scene.report.steps:
            print_plain(f"{title}: {step}")
        return scene.people
