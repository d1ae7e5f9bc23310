"""One self-contained HTML page: the video or the 2D keypoints beside a 3D skeleton that turns under the mouse.

The page loads nothing from outside (its own content security policy forbids it), so it can be opened from disk,
mailed, or put on any server. Its address takes a fragment for a still picture or a link to one moment::

    page.html#frame=120&yaw=30&pitch=10&zoom=1.2&theme=dark&play=1&bare=1

`frame` counts from 0; `yaw` and `pitch` are degrees away from the camera's own view (yaw moves what is near to the
right, pitch looks from above); `bare=1` shows the pictures without title and controls.
"""

import base64
import html
import json
import logging
import re
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from poselift.errors import ShapeError
from poselift.files import check_free, written_whole
from poselift.sequence import CONTACTS, Keypoints2D, Poses3D, expect_keypoints, expect_poses
from poselift.skeleton import Skeleton

__all__ = ["LONGEST_EMBEDDED_S", "SmallCopy", "small_copy", "write_viewer"]

_LOG = logging.getLogger(__name__)
LONGEST_EMBEDDED_S = 600.0
"""Seconds of the longest video that is embedded: a page is one file, which a browser holds in memory."""
_MISSING = -32768
"""Number written for an unseen joint."""
_FINEST_M = 1e-3
_FINEST_PX = 0.1
_FINEST_CONFIDENCE = 0.01
_LANDSCAPE_HEIGHT_PX = 480
_PORTRAIT_HEIGHT_PX = 720


@dataclass(frozen=True, eq=False)
class SmallCopy:
    """A small copy of a video, to be embedded in pages."""

    mp4: bytes
    """The file."""
    size: tuple[int, int]
    """(width, height) of the original in pixels, in which keypoints are."""


def write_viewer(
    poses: Poses3D,
    path: str | Path,
    *,
    keypoints: Keypoints2D | None = None,
    video: "str | Path | SmallCopy | None" = None,
    title: str | None = None,
    overwrite: bool = False,
) -> None:
    """Write a page that plays `poses` beside the video or keypoints they were lifted from.

    Args:
        poses: The 3D joints. The page opens on the camera's own view of them. Joints that were not seen are faded, and
            gaps are marked on the time line. Where they are known, each joint has a disc within which it lies with a
            probability of 50 %, feet that stand still have marks on the floor, and a line shows which way is up.
        path: The HTML file to write.
        keypoints: The 2D keypoints, drawn over the video or, without one, as a stick figure in the picture. Any
            skeleton; frame i belongs to frame i of `poses`.
        video: The video that the keypoints came from. A small copy of what the poses show is embedded, from
            `poses.start_s` on; longer ones than `LONGEST_EMBEDDED_S` are left out. A `SmallCopy` serves many pages.
        title: Heading of the page; the name of the file when None.
        overwrite: Replace an existing file.

    Raises:
        KindError: `poses` are not `Poses3D`, or `keypoints` not `Keypoints2D`.
        ShapeError: `keypoints` and `poses` differ in number of frames.
        OutputError: The file exists, or cannot be written.
        DetectionError: The video cannot be read.
        MissingExtraError: There is a video, but PyAV is not installed.
    """
    expect_poses(poses)
    if keypoints is not None:
        expect_keypoints(keypoints)
    if keypoints is not None and len(keypoints) != len(poses):
        raise ShapeError(
            f"wanted keypoints for each of the {len(poses)} poses, got {len(keypoints)} frames; resample them alike"
        )
    path = Path(path)
    check_free(path, overwrite=overwrite)
    title = path.stem if title is None else title
    copy = small_copy(video, poses) if isinstance(video, str | Path) else video
    data = {
        "title": title,
        "fps": float(poses.fps),
        "frames": len(poses),
        "poses": _figure(poses.skeleton) | {"xyz": _packed(poses.y_up() * (1, -1, -1), _FINEST_M)},
        "observed": None if poses.observed is None else _packed(poses.observed, _FINEST_CONFIDENCE),
        "radius": None if (radius := poses.radius(0.5)) is None else _packed(radius, _FINEST_M),
        "up": None if poses.up is None else _packed(poses.y_up(poses.up) * (1, -1, -1), _FINEST_M),
        "contact": None if poses.contact is None else _packed(poses.contact, _FINEST_CONFIDENCE),
        "contacts": _contact_joints(poses.skeleton),
        "gaps": poses.gaps,
        "unseen": poses.unseen,
        "keypoints": None if keypoints is None else _picture_figure(keypoints),
        "picture": _picture(keypoints, copy.size if copy else None),
        "doubt": _doubt(poses),
    }
    with written_whole(path, overwrite=overwrite) as temporary:
        temporary.write_text(_page(title, data, copy.mp4 if copy else b""), encoding="utf-8")


