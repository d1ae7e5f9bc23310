"""The verb that draws poses over their video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from poselift.cli.answer import add
from poselift.cli.console import print_plain, progress
from poselift.errors import FormatError
from poselift.files import check_free, check_no_input
from poselift.formats import read_all_poses, read_keypoints_file
from poselift.render import render as draw
from poselift.sequence import Keypoints2D, Poses3D


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """What is drawn, and where it is written."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Video (.mp4) or picture (.png) to write."""
    video: Path | None = None
    """Video that the results came from; the figure is drawn over it."""
    keypoints: Path | None = None
    """Keypoints that the results came from (--keypoints-out of poselift lift). They say where the figure is in the
    picture where the results have no camera and path."""
    person: int | None = None
    """Number of the person, of results with several; everyone when not given."""
    frames: tuple[int, ...] = ()
    """Frames of a picture, from 0, one below the other; the middle one when not given."""
    height: int = 480
    """Height of the pictures in pixels."""
    force: bool = False
    """Overwrite --out if it exists."""


def render(
    results: tyro.conf.Positional[tuple[Path, ...]], /, options: Annotated[RenderOptions, tyro.conf.OmitArgPrefixes]
) -> int:
    """Draw results over their video, and from the side, as mp4 or png.

    Args:
        results: Files of poses (npz, json, csv, parquet, c3d or trc) of people over the same frames.
        options: What is drawn, and where it is written.
    """
    if not results:
        raise FormatError("nothing to draw: name at least one file of poses")
    given = [path for path in (options.video, options.keypoints) if path is not None]
    check_no_input(options.out, [*results, *given])
    check_free(options.out, overwrite=options.force)
    people = tuple(poses for path in results for poses in read_all_poses(path))
    if options.person is not None:
        numbers = ", ".join(str(poses.person) for poses in people)
        people = tuple(poses for poses in people if poses.person == options.person)
        if not people:
            raise FormatError(f"there is no person {options.person} (--person) among {numbers}")
    keypoints = None if options.keypoints is None else _keypoints(options.keypoints, people)
    with progress(f"drawing {options.out.name}") as tick:
        draw(
            people, options.out, video=options.video, keypoints=keypoints, frames=options.frames or None,
            height=options.height, title=" and ".join(dict.fromkeys(path.stem for path in results)),
            overwrite=options.force, progress=tick,
        )  # fmt: skip
    add("files", options.out)
    print_plain(f"-> {options.out}")
    return 0


def _keypoints(path: Path, people: tuple[Poses3D, ...]) -> tuple[Keypoints2D, ...]:
    """Return the keypoints of each person, by their numbers, or of the one person whom both files have."""
    everyone = read_keypoints_file(path)
    if len(everyone) == len(people) == 1:
        return everyone
    by_number = {keypoints.person: keypoints for keypoints in everyone}
    if missing := [str(poses.person) for poses in people if poses.person not in by_number]:
        numbers = ", ".join(str(number) for number in by_number)
        raise FormatError(f"{path} has no keypoints of person {', '.join(missing)}; it has those of {numbers}")
    return tuple(by_number[poses.person] for poses in people)
