"""Puts a page together and writes it."""

import base64
import html
import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from poselift.errors import ShapeError
from poselift.files import check_free, written_whole
from poselift.sequence import Keypoints2D, Poses3D, expect_keypoints, expect_poses
from poselift.viewer.clip import SmallCopy, small_copy
from poselift.viewer.content import content

_SCRIPTS = ("data", "draw", "picture", "eye", "space", "curves", "time", "compare", "page")
"""Of the page, in the order in which they run."""


def write_viewer(
    poses: Poses3D | Sequence[Poses3D],
    path: str | Path,
    *,
    keypoints: Keypoints2D | Sequence[Keypoints2D | None] | None = None,
    video: str | Path | SmallCopy | None = None,
    title: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a page that plays one or more people beside the video or keypoints they were lifted from.

    People with a path are shown where they are: on the floor, with their way, before the camera where it is known.
    Others stand on the spot, side by side, and the page opens on the camera's own view of them. Joints that were not
    seen are faded, and gaps are marked on the time line. Where they are known, each joint has a disc within which it
    lies with a probability of 50 %, and feet that stand still light up on the floor.

    Args:
        poses: The 3D joints of one person, or those of several people of one clip: as many frames, the same rate.
        path: The HTML file to write.
        keypoints: The 2D keypoints, for each person or for none; drawn over the video or, without one, as a stick
            figure in the picture. Any skeleton; frame i belongs to frame i of `poses`.
        video: The video that the keypoints came from. A small copy of what the poses show is embedded, from
            `poses.start_s` on; longer ones than `LONGEST_EMBEDDED_S`, and such as would take the page beyond
            `poselift.viewer.clip.LARGEST_PAGE_BYTES`, are left out. A `SmallCopy` serves many pages.
        title: Heading of the page; the name of the file when None.
        overwrite: Replace an existing file.

    Raises:
        KindError: `poses` are not `Poses3D`, or `keypoints` not `Keypoints2D`.
        ShapeError: People or keypoints differ in number of frames.
        OutputError: The file exists, or cannot be written.
        DetectionError: The video cannot be read.
        MissingExtraError: There is a video, but PyAV is not installed.
    """
    people, shown = _people(poses, keypoints)
    path = Path(path)
    check_free(path, overwrite=overwrite)
    title = path.stem if title is None else title
    copy = small_copy(video, people[0], len(people)) if isinstance(video, str | Path) else video
    data = content(people, shown, copy.size if copy else None, title)
    with written_whole(path, overwrite=overwrite) as temporary:
        temporary.write_text(_page(title, data, copy.mp4 if copy else b""), encoding="utf-8")


def _people(
    poses: Poses3D | Sequence[Poses3D], keypoints: Keypoints2D | Sequence[Keypoints2D | None] | None
) -> tuple[list[Poses3D], list[Keypoints2D | None]]:
    """Return everybody with their keypoints, after checking that they belong together."""
    people: list[Any] = list(poses) if isinstance(poses, list | tuple) and poses else [poses]
    for person in people:
        expect_poses(person)
    if keypoints is None:
        return people, [None] * len(people)
    shown: list[Any] = list(keypoints) if isinstance(keypoints, list | tuple) and keypoints else [keypoints]
    for one in shown:
        if one is not None:
            expect_keypoints(one)
    if len(shown) != len(people):
        raise ShapeError(f"wanted keypoints of each of the {len(people)} people, or None, got {len(shown)}")
    for one, person in zip(shown, people, strict=True):
        if one is not None and len(one) != len(person):
            raise ShapeError(
                f"wanted keypoints for each of the {len(person)} poses, got {len(one)} frames; resample them alike"
            )
    return people, shown


def _page(title: str, data: dict[str, Any], clip: bytes) -> str:
    """Return the template with its placeholders filled, each escaped for its context."""
    fill = {
        # References instead of letters: a file name may hold what UTF-8 cannot.
        "TITLE": html.escape(title).encode("ascii", "xmlcharrefreplace").decode(),
        # "<" could end the script element.
        "DATA": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "VIDEO": base64.b64encode(clip).decode(),
        "STYLE": _part("style.css"),
        "SCRIPT": "\n".join(_part(f"{name}.js") for name in _SCRIPTS),
    }
    # In one pass: a title may look like a placeholder.
    return re.sub("@@(TITLE|DATA|VIDEO|STYLE|SCRIPT)@@", lambda match: fill[match[1]], _part("viewer.html"))


def _part(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