def _page(title: str, data: dict[str, Any], clip: bytes) -> str:
    """Return the template with its three placeholders filled, each escaped for its context."""
    fill = {
        # References instead of letters: a file name may hold what UTF-8 cannot.
        "TITLE": html.escape(title).encode("ascii", "xmlcharrefreplace").decode(),
        # "<" could end the script element.
        "DATA": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
        "VIDEO": base64.b64encode(clip).decode(),
    }
    template = resources.files(__package__).joinpath("viewer.html").read_text(encoding="utf-8")
    # In one pass: a title may look like a placeholder.
    return re.sub("@@(TITLE|DATA|VIDEO)@@", lambda match: fill[match[1]], template)


def _figure(skeleton: Skeleton) -> dict[str, Any]:
    """Return joint names and the bones to draw: the tree's, and across hips and shoulders that no trunk joint links."""
    bones = list(skeleton.bones)
    for part, trunk in (("hip", {"pelvis"}), ("shoulder", {"neck", "upper_neck", "thorax"})):
        ends = [f"{side}_{part}" for side in ("left", "right")]
        if all(end in skeleton for end in ends) and not any(joint in skeleton for joint in trunk):
            left, right = skeleton.indices(ends)
            bones.append((left, right))
    return {"joints": skeleton.joints, "bones": bones}


def _contact_joints(skeleton: Skeleton) -> list[int]:
    """Return for each of `CONTACTS` the joint at which it is drawn: itself, else the ankle; -1 where it has neither."""
    places = [(name, f"{name.partition('_')[0]}_ankle") for name in CONTACTS]
    return [next((skeleton.index(joint) for joint in names if joint in skeleton), -1) for names in places]


def _picture_figure(keypoints: Keypoints2D) -> dict[str, Any]:
    xy = np.where(keypoints.seen[..., None], keypoints.xy, np.nan)
    confidence = keypoints.confidence
    return _figure(keypoints.skeleton) | {
        "xy": _packed(xy, _FINEST_PX),
        "confidence": None if confidence is None else _packed(confidence, _FINEST_CONFIDENCE),
    }


def _picture(keypoints: Keypoints2D | None, video_size: tuple[int, int] | None) -> dict[str, Any] | None:
    """Return the box to show in pixels: the picture where its size is known, else all keypoints with a margin."""
    size = keypoints.image_size if keypoints is not None and keypoints.image_size is not None else video_size
    if size is not None:
        return {"box": [0.0, 0.0, float(size[0]), float(size[1])], "whole": True}
    if keypoints is None:
        return None
    seen = keypoints.xy[keypoints.seen]
    if not len(seen):
        return {"box": [0.0, 0.0, 1.0, 1.0], "whole": False}
    low, high = seen.min(0), seen.max(0)
    margin = max(0.08 * float((high - low).max()), 1.0)
    return {"box": [*(low - margin).tolist(), *(high - low + 2 * margin).tolist()], "whole": False}


def _packed(values: np.ndarray, finest: float) -> dict[str, Any]:
    """Encode `values` as base64 of little-endian int16 multiples of `finest`, or of what the largest value needs."""
    finite = np.isfinite(values)
    values = np.where(finite, values, 0).astype(np.float64)
    unit = max(finest, float(np.abs(values).max()) / 32767)
    whole = np.where(finite, np.round(values / unit), _MISSING).astype("<i2")
    return {"unit": unit, "shape": values.shape, "data": base64.b64encode(whole.tobytes()).decode()}


def _doubt(poses: Poses3D) -> str:
    """Return in words of whom the person may be the continuation; empty without doubt."""
    numbers = " or ".join(f"person {number}" for number in poses.may_continue)
    return numbers and f"may be the continuation of {numbers}"


def small_copy(video: str | Path, poses: Poses3D) -> SmallCopy | None:
    """Return a small copy of the part of a video that poses were lifted from; None if it is too long to embed.

    Raises:
        DetectionError: The video cannot be read.
        MissingExtraError: PyAV is not installed.
    """
    from poselift.detect.transcode import transcode
    from poselift.detect.video import Span, probe

    if (seconds := len(poses) / poses.fps) > LONGEST_EMBEDDED_S:
        _LOG.info(
            "%s: %.0f s of video are not embedded in the page, at most %.0f are; it shows the keypoints",
            *(video, seconds, LONGEST_EMBEDDED_S),
        )
        return None
    info, half = probe(video), 0.5 / poses.fps
    span = Span(max(0.0, poses.start_s - half), poses.start_s + seconds - half)
    height = _LANDSCAPE_HEIGHT_PX if info.width >= info.height else _PORTRAIT_HEIGHT_PX
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.mp4"
        transcode(video, small, height=height, span=span)
        return SmallCopy(small.read_bytes(), (info.width, info.height))
